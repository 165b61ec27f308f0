"""The tables of a study with several outcomes, as rows of text: on a screen, and in its Markdown report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesocosm.analysis.comparison_words import digits_of, signed
from mesocosm.analysis.displacement import LINES, Displacement, displacement_of
from mesocosm.analysis.equivalence import Expectation, VerdictKind
from mesocosm.analysis.outcomes import OutcomeEffect, outcomes_of
from mesocosm.analysis.statistics import PairedEffect
from mesocosm.analysis.study import StudyResults

DISPLACED_IN = 2  # settings, the first ones, of which it is said where the harm went
#: a verdict as a mark behind a number
MARKS = {
    VerdictKind.MATTERS: "*",
    VerdictKind.REAL: "*",
    VerdictKind.SMALL: "s",
    VerdictKind.NONE: "=",
    VerdictKind.UNDECIDED: "?",
    VerdictKind.EXACTLY_ZERO: "0",
    VerdictKind.UNDEFINED: "-",
}
LEGEND = (
    "* is clear of 0 after correction for every arm, outcome and setting; s: real, too small to matter; = no effect "
    "that matters; ? undecided; 0 exactly none; ! against what was expected. After ±: half the width of the interval "
    "that covers all of them at once, for controls of their own."
)


def mark_of(finding: OutcomeEffect) -> str:
    """The verdict on a finding as a mark."""
    against = "!" if finding.verdict.expectation is Expectation.AGAINST else ""
    return MARKS[finding.verdict.kind] + against


def outcome_rows(
    found: StudyResults, findings: Sequence[OutcomeEffect], setting: str, *, is_narrow: bool = False
) -> list[list[str]]:
    """One row an arm with its change on every outcome, after a row of names and one of base values.

    Params   is_narrow: half-widths of intervals stand in a row of their own, below the changes, and not beside them.
    """
    here = [finding for finding in findings if finding.setting == setting]
    names = list(dict.fromkeys(finding.outcome for finding in here))
    digits = {name: max(digits_of(each.effect) for each in here if each.outcome == name) for name in names}
    rows = [[setting or "arm", *names]]
    base = {finding.outcome: finding.effect.base for finding in here}
    rows.append(["base", *(_number(base[name], digits[name]) for name in names)])
    for arm in found.design.arms:
        own = {finding.outcome: finding for finding in here if finding.arm == arm}
        told = [(own[name].effect.change, own[name].low, own[name].high, mark_of(own[name])) for name in names]
        rows += _arm_rows(arm, told, [digits[name] for name in names], is_narrow)
    asked = outcomes_of(found)
    for name in found.design.controls:
        effects = {outcome: found.effect(asked[outcome].metric, name, setting, asked[outcome].agents)
                   for outcome in names}  # fmt: skip
        told = [(one.change, one.low, one.high, _control_mark(one)) for one in effects.values()]
        rows += _arm_rows(f"({name})", told, [digits[outcome] for outcome in names], is_narrow)
    return rows


def _arm_rows(
    arm: str, told: Sequence[tuple[float, float, float, str]], digits: Sequence[int], is_narrow: bool
) -> list[list[str]]:
    """The row of an arm, or two of them."""
    halves = [
        f"±{(high - low) / 2.0:.{places}f}" if high > low else ""
        for (_, low, high, _), places in zip(told, digits, strict=True)
    ]
    changes = [signed(change, places) for (change, *_), places in zip(told, digits, strict=True)]
    marks = [mark for *_, mark in told]
    if is_narrow:
        upper = [f"{change} {mark:2}" for change, mark in zip(changes, marks, strict=True)]
        lower = [f"{half}   " if half else "" for half in halves]
        return [[arm, *upper], ["", *lower]] if any(halves) else [[arm, *upper]]
    cells = (" ".join(part for part in cell if part) for cell in zip(changes, halves, marks, strict=True))
    return [[arm, *cells]]


def _control_mark(effect: PairedEffect) -> str:
    """A control is judged by its own interval alone."""
    return "0" if effect.is_exactly_zero else " "


def robustness_rows(found: StudyResults, findings: Sequence[OutcomeEffect]) -> list[list[str]]:
    """One row an arm with the share of economies in which each effect keeps its sign; empty where none were tried."""
    here = [finding for finding in findings if finding.setting == found.settings[0]]
    names = list(dict.fromkeys(finding.outcome for finding in here))
    rows = [["sign holds in", *names]]
    for arm in found.design.arms:
        own = {finding.outcome: finding for finding in here if finding.arm == arm}
        if any(own[name].holds is not None for name in names):
            rows.append([arm, *(_share(own[name]) for name in names)])
    return rows if len(rows) > 1 else []


def harm_tables(found: StudyResults) -> Iterator[tuple[str, list[list[list[str]]]]]:
    """Where the harm went, in the first settings: the name of each (empty where there is one) and a table a line."""
    for setting in found.settings[:DISPLACED_IN]:
        parts = list(displacement_of(found, setting))
        tables = [displacement_rows(found, parts, line) for line in ("initiator", *LINES)]
        yield setting if len(found.settings) > 1 else "", tables


def displacement_rows(found: StudyResults, parts: Sequence[Displacement], line: str) -> list[list[str]]:
    """One row an arm with the change of every part of the bad deals along one line; + where a part clearly grew."""
    here = [part for part in parts if part.line in ("all", line)]
    names = list(dict.fromkeys(part.part for part in here))
    rows = [[f"bad deals, {line}", *names]]
    base = {part.part: part.effect.base for part in here}
    rows.append(["base", *(_number(base[name], 2) for name in names)])
    for arm in found.design.arms:
        own = {part.part: part for part in here if part.arm == arm}
        rows.append([arm, *(_moved(own[name]) if name in own else "" for name in names)])
    return rows


def _moved(part: Displacement) -> str:
    clear = "+" if part.moved_here else "-" if part.effect.high < 0.0 else " "
    return f"{signed(part.effect.change, 2)} {clear}"


def _share(finding: OutcomeEffect) -> str:
    holds = finding.holds
    return "" if holds is None else f"{holds.count}/{holds.n}"


def _number(value: float, digits: int) -> str:
    return "-" if value != value else f"{value:.{digits}f}"
