"""The behavioural policies, one file each: an open set.

A policy is a frozen dataclass under ``@policy("name")`` whose fields are its parameters. Adding a file adds a policy;
there is no list to edit. Pure, as all of agents.
"""
