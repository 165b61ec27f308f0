"""Pictures from Python: of a run, several runs, a study or a comparison, as a figure to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mesocosm.analysis.across_runs import AcrossRuns, across_runs
from mesocosm.analysis.across_studies import is_study_folder
from mesocosm.analysis.figures.effect_table import is_comparison_folder
from mesocosm.analysis.figures.kinds import Comparable, Source, open_comparison, open_study, picture_of
from mesocosm.analysis.figures.matplotlib_figure import draw_picture, style_of
from mesocosm.analysis.figures.palette import theme_of
from mesocosm.analysis.figures.plotly_figure import plotly_figure
from mesocosm.analysis.figures.run_source import RunSource, open_source
from mesocosm.analysis.run_words import title_of
from mesocosm.analysis.study import StudyResults
from mesocosm.analysis.study_plan import STUDY
from mesocosm.runner import directory
from mesocosm.runner.runner import Run

Thing = str | Path | Run | StudyResults | RunSource | AcrossRuns | Comparable


def figure(kind: str, of: Thing | Sequence[str | Path | Run] = "latest", *, dark: bool = False,
           interactive: bool = False) -> Any:  # fmt: skip
    """A picture as a figure: Matplotlib's, or with interactive=True Plotly's.

    Params   kind: see `mesocosm plot --help`; of: a run, several runs, a study or a comparison, loaded or by name.
    Raises   UsageError for an unknown kind, for one that there is no data for, and where Plotly is missing.
    """
    import matplotlib as mpl

    source = find_source(of)
    picture = picture_of(kind, source, heading_of(source))
    if interactive:
        return plotly_figure(picture, theme_of(dark))
    with mpl.rc_context(style_of(theme_of(dark))):
        return draw_picture(picture, theme_of(dark)).figure


def find_source(of: Thing | Sequence[str | Path | Run]) -> Source:
    """What a picture is made of, from the name of a run, study or comparison, or from several runs.

    Raises   UsageError when there is nothing of that name.
    """
    if isinstance(of, StudyResults | RunSource | AcrossRuns | Comparable):
        return of
    if isinstance(of, Sequence) and not isinstance(of, str):
        return find_source(of[0]) if len(of) == 1 else across_runs(of)
    if isinstance(of, Run):
        return open_source(of)
    folder = find_results(of)
    if is_study_folder(folder) or (folder / STUDY).is_file():
        return open_study(folder)
    return open_comparison(folder) if is_comparison_folder(folder) else open_source(of)


def find_results(name: str | Path) -> Path:
    """The directory that a name may mean: a path, an id under the run root, or the name of a study played there."""
    if "\x00" in str(name):
        return Path()
    given, root = Path(name), directory.run_root()
    if given.is_dir() or not directory.RUN_ID.fullmatch(str(name)):
        return given
    for place in (root / str(name), root / f"study_{name}"):
        if place.is_dir():
            return place
    return given


def heading_of(source: Source) -> str:
    """What is drawn, in a line."""
    if isinstance(source, RunSource):
        return title_of(source.run)
    if isinstance(source, AcrossRuns):
        return _of_societies(source)
    if isinstance(source, Comparable):
        told = source.record
        return f"{told['scenario']['scenario_id']}: {', '.join(told['changes'])} ({len(told['seeds'])} paired seeds)"
    study, seeds = source.design.study, len(source.seeds)
    return f"{study.study_id} ({seeds} paired {study.seeds.purpose} seeds)"


def _of_societies(source: AcrossRuns) -> str:
    """How many runs of which scenarios, and over which seeds."""
    runs = [run for society in source.societies for run in society.runs]
    names = list(dict.fromkeys(run.scenario.scenario_id for run in runs))
    seeds = sorted({run.seed for run in runs})
    luck = f"seeds {', '.join(map(str, seeds))}" if len(seeds) <= 6 else f"{len(seeds)} seeds"
    societies = f", {len(source.societies)} societies" if len(source.societies) > 1 else ""
    return f"{len(runs)} runs of {', '.join(names[:3])}{' and others' if len(names) > 3 else ''}{societies}, {luck}"
