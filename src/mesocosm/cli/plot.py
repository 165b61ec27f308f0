"""``mesocosm plot``: a run as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesocosm import registry
from mesocosm.analysis.plots import plot_run
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.run_report import title_of
from mesocosm.cli.screen import say, say_json, say_whole
from mesocosm.runner.runner import load_run


def plot_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run directory, a log, an id, or `latest`.")] = "latest",
    out: Annotated[str, typer.Option(metavar="DIR", help="Where to write.", show_default="the run directory")] = "",
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Draw a run into plot.png and plot.svg: toxicity true and by proxy, acceptance, welfare, influence."""
    for file in plugin:
        registry.load_plugin(file)
    found = load_run(run)
    is_directory = found.path.is_dir()
    folder = Path(out) if out else found.path if is_directory else found.path.parent
    name = "plot" if is_directory else f"{found.path.stem}.plot"
    written = plot_run(found.rows, folder, title_of(found), name)
    if as_json:
        say_json({"files": [str(path) for path in written]})
        return 0
    if found.reason != "completed":
        say(f"This run did not end by itself ({found.reason}): {len(found.rows)} epochs are drawn.")
    for place, path in enumerate(written):
        say_whole("written" if place == 0 else "", str(path))
    return 0
