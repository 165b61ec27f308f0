"""What levers do: a forest of effects with intervals beside sham and oracle, the price in welfare, the dose."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from mesocosm.analysis.dose_response import DoseResponse
from mesocosm.analysis.figures.effect_table import Effect, EffectTable
from mesocosm.analysis.figures.picture import (
    Axis,
    Band,
    Intervals,
    Line,
    Mark,
    Panel,
    Picture,
    Points,
    Rule,
    Span,
    safe_line,
)

ARMS_MOST, PANELS_MOST = 40, 9
ARM_LABEL = 44


def levers_picture(table: EffectTable, title: str) -> Picture | None:
    """A forest plot: a row an arm with its interval, lines at 0, at the sham and at the oracle; None without arms."""
    if not table.effects:
        return None
    settings = table.settings[:PANELS_MOST]
    panels = tuple(_forest(table, setting) for setting in settings)
    rows = max(len(_arms(table, setting)) for setting in settings) + len({one.arm for one in table.controls})
    together = "all arms at once, on this metric alone" if table.family else "each by itself"
    about = (
        f"Change against the same seed without the lever, mean of {table.seeds} pairs, with "
        f"{100 * table.confidence:.0f} % intervals ({together}). Blue: clear of 0; grey: not. Sham does "
        "nothing by design; the oracle refuses what would go wrong, the most that a lever can do."
    )
    if math.isfinite(table.smallest):
        about += f" Shaded: changes below {table.smallest:g}, too small to matter."
    out = []
    if len(table.settings) > PANELS_MOST:
        out.append(f"{len(table.settings) - PANELS_MOST} more settings")
    if any(len(_all_arms(table, setting)) > ARMS_MOST for setting in settings):
        out.append(f"arms beyond the first {ARMS_MOST}")
    columns = min(len(panels), 2)
    size = (7.8 if columns == 1 else 6.4, max(2.6, 1.3 + 0.27 * rows))
    return Picture("levers", title, about, panels, columns, tuple(out), size)


def _all_arms(table: EffectTable, setting: str) -> list[Effect]:
    return [effect for effect in table.effects if effect.setting == setting]


def _arms(table: EffectTable, setting: str) -> list[Effect]:
    return _all_arms(table, setting)[:ARMS_MOST]


def _forest(table: EffectTable, setting: str) -> Panel:
    arms = _arms(table, setting)
    controls = [one for one in table.controls if one.setting == setting]
    rows = [*arms, *controls]
    marks: list[Mark] = []
    if math.isfinite(table.smallest):
        marks.append(Span(-table.smallest, table.smallest, "x", "too small to matter"))
    for name, color in (("sham", "sham"), ("oracle", "oracle")):
        control = table.control(setting, name)
        if control is not None and math.isfinite(control.change):
            marks.append(Rule(control.change, "x", name, color, "dot" if name == "sham" else "dash"))
    groups = (
        ("clear of 0", "clear", "circle", [one for one in arms if one.is_clear]),
        ("not clear of 0", "unclear", "circle", [one for one in arms if not one.is_clear]),
        ("control", "teal", "square", controls),
    )
    place = {id(one): -float(number) for number, one in enumerate(rows)}
    for label, color, mark, group in groups:
        if group:
            marks.append(_intervals(table, group, place, label, color, mark))
    ticks = tuple((-float(number), safe_line(one.arm, ARM_LABEL)) for number, one in enumerate(rows))
    x = Axis(f"change in {table.metric} ({table.unit})", zero_line=True)
    y = Axis("", low=-len(rows) + 0.4, high=0.6, ticks=ticks)
    return Panel(safe_line(setting, 60) or f"Effect on {table.metric}", x, y, tuple(marks))


def _intervals(
    table: EffectTable, group: Sequence[Effect], place: dict[int, float], label: str, color: str, mark: str
) -> Intervals:
    tips = tuple(
        f"{one.arm}: {one.change:+.4g} [{one.low:+.4g}, {one.high:+.4g}]{'; ' + one.words if one.words else ''}"
        for one in group
    )
    x, low, high = ([getattr(one, name) for one in group] for name in ("change", "low", "high"))
    return Intervals(x, [place[id(one)] for one in group], low, high, label, color, "x", mark, tips)


def pareto_front(points: Sequence[tuple[float, float]], better: tuple[str, str]) -> list[int]:
    """Places of the points that no other is better than on both counts, in order of the first one.

    Params   better: "lower" or "higher", for each of the two numbers.
    Example
        >>> pareto_front([(0.0, 0.0), (-0.2, -1.0), (-0.1, -2.0), (-0.1, 0.5)], ("lower", "higher"))
        [1, 3]
    """
    sign = [-1.0 if word == "lower" else 1.0 for word in better]
    gain = [(point[0] * sign[0], point[1] * sign[1]) for point in points]
    front = [
        place
        for place, own in enumerate(gain)
        if all(math.isfinite(value) for value in own)
        and not any(
            other[0] >= own[0] and other[1] >= own[1] and other != own
            for other in gain
            if all(math.isfinite(value) for value in other)
        )
    ]
    return sorted(front, key=lambda place: points[place][0])


def tradeoff_picture(table: EffectTable, title: str) -> Picture | None:
    """Change of the primary metric against change of true social welfare, with the Pareto front; None without arms."""
    if not any(math.isfinite(one.change) and math.isfinite(one.welfare) for one in table.effects):
        return None
    settings = table.settings[:PANELS_MOST]
    panels = tuple(_tradeoff(table, setting) for setting in settings)
    way = {"lower": "left", "higher": "right"}.get(table.better, "")
    about = (
        "Each arm where it moves the society from the base, which stands at 0, 0; lines are intervals, each by itself "
        "for welfare. "
    )
    about += f"Better is up and to the {way}; of those ringed none is bettered on both counts." if way else ""
    out = (f"{len(table.settings) - PANELS_MOST} more settings",) if len(table.settings) > PANELS_MOST else ()
    columns = 1 if len(panels) == 1 else 2 if len(panels) <= 4 else 3
    about += " Every frame has a scale of its own." if len(panels) > 1 else ""
    size = (7.0, 5.0) if columns == 1 else (4.8, 3.9)
    return Picture("tradeoff", title, about, panels, columns, out, size, own_scales=True)


def _tradeoff(table: EffectTable, setting: str) -> Panel:
    arms = [one for one in _all_arms(table, setting) if math.isfinite(one.change) and math.isfinite(one.welfare)]
    oracle = table.control(setting, "oracle")
    is_near = oracle is not None and _is_near(oracle, arms)
    places = [(0.0, 0.0), *((one.change, one.welfare) for one in arms)]
    marks: list[Mark] = [Rule(0.0, "x", "", "ink", "solid"), Rule(0.0, "y", "", "ink", "solid")]
    front = pareto_front(places, (table.better, "higher")) if table.better != "neither" else []
    if front:
        x, y = ([places[number][axis] for number in front] for axis in (0, 1))
        marks.append(Line(x, y, "", "front", "dash", 1.6))
        marks.append(Points(x, y, "Pareto front of base and arms", "front", "circle", (170.0,), ring=True))
    marks += _crosses(arms, "arms", "clear", "circle", _names(arms, front))
    if oracle is not None and is_near:
        marks += _crosses([oracle], "oracle", "oracle", "square", ("oracle",))
    is_off = oracle is not None and not is_near and math.isfinite(oracle.change) and math.isfinite(oracle.welfare)
    note = f"oracle, off this frame: {oracle.change:+.3g}, {oracle.welfare:+.3g}" if oracle and is_off else ""
    x_axis = Axis(f"change in {table.metric} ({table.unit})", zero_line=True)
    y_axis = Axis("change in true social welfare (credits an epoch)", zero_line=True)
    return Panel(safe_line(setting, 60) or f"{table.metric} against welfare", x_axis, y_axis, tuple(marks), note)


def _is_near(oracle: Effect, arms: Sequence[Effect]) -> bool:
    """Whether the oracle can be drawn without pressing all arms into a corner."""
    for change in ("change", "welfare"):
        widest = max((abs(getattr(one, change)) for one in arms), default=0.0)
        if not abs(getattr(oracle, change)) <= 2.5 * widest:
            return False
    return True


def _names(arms: Sequence[Effect], front: Sequence[int]) -> tuple[str, ...]:
    """Names of arms that have room for one, those on the front first; the others have none."""
    wide, high = (max((abs(getattr(one, name)) for one in arms), default=0.0) or 1.0 for name in ("change", "welfare"))
    first = sorted(range(len(arms)), key=lambda number: (number + 1 not in front, number))
    told = [""] * len(arms)
    taken: list[tuple[float, float]] = []
    for number in first:
        x, y = arms[number].change / wide, arms[number].welfare / high
        if number + 1 in front or all(abs(x - other) > 0.35 or abs(y - up) > 0.12 for other, up in taken):
            told[number] = safe_line(arms[number].arm, 34)
            taken.append((x, y))
    return tuple(told)


def _crosses(arms: Sequence[Effect], label: str, color: str, mark: str, names: tuple[str, ...]) -> Iterator[Mark]:
    if not arms:
        return
    x, y = [one.change for one in arms], [one.welfare for one in arms]
    tips = tuple(
        f"{one.arm}: {one.change:+.4g} [{one.low:+.4g}, {one.high:+.4g}], welfare {one.welfare:+.4g} "
        f"[{one.welfare_low:+.4g}, {one.welfare_high:+.4g}]"
        for one in arms
    )
    yield Intervals(x, y, [one.low for one in arms], [one.high for one in arms], "", color, "x", mark)
    yield Intervals(x, y, [one.welfare_low for one in arms], [one.welfare_high for one in arms], label, color, "y",
                    mark, tips, names)  # fmt: skip


def dose_picture(trends: dict[str, DoseResponse], axis: str, table: EffectTable, title: str) -> Picture | None:
    """The effect over the dose of a lever, a line a setting, with pointwise intervals; None without doses."""
    if not trends:
        return None
    marks: list[Mark] = []
    if math.isfinite(table.smallest):
        marks.append(Span(-table.smallest, table.smallest, "y", "too small to matter"))
    for number, (setting, trend) in enumerate(list(trends.items())[:PANELS_MOST]):
        dose, color = list(trend.doses), f"series:{number}"
        change, low, high = ([getattr(one, end) for one in trend.curve] for end in ("change", "low", "high"))
        marks.append(Band(dose, low, high, "", color, 0.15))
        marks.append(Line(dose, change, setting or "effect", color, dots=True))
        marks += [Span(flip.below, flip.above, "x", "the sign flips in here", color, 0.1) for flip in trend.flips]
    oracle = table.control(next(iter(trends)), "oracle")
    if oracle is not None and math.isfinite(oracle.change):
        marks.append(Rule(oracle.change, "y", "oracle", "oracle"))
    about = (
        f"Change against the same seed at dose 0, with pointwise {100 * table.confidence:.0f} % intervals over "
        f"{table.seeds} seeds; the line at 0 is what a sham does."
    )
    y = Axis(f"change in {table.metric} ({table.unit})", zero_line=True)
    panel = Panel(f"Effect by {axis}", Axis(axis), y, tuple(marks))
    out = (f"{len(trends) - PANELS_MOST} more settings",) if len(trends) > PANELS_MOST else ()
    return Picture("dose_response", title, about, (panel,), 1, out, (7.6, 4.4))


def robustness_picture(table: EffectTable, title: str) -> Picture | None:
    """The effect of each arm in every other economy, sorted; None where none was tried."""
    if not table.elsewhere:
        return None
    marks: list[Mark] = []
    if math.isfinite(table.smallest):
        marks.append(Span(-table.smallest, table.smallest, "x", "too small to matter"))
    for number, (arm, changes) in enumerate(list(table.elsewhere.items())[:8]):
        kept = sorted(value for value in changes if math.isfinite(value))
        share = [(place + 1.0) / len(kept) for place in range(len(kept))]
        below = sum(value < 0.0 for value in kept)
        label = f"{safe_line(arm, 30)}: below 0 in {below} of {len(kept)}"
        begun = [*kept[:1], *kept], [0.0][: len(kept)] + share
        marks.append(Line(*begun, label, f"series:{number}", dots=True, step=True))
    about = (
        "Every step is an economy with other constants, drawn from a Latin hypercube; the height of a curve at 0 is "
        "the share of economies in which the effect is below 0."
    )
    x = Axis(f"change in {table.metric} ({table.unit})", zero_line=True)
    panel = Panel("In other economies", x, Axis("share of economies up to here", low=0.0, high=1.0), tuple(marks))
    out = (f"{len(table.elsewhere) - 8} more arms",) if len(table.elsewhere) > 8 else ()
    return Picture("robustness", title, about, (panel,), 1, out, (7.6, 4.4))
