"""``mesocosm compare``: what a change does, over paired seeds, beside controls, for learning and frozen agents."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from mesocosm import registry
from mesocosm.analysis.comparison import FROZEN, LEARNING, Comparison, compare
from mesocosm.analysis.comparison_plot import plot_comparison
from mesocosm.analysis.comparison_record import comparison_as_dict, save_comparison
from mesocosm.analysis.comparison_words import digits_of, interval, sentences, signed
from mesocosm.cli.arguments import AsJson, Overrides, Plugins
from mesocosm.cli.compare_results import compare_results
from mesocosm.cli.epochs_table import decimals_of
from mesocosm.cli.progress import ShareBar
from mesocosm.cli.screen import columns, dash, paint, say, say_entry, say_json, say_whole, wrapped
from mesocosm.config.load import load_scenario
from mesocosm.config.study_schema import FIRST_REPORTING_SEED
from mesocosm.errors import UsageError
from mesocosm.metrics.reporters import with_twins
from mesocosm.runner import directory

#: which of the metrics are shown, in order, when the scenario tracks none and none is asked for
SHOWN = ("toxicity_rate", "harm_rate", "acceptance_rate", "social_welfare", "private_welfare", "income")
FLAGS_SHOWN = 3
SEEDS_MOST = 10_000


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
    seeds: Annotated[int, typer.Option(metavar="N", help="How many pairs of runs.")] = 30,
    first_seed: Annotated[int, typer.Option(metavar="N", help="Seed of the first pair.")] = FIRST_REPORTING_SEED,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Length; else as in the scenario.")] = None,
    metrics: Annotated[str, typer.Option(metavar="A,B", help="Metrics to show instead of the usual ones.")] = "",
    adaptation: Annotated[str, typer.Option(help="both, learning or frozen.")] = "both",
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
        if override or base:
            raise UsageError("finished runs and studies are compared as they are: leave out --set and --base.")
        return compare_results(what, _metrics(metrics), as_json=as_json)
    scenario = what[0]
    if not override:
        raise UsageError(
            "what is to be compared? Give a change: "
            f"mesocosm compare {shlex.quote(scenario)} --set governance.random_audit.probability=0.2"
        )
    asked = _metrics(metrics)
    started = load_scenario(scenario, base)
    with ShareBar("comparing", quiet or as_json) as bar:
        found = compare(
            started,
            override,
            seeds=_seeds(seeds, first_seed),
            epochs=epochs,
            metrics=asked,
            adaptations=_adaptations(adaptation),
            controls=controls,
            progress=bar,
        )
    folder = Path(output) if output else directory.make_result_directory("compare", started, repr(found.changes))
    files = save_comparison(found, folder)
    drawn = plot_comparison(found, folder) if plot else []
    if as_json:
        say_json(comparison_as_dict(found) | {"directory": str(folder)})
    elif quiet:
        say(str(folder))
    else:
        _report(found, asked)
        say_whole("results", str(files[0].parent))
        for path in drawn:
            if path.suffix == ".png":
                say_whole("picture", str(path))
    return 0


def _seeds(count: int, first: int) -> range:
    if not 2 <= count <= SEEDS_MOST:
        raise UsageError(f"--seeds {count}: from 2 to {SEEDS_MOST:,} pairs.")
    if not 0 <= first <= 2**63 - 1 - count:
        raise UsageError(f"--first-seed {first}: from 0 up.")
    return range(first, first + count)


def _metrics(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        registry.find("metric", name)
    return names


def _adaptations(word: str) -> tuple[str, ...]:
    known = {"both": (LEARNING, FROZEN), LEARNING: (LEARNING,), FROZEN: (FROZEN,)}
    if word not in known:
        raise UsageError(f"--adaptation {word}: one of {', '.join(known)}.")
    return known[word]


def _report(found: Comparison, asked: list[str]) -> None:
    base, seeds = found.scenario, found.seeds
    for line in wrapped(found.title):
        say(paint(line, "bold"))
    purpose = ", for tuning" if seeds[0] < FIRST_REPORTING_SEED else ""
    time = base.simulation
    say(
        f"{len(seeds)} paired seeds ({seeds[0]} to {seeds[-1]}{purpose}), {base.agents_initial:,} agents, "
        f"{time.epochs} epoch{'s' * (time.epochs != 1)} of {time.steps_per_epoch} steps"
    )
    say()
    for number, line in enumerate(_table(found, asked)):
        say(paint(line, "bold") if number == 0 else line)
    say()
    for sentence in sentences(found):
        for line in wrapped(sentence):
            say(line)
    say()
    flags = found.flags
    for place, flag in enumerate(flags[:FLAGS_SHOWN]):
        say_entry("beware" if place == 0 else "", f"{flag}.")
    if len(flags) > FLAGS_SHOWN:
        say_entry("", f"and {len(flags) - FLAGS_SHOWN} more like these: see --json.")


def _table(found: Comparison, asked: list[str]) -> Iterator[str]:
    """One line a metric: without, with, change, interval; and the change with frozen agents."""
    kind = found.adaptations[0]
    both = len(found.adaptations) == 2
    rows = [["", "as is", "changed", "change", f"{100 * found.confidence:.0f} % interval", "frozen" if both else ""]]
    names = with_twins(asked or found.scenario.metrics_to_track or SHOWN)
    for name in names:
        effect = found.effect(name, adaptation=kind)
        digits = decimals_of(name, [effect.base, effect.treated])
        digits = digits_of(effect, max(digits, 3) if abs(effect.change) < 1 else digits)
        if effect.n == 0:
            rows.append([name, *[dash()] * 5])
            continue
        frozen = signed(found.effect(name, adaptation=FROZEN).change, digits) if both else ""
        numbers = (f"{effect.base:.{digits}f}", f"{effect.treated:.{digits}f}", signed(effect.change, digits))
        rows.append([name, *numbers, interval(effect, digits), frozen])
    yield from columns(rows, spare=(5,))
