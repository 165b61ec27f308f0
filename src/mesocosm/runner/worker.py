"""Plays blocks of a sweep's cells: in this process, as ``python -m mesocosm.runner.worker``, or on another machine.

A worker process reads tasks from its standard input, one JSON line each, writes finished cells into the sweep's
directory itself, and tells on its standard output how far it is. It ends when its input does, or its parent.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mesocosm import registry
from mesocosm.config.load import scenario_from_dict, scenario_to_dict
from mesocosm.config.schema import Scenario
from mesocosm.errors import MesocosmError
from mesocosm.runner.cells import Cell, CellStore, encode_cell
from mesocosm.runner.table import Share, run_table


@dataclass(frozen=True)
class Asked:
    """What a sweep asks of every block: which metrics, which of them by epoch, and whose code takes part."""

    names: tuple[str, ...]
    curves: tuple[str, ...]
    plugins: tuple[str, ...] = ()

    def task(self, cells: Sequence[Cell]) -> dict[str, Any]:
        """A block of cells as plain values, for another process."""
        number: dict[int, int] = {}
        scenarios: list[Scenario] = []
        for cell in cells:
            if id(cell.scenario) not in number:
                number[id(cell.scenario)] = len(scenarios)
                scenarios.append(cell.scenario)
        return vars(self) | {
            "scenarios": [scenario_to_dict(scenario) for scenario in scenarios],
            "runs": [(cell.name, number[id(cell.scenario)], cell.seed) for cell in cells],
        }


def play_cells(asked: Asked, cells: Sequence[Cell], progress: Share | None = None) -> Iterator[tuple[str, bytes]]:
    """Run cells that can share a table; gives the name and the bytes of each."""
    pairs = [(cell.scenario, cell.seed) for cell in cells]
    for cell, result in zip(cells, run_table(pairs, asked.names, progress), strict=True):
        yield cell.name, encode_cell(cell, result, asked.curves)


def play_task(task: dict[str, Any], progress: Share | None = None) -> Iterator[tuple[str, bytes]]:
    """Run a block that came from another process."""
    for file in task["plugins"]:
        registry.load_plugin(file)
    scenarios = [scenario_from_dict(mapping) for mapping in task["scenarios"]]
    cells = [Cell(name, scenarios[number], seed) for name, number, seed in task["runs"]]
    asked = Asked(tuple(task["names"]), tuple(task["curves"]), tuple(task["plugins"]))
    return play_cells(asked, cells, progress)


def _serve(folder: Path) -> None:
    """Take tasks until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    parent, store = os.getppid(), CellStore(folder)
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a plugin prints must not pass for a message

    def tell(**facts: Any) -> None:
        out.write(msgspec.json.encode(facts) + b"\n")

    def heartbeat(share: float) -> None:
        if os.getppid() != parent:
            os._exit(1)  # nobody is left to work for
        tell(share=share)

    for line in sys.stdin.buffer:
        try:
            for name, data in play_task(msgspec.json.decode(line), heartbeat):
                store.write(name, data)
        except MesocosmError as error:
            tell(error=str(error), code=error.exit_code)
        else:
            tell(done=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
