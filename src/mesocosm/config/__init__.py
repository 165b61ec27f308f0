"""What was asked for: scenarios as files, validated once, then unchangeable.

A scenario is read strictly: every key is known, every value has its type and bounds, and all mistakes of a file
are told together with their line and column. Nothing after this layer looks at text again.
"""
