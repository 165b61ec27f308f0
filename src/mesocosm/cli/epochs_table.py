"""The table of a run: one line per epoch, each metric by the proxy beside the same metric by the truth."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from mesocosm import registry
from mesocosm.cli.screen import dash

Row = dict[str, Any]

EPOCHS_SHOWN = 20
GAP = 2
#: which of the usual metrics matter most when there is not room for all of them
USUAL = (
    "toxicity_rate",
    "goodhart_gap",
    "acceptance_rate",
    "social_welfare",
    "private_welfare",
    "quality_gap",
    "influence_gini",
    "participation",
    "spread",
    "conditional_loss_initiator",
)
_SHORT = {
    "acceptance_rate": "accepted",
    "goodhart_gap": "gap",
    "influence_gini": "influence Gini",
    "participation": "took part",
}
_SHARES = ("share", "probability")


@dataclass(frozen=True)
class Group:
    """A metric, or a metric and its twin of the truth, as neighbouring columns."""

    title: str
    names: tuple[str, ...]

    @property
    def is_pair(self) -> bool:
        """Whether proxy and truth stand side by side."""
        return len(self.names) == 2


def groups_of(rows: Sequence[Row], tracked: Sequence[str]) -> list[Group]:
    """The groups of columns to show: the metrics tracked, or the usual ones, each with its twin if there is one."""
    asked = list(tracked) or list(USUAL)
    known = [name for name in (rows[0] if rows else {}) if name != "epoch"]
    if not tracked:
        origin = {entry.name: entry.origin for entry in registry.entries("metric")}
        asked += [name for name in known if name not in USUAL and not origin[name].startswith("mesocosm.")]
    proxy_of = {entry.facts["twin"]: entry.name for entry in registry.entries("metric") if entry.facts["twin"]}
    groups: list[Group] = []
    seen: set[str] = set()
    for asked_name in asked:
        first = proxy_of.get(asked_name, asked_name)
        name = first if first in known else asked_name
        twin = registry.find("metric", name).facts["twin"]
        names = tuple(one for one in (name, twin) if one in known)
        if names and not seen & set(names):
            seen.update(names)
            groups.append(Group(_title(names), names))
    return groups


def _title(names: tuple[str, ...]) -> str:
    if names[0] in _SHORT:
        return _SHORT[names[0]]
    words = names[0].split("_")
    twin = names[1].split("_") if names[1:] else []
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(words, twin, strict=False))
    return " ".join([word for word, _ in shared] or words)


def shown_epochs(count: int, most: int = EPOCHS_SHOWN) -> list[int]:
    """Which of many rows to show: all, or evenly spaced ones with the first and the last.

    Example
        >>> shown_epochs(3), shown_epochs(9, 3)
        ([0, 1, 2], [0, 4, 8])
    """
    if count <= most:
        return list(range(count))
    return [place * (count - 1) // (most - 1) for place in range(most)]


def decimals_of(name: str, values: Iterable[float]) -> int:
    """Digits behind the point that a column needs: three for shares, none for counts, else by size."""
    unit = registry.find("metric", name).facts["unit"]
    if unit.startswith(_SHARES):
        return 3
    finite = [abs(value) for value in values if math.isfinite(value)]
    if all(value == int(value) for value in finite) and unit.startswith("count"):
        return 0
    top = max(finite, default=0.0)
    return 3 if top < 10 else 2 if top < 100 else 1 if top < 10_000 else 0


def written(value: float, decimals: int) -> str:
    """A number as the table shows it; a dash where it is undefined."""
    if not math.isfinite(value):
        return dash()
    text = f"{value:,.{decimals}f}"
    return text[1:] if text.startswith("-") and float(text.replace(",", "")) == 0 else text


def mean_of(values: Iterable[float]) -> float:
    """Mean of the values that are defined, NaN when none is."""
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan


class EpochTable:
    """The lines of a table of epochs that fits a width.

    `left_out` names the metrics for which there was no room.
    """

    def __init__(self, rows: Sequence[Row], tracked: Sequence[str], width: int) -> None:
        """Choose as many groups of columns as fit, in order of interest."""
        self.rows = rows
        self.groups: list[Group] = []
        self.left_out: list[str] = []
        self._cells: dict[str, list[str]] = {}
        room = width - len("epoch") - 1
        for group in groups_of(rows, tracked):
            for name in group.names:
                self._cells[name] = self._column(name)
            span = self._span(group) + GAP + 1
            if span <= room:
                self.groups.append(group)
                room -= span
            else:
                self.left_out += group.names

    def _column(self, name: str) -> list[str]:
        values = [float(row[name]) for row in self.rows]
        decimals = decimals_of(name, values)
        return [written(value, decimals) for value in [*(values[place] for place in self._places), mean_of(values)]]

    @property
    def _places(self) -> list[int]:
        return shown_epochs(len(self.rows))

    def _widths(self, group: Group) -> list[int]:
        """Width of each column: its cells, and its share of the title's longest word."""
        cells = [max(len(cell) for cell in self._cells[name]) for name in group.names]
        if group.is_pair:
            spans = [max(span, 5) for span in cells]
            spans[1] += max(0, _longest_word(group.title) - sum(spans) - GAP)
            return spans
        return [max(cells[0], _longest_word(group.title))]

    def _span(self, group: Group) -> int:
        return sum(self._widths(group)) + GAP * (len(group.names) - 1)

    def heading(self) -> list[str]:
        """The lines above the numbers."""
        blocks: list[list[str]] = []
        for group in self.groups:
            widths = self._widths(group)
            whole = self._span(group)
            lines = textwrap.wrap(group.title, whole, break_on_hyphens=False)
            if group.is_pair:
                lines = [line.center(whole) for line in lines]
                lines.append((" " * GAP).join(("proxy", "true")[side].rjust(widths[side]) for side in (0, 1)))
            blocks.append([line.rjust(whole) for line in lines])
        height = max((len(block) for block in blocks), default=1)
        padded = [[" " * self._span(group)] * (height - len(block)) + block
                  for group, block in zip(self.groups, blocks, strict=True)]  # fmt: skip
        labels = [""] * (height - 1) + ["epoch"]
        return [self._line(labels[line], [block[line] for block in padded]) for line in range(height)]

    def body(self) -> list[str]:
        """One line per epoch shown."""
        return [self._row(str(self.rows[place]["epoch"]), line) for line, place in enumerate(self._places)]

    def mean(self) -> str:
        """The means over all epochs."""
        return self._row("mean", len(self._places))

    def _row(self, label: str, line: int) -> str:
        cells = []
        for group in self.groups:
            pairs = zip(group.names, self._widths(group), strict=True)
            cells.append((" " * GAP).join(self._cells[name][line].rjust(span) for name, span in pairs))
        return self._line(label, cells)

    @staticmethod
    def _line(label: str, cells: Sequence[str]) -> str:
        return (label.rjust(5) + "".join(" " * (GAP + 1) + cell for cell in cells)).rstrip()


def _longest_word(title: str) -> int:
    return max(len(word) for word in title.split())
