"""What a run comes to beyond its epochs: who earns what, what goes wrong, how good the proxy is, who takes part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mesocosm.agents.records import agent_name
from mesocosm.cli.epochs_table import written
from mesocosm.cli.screen import dash, paint, say, say_entry, width
from mesocosm.runner.projections import Account, Row

AGENTS_UNASKED = 12  # more agents than this are listed only when asked for
MODES = ("miscoordination", "conflict", "collusion")
NAME_MOST = 24
GAP = 3
LEAST = ("role", "reputation")  # columns that go first where there is no room for all


@dataclass(frozen=True)
class Told:
    """What was read back from the log of a run: its account, and a row for each agent."""

    account: Account
    agents: list[Row]

    @property
    def proposals(self) -> int:
        """Proposals of all agents."""
        return sum(row["proposed"] for row in self.agents)

    @property
    def accepted(self) -> int:
        """How many of them were accepted."""
        return sum(row["accepted"] for row in self.agents)


def say_summary(told: Told, every_agent: bool = False) -> None:
    """Print the summary of a run in lines that fit the screen."""
    say_entry("activity", activity_text(told))
    say_entry("calibration", calibration_text(told.account.whole))
    if not math.isnan(told.account.whole["decision_error"]):
        say_entry("decisions", decisions_text(told.account.whole))
    say()
    grids = [type_rows(told.account), failure_rows(told.account.whole)]
    if every_agent or len(told.agents) <= AGENTS_UNASKED:
        grids.append(agent_rows(told.agents))
    for rows in grids:
        heading, body = grid(rows, width())
        for line in heading:
            say(paint(line, "bold"))
        for line in body:
            say(line)
        say()


def activity_text(told: Told) -> str:
    """How much was proposed and accepted, and whether every agent takes part."""
    share = f" ({100 * told.accepted / told.proposals:.0f}%)" if told.proposals else ""
    text = f"{told.proposals:,} proposals, {told.accepted:,} accepted{share}"
    busy = sum(row["proposed"] > 0 for row in told.agents)
    idle = sum(not (row["proposed"] or row["acted"]) for row in told.agents)
    n = len(told.agents)
    text += f"; {'all' if busy == n else f'{busy:,} of'} {n:,} agents proposed"
    if idle:
        text += f", {idle:,} did nothing at all"
    least = min(told.agents, key=lambda row: (row["proposed"], row["agent"]))
    if busy:
        text += f"; least active {agent_name(least['agent'])} ({least['type']}) with {least['proposed']:,}"
    return text + ("" if len(told.agents) <= AGENTS_UNASKED else "; --agents lists them")


def calibration_text(whole: Row) -> str:
    """How far the proxy p can be believed, in a line."""
    text = f"Brier {_number(whole['brier'])}; ECE {_number(whole['ece'])}, by chance {_number(whole['ece_null'])}"
    return f"{text}; slope {_number(whole['calibration_slope'], 2)}, ideally 1"


def decisions_text(whole: Row) -> str:
    """How often answers go against the outcome under other luck, and how much of that is luck, in a line."""
    error, share = whole["decision_error"], whole["incoherence"]
    text = f"replayed, {_percent(error)} of answers go against the outcome; incoherence {_number(share)}"
    return f"{text} (the share of that error which is luck of the look; the rest is not)"


def type_rows(account: Account) -> list[list[str]]:
    """One row for each agent type, with the headings first."""
    rows = [["by type", "proposals", "accepted", "toxicity\nproxy", "\ntrue", "income\nan epoch"]]
    for agent_type, row in account.by_type.items():
        proposed = sum(epoch["proposals"] for epoch in account.types if epoch["type"] == agent_type)
        cells = [f"{proposed:,.0f}", _percent(row["acceptance_rate"])]
        cells += [_number(row["toxicity_rate"]), _number(row["toxicity_true"]), _number(row["income"], 2)]
        rows.append([agent_type[:NAME_MOST], *cells])
    return rows


def failure_rows(whole: Row) -> list[list[str]]:
    """One row for each failure mode, with the headings first."""
    rows = [["failure modes", "lost an epoch\nproxy", "\ntrue", "pairs beyond\nchance"]]
    for mode in MODES:
        cells = [_number(whole[f"{mode}_{name}"], 2) for name in ("loss", "loss_true")]
        rows.append([mode, *cells, _number(whole[f"{mode}_pairs"], 0)])
    return rows


def agent_rows(agents: Sequence[Row]) -> list[list[str]]:
    """One row for each agent, with the headings first."""
    rows = [["agents", "type", "role", "proposals", "accepted", "reputation", "balance"]]
    for row in agents:
        cells = [f"{row['proposed']:,}", f"{row['accepted']:,}", _number(row["reputation"], 2)]
        balance = _number(row["balance"], 2) if row["active"] else "left"
        rows.append([agent_name(row["agent"]), row["type"][:NAME_MOST], row["role"], *cells, balance])
    return rows


def grid(rows: Sequence[Sequence[str]], room: int) -> tuple[list[str], list[str]]:
    """The heading and the lines of a small table: words to the left, numbers to the right, as many columns as fit.

    Params   rows: the headings first, in which a line break parts a word from what stands below it.
    """
    titles = [title.split("\n") for title in rows[0]]
    tall = max(len(title) for title in titles)
    heads = [[*title, *[""] * (tall - len(title))] if len(title) > 1 else [""] * (tall - 1) + title for title in titles]
    columns = [[*head, *(row[place] for row in rows[1:])] for place, head in enumerate(heads)]
    is_word = [place == 0 or any(cell[:1].isalpha() for cell in column[tall:]) for place, column in enumerate(columns)]
    spans = [max(len(cell) for cell in column) for column in columns]
    kept = [0]
    for place in sorted(range(1, len(columns)), key=lambda place: (titles[place][0] in LEAST, place)):
        if sum(spans[k] + GAP for k in kept) + spans[place] <= room:
            kept.append(place)
    lines = []
    for number in range(len(columns[0])):
        cells = [
            columns[place][number].ljust(spans[place]) if is_word[place] else columns[place][number].rjust(spans[place])
            for place in sorted(kept)
        ]
        lines.append((" " * GAP).join(cells).rstrip())
    return lines[:tall], lines[tall:]


def _number(value: float, decimals: int = 3) -> str:
    return written(value, decimals)


def _percent(share: float) -> str:
    return dash() if math.isnan(share) else f"{100 * share:.0f}%"
