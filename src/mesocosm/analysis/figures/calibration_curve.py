"""Whether the proxy means what it says: what p promised against what came of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mesocosm.analysis.figures.picture import Axis, Bars, Intervals, Line, Mark, Panel, Picture
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.analysis.proportions import proportion
from mesocosm.measures.calibration import (
    BINS,
    brier_score,
    calibration_error,
    calibration_error_by_chance,
    equal_mass_bins,
)

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
EDGES = 20
SEEN = "p: chance of a good outcome, by proxy"


def calibration_picture(source: RunSource, title: str) -> Picture | None:
    """p against outcomes in bins of equal mass, for all proposals and for those accepted; None where nobody proposed.

    Raises   UsageError when the log holds no interactions.
    """
    table = source.table("interactions", ["p", "v", "accepted"])
    if table.height == 0:
        return None
    p, good = table["p"].to_numpy().astype(np.float64), table["v"].to_numpy() > 0
    accepted = table["accepted"].to_numpy().astype(bool)
    about = (
        f"Proposals in {BINS} bins of equally many, by p. On the diagonal p means what it says; below it p promises "
        "too much. Bars: 95 % Wilson intervals. Accepted deals below the diagonal while all proposals lie on it are "
        "the winner's curse."
    )
    return Picture("calibration", title, about, (_curve(p, good, accepted), _spread(p, accepted)), 2, (), (5.4, 4.6))


def _curve(p: F64, good: Mask, accepted: Mask) -> Panel:
    one_group = np.zeros(len(p), dtype=np.int64)
    marks: list[Mark] = [Line([0.0, 1.0], [0.0, 1.0], "p means what it says", "quiet", "dash", 1.2)]
    marks += _binned(p, good, "all proposals", "blue", "circle")
    if accepted.any():
        marks += _binned(p[accepted], good[accepted], "accepted", "brown", "square")
    brier, ece = (float(each(p, good, one_group, 1)[0]) for each in (brier_score, calibration_error))
    null = float(calibration_error_by_chance(p, one_group, 1)[0][0])
    x, y = (
        Axis(SEEN, low=-0.03, high=1.03),
        Axis("share that went well", low=-0.03, high=1.03),
    )
    told = f"Brier {brier:.3f}, calibration error {ece:.3f} ({null:.3f} by chance)"
    return Panel(told, x, y, tuple(marks), square=True)


def _binned(p: F64, good: Mask, label: str, color: str, mark: str) -> Iterator[Mark]:
    cell = equal_mass_bins(p, np.zeros(len(p), dtype=np.int64), 1, min(BINS, len(p)))
    x, y, low, high, tips = [], [], [], [], []
    for number in np.unique(cell):
        rows = cell == number
        found = proportion(int(good[rows].sum()), int(rows.sum()))
        x.append(float(p[rows].mean()))
        y.append(found.share)
        low.append(found.low)
        high.append(found.high)
        ends = f"[{found.low:.3f}, {found.high:.3f}]"
        tips.append(f"{label}: p {x[-1]:.3f}, went well {found.share:.3f} {ends}, n {found.n:,}")
    yield Intervals(x, y, low, high, label, color, "y", mark, tuple(tips))


def _spread(p: F64, accepted: Mask) -> Panel:
    edges = np.linspace(0.0, 1.0, EDGES + 1)
    middle = ((edges[:-1] + edges[1:]) / 2.0).tolist()
    every, taken = (np.histogram(values, edges)[0].astype(float) for values in (p, p[accepted]))
    marks = (
        Bars(middle, every.tolist(), "all proposals", "blue", 0.9 / EDGES, alpha=0.35),
        Bars(middle, taken.tolist(), "accepted", "brown", 0.5 / EDGES),
    )
    y = Axis("proposals", from_zero=True)
    return Panel("What p was seen", Axis(SEEN, low=0.0, high=1.0), y, marks)
