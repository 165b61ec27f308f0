"""Roles: the tool allowlist of each job, in the order of `env.population.ROLES`. Roles never decide; policies do."""

from mesocosm.agents.roles.moderator import MODERATOR
from mesocosm.agents.roles.planner import PLANNER
from mesocosm.agents.roles.poster import POSTER
from mesocosm.agents.roles.role import Role
from mesocosm.agents.roles.verifier import VERIFIER
from mesocosm.agents.roles.worker import WORKER

ROLE_LIST: tuple[Role, ...] = (PLANNER, WORKER, VERIFIER, POSTER, MODERATOR)

__all__ = ["MODERATOR", "PLANNER", "POSTER", "ROLE_LIST", "VERIFIER", "WORKER", "Role"]
