"""Where in the plane of two axes an effect is: a cell for each pair of values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from mesocosm.analysis.figures.effect_table import Effect, EffectTable
from mesocosm.analysis.figures.picture import Axis, Cells, Panel, Picture, safe_line

PANELS_MOST = 9
TEXT_CELLS_MOST = 150


def phase_picture(table: EffectTable, doses: Mapping[str, Mapping[str, Any]], title: str) -> Picture | None:
    """The effect over two axes of a study, a panel for each setting and value of further axes.

    Where a study has one axis and several settings, the settings are the second one.

    Params   doses: for each arm of the grid its value on every axis.
    Returns  None where there are fewer than two axes.
    """
    axes = list(next(iter(doses.values()), {}))
    if len(axes) == 1 and len(table.settings) > 1:
        panels = [_over_settings(table, doses, axes[0])]
    elif len(axes) >= 2:
        panels = list(_over_axes(table, doses, axes))
    else:
        return None
    limit = max(
        (abs(one.change) for one in table.effects if one.arm in doses and math.isfinite(one.change)), default=1.0
    )
    drawn = [_coloured(panel, limit or 1.0) for panel in panels[:PANELS_MOST]]
    about = (
        f"Change in {table.metric} ({table.unit}) against the base: blue falls, brown rises, the stronger the colour "
        f"the more, up to {limit:.3g}. Cells follow the order of the values; they are no scale."
    )
    if any(not one.is_clear for one in table.effects if one.arm in doses):
        about += f" Crossed out: the interval {'for all arms at once ' if table.family else ''}holds 0."
    out = (f"{len(panels) - PANELS_MOST} more panels",) if len(panels) > PANELS_MOST else ()
    columns = 1 if len(drawn) == 1 else 2 if len(drawn) <= 4 else 3
    return Picture("phase_map", title, about, tuple(drawn), columns, out, (6.6, 4.8) if columns == 1 else (4.8, 3.8))


def _over_axes(table: EffectTable, doses: Mapping[str, Mapping[str, Any]], axes: Sequence[str]) -> Sequence[Panel]:
    across, up, *further = axes
    known = {axis: _values(doses, axis) for axis in axes}
    panels = []
    for setting in table.settings:
        effects = {one.arm: one for one in table.effects if one.setting == setting}
        for fixed in product(*(known[axis] for axis in further)):
            wanted = dict(zip(further, fixed, strict=True))
            own = [arm for arm in doses if all(doses[arm][axis] == value for axis, value in wanted.items())]
            found = {(doses[arm][across], doses[arm][up]): effects[arm] for arm in own if arm in effects}
            told = [safe_line(setting, 40)] if setting else []
            told += [f"{_short(axis)} {value}" for axis, value in wanted.items()]
            panels.append(_panel(found, across, up, known[across], known[up], ", ".join(told)))
    return panels


def _over_settings(table: EffectTable, doses: Mapping[str, Mapping[str, Any]], axis: str) -> Panel:
    found = {(doses[one.arm][axis], one.setting): one for one in table.effects if one.arm in doses}
    return _panel(found, axis, "setting", _values(doses, axis), list(table.settings), "")


def _values(doses: Mapping[str, Mapping[str, Any]], axis: str) -> list[Any]:
    """The values of an axis, numbers in ascending order, others as the study names them."""
    known = list(dict.fromkeys(place[axis] for place in doses.values()))
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    return sorted(known) if is_number else known


def _panel(
    found: Mapping[tuple[Any, Any], Effect], across: str, up: str, xs: Sequence[Any], ys: Sequence[Any], title: str
) -> Panel:
    places = [(x, y) for y in ys for x in xs if (x, y) in found]
    effects = [found[place] for place in places]
    few = len(places) <= TEXT_CELLS_MOST
    mark = Cells(
        x=[float(xs.index(x)) for x, _ in places],
        y=[float(ys.index(y)) for _, y in places],
        value=[one.change for one in effects],
        texts=tuple(f"{one.change:+.3f}" if math.isfinite(one.change) else "-" for one in effects) if few else (),
        tips=tuple(
            f"{_short(across)} {x}, {_short(up)} {y}: {one.change:+.4g} [{one.low:+.4g}, {one.high:+.4g}]"
            for (x, y), one in zip(places, effects, strict=True)
        ),
        clear=tuple(one.is_clear for one in effects),
    )
    x_axis, y_axis = (
        Axis(name, low=-0.5, high=len(values) - 0.5, ticks=tuple((float(n), _told(v)) for n, v in enumerate(values)))
        for name, values in ((across, xs), (up, ys))
    )
    return Panel(title or "Effect over two axes", x_axis, y_axis, (mark,))


def _coloured(panel: Panel, limit: float) -> Panel:
    """The same panel on the scale that all panels share."""
    cells = tuple(
        Cells(mark.x, mark.y, mark.value, mark.texts, mark.tips, mark.clear, limit)
        for mark in panel.marks
        if isinstance(mark, Cells)
    )
    return Panel(panel.title, panel.x, panel.y, cells)


def _short(axis: str) -> str:
    return axis.rpartition(".")[2]


def _told(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else safe_line(str(value), 24)
