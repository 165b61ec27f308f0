"""The model once more, one agent at a time: Python objects, plain numbers, no arrays.

This is the specification of the model in its most readable form, the yardstick of the benchmarks, and a check on
the engine: both must tell the same story, event by event and bit by bit. The engine may be rebuilt as long as they do.
"""

from benchmarks.object_loop.chronicle import Event, bodies, trajectory_hash
from benchmarks.object_loop.play import play

__all__ = ["Event", "bodies", "play", "trajectory_hash"]
