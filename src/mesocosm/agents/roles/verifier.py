"""The verifier looks at submitted work and approves or rejects it."""

from mesocosm.agents.roles.role import Role

VERIFIER = Role("verifier", tools=frozenset({"approve", "reject", "reply", "vote"}))
