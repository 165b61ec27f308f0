"""Lines measured beside each other, turn by turn, in processor time: learning beside frozen, and now beside before."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks.apart import code_before, measure_apart
from benchmarks.measure import Line

FROZEN, LEARNING, GOVERNED = "mixed, frozen", "mixed, learning", "mixed, learning, levers in force"
HONEST, HONEST_BEFORE, MIXED_BEFORE = "honest", "honest, before", "mixed, before"
WIDTHS = (11, 52, 14, 24)
HEADINGS = ("agents", "what", "agent-steps/s", "least to most")


class Contestant(NamedTuple):
    """A line, and the folder of the code to measure it with if not the present one."""

    line: Line
    before: Path | None = None


def rates(contestants: dict[str, Contestant], rounds: int) -> dict[str, list[float]]:
    """Agent-steps per second of processor time of each, measured one after the other in every round."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            result = measure_apart(contestant.line, contestant.before)
            found[name].append(result["agent_steps_per_s"] / result["core_share"])
    return found


def ratios(found: dict[str, list[float]], name: str, beside: str) -> list[float]:
    """How many times as fast one is as another, round by round."""
    return [one / other for one, other in zip(found[name], found[beside], strict=True)]


def adaptation_lines(agents: int, replicates: int, steps: int, seconds: float) -> dict[str, Contestant]:
    """The mixed batch with agents that ignore levers, with agents that learn, and with levers to learn about."""
    line = Line("engine", agents, replicates, "mixed", "epoch", steps, seconds)
    return {
        FROZEN: Contestant(replace(line, adaptation="frozen")),
        LEARNING: Contestant(line),
        GOVERNED: Contestant(replace(line, governed=True)),
    }


def compare_batches(agents: int, replicates: int, seconds: float, rounds: int) -> dict[str, list[float]]:
    """Measure and print: learning beside frozen, and both and honest agents beside the code of before."""
    contestants = adaptation_lines(agents, replicates, 10, seconds)
    contestants[HONEST] = Contestant(Line("engine", agents, replicates, "honest", "epoch", 10, seconds))
    pairs = [(LEARNING, FROZEN), (GOVERNED, FROZEN)]
    with code_before() as before:
        if isinstance(before, Path):
            contestants[MIXED_BEFORE] = Contestant(contestants[FROZEN].line, before)
            contestants[HONEST_BEFORE] = Contestant(contestants[HONEST].line, before)
            pairs += [(FROZEN, MIXED_BEFORE), (LEARNING, MIXED_BEFORE), (HONEST, HONEST_BEFORE)]
        found = rates(contestants, rounds)
    print_contrast(f"{replicates:,} x {agents:,}", found, pairs)
    if isinstance(before, str):
        print(f"Not measured: the code of before ({before}).")
    return found


def compare_adaptation(agents: int, steps: int, seconds: float, rounds: int) -> dict[str, list[float]]:
    """Measure and print learning beside frozen in one run of many agents."""
    found = rates(adaptation_lines(agents, 1, steps, seconds), rounds)
    print_contrast(f"{agents:,}", found, [(LEARNING, FROZEN), (GOVERNED, FROZEN)])
    return found


def print_headings() -> None:
    """Print what the columns are."""
    print("  ".join(name.rjust(width) for name, width in zip(HEADINGS, WIDTHS, strict=True)))


def print_contrast(size: str, found: dict[str, list[float]], pairs: Sequence[tuple[str, str]]) -> None:
    """A row for each line, and one for each pair of them: the median of the rounds, the least and the most."""
    rows = [(size, name, *_span(speed, ",.0f")) for name, speed in found.items()]
    rows += [(size, f"{name} / {beside}", *_span(ratios(found, name, beside), ".2f")) for name, beside in pairs]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, WIDTHS, strict=True)), flush=True)


def _span(values: Sequence[float], form: str) -> tuple[str, str]:
    return format(statistics.median(values), form), f"{min(values):{form}} to {max(values):{form}}"
