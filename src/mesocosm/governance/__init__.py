"""What governs: the levers, one file each: an open set.

A lever is a frozen dataclass under ``@lever("name")`` with hooks that receive its parameters as columns. At its
neutral setting the trajectory is the same, bit for bit, as without it; no effect is written into a lever, it only
changes rules. Pure: no files, no clock. It may import everything up to measures, and never agents.
"""
