"""A run in words: what was run, and what to be wary of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesocosm.runner.runner import Run

EPOCHS_NAMED = 8
_EPOCH = re.compile(r"in epoch (\d+)")


def title_of(made: Run) -> str:
    """What was run, in a line."""
    simulation, agents = made.scenario.simulation, made.scenario.agents_initial
    told = f"{agents:,} agent{'s' * (agents != 1)}, {len(made.rows)} epoch{'s' * (len(made.rows) != 1)}"
    levers = list(made.scenario.governance)
    more = f" and {len(levers) - 3} more" if len(levers) > 3 else ""
    rules = f" with {', '.join(levers[:3])}{more}" if levers else ""
    return f"{made.scenario.scenario_id}{rules}: {told} of {simulation.steps_per_epoch} steps, seed {made.seed}"


def merged(flags: Sequence[str]) -> list[str]:
    """Flags that differ only by their epoch, told once.

    Example
        >>> merged(["no rejections in epoch 2, so x is undefined", "no rejections in epoch 3, so x is undefined"])
        ['no rejections in epochs 2 and 3, so x is undefined']
    """
    epochs: dict[tuple[str, str], list[str]] = {}
    for flag in flags:
        found = _EPOCH.search(flag)
        key = (flag[: found.start()], flag[found.end() :]) if found else (flag, "")
        epochs.setdefault(key, []).extend([found.group(1)] if found else [])
    told = []
    for (before, after), places in epochs.items():
        if len(places) > 1:
            listed = ", ".join(places[:EPOCHS_NAMED]) if len(places) > EPOCHS_NAMED else ", ".join(places[:-1])
            last = f"{len(places) - EPOCHS_NAMED} more" if len(places) > EPOCHS_NAMED else places[-1]
            told.append(f"{before}in epochs {listed} and {last}{after}")
        else:
            told.append(f"{before}in epoch {places[0]}{after}" if places else before)
    return told
