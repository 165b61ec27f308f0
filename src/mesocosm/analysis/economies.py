"""Economies beside the one that was studied: a Latin hypercube over the constants that the model assumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mesocosm.config.load import with_overrides
from mesocosm.config.schema import Scenario
from mesocosm.config.study import BASE, Design
from mesocosm.errors import ConfigError, Mistake

_SIGNIFICANT = 6


@dataclass(frozen=True)
class Economy:
    """One point of the hypercube: its constants, and the scenario of each arm in it."""

    constants: dict[str, float]
    scenarios: dict[str, Scenario]


def tried_arms(design: Design) -> tuple[str, ...]:
    """Arms whose robustness a study asks for."""
    plan = design.study.robustness
    return () if plan is None else plan.arms or design.arms


def draw_economies(design: Design) -> list[Economy]:
    """The economies in which a study's findings have to hold; none if it does not ask.

    Every range is cut into as many equal parts as there are economies, and each part is met exactly once.

    Raises   ConfigError when constants within their ranges do not go together.
    Source   McKay, Beckman and Conover (1979), Latin hypercube sampling.
    """
    plan = design.study.robustness
    if plan is None:
        return []
    from scipy.stats import qmc

    share = qmc.LatinHypercube(len(plan.ranges), rng=plan.luck).random(plan.samples)
    found = []
    for row in share.tolist():
        constants = {
            path: float(f"{low + (high - low) * part:.{_SIGNIFICANT}g}")
            for (path, (low, high)), part in zip(plan.ranges.items(), row, strict=True)
        }
        found.append(Economy(constants, _scenarios(design, constants, tried_arms(design))))
    return found


def _scenarios(design: Design, constants: dict[str, float], arms: Sequence[str]) -> dict[str, Scenario]:
    try:
        base = with_overrides(design.base, constants)
        return {BASE: base} | {arm: with_overrides(base, design.changes[arm]) for arm in arms}
    except ConfigError as error:
        at = ", ".join(f"{path}={value:g}" for path, value in constants.items())
        told = "; ".join(f"{mistake.key}: {mistake.message}" for mistake in error.mistakes)
        raise ConfigError([Mistake("robustness.ranges", f"no economy has {at}: {told}")]) from error
