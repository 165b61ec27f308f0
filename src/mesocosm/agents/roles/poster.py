"""The poster writes for the feed."""

from mesocosm.agents.roles.role import Role

POSTER = Role("poster", tools=frozenset({"post", "reply", "vote"}), posts_often=True)
