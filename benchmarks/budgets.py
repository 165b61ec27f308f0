"""What the design allows, beside what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks import contrasts
from benchmarks.growth import Growth

#: budget, and what the code of before reached on the machine of docs/performance.md (1,200 x 50, level epoch)
SET_BESIDE = {"honest": (1e6, 1_081_393), "mixed": (5e5, 668_316)}


class Budget(NamedTuple):
    """Something that may be at most, or must be at least, so much."""

    name: str
    allowed: float
    measured: float
    at_most: bool

    @property
    def is_met(self) -> bool:
        """Whether the measured figure keeps to it."""
        return self.measured <= self.allowed if self.at_most else self.measured >= self.allowed


def speed_budgets(results: Sequence[dict[str, Any]], help_s: float, baseline_s: float) -> list[Budget]:
    """The budgets of the table of lines, and of what a person types."""
    rate = {(r["replicates"], r["agents"], r["mix"], r["level"]): r for r in results if r["program"] == "engine"}
    logged = [r["interactions_per_s"] for r in results if r["program"] == "engine" and r["level"] == "full"]
    big = [r for r in results if r["agents"] == 1_000_000 and r["level"] == "epoch"]
    batch = {mix: rate[1_200, 50, mix, "epoch"]["agent_steps_per_s"] for mix in ("honest", "mixed")}
    return [
        Budget("baseline, 10 epochs, s", 1.0, baseline_s, at_most=True),
        Budget("--help, s", 0.3, help_s, at_most=True),
        Budget("agent-steps/s, honest batch", 1e6, batch["honest"], at_most=False),
        Budget("agent-steps/s, mixed batch, learning", 5e5, batch["mixed"], at_most=False),
        Budget("fully logged interactions/s, best", 5e4, max(logged), at_most=False),
        Budget("1,000,000 agents, agent-steps/s", 5e5, min(r["agent_steps_per_s"] for r in big), at_most=False),
        Budget("1,000,000 agents, peak GiB", 4.0, max(r["peak_mib"] for r in big) / 1024, at_most=True),
    ]


def study_budgets(swept: dict[int, dict[str, float]]) -> list[Budget]:
    """The plan's sweep on two cores."""
    return [Budget("the plan's sweep on two workers, s", 60.0, swept[2]["wall_s"], at_most=True)]


def page_budgets(pages: dict[str, Any]) -> list[Budget]:
    """What the dashboard may take to open a run of a million interactions."""
    if not pages:
        return []
    return [
        Budget("dashboard, a million interactions, s", 5.0, pages["seconds"]["Run"], at_most=True),
        Budget("dashboard, a million interactions, peak GiB", 1.0, pages["peak_mib"] / 1024, at_most=True),
    ]


def report_budgets(page: dict[str, Any]) -> list[Budget]:
    """A report on a long run, from typing the command to the page."""
    return [
        Budget("report on a million interactions, s", 5.0, page["wall_s"], at_most=True),
        Budget("report on a million interactions, peak GiB", 1.0, page["peak_mib"] / 1024, at_most=True),
        Budget("report on a million interactions, MB", 6.0, page["page_bytes"] / 1e6, at_most=True),
    ]


def budgets_beside_before(found: dict[str, list[float]]) -> list[Budget]:
    """The same two budgets on a machine of any speed: as shares of what the code of before does in the same run."""
    if contrasts.MIXED_BEFORE not in found:
        return []
    budgets = []
    for mix, now, before in (
        ("honest", contrasts.HONEST, contrasts.HONEST_BEFORE),
        ("mixed", contrasts.LEARNING, contrasts.MIXED_BEFORE),
    ):
        allowed, reached = SET_BESIDE[mix]
        share = statistics.median(contrasts.ratios(found, now, before))
        budgets.append(Budget(f"{now}, beside the code of before", allowed / reached, share, at_most=False))
    return budgets


def growth_budgets(agents: Sequence[Growth], epochs: Sequence[Growth]) -> list[Budget]:
    """An agent-step costs at most twice as much, or as little, in a larger or older run."""
    single, *others = agents
    budgets = [Budget(single.name, 2.0, statistics.median(single.ratio), at_most=True)]
    for grown in (*others, *epochs):
        ratio = statistics.median(grown.ratio)
        budgets.append(Budget(f"{grown.name}, either way", 2.0, max(ratio, 1.0 / ratio), at_most=True))
    return budgets


def print_budgets(budgets: Sequence[Budget]) -> None:
    """Print every budget, what was measured, and whether it is met."""
    print(f"\n{'budget':>76}  {'allowed':>12}  {'measured':>12}")
    for budget in budgets:
        form = ",.0f" if budget.allowed >= 1e4 else ",.3f"
        limit = f"{'<=' if budget.at_most else '>='} {budget.allowed:{form}}"
        verdict = "met" if budget.is_met else "missed"
        print(f"{budget.name:>76}  {limit:>12}  {budget.measured:>12{form}}  {verdict}")
