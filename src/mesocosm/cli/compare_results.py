"""``mesocosm compare RUN RUN ...`` and ``mesocosm compare STUDY STUDY``: what is finished, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from mesocosm.analysis.across_runs import AcrossRuns, Society, across_runs
from mesocosm.analysis.across_studies import SharedArm, across_studies, is_study_folder
from mesocosm.analysis.comparison_words import digits_of, interval, signed
from mesocosm.cli.epochs_table import decimals_of
from mesocosm.cli.screen import columns, dash, paint, say, say_entry, say_json, wrapped
from mesocosm.config.wording import shown_value
from mesocosm.errors import UsageError
from mesocosm.metrics.reporters import with_twins

#: which metrics are shown when none is asked for
SHOWN = ("toxicity_rate", "harm_rate", "acceptance_rate", "social_welfare", "private_welfare")
DIFFERENCES_SHOWN = 6


def compare_results(names: Sequence[str], metrics: Sequence[str], *, as_json: bool) -> int:
    """Put finished runs, or two finished studies, side by side."""
    studies = [name for name in names if is_study_folder(name)]
    if studies and len(studies) < len(names):
        raise UsageError("runs and studies cannot be compared with each other: name runs only, or two studies.")
    if studies:
        return _studies(studies, metrics, as_json=as_json)
    found = across_runs(names)
    if as_json:
        told = [{"name": one.name, "seeds": one.seeds, "differs": one.differs} for one in found.societies]
        say_json({"societies": told, "runs": list(found.rows())})
        return 0
    _tell_societies(found)
    say()
    for number, line in enumerate(_runs_table(found, metrics)):
        say(paint(line, "bold") if number == 0 else line)
    return 0


def _tell_societies(found: AcrossRuns) -> None:
    """Which runs belong together, and what each society says otherwise than the first."""
    for society in found.societies:
        runs = ", ".join(run.path.name for run in society.runs[:2]) + (", ..." if len(society.runs) > 2 else "")
        seeds = ", ".join(map(str, society.seeds[:6])) + (", ..." if len(society.seeds) > 6 else "")
        one = len(society.runs) == 1
        told = f"{'one run' if one else f'{len(society.runs)} runs'}, {'seed' if one else 'seeds'} {seeds} ({runs})"
        say_entry(society.name, f"{told}{_differs(society)}", 3)


def _differs(society: Society) -> str:
    if not society.differs:
        return ""
    told = [f"{path}={shown_value(value)}" for path, value in list(society.differs.items())[:DIFFERENCES_SHOWN]]
    more = len(society.differs) - len(told)
    return f", with {', '.join(told)}" + (f" and {more} more differences" if more > 0 else "")


def _runs_table(found: AcrossRuns, asked: Sequence[str]) -> Iterator[str]:
    """One line a metric: the mean of each society, and how each differs from the first where seeds are shared."""
    names = [name for name in with_twins(list(asked) or list(SHOWN)) if name in found.metrics]
    missing = [name for name in asked if name not in found.metrics]
    if missing:
        raise UsageError(f"not all of these runs have {', '.join(missing)}; they have {', '.join(found.metrics)}.")
    several = len(found.societies) == 2
    heads = [society.name for society in found.societies]
    rows = [["mean over epochs", *heads, *(["change", "95 % interval"] if several else [])]]
    for name in names:
        means = [_mean(society, name) for society in found.societies]
        digits = decimals_of(name, [value for value in means if value == value] or [0.0])
        row = [name, *(dash() if value != value else f"{value:.{digits}f}" for value in means)]
        if several:
            effect = found.effect(name, found.societies[1])
            if effect is None:
                row += [signed(means[1] - means[0], digits) if all(map(math.isfinite, means)) else dash(), ""]
            else:
                digits = digits_of(effect, digits)
                row += [signed(effect.change, digits), interval(effect, digits)]
        rows.append(row)
    yield from columns(rows)
    if several and found.effect(names[0], found.societies[1]) is None:
        yield ""
        yield from wrapped("The runs share fewer than two seeds, so there is no interval: what differs may be luck.")


def _mean(society: Society, metric: str) -> float:
    values = society.values(metric)
    defined = values[values == values]
    return float(defined.mean()) if len(defined) else math.nan


def _studies(folders: Sequence[str], metrics: Sequence[str], *, as_json: bool) -> int:
    if len(folders) != 2:
        raise UsageError("two studies at a time are compared.")
    metric, arms = across_studies(folders[0], folders[1], metrics[0] if metrics else "")
    if as_json:
        say_json({"metric": metric, "studies": list(folders), "arms": [asdict(arm) for arm in arms]})
        return 0
    for line in wrapped(f"{metric}: its effects in {folders[0]} (A) and {folders[1]} (B)"):
        say(paint(line, "bold"))
    say()
    for number, line in enumerate(columns(list(_study_rows(arms)))):
        say(paint(line, "bold") if number == 0 else line)
    say()
    apart = [arm.arm for arm in arms if arm.low > 0.0 or arm.high < 0.0]
    seeds = arms[0].shared_seeds
    how = f"seed by seed over the {seeds} seeds of both" if seeds else "with independent seeds (Welch)"
    told = f"They clearly differ in {', '.join(apart)}" if apart else "They do not clearly differ in any shared arm"
    if all(arm.low == arm.high == arm.change == 0.0 for arm in arms):
        told = "They are the same in every shared arm, exactly"
    for line in wrapped(f"{told}; compared {how}, each arm at 95 %, not corrected for {len(arms)} arms."):
        say(line)
    return 0


def _study_rows(arms: Sequence[SharedArm]) -> Iterator[list[str]]:
    yield ["arm", "A", "B", "B - A", "95 % interval"]
    digits = max(digits_of(effect) for arm in arms for effect in (arm.first, arm.second))
    for arm in arms:
        name = f"{arm.setting}: {arm.arm}" if arm.setting else arm.arm
        ends = f"[{signed(arm.low, digits)}, {signed(arm.high, digits)}]"
        changes = [signed(value, digits) for value in (arm.first.change, arm.second.change, arm.change)]
        yield [name, *changes, ends]
