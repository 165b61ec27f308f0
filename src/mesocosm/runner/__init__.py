"""Running many economies, safely: run directories, resume, replay.

Here, and nowhere below, the simulation meets disk, clock and process. It may import everything up to llm.
"""
