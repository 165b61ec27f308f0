"""``mesocosm plot``: runs and studies as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mesocosm import registry
from mesocosm.analysis.across_runs import AcrossRuns
from mesocosm.analysis.figures.draw import find_source, heading_of
from mesocosm.analysis.figures.kinds import (
    KINDS,
    OVERVIEW,
    Source,
    check_kind,
    drawable_kinds,
    kinds_of,
    maybe_picture,
    picture_of,
)
from mesocosm.analysis.figures.matplotlib_figure import write_picture
from mesocosm.analysis.figures.palette import Theme, theme_of
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.analysis.plots import plot_run
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.screen import say, say_entry, say_json, say_whole, tell_wrapped
from mesocosm.errors import UsageError

ALL = "all"
_KINDS = f"A kind of picture, again for more: {', '.join(KINDS)}; or all."


def plot_command(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="A run, several runs, or the directory of a study.")
    ] = [],  # noqa: B006
    *,
    kind: Annotated[list[str], typer.Option("--kind", metavar="KIND", help=_KINDS, show_default="an overview")] = [],  # noqa: B006
    out: Annotated[str, typer.Option(metavar="DIR", help="Where to write.", show_default="the run directory")] = "",
    dark: Annotated[bool, typer.Option("--dark", help="On black.")] = False,
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Draw runs or a study into PNG and SVG: by default a run at a glance, or what the levers of a study do."""
    for file in plugin:
        registry.load_plugin(file)
    asked = [check_kind(name) for name in kind if name != ALL]
    source = find_source(runs or ["latest"])
    folder = _folder(source, out)
    theme = theme_of(dark)
    every = ALL in kind
    written, left = _draw_all(source, folder, theme) if every else (_draw(source, asked, folder, theme), [])
    if as_json:
        say_json({"files": [str(path) for path in written], "without": dict(left)})
        return 0
    if isinstance(source, RunSource) and source.run.reason != "completed":
        run = source.run
        say(f"This run did not end by itself ({run.reason}): {len(run.rows)} epochs are drawn.")
    for place, path in enumerate(written):
        say_whole("written" if place == 0 else "", str(path))
    for place, (name, why) in enumerate(left):
        say_entry("not drawn" if place == 0 else "", f"{name}: {why}")
    if not kind:
        say_entry("kinds", f"{', '.join(drawable_kinds(source))}; --kind draws one, --kind all every one.")
    return 0


def _folder(source: Source, out: str) -> Path:
    """Where pictures go: beside what they show unless one says otherwise."""
    if out:
        return Path(out)
    if isinstance(source, AcrossRuns):
        raise UsageError("pictures of several runs belong to none of them: name a directory with --out.")
    if isinstance(source, RunSource):
        path = source.run.path
        return path if path.is_dir() else path.parent
    return source.folder or Path()


def _stem(source: Source) -> str:
    """What the names of pictures begin with: the name of the log where a directory may hold several."""
    path = source.run.path if isinstance(source, RunSource) else Path()
    return f"{path.stem}." if path.suffix == ".jsonl" else ""


def _draw(source: Source, kinds: Sequence[str], folder: Path, theme: Theme) -> list[Path]:
    """The pictures that are asked for; without any, the first one that there is."""
    stem, title = _stem(source), heading_of(source)
    if not kinds and isinstance(source, RunSource):
        return plot_run(source.run.rows, folder, title, f"{stem}plot", theme)
    written = []
    for name in kinds or kinds_of(source)[:1]:
        written += write_picture(picture_of(name, source, title), folder, f"{stem}{name}", theme)
    return written


def _draw_all(source: Source, folder: Path, theme: Theme) -> tuple[list[Path], list[tuple[str, str]]]:
    """Every picture that there is data for, and for every other one what to do to have it."""
    written, left = list[Path](), list[tuple[str, str]]()
    for name in kinds_of(source):
        try:
            picture = maybe_picture(name, source, heading_of(source))
        except UsageError as error:
            left.append((name, str(error)))
            continue
        if picture is None:
            left.append((name, f"to have it, {KINDS[name][1]}."))
        else:
            written += write_picture(picture, folder, f"{_stem(source)}{name}", theme)
    if not written:
        tell_wrapped(f"nothing could be drawn of {', '.join((OVERVIEW, *kinds_of(source)))}.")
    return written, left
