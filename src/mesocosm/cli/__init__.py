"""The ``mesocosm`` command: the screen of everything below.

It parses, calls and prints; what is computed is computed in another layer. Nothing imports it, and heavy libraries are
imported inside the functions that need them, so that ``mesocosm --help`` is immediate.
"""
