"""Who acts: behavioural policies, roles, and the contract for agents written as Python objects.

An agent sees a `View` and fills `Decisions`; it never sees the state, the ledger or another agent's type. Pure: no
files, no clock. It may import everything up to measures, and never governance.
"""
