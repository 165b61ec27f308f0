"""``mesocosm sweep``: a study file played to its end, and what it comes to."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.analysis.across_studies import is_sweep_folder
from mesocosm.analysis.comparison_words import digits_of, interval, signed, span
from mesocosm.analysis.pilot import PILOT, Pilot, run_pilot
from mesocosm.analysis.study import StudyResults, read_study, with_seeds
from mesocosm.analysis.study_plan import StudyPlan, missing_cells, plan_study, play_study, study_folder
from mesocosm.analysis.study_plot import plot_study
from mesocosm.analysis.study_record import save_study, study_as_dict
from mesocosm.analysis.study_words import short_verdict, study_sentences
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.progress import ShareBar
from mesocosm.cli.screen import columns, paint, say, say_entry, say_json, say_whole, tell_wrapped, wrapped
from mesocosm.cli.study_tables import say_outcomes
from mesocosm.config.study import load_study
from mesocosm.errors import UsageError
from mesocosm.runner.cells import CellStore
from mesocosm.runner.sweep import Played, default_workers

FLAGS_SHOWN = 3
EXPECTED = {"falls": "fall", "rises": "rise", "unchanged": "stay as it is"}
SHARD = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


def sweep_command(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Name or file of a study.")],
    *,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="How many seeds.", show_default="as in the study")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes.", show_default="all cores")] = None,
    executor: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    output: Annotated[
        str | None, typer.Option(metavar="DIR", help="Directory.", show_default="runs/study_NAME")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on, and refuse to begin anew.")] = False,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Play every N-th run only, from the I-th.")] = "",
    merge: Annotated[
        list[str], typer.Option("--merge", metavar="DIR", help="Take finished runs from another sweep.")
    ] = [],  # noqa: B006
    pilot: Annotated[
        int | None, typer.Option(metavar="N", help="Only N tuning seeds: how many seeds are needed?")
    ] = None,
    plot: Annotated[bool, typer.Option(help="Draw study.png.")] = True,
    plugin: Plugins = [],  # noqa: B006
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the path of the results.")] = False,
    as_json: AsJson = False,
) -> int:
    """Play a study: arms and axes over seeds, on all cores. Run again, it plays only what is missing."""
    for file in plugin:
        registry.load_plugin(file)
    design = load_study(study) if seeds is None else with_seeds(load_study(study), seeds)
    if output == "":
        raise UsageError("--output: name a directory.")
    folder = study_folder(design) if output is None else Path(output)
    chosen = default_workers() if workers is None else workers
    if pilot is not None:
        _refuse_beside_pilot({"--shard": shard, "--merge": merge, "--resume": resume})
        with told_if_stopped(folder / PILOT), ShareBar("pilot", quiet or as_json) as bar:
            tried = run_pilot(design, pilot, folder, workers=chosen, executor=executor, plugins=plugin, progress=bar)
        return _tell_pilot(tried, folder / PILOT, quiet=quiet, as_json=as_json)
    plan = plan_study(design, plugin)
    if resume and not is_sweep_folder(folder):
        raise UsageError(f"{folder}: there is no sweep to go on with. Leave out --resume to begin one.")
    with told_if_stopped(folder, plan), ShareBar(f"{len(plan.cells):,} runs", quiet or as_json) as bar:
        played = play_study(
            plan,
            folder,
            workers=chosen,
            executor=executor,
            shard=_shard(shard),
            merge=[Path(place) for place in merge],
            progress=bar,
        )
    missing = missing_cells(plan, folder)
    if missing:
        return _partly(plan, folder, played, missing, study, quiet=quiet, as_json=as_json)
    return _whole(read_study(plan, folder), folder, played, plot=plot, quiet=quiet, as_json=as_json)


def _whole(found: StudyResults, folder: Path, played: Played, *, plot: bool, quiet: bool, as_json: bool) -> int:
    """Save what a study has found, and tell of it."""
    files = save_study(found, folder)
    drawn = plot_study(found, folder) if plot else []
    if as_json:
        say_json(study_as_dict(found) | {"directory": str(folder), "played": _facts(played)})
    elif quiet:
        say(str(folder))
    else:
        _report(found, played)
        say_whole("results", str(files[0].parent))
        for path in drawn:
            if path.suffix == ".png":
                say_whole("picture", str(path))
    return 0


def _facts(played: Played) -> dict[str, Any]:
    return {name: getattr(played, name) for name in played.__slots__}


def _shard(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    match = SHARD.fullmatch(text)
    if match is None:
        raise UsageError(f"--shard {text}: expected I/N, as in 1/4 for the first of four parts.")
    return int(match[1]), int(match[2])


def _partly(
    plan: StudyPlan, folder: Path, played: Played, missing: int, study: str, *, quiet: bool, as_json: bool
) -> int:
    """Tell that a shard is done and what else there is to do."""
    total = len({cell.name for cell in plan.cells})
    if as_json:
        say_json({"directory": str(folder), "played": _facts(played), "missing": missing, "cells": total})
    elif quiet:
        say(str(folder))
    else:
        say(_work(played))
        say(f"{missing:,} of {total:,} runs of the study are left to other shards.")
        say_whole("results", str(folder))
        say_whole("next", f"mesocosm sweep {study} --merge {folder} --output DIR")
    return 0


def _work(played: Played) -> str:
    """What was done, in a line."""
    cores = f"{played.workers} {'workers' if played.workers > 1 else 'worker'}"
    where = f"on {cores}" if played.executor == "local" else f"on {cores} of Ray"
    before = f"{played.found:,} runs were there already, " if played.found else ""
    after = f"{played.replaced} worker{'s' * (played.replaced > 1)} died and were replaced" if played.replaced else ""
    runs = f"{played.ran:,} run{'s' * (played.ran != 1)}"
    done = f"{runs} in {played.seconds:.0f} s {where}" if played.ran else "nothing left to run"
    return f"{before}{done}{'; ' + after if after else ''}."


def _report(found: StudyResults, played: Played) -> None:
    study, base = found.design.study, found.design.base
    for line in wrapped(f"{study.study_id}: {study.question}" if study.question else study.study_id):
        say(paint(line, "bold"))
    seeds = found.seeds
    time = base.simulation
    facts = (
        f"{base.scenario_id}, {base.agents_initial:,} agents, {time.epochs} epoch{'s' * (time.epochs != 1)} of "
        f"{time.steps_per_epoch} steps; {len(seeds)} paired {study.seeds.purpose} seeds ({seeds[0]} to {seeds[-1]})"
    )
    for line in wrapped(facts):
        say(line)
    for line in wrapped(_work(played)):
        say(line)
    say()
    expected = f", expected to {EXPECTED[study.expect]}" if study.expect in EXPECTED else ""
    together = f"; judged by max-T for {len(found.contrasts)} arms together" if len(found.contrasts) > 1 else ""
    told = f"{study.primary}{expected}; a change below {study.smallest_effect:g} would not matter{together}"
    for line in wrapped(told):
        say(line)
    for setting in found.settings[:1] if study.outcomes else found.settings:
        say()
        if setting:
            say(paint(setting, "bold"))
        for number, line in enumerate(_table(found, setting)):
            say(paint(line, "bold") if number == 0 else line)
    say()
    if study.outcomes:
        say_outcomes(found)
        say()
    for sentence in study_sentences(found):
        for line in wrapped(sentence):
            say(line)
    say()
    if study.seeds.purpose == "tuning":
        say_entry("beware", "these seeds are for choosing constants; report on others (seeds: reporting).")
    _flags(found.flags)


def _flags(flags: list[str]) -> None:
    for place, flag in enumerate(flags[:FLAGS_SHOWN]):
        say_entry("beware" if place == 0 else "", f"{flag}.")
    if len(flags) > FLAGS_SHOWN:
        say_entry("", f"and {len(flags) - FLAGS_SHOWN} more like these: see study.json.")


def _table(found: StudyResults, setting: str) -> Iterator[str]:
    """One line an arm: change, the interval for all arms at once, adjusted p values, verdict."""
    confidence = 100.0 * found.design.study.confidence
    contrasts = [contrast for contrast in found.contrasts if contrast.setting == setting]
    base = next((contrast.effect.base for contrast in contrasts), float("nan"))
    digits = max((digits_of(contrast.effect) for contrast in contrasts), default=3)
    rows = [[f"base {base:.{digits}f}", "change", f"{confidence:g} %, all arms", "p max-T", "Holm", "verdict"]]
    for contrast in contrasts:
        ends = span(contrast.low, contrast.high, digits)
        p_values = [_p(contrast.p_max_t), _p(contrast.p_holm)]
        rows.append([contrast.arm, signed(contrast.effect.change, digits), ends, *p_values, short_verdict(contrast)])
    for name in found.design.controls:
        effect = found.effect(found.design.study.primary, name, setting)
        ends = "" if effect.is_exactly_zero else interval(effect, digits)
        told = "exactly 0" if effect.is_exactly_zero else ""
        rows.append([f"({name})", signed(effect.change, digits), ends, "", "", told])
    yield from columns(rows, words_last=True, spare=(4, 3))


def _p(value: float) -> str:
    if value != value:
        return "-"
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def _refuse_beside_pilot(given: dict[str, Any]) -> None:
    wrong = [name for name, value in given.items() if value]
    if wrong:
        raise UsageError(f"a pilot is played whole and by itself: leave out {', '.join(wrong)}.")


@contextmanager
def told_if_stopped(folder: Path, plan: StudyPlan | None = None) -> Iterator[None]:
    """Say what is kept, and how to go on, when Ctrl-C or SIGTERM ends a sweep."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        for number in before:  # what follows is told whole
            signal.signal(number, signal.SIG_IGN)
        finished = CellStore(folder).finished()
        kept, of = len(finished), ""
        if plan is not None:
            wanted = {cell.name for cell in plan.cells}
            kept, of = len(wanted & finished), f" of {len(wanted):,}"
        tell_wrapped(f"{kept:,}{of} runs are kept in {folder}. The same command goes on from there.")
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell_pilot(found: Pilot, folder: Path, *, quiet: bool, as_json: bool) -> int:
    """Say how many seeds the study needs."""
    if as_json:
        say_json(found.as_dict())
    elif quiet:
        say(str(folder))
    else:
        _report_pilot(found)
    return 0


def _report_pilot(found: Pilot) -> None:
    study = found.design.study
    say(f"{study.study_id}: a pilot on {found.count} tuning seeds, 0 to {found.count - 1}; effects are not looked at")
    say()
    plans = list(found.plans.items())
    rows = [["arm", "sd of a difference", f"seeds for {study.smallest_effect:g}", "to be safe"]]
    rows += [
        [arm if not setting else f"{setting}: {arm}", f"{plan.sd:.4f}", f"{plan.seeds:,}", f"{plan.seeds_cautious:,}"]
        for (setting, arm), plan in plans
    ]
    for number, line in enumerate(columns(rows)):
        say(paint(line, "bold") if number == 0 else line)
    say()
    for sentence in found.sentences():
        for line in wrapped(sentence):
            say(line)
