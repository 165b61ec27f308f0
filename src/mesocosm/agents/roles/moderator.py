"""The moderator hides posts of authors it distrusts."""

from mesocosm.agents.roles.role import Role

MODERATOR = Role("moderator", tools=frozenset({"flag", "reply", "vote"}))
