"""What a change of rules in mid-run does, over paired seeds: every run with and without it, from the same epoch on."""

from __future__ import annotations

from collections.abc import Sequence

from mesocosm.analysis.comparison import (
    BASE,
    CHANGED,
    Comparison,
    chosen_seeds,
    compared_metrics,
    run_arms,
)
from mesocosm.analysis.statistics import CONFIDENCE
from mesocosm.errors import UsageError
from mesocosm.runner.branch import BranchPoint
from mesocosm.runner.inputs import orders_of
from mesocosm.runner.table import Share


def compare_branch(
    point: BranchPoint,
    *,
    seeds: int | Sequence[int] = 30,
    metrics: Sequence[str] = (),
    confidence: float = CONFIDENCE,
    progress: Share | None = None,
) -> Comparison:
    """Compare the scenario of a run with and without what a branch changes, over paired seeds.

    Both arms get the orders that the run was given before and after; agents from outside decide anew in every run.

    Params   point: what `branch_point` gives; seeds, metrics, confidence, progress: as for `compare`.
    Returns  a comparison whose metrics are summed up over the epochs from the branch point on.
    Raises   UsageError when the branch changes nothing.
    Example
        >>> import mesocosm as mc
        >>> from mesocosm.runner.branch import branch_point
        >>> run = mc.run("baseline", epochs=3, output=getfixture("tmp_path"))
        >>> point = branch_point(run, 1, ["governance.random_audit.probability=0.3"])
        >>> found = compare_branch(point, seeds=2)
        >>> before = [found.arms["learning", arm].epochs["toxicity_true"][:, 0].tolist() for arm in ("base", "changed")]
        >>> before[0] == before[1], found.since
        (True, 1)
    """
    if point.is_unchanged:
        raise UsageError("nothing to compare: give a change, as in governance.random_audit.probability=0.2.")
    chosen = chosen_seeds(seeds)
    kind: str = point.scenario.adaptation
    names = compared_metrics(point.scenario, metrics)
    arms = {(kind, name): point.scenario for name in (BASE, CHANGED)}
    orders = {(kind, BASE): orders_of(point.log), (kind, CHANGED): point.orders}
    made = run_arms(arms, chosen, names, progress, orders=orders, since=point.at)
    return Comparison(point.scenario, rules_told(point), chosen, names, made, confidence, point.at)


def rules_told(point: BranchPoint) -> tuple[str, ...]:
    """The rules that a branch changes, in words."""
    told = [f"governance.{order.lever}.{order.parameter}={order.value}" for order in point.enacted]
    return tuple(told or ["without the orders that came later"])
