"""``mesocosm report``: a run, study or comparison as one page to share."""

from __future__ import annotations

from typing import Annotated

import typer

from mesocosm import registry
from mesocosm.analysis.figures.draw import find_source
from mesocosm.analysis.report.write import place_of_report, write_report
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.screen import say_json, say_whole


def report_command(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run, or the directory of a study or comparison.")
    ] = "latest",
    out: Annotated[str, typer.Option(metavar="FILE", help="Where to write.", show_default="report.html there")] = "",
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Write one self-contained HTML page: what was asked and found, pictures, how to replay it, and its limits."""
    for file in plugin:
        registry.load_plugin(file)
    source = find_source(run)
    path = write_report(source, place_of_report(source, out))
    if as_json:
        say_json({"report": str(path), "bytes": path.stat().st_size})
        return 0
    say_whole("report", str(path))
    return 0
