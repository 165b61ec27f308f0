"""A comparison on the screen: its table, its findings in words, and what to be wary of."""

from __future__ import annotations

from collections.abc import Iterator

from mesocosm.analysis.comparison import BASE, CHANGED, FROZEN, Comparison
from mesocosm.analysis.comparison_words import ARMS, digits_of, interval, sentences, signed
from mesocosm.cli.epochs_table import decimals_of
from mesocosm.cli.screen import columns, dash, paint, say, say_entry, wrapped
from mesocosm.config.study_schema import FIRST_REPORTING_SEED
from mesocosm.metrics.reporters import with_twins

#: which of the metrics are shown, in order, when the scenario tracks none and none is asked for
SHOWN = ("toxicity_rate", "harm_rate", "acceptance_rate", "social_welfare", "private_welfare", "income")
FLAGS_SHOWN = 3


def report_comparison(found: Comparison, asked: list[str]) -> None:
    """Print a comparison: the table, what it says in words, and what to be wary of.

    Params   asked: metrics to show instead of the usual ones.
    """
    base, seeds = found.scenario, found.seeds
    for line in wrapped(found.title):
        say(paint(line, "bold"))
    purpose = ", for tuning" if seeds[0] < FIRST_REPORTING_SEED else ""
    time = base.simulation
    facts = (
        f"{len(seeds)} paired seeds ({seeds[0]} to {seeds[-1]}{purpose}), {base.agents_initial:,} agents, "
        f"{_length(found)} of {time.steps_per_epoch} steps"
    )
    for line in wrapped(facts):
        say(line)
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


def _length(found: Comparison) -> str:
    """Over which epochs the metrics are summed up."""
    epochs = found.scenario.simulation.epochs
    if found.since:
        return f"epoch{'s' * (found.since < epochs - 1)} {found.since} to {epochs - 1} of {epochs}"
    return f"{epochs} epoch{'s' * (epochs != 1)}"


def _table(found: Comparison, asked: list[str]) -> Iterator[str]:
    """One line a metric: without, with, change, interval; and the change with frozen agents."""
    kind = found.adaptations[0]
    both = len(found.adaptations) == 2
    rows = [
        ["", ARMS[BASE], ARMS[CHANGED], "change", f"{100 * found.confidence:g} % interval", "frozen" if both else ""]
    ]
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
