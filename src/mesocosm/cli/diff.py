"""``mesocosm diff``: where two runs part, the decision behind it, and what followed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from mesocosm import registry
from mesocosm.analysis.comparison_words import signed
from mesocosm.analysis.deciding import Otherwise
from mesocosm.analysis.divergence import Divergence, Side, divergence_as_dict, event_told
from mesocosm.analysis.divergence import diff as parted
from mesocosm.cli.arguments import AsJson, Plugins
from mesocosm.cli.comparison_report import SHOWN
from mesocosm.cli.epochs_table import decimals_of, written
from mesocosm.cli.explain_decision import tell_decision, terms_told
from mesocosm.cli.screen import dash, paint, say, say_entry, say_json, say_whole, width, wrapped
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.metrics.reporters import with_twins

DIFFERENT = 1
ASKED_SHOWN = 8
BALANCES_SHOWN = 5
Row = dict[str, Any]


def diff_command(
    a: Annotated[str, typer.Argument(metavar="A", help="A run directory, a log, an id, or `latest`.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other run; of a branch, else its parent.")] = "",
    plugin: Plugins = [],  # noqa: B006
    as_json: AsJson = False,
) -> int:
    """Find where two runs part; ends with 0 when the same happened in both, with 1 when not."""
    for file in plugin:
        registry.load_plugin(file)
    try:
        found = parted(a, b or None)
    except MesocosmError as error:
        error.exit_code = max(error.exit_code, UsageError.exit_code)  # 1 says that the runs differ
        raise
    if as_json:
        say_json(divergence_as_dict(found))
    else:
        _report(found)
    return 0 if found.is_same else DIFFERENT


def _report(found: Divergence) -> None:
    for name, side in (("A", found.a), ("B", found.b)):
        _tell_side(name, side)
    if found.is_identical:
        say(paint("the same, to the byte", "green"))
        return
    _tell_asked(found)
    for note in found.notes:
        say_entry("note", note)
    if found.is_same:
        say(paint("the same happened in both", "green") + f": {found.n_same:,} events")
        return
    _tell_first(found)
    if found.decision is not None:
        _tell_decision(found.decision)
    _tell_after(found)


def _tell_side(name: str, side: Side) -> None:
    header = side.log.header
    say_whole(name, side.name)
    length = f"{side.epochs} epoch{'s' * (side.epochs != 1)}"
    asked = f"{header.scenario.get('scenario_id')}, seed {header.seed}, {length}, log {header.level}"
    end = "" if side.ended == "completed" else f"; {'cut' if side.ended == 'cut' else f'ended early: {side.ended}'}"
    say_entry("", asked + end)


def _tell_asked(found: Divergence) -> None:
    if not found.asked:
        say_entry("asked", "the same scenario and the same seed")
        return
    for number, (key, one, other) in enumerate(found.asked[:ASKED_SHOWN]):
        told = " | ".join(_short(value) for value in (one, other))
        say_entry("asked" if number == 0 else "", f"{key}: {told}")
    rest = len(found.asked) - ASKED_SHOWN
    if rest > 0:
        say_entry("", f"and {rest} more: see --json")


def _short(value: Any) -> str:
    """A value as JSON, nothing where there is none, and cut where it is long."""
    text = dash() if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 30 else f"{text[:27]}..."


def _tell_first(found: Divergence) -> None:
    say_entry("same", f"the first {found.n_same:,} events" if found.n_same else "not one event")
    if found.parts:
        say_entry("first", f"A: {event_told(found.a)}")
        say_entry("", f"B: {event_told(found.b)}")
    if found.differs_in:
        say_entry("", f"in {found.differs_in}: {_short(found.values[0])} | {_short(found.values[1])}")
    for kind, (one, other) in found.beside.items():
        say_entry("", f"events of kind {kind} beside it: {one:,} | {other:,}")
    say_entry("why", found.why)
    for name, side in (("A", found.a), ("B", found.b)):
        if side.cause is not None and side.event is not None and None not in (found.a.event, found.b.event):
            cause = f"event {side.cause['seq']} ({side.cause['kind']}, step {side.cause['step']})"
            say_entry("", f"{name}: {side.event['kind']} follows from {cause}")


def _tell_decision(found: Otherwise) -> None:
    """The first decision on a deal that came out otherwise, as each run weighed it."""
    asked = "what to propose" if found.question == "propose" else f"whether to accept what {found.initiator} proposed"
    say()
    say(paint(f"The first deal decided otherwise: {found.agent} in step {found.step} (epoch {found.epoch})", "bold"))
    say_entry("question", asked)
    if found.missing:
        say_entry("", f"The runs cannot be simulated again to see what was weighed: {found.missing}")
        return
    for name, before, after in found.known:
        say_entry("knew", f"{name}: {_short(before)} | {_short(after)}")
    sides = zip("AB", (found.a, found.b), found.decisions, strict=True)
    for name, told, decision in sides:
        say()
        ways = "" if told is None else f": {told.policy}, {'learning' if told.learning else 'does not weigh levers'}"
        say(paint(f"In {name}", "bold") + ways)
        if decision is not None:
            tell_decision(decision)
        elif told is not None and told.external:
            answers = [deed["answer"] for deed in told.deeds if deed.get("question") == found.question]
            say_entry("answer", "; ".join(answers[:3]) or "none: it was not asked")
        elif told is not None and told.frozen_until > found.step:
            say_entry("answer", f"none: it was frozen until step {told.frozen_until}")
        else:
            say_entry("answer", "none: it was not asked")
    _tell_other_choice(found)


def _tell_other_choice(found: Otherwise) -> None:
    """What the option that won in one run was worth in the other."""
    one, other = found.decisions
    if one is None or other is None or one.chosen is None or other.chosen is None:
        return
    told = []
    for name, away, decision, wanted in (("A", "B", one, other.chosen), ("B", "A", other, one.chosen)):
        won = decision.chosen.value if decision.chosen is not None else math.nan
        same = [option for option in decision.options if terms_told(option) == terms_told(wanted)]
        if same and math.isfinite(won):
            told.append((name, f"what won in {away} is worth {same[0].value:+.3f}, what won {won:+.3f}"))
    if told:
        say()
    for name, text in told:
        say_entry(f"in {name}", text)


def _tell_after(found: Divergence) -> None:
    """Events by kind, metrics and balances from where the runs part."""
    _tell_counts(found)
    if found.epochs:
        say()
        first, last = found.epochs.start, found.epochs.stop - 1
        span = f"mean, epochs {first} to {last}" if last > first else f"epoch {first}"
        scenario = found.a.log.header.scenario
        say_metrics(found.metrics, scenario.get("metrics_to_track") or (), span, ("A", "B", "B - A"))
    elif found.epoch is not None:
        say()
        for line in wrapped("After that they have no whole epoch in common, so there are no metrics to compare."):
            say(line)
    if found.balances:
        say()
        rows = [[f"{row['agent']} {row['type']}", *(f"{row[name]:,.2f}" for name in ("a", "b")),
                 signed(row["change"], 2)] for row in found.balances[:BALANCES_SHOWN]]  # fmt: skip
        _say_table([[f"balance after epoch {found.epochs.stop - 1}", "A", "B", "B - A"], *rows])


def _tell_counts(found: Divergence) -> None:
    """How many events of each kind followed, kinds of which both have as many left aside."""
    kinds = sorted({*found.a.counts, *found.b.counts})
    counts = [(kind, found.a.counts.get(kind, 0), found.b.counts.get(kind, 0)) for kind in kinds]
    rows = [[kind, f"{one:,}", f"{other:,}", f"{other - one:+,}"] for kind, one, other in counts if one != other]
    if not counts:
        return
    alike = sum(one for _, one, other in counts if one == other)
    rows += [["of other kinds", f"{alike:,}", f"{alike:,}", "0"]] if alike else []
    say()
    _say_table([["events from there on", "A", "B", "B - A"], *rows])


def say_metrics(rows: Sequence[Row], tracked: Sequence[str], label: str, heads: tuple[str, str, str]) -> None:
    """Print metrics of two runs and their difference, each by the proxy above the same by the truth."""
    found = {row["metric"]: row for row in rows}
    known = [name for name in tracked or SHOWN if name in registry.names("metric")]
    lines = [[label, *heads]]
    for name in with_twins(known):
        if name in found:
            one, other, change = (found[name][side] for side in ("a", "b", "change"))
            digits = decimals_of(name, [one, other])
            told = signed(change, digits) if change == change else dash()
            lines.append([name, written(one, digits), written(other, digits), told])
    _say_table(lines)


def _say_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of a name and numbers, the first as their head."""
    spans = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    spans[0] = min(spans[0], width() - sum(spans[1:]) - 2 * (len(spans) - 1))
    for number, row in enumerate(rows):
        name = row[0] if len(row[0]) <= spans[0] else f"{row[0][: spans[0] - 3]}..."
        cells = [name.ljust(spans[0]), *(cell.rjust(span) for cell, span in zip(row[1:], spans[1:], strict=True))]
        line = "  ".join(cells).rstrip()
        say(paint(line, "bold") if number == 0 else line)
