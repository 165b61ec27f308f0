"""``mesocosm export``: the tables of a run or study for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesocosm import registry
from mesocosm.analysis.export import (
    FORMATS,
    OF_RUNS,
    OF_STUDIES,
    check_table,
    tables_for,
    write_all_projections,
    write_export,
)
from mesocosm.analysis.figures.draw import find_source
from mesocosm.analysis.figures.kinds import Source
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.screen import say_entry, say_json, say_whole
from mesocosm.errors import UsageError, nearest

FOLDER = "export"
NEED_EVENTS = ("agents", "interactions", "types")


def export_command(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run, or the directory of a study or comparison.")
    ] = "latest",
    *,
    form: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}.")] = "csv",
    table: Annotated[
        list[str],
        typer.Option("--table", metavar="TABLE", help=f"Of runs: {', '.join(OF_RUNS)}; of studies: "
                     f"{', '.join(OF_STUDIES)}. Again for more.", show_default="all"),
    ] = [],  # noqa: B006
    out: Annotated[str, typer.Option(metavar="DIR", help="Where to write.", show_default="RUN/export")] = "",
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:  # fmt: skip
    """Write tables of a run, study or comparison. Text in CSV cannot run as a formula in a spreadsheet."""
    for file in plugin:
        registry.load_plugin(file)
    if form not in FORMATS:
        raise UsageError(f"unknown format {form!r}. {nearest(form, FORMATS)}")
    source = find_source(run)
    asked = [check_table(source, name) for name in table]
    if isinstance(source, RunSource) and form == "parquet" and not table and not out and source.run.path.is_dir():
        written, left = write_all_projections(source), dict[str, str]()
        written.append(write_export(source, "events", source.run.path / FOLDER, form))
    else:
        written, left = _write(source, asked, _folder(source, out), form)
    if as_json:
        say_json({"files": [str(path) for path in written], "without": left})
        return 0
    for place, path in enumerate(written):
        say_whole("written" if place == 0 else "", str(path))
    for place, (name, why) in enumerate(left.items()):
        say_entry("without" if place == 0 else "", f"{name}: {why}")
    return 0


def _folder(source: Source, out: str) -> Path:
    if out:
        return Path(out)
    if isinstance(source, RunSource):
        path = source.run.path
        return path / FOLDER if path.is_dir() else path.with_name(f"{path.stem}.{FOLDER}")
    return (getattr(source, "folder", None) or Path()) / FOLDER


def _write(source: Source, asked: list[str], folder: Path, form: str) -> tuple[list[Path], dict[str, str]]:
    """The tables that are asked for; without any, all but those that the log does not hold, and why it does not."""
    written, left = list[Path](), dict[str, str]()
    for name in asked or tables_for(source):
        try:
            written.append(write_export(source, name, folder, form))
        except UsageError as error:
            if asked or name not in NEED_EVENTS:
                raise
            left[name] = str(error)
    return written, left
