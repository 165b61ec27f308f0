"""The planner breaks a pending task down so that a worker can take it."""

from mesocosm.agents.roles.role import Role

PLANNER = Role("planner", tools=frozenset({"plan", "post", "reply", "vote"}))
