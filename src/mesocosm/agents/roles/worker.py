"""The worker claims a planned task and submits the work."""

from mesocosm.agents.roles.role import Role

WORKER = Role("worker", tools=frozenset({"claim", "submit", "post", "reply", "vote"}))
