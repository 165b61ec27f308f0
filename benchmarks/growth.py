"""Whether the cost of an agent-step grows with the number of agents, or with the age of a run, in processor time."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from benchmarks.apart import measure_apart
from benchmarks.contrasts import Contestant, rates, ratios
from benchmarks.measure import Line

FEW, MANY = 100, 1_000
OLD, YOUNG = 300, 30  # epochs


class Growth(NamedTuple):
    """How many times as much an agent-step costs in the larger case, once for each round."""

    name: str
    ratio: list[float]


def growth_of_agents(seconds: float, rounds: int) -> list[Growth]:
    """1,000 agents beside 100: alone, where 100 pay the fixed cost of NumPy's calls, and in batches of 24,000 rows."""
    found = []
    for label, copies in (("single runs (few pay NumPy's fixed cost)", 1), ("batches of equal rows", 24)):
        many = Line("engine", MANY, copies, "mixed", "epoch", 10, seconds)
        few = Line("engine", FEW, copies * MANY // FEW if copies > 1 else 1, "mixed", "epoch", 10, seconds)
        speed = rates({"many": Contestant(many), "few": Contestant(few)}, rounds)
        sizes = f"{copies} x {MANY:,} agents, {few.replicates} x {FEW}"
        found.append(Growth(f"{label}: {sizes}", ratios(speed, "few", "many")))
    return found


def growth_of_epochs(replicates: int, rounds: int) -> list[Growth]:
    """300 epochs beside the first 30 of them, and the last 30 beside the first 30."""
    whole, late = [], []
    for _ in range(rounds):
        line = Line("engine", FEW, replicates, "mixed", "epoch", 10, 0.0, epochs=OLD)
        busy: list[float] = measure_apart(line)["busy_by_epoch"]
        first = statistics.mean(busy[:YOUNG])
        whole.append(statistics.mean(busy) / first)
        late.append(statistics.mean(busy[-YOUNG:]) / first)
    size = f"{replicates} x {FEW} agents"
    return [
        Growth(f"{size}: {OLD} epochs, {YOUNG} epochs", whole),
        Growth(f"{size}: the last {YOUNG} of {OLD} epochs, the first {YOUNG}", late),
    ]


def print_growth(grown: Growth) -> None:
    """One row: how much dearer an agent-step is, the median of the rounds, and the least and the most."""
    span = f"({min(grown.ratio):.2f} to {max(grown.ratio):.2f})"
    print(f"{grown.name:>76}  {statistics.median(grown.ratio):6.2f}  {span}", flush=True)
