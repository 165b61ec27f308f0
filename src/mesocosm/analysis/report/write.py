"""A report on a run, study or comparison, written into one file."""

from __future__ import annotations

from pathlib import Path

from mesocosm.analysis.across_runs import AcrossRuns
from mesocosm.analysis.figures.draw import heading_of
from mesocosm.analysis.figures.kinds import Comparable, Source
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.analysis.report.comparison_sections import comparison_lead, comparison_sections
from mesocosm.analysis.report.page import page_text
from mesocosm.analysis.report.run_sections import run_lead, run_sections
from mesocosm.analysis.report.study_sections import study_lead, study_sections
from mesocosm.errors import UsageError
from mesocosm.log.files import write_atomic

REPORT = "report.html"
FOOT = "Made by mesocosm report. This page needs no network and no other file."


def report_text(source: Source) -> str:
    """A report as one HTML page.

    Raises   UsageError for several runs at once.
    """
    title = heading_of(source)
    if isinstance(source, RunSource):
        return page_text(title, run_lead(source), run_sections(source), FOOT)
    if isinstance(source, Comparable):
        return page_text(title, comparison_lead(source), comparison_sections(source), FOOT)
    if isinstance(source, AcrossRuns):
        raise UsageError("a report is about one run, study or comparison; `mesocosm plot RUN RUN` draws several.")
    return page_text(title, study_lead(source), study_sections(source), FOOT)


def place_of_report(source: Source, out: str = "") -> Path:
    """Where a report goes: into the directory of what it is about unless one says otherwise."""
    if out:
        return Path(out)
    if isinstance(source, RunSource):
        path = source.run.path
        return path / REPORT if path.is_dir() else path.with_name(f"{path.stem}.{REPORT}")
    folder = source.folder if not isinstance(source, AcrossRuns) else None
    return (folder or Path()) / REPORT


def write_report(source: Source, path: Path) -> Path:
    """Write a report; returns where it is.

    Raises   UsageError where another file is there already; MesocosmError when the disk refuses.
    """
    _refuse_foreign(path)
    write_atomic(path, report_text(source).encode("utf-8", "replace"), durable=False)
    return path


def _refuse_foreign(path: Path) -> None:
    """A report takes the place of a report, and of no other file."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: this is no file, so no report is written over it. Name another with --out.")
    try:
        if not path.exists() or FOOT.encode() in path.read_bytes():
            return
    except OSError:
        return  # writing it will say what is wrong
    raise UsageError(f"{path}: this file is there already and is no report of ours. Name another with --out.")
