"""The kinds of picture by name, and the picture of a kind of a run, several runs, a study or a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mesocosm.analysis.across_runs import AcrossRuns
from mesocosm.analysis.figures.calibration_curve import calibration_picture
from mesocosm.analysis.figures.cascades import cascades_picture, diffusion_picture
from mesocosm.analysis.figures.courses import (
    COURSES,
    CURVES,
    PANELS_MOST,
    Course,
    course_of_rows,
    course_panel,
    course_picture,
)
from mesocosm.analysis.figures.effect_table import (
    EffectTable,
    doses_by_arm,
    effects_of_comparison,
    effects_of_study,
    read_comparison,
)
from mesocosm.analysis.figures.influence import influence_picture
from mesocosm.analysis.figures.lever_effects import (
    dose_picture,
    levers_picture,
    robustness_picture,
    tradeoff_picture,
)
from mesocosm.analysis.figures.network import network_picture
from mesocosm.analysis.figures.phase_map import phase_picture
from mesocosm.analysis.figures.picture import Picture
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.analysis.study import StudyResults, read_study
from mesocosm.analysis.study_plan import STUDY, plan_study
from mesocosm.config.constants import chosen_values, flat_values
from mesocosm.config.load import scenario_to_dict
from mesocosm.config.study import BASE, load_study
from mesocosm.errors import UsageError, nearest

OVERVIEW = "overview"
#: kind -> what it shows, and what to do where a run or study has no data for it
KINDS: dict[str, tuple[str, str]] = {
    OVERVIEW: ("a run at a glance, in four frames", "run a scenario for at least one epoch"),
    "toxicity": ("true and proxy toxicity, the Goodhart gap shaded", "let agents make deals for at least one epoch"),
    "conditional_loss": ("what selection is worth to initiators", "have deals both accepted and rejected"),
    "quality_gap": ("accepted less rejected", "have deals both accepted and rejected"),
    "participation": ("agents taking part, proposals accepted", "run a scenario for at least one epoch"),
    "welfare": ("private and social welfare, true and by proxy", "run a scenario for at least one epoch"),
    "influence": ("votes by agent and how unequal they are", "let agents post and vote: environment.feed"),
    "network": ("who deals with whom", "run it again with --log full or --log columns"),
    "cascades": ("how threads of the feed grow", "let agents post and reply, with --log full or --log columns"),
    "diffusion": ("the largest threads as trees", "let agents post and reply, with --log full or --log columns"),
    "calibration": ("what p promised against what came of it", "run it again with --log full or --log columns"),
    "levers": ("effects with intervals beside sham and oracle", "play a study: mesocosm sweep STUDY"),
    "tradeoff": ("toxicity against welfare, with the Pareto front", "play a study: mesocosm sweep STUDY"),
    "dose_response": ("the effect over the dose of one lever", "play a study with one numeric axis of three values"),
    "phase_map": ("the effect over two axes", "play a study with two axes"),
    "robustness": ("the effect in other economies", "play a study with a robustness block"),
}
OF_RUNS = (OVERVIEW, *COURSES, "network", "cascades", "diffusion", "calibration")
OF_STUDIES = ("levers", "tradeoff", "dose_response", "phase_map", "robustness", *COURSES)
OF_COMPARISONS = ("levers", "tradeoff")
_FROM_EVENTS: dict[str, Callable[[RunSource, str], Picture | None]] = {
    "network": network_picture,
    "cascades": cascades_picture,
    "diffusion": diffusion_picture,
    "calibration": calibration_picture,
}


@dataclass(frozen=True)
class Comparable:
    """A comparison on disk: its folder, and its record."""

    folder: Path
    record: Mapping[str, Any]


Source = RunSource | AcrossRuns | StudyResults | Comparable


def check_kind(kind: str) -> str:
    """A kind of picture by its name.

    Raises   UsageError for one that there is not, with the nearest right one.
    """
    asked = kind.replace("-", "_")
    if asked not in KINDS:
        raise UsageError(f"unknown kind of picture {kind!r}. {nearest(asked, KINDS)}")
    return asked


def kinds_of(source: Source) -> tuple[str, ...]:
    """The kinds that a run, study or comparison may have data for, in order."""
    if isinstance(source, RunSource):
        return OF_RUNS
    if isinstance(source, StudyResults):
        return OF_STUDIES
    return OF_COMPARISONS if isinstance(source, Comparable) else tuple(COURSES)


def drawable_kinds(source: Source) -> tuple[str, ...]:
    """The kinds that can be drawn of a run, study or comparison, as far as that is known without drawing them."""
    without = set[str]()
    if isinstance(source, StudyResults):
        without |= {"dose_response"} if not source.trends else set()
        without |= {"robustness"} if not source.trials else set()
        axes = len(source.design.study.axes)
        without |= {"phase_map"} if axes == 0 or (axes == 1 and len(source.settings) == 1) else set()
    if isinstance(source, RunSource) and not source.has_events:
        without |= set(_FROM_EVENTS)
    return tuple(kind for kind in kinds_of(source) if kind not in without)


def picture_of(kind: str, source: Source, title: str = "") -> Picture:
    """The picture of a kind.

    Params   title: written above it.
    Raises   UsageError for an unknown kind, and for one that there is no data for, saying what to do.
    """
    asked = check_kind(kind)
    found = maybe_picture(asked, source, title) if asked in kinds_of(source) else None
    if found is None:
        about, remedy = KINDS[asked][0], _remedy(asked, source)
        can = ", ".join(drawable_kinds(source))
        raise UsageError(
            f"{asked} ({about}): there is nothing to draw it from here. To have it, {remedy}. Other kinds here: {can}."
        )
    return found


def _remedy(kind: str, source: Source) -> str:
    """What to do where there is no data for a kind of picture."""
    if kind in COURSES and isinstance(source, StudyResults):
        return f"add {COURSES[kind].curves[0].metric} to the metrics of the study and play it again"
    if kind in COURSES and not isinstance(source, RunSource):
        return "play a study, which keeps epochs: mesocosm sweep STUDY"
    if isinstance(source, RunSource) or kind in OF_STUDIES:
        return KINDS[kind][1]
    return f"draw it of a single run: mesocosm run SCENARIO, then mesocosm plot latest --kind {kind}"


def maybe_picture(kind: str, source: Source, title: str = "") -> Picture | None:
    """The picture of a kind, or None where there is no data for it.

    Raises   UsageError when the events that it is made of cannot be read.
    """
    if isinstance(source, RunSource):
        return _of_run(kind, source, title)
    if isinstance(source, StudyResults):
        return _of_study(kind, source, title)
    if isinstance(source, AcrossRuns):
        return course_picture(kind, title, courses_of_runs(source))
    return _of_effects(kind, effects_of_comparison(source.record), title)


def _of_run(kind: str, source: RunSource, title: str) -> Picture | None:
    rows = source.run.rows
    if not rows:
        return None
    if kind == OVERVIEW:
        return overview_picture(rows, title)
    if kind == "influence" and source.has_events:
        return influence_picture(source, title)
    if kind in COURSES:
        return course_picture(kind, title, [course_of_rows(rows)])
    return _FROM_EVENTS[kind](source, title) if kind in _FROM_EVENTS else None


def overview_picture(rows: Sequence[Mapping[str, Any]], title: str) -> Picture:
    """A run at a glance: toxicity, acceptance, welfare and influence over its epochs."""
    course = course_of_rows(rows)
    panels = tuple(course_panel(kind, course) for kind in ("toxicity", "participation", "welfare", "influence"))
    about = "Solid: what happened. Dashed: what the proxy shows."
    return Picture(OVERVIEW, title, about, panels, 2, (), (4.8, 3.1))


def _of_study(kind: str, found: StudyResults, title: str) -> Picture | None:
    if kind in COURSES:
        return course_picture(kind, title, courses_of_study(found), found.design.study.confidence)
    table = effects_of_study(found)
    if kind == "dose_response":
        return dose_picture(found.trends, found.design.axis, table, title)
    if kind == "phase_map":
        return phase_picture(table, doses_by_arm(found), title)
    if kind == "robustness":
        return robustness_picture(table, title)
    return _of_effects(kind, table, title)


def _of_effects(kind: str, table: EffectTable, title: str) -> Picture | None:
    return {"levers": levers_picture, "tradeoff": tradeoff_picture}[kind](table, title)


def courses_of_study(found: StudyResults) -> list[Course]:
    """The arms of a study over epochs, setting by setting, each base first, then arms, then controls.

    Where there are more than a picture holds, arms that do most come first, and controls are left out.
    """
    arms, controls = list(found.design.arms), [name for name in ("oracle", "sham") if name in found.design.controls]
    worlds = len(found.settings)
    while controls and worlds * (1 + len(arms) + len(controls)) > PANELS_MOST:
        controls.pop()
    if 1 + len(arms) > PANELS_MOST:
        size = {one.arm: abs(one.effect.change) for one in found.contrasts if one.setting == found.settings[0]}
        arms.sort(key=lambda arm: -np.nan_to_num(size[arm]))
    names = (BASE, *arms, *controls)

    def told(setting: str, arm: str) -> str:
        return f"{setting}: {arm}" if setting else arm

    return [
        Course(told(setting, arm), found.runs[setting, arm].epochs, told(setting, BASE))
        for setting in found.settings
        for arm in names
        if (setting, arm) in found.runs
    ]


def courses_of_runs(found: AcrossRuns) -> list[Course]:
    """Societies of runs over epochs; runs of one that are shorter than its longest have NaN at their end."""
    courses = []
    for society in found.societies:
        length = max(len(run.rows) for run in society.runs)
        table = {name: np.full((len(society.runs), length), np.nan) for name in CURVES}
        for number, run in enumerate(society.runs):
            for epoch, row in enumerate(run.rows):
                for name, column in table.items():
                    column[number, epoch] = float(row.get(name, np.nan))
        told = _told_apart(society.differs, found)
        name = society.runs[0].scenario.scenario_id if len(found.societies) == 1 else society.name
        courses.append(Course(f"{name}: {told}" if told else name, table))
    return courses


def _told_apart(differs: Mapping[str, Any], found: AcrossRuns) -> str:
    """What a society has otherwise than the first one, in a few words; levers that it lacks by their name."""
    first = dict(flat_values(scenario_to_dict(found.societies[0].runs[0].scenario)))
    lacking = dict.fromkeys(
        path.split(".")[1] for path, value in differs.items() if value is None and path.startswith("governance.")
    )
    chosen = chosen_values({path: value for path, value in differs.items() if value is not None}, first)
    words = [f"no {lever}" for lever in lacking]
    words += [f"{'.'.join(path.split('.')[-2:])}={value}" for path, value in chosen.items()]
    return ", ".join(words[:4]) + (" ..." if len(words) > 4 else "")


def open_study(folder: str | Path) -> StudyResults:
    """A study that was played, read back from its directory.

    Raises   UsageError when there is no study, or runs are missing.
    """
    place = Path(folder)
    if not (place / STUDY).is_file():
        raise UsageError(f"{place}: there is no study in this directory; `mesocosm sweep` writes one.")
    return read_study(plan_study(load_study(place / STUDY)), place)


def open_comparison(folder: str | Path) -> Comparable:
    """A comparison that was made, read back from its directory.

    Raises   MesocosmError when its record cannot be read.
    """
    return Comparable(Path(folder), read_comparison(Path(folder)))
