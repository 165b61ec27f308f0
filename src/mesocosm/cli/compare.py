"""``mesocosm compare``: what a change does, over paired seeds, beside controls, for learning and frozen agents."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mesocosm import registry
from mesocosm.analysis.comparison import FROZEN, LEARNING, Comparison, compare
from mesocosm.analysis.comparison_plot import plot_comparison
from mesocosm.analysis.comparison_record import comparison_as_dict, folder_for, save_comparison
from mesocosm.cli.arguments import AsJson, Overrides, Plugins
from mesocosm.cli.compare_results import compare_results, refuse_alone
from mesocosm.cli.comparison_report import report_comparison
from mesocosm.cli.progress import ShareBar
from mesocosm.cli.screen import say, say_json, say_whole
from mesocosm.config.load import load_scenario
from mesocosm.config.study_schema import FIRST_REPORTING_SEED
from mesocosm.errors import UsageError

SEEDS, SEEDS_MOST = 30, 10_000


def compare_command(
    what: Annotated[
        list[str],
        typer.Argument(metavar="SCENARIO", help="Name or file of a scenario; or finished runs; or two studies."),
    ],
    *,
    override: Overrides = [],  # noqa: B006
    base: Annotated[
        list[str], typer.Option("--base", metavar="PATH=VALUE", help="A change that holds in both arms.")
    ] = [],  # noqa: B006
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="How many pairs of runs.", show_default=str(SEEDS))
    ] = None,
    first_seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed of the first pair.", show_default=str(FIRST_REPORTING_SEED))
    ] = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Length; else as in the scenario.")] = None,
    metrics: Annotated[str, typer.Option(metavar="A,B", help="Metrics to show instead of the usual ones.")] = "",
    adaptation: Annotated[str | None, typer.Option(help="both, learning or frozen.", show_default="both")] = None,
    controls: Annotated[bool, typer.Option(help="Run sham, redraw and oracle beside it.")] = True,
    output: Annotated[str, typer.Option(metavar="DIR", help="Where to keep results.")] = "",
    plot: Annotated[bool, typer.Option(help="Draw comparison.png.")] = True,
    plugin: Plugins = [],  # noqa: B006
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the path of the results.")] = False,
    as_json: AsJson = False,
) -> int:
    """Compare a scenario with and without a change (--set); or finished runs (RUN RUN ...), or two studies."""
    for file in plugin:
        registry.load_plugin(file)
    if len(what) > 1:
        given = {"--set": override, "--base": base, "--seeds": seeds is not None, "--epochs": epochs is not None,
                 "--first-seed": first_seed is not None, "--adaptation": adaptation is not None, "--output": output,
                 "--no-controls": not controls, "--no-plot": not plot, "--quiet": quiet}  # fmt: skip
        _refuse_beside_results([name for name, value in given.items() if value])
        return compare_results(what, asked_metrics(metrics), as_json=as_json)
    scenario = what[0]
    refuse_alone(scenario)
    if not override:
        raise UsageError(
            "what is to be compared? Give a change: "
            f"mesocosm compare {shlex.quote(scenario)} --set governance.random_audit.probability=0.2"
        )
    asked = asked_metrics(metrics)
    length = [] if epochs is None else [f"simulation.epochs={epochs}"]
    started = load_scenario(scenario, [*base, *length])
    with folder_for(Path(output) if output else None, started, override) as folder:
        with ShareBar("comparing", quiet or as_json) as bar:
            found = compare(
                scenario,
                override,
                base=base,
                seeds=paired_seeds(seeds, first_seed),
                epochs=epochs,
                metrics=asked,
                adaptations=_adaptations(adaptation),
                controls=controls,
                progress=bar,
            )
        _keep(found, folder, asked, plot=plot, quiet=quiet, as_json=as_json)
    return 0


def _refuse_beside_results(given: list[str]) -> None:
    if given:
        raise UsageError(f"finished runs and studies are compared as they are: leave out {', '.join(given)}.")


def _keep(found: Comparison, folder: Path, asked: list[str], *, plot: bool, quiet: bool, as_json: bool) -> None:
    """Save a comparison and tell of it."""
    files = save_comparison(found, folder)
    drawn = plot_comparison(found, folder) if plot else []
    if as_json:
        say_json(comparison_as_dict(found) | {"directory": str(folder)})
    elif quiet:
        say(str(folder))
    else:
        report_comparison(found, asked)
        say_whole("results", str(files[0].parent))
        for path in drawn:
            if path.suffix == ".png":
                say_whole("picture", str(path))


def paired_seeds(count: int | None, first: int | None) -> range:
    """The seeds of so many pairs: 30 of those for reporting if nothing else is asked for.

    Raises   UsageError for fewer than two pairs, too many, or a first seed that is none.
    """
    count, first = SEEDS if count is None else count, FIRST_REPORTING_SEED if first is None else first
    if not 2 <= count <= SEEDS_MOST:
        raise UsageError(f"--seeds {count}: from 2 to {SEEDS_MOST:,} pairs.")
    if not 0 <= first <= 2**63 - 1 - count:
        raise UsageError(f"--first-seed {first}: from 0 up.")
    return range(first, first + count)


def asked_metrics(text: str) -> list[str]:
    """The metrics that a list with commas names.

    Raises   UsageError for one that does not exist.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        registry.find("metric", name)
    return names


def _adaptations(word: str | None) -> tuple[str, ...]:
    known = {None: (LEARNING, FROZEN), "both": (LEARNING, FROZEN), LEARNING: (LEARNING,), FROZEN: (FROZEN,)}
    if word not in known:
        raise UsageError(f"--adaptation {word}: one of both, {LEARNING}, {FROZEN}.")
    return known[word]
