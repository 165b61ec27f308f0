"""Who acts when: one loop for simultaneous and sequential turns, what each may see, and the safety rails.

The engine is a generator: it yields event batches and decision requests and receives decisions, pause and kill. It
knows no policy and no lever by name; they are handed to it. Pure: no files, no clock.
"""
