"""``mesocosm compare RUN RUN ...`` and ``mesocosm compare STUDY STUDY``: what is finished, side by side."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from mesocosm.analysis.across_runs import AcrossRuns, Society, across_runs
from mesocosm.analysis.across_studies import (
    AcrossStudies,
    SharedArm,
    across_studies,
    is_study_folder,
    is_sweep_folder,
)
from mesocosm.analysis.comparison_words import digits_of, listed, signed, span
from mesocosm.analysis.overlap import Difference
from mesocosm.analysis.pilot import PILOT
from mesocosm.analysis.statistics import CONFIDENCE
from mesocosm.analysis.study_plan import STUDY
from mesocosm.cli.epochs_table import decimals_of
from mesocosm.cli.screen import columns, dash, paint, say, say_entry, say_json, wrapped
from mesocosm.config.load import bundled_scenarios
from mesocosm.config.study import is_study
from mesocosm.config.wording import shown_value
from mesocosm.errors import UsageError
from mesocosm.log.files import events_path
from mesocosm.metrics.reporters import with_twins
from mesocosm.runner.directory import LATEST, MANIFEST, RUN_ID, run_root

#: which metrics are shown when none is asked for
SHOWN = ("toxicity_rate", "harm_rate", "acceptance_rate", "social_welfare", "private_welfare")
DIFFERENCES_SHOWN = 6


def compare_results(names: Sequence[str], metrics: Sequence[str], *, as_json: bool) -> int:
    """Put finished runs, or two finished studies, side by side."""
    for name in names:
        _refuse_unfinished(name)
    files = [name for name in names if not Path(name).is_dir() and is_study(name)]
    if files:
        one = "this is a study file" if len(files) == 1 else "these are study files"
        raise UsageError(f"{', '.join(files)}: {one}. Sweep them first, and compare the directories that come of it.")
    scenarios = [name for name in names if _is_scenario(name)]
    if scenarios:
        raise UsageError(
            f"{', '.join(scenarios)}: a scenario is compared with itself under a change (--set), not with another one. "
            "Run each of them, and compare the runs."
        )
    studies = [name for name in names if is_study_folder(name)]
    if studies and len(studies) < len(names):
        raise UsageError("runs and studies cannot be compared with each other: name runs only, or two studies.")
    if studies:
        return _studies(studies, metrics, as_json=as_json)
    return _runs(across_runs(names), metrics, as_json=as_json)


def refuse_alone(name: str) -> None:
    """Refuse a finished run or study that nothing is compared with, and a study file.

    Raises   UsageError saying what can be done with it.
    """
    _refuse_unfinished(name)
    told = shlex.quote(name)
    if is_study_folder(name):
        raise UsageError(
            f"{name} is a study: name another one to compare it with, as in mesocosm compare {told} STUDY."
        )
    if not Path(name).is_dir() and is_study(name):
        raise UsageError(f"{name} is a study file: mesocosm sweep {told}")
    if name not in bundled_scenarios() and not _is_scenario(name) and (events_path(name).is_file() or _is_run_id(name)):
        raise UsageError(
            f"{name} is a finished run: name another one to compare it with, as in mesocosm compare {told} RUN; what a "
            f"change in mid-run would do, says mesocosm branch {told} --at EPOCH --set governance..."
        )


def _refuse_unfinished(name: str) -> None:
    """Refuse the directory of a sweep that has not come to results: a shard, a pilot, or one that was stopped."""
    place = Path(name)
    if is_study_folder(name):
        return
    if is_sweep_folder(name) and place.resolve().name == PILOT:
        raise UsageError(f"{name} is a pilot: its runs say how many seeds are needed, and not what its arms do.")
    if is_sweep_folder(name):
        told = shlex.quote(name)
        raise UsageError(
            f"{name}: this sweep has no results yet; it is one shard, or was stopped. Play what is missing with "
            f"mesocosm sweep {shlex.quote(str(place / STUDY))} --output {told}, or take shards together with --merge."
        )
    if is_sweep_folder(place / PILOT):
        raise UsageError(f"{name}: there is only a pilot here, which says how many seeds are needed. Sweep the study.")


def _is_run_id(name: str) -> bool:
    return name == LATEST or (RUN_ID.fullmatch(name) is not None and (run_root() / name / MANIFEST).is_file())


def _is_scenario(name: str) -> bool:
    place = Path(name)
    return (name in bundled_scenarios() and not place.exists()) or (
        place.suffix in (".yaml", ".yml") and place.is_file()
    )


def _runs(found: AcrossRuns, metrics: Sequence[str], *, as_json: bool) -> int:
    names = _asked_of_runs(found, metrics)
    if as_json:
        told = [{"name": one.name, "seeds": one.seeds, "differs": one.differs} for one in found.societies]
        changes = [
            {"society": society.name, "metric": name, "confidence": CONFIDENCE} | asdict(change)
            for society in found.societies[1:]
            for name, change in found.differences(society, names if metrics else ()).items()
        ]
        say_json({"societies": told, "notes": found.notes, "changes": changes, "runs": list(found.rows())})
        return 0
    _tell_societies(found)
    for number, note in enumerate(found.notes):
        say_entry("beware" if number == 0 else "", f"{note}.")
    say()
    changes_shown = found.differences(found.societies[1], names) if len(found.societies) == 2 else {}
    for number, line in enumerate(_runs_table(found, names, changes_shown)):
        say(paint(line, "bold") if number == 0 else line)
    if changes_shown:
        say()
        for line in wrapped(_runs_told(found, changes_shown)):
            say(line)
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


def _asked_of_runs(found: AcrossRuns, asked: Sequence[str]) -> list[str]:
    missing = [name for name in asked if name not in found.metrics]
    if missing:
        raise UsageError(f"not all of these runs have {', '.join(missing)}; they have {', '.join(found.metrics)}.")
    return [name for name in with_twins(list(asked) or list(SHOWN)) if name in found.metrics]


def _runs_table(found: AcrossRuns, names: Sequence[str], changes: dict[str, Difference]) -> Iterator[str]:
    """One line a metric: the mean of each society, and by how much the second of two differs from the first."""
    heads = [society.name for society in found.societies]
    more = ["change", f"{100 * CONFIDENCE:g} % interval"] if changes else []
    rows = [["mean over epochs", *heads, *more]]
    for name in names:
        change = changes.get(name)
        means = [change.first, change.second] if change else [_mean(one, name) for one in found.societies]
        digits = decimals_of(name, [value for value in means if value == value] or [0.0])
        if change:
            digits = digits_of(change, digits)
        row = [name, *(dash() if value != value else f"{value:.{digits}f}" for value in means)]
        if change:
            told = signed(change.change, digits) if math.isfinite(change.change) else dash()
            row += [told, span(change.low, change.high, digits) if math.isfinite(change.low) else ""]
        rows.append(row)
    yield from columns(rows)


def _runs_told(found: AcrossRuns, changes: dict[str, Difference]) -> str:
    """Over which runs the table is, and what it cannot tell."""
    first, second = found.societies
    sizes = (len(first.seeds), len(second.seeds))
    common = len({*first.seeds} & {*second.seeds})
    over = _over(next(iter(changes.values())).pairs > 0, common, sizes) if changes else ""
    if any(math.isfinite(change.low) for change in changes.values()):
        return f"Compared {over}; each metric by itself."
    return "There are too few runs for an interval: what differs may be luck."


def _over(is_paired: bool, common: int, sizes: tuple[int, int]) -> str:
    """Over which seeds two things were compared."""
    if is_paired:
        both = f"seed by seed over the {common} seeds of both"
        return both if sizes == (common, common) else f"{both} (A has {sizes[0]:,}, B {sizes[1]:,}; so are A and B)"
    if not common:
        return "with independent seeds (Welch)"
    shared = "one of them the same" if common == 1 else f"{common:,} of them the same"
    return f"over all seeds of each, {sizes[0]:,} and {sizes[1]:,}, {shared}"


def _mean(society: Society, metric: str) -> float:
    values = society.values(metric)
    defined = values[values == values]
    return float(defined.mean()) if len(defined) else math.nan


def _studies(folders: Sequence[str], metrics: Sequence[str], *, as_json: bool) -> int:
    if len(folders) != 2:
        raise UsageError("two studies at a time are compared.")
    if len(metrics) > 1:
        raise UsageError(f"--metrics {','.join(metrics)}: two studies are compared on one metric at a time.")
    found = across_studies(folders[0], folders[1], metrics[0] if metrics else "")
    if as_json:
        arms = [asdict(arm) for arm in found.arms]
        told = {"metric": found.metric, "studies": list(folders), "confidence": found.confidence, "arms": arms}
        say_json(told | {"only_in": [list(names) for names in found.alone], "cautions": list(found.cautions)})
        return 0
    for line in wrapped(f"{found.metric}: its effects in {folders[0]} (A) and {folders[1]} (B)"):
        say(paint(line, "bold"))
    say()
    for number, line in enumerate(columns(list(_study_rows(found)))):
        say(paint(line, "bold") if number == 0 else line)
    say()
    for line in wrapped(_studies_told(found)):
        say(line)
    for name, names in zip("AB", found.alone, strict=True):
        if names:
            say_entry(f"only in {name}", listed(names))
    for number, caution in enumerate(found.cautions):
        say_entry("beware" if number == 0 else "", f"{caution}.")
    return 0


def _studies_told(found: AcrossStudies) -> str:
    """In which arms two studies differ, and how that was found."""
    arms = [arm for arm in found.arms if not arm.is_control]
    apart = [_name(arm) for arm in arms if arm.low > 0.0 or arm.high < 0.0]
    unknown = [_name(arm) for arm in arms if not math.isfinite(arm.low)]
    told = f"They clearly differ in {listed(apart)}" if apart else "They do not clearly differ in any shared arm"
    if all(arm.low == arm.high == arm.change == 0.0 for arm in arms):
        told = "They are the same in every shared arm, exactly"
    if len(unknown) == len(arms):
        told = "Whether they differ cannot be told: there are too few seeds for an interval"
    elif unknown:
        told += f"; of {listed(unknown)} it cannot be told, with too few seeds for an interval"
    over = _over(any(arm.shared_seeds for arm in found.arms), found.common, found.seeds)
    level = f"{100 * found.confidence:g} %"
    many = f"each arm at {level}, not corrected for {len(arms)} arms" if len(arms) > 1 else f"at {level}"
    return f"{told}; compared {over}, {many}."


def _name(arm: SharedArm) -> str:
    return f"{arm.setting}: {arm.arm}" if arm.setting else arm.arm


def _study_rows(found: AcrossStudies) -> Iterator[list[str]]:
    yield ["arm", "A", "B", "B - A", f"{100 * found.confidence:g} % interval"]
    digits = max(digits_of(effect) for arm in found.arms for effect in (arm.first, arm.second))
    for arm in found.arms:
        name = f"({_name(arm)})" if arm.is_control else _name(arm)
        changes = [signed(value, digits) for value in (arm.first.change, arm.second.change, arm.change)]
        yield [name, *changes, span(arm.low, arm.high, digits)]
