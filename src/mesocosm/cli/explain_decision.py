"""``mesocosm explain decision``: the options an agent had in a step, what they were worth, and why one of them won."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from mesocosm.cli.screen import paint, say, say_entry, say_json, table, wrapped
from mesocosm.env.events import Reason
from mesocosm.errors import UsageError
from mesocosm.runner.decision import Decision, Explanation, Option, explain_decision

DECISION = "decision"
SHOWN = 6
#: parts of an option's worth -> the head of their column
HEADS = {
    "chance of a good outcome": "P(good)",
    "yes if good": "yes+",
    "yes if bad": "yes-",
    "gain if good": "gain+",
    "gain if bad": "gain-",
    "private cost": "cost",
    "freeze expected": "freeze",
    "fine expected if bad": "fine-",
}
#: why nothing came of a proposal
REFUSED = {
    Reason.declined.name: "{counterparty} declined",
    Reason.counterparty_frozen.name: "nothing: {counterparty} was frozen, so its answer did not count",
    Reason.rail_interactions_per_step.name: "nothing: somebody had dealt as often in the step as the rail allows",
    Reason.uncovered.name: "nothing: somebody could not cover what the deal might cost",
    Reason.over_budget.name: "nothing: what the deal might cost was more than was left of somebody's budget",
    Reason.refused_by_lever.name: "nothing: a lever refused it",
}
LEGEND = "e effort, d disguise; + if the outcome is good, - if it is bad"


def explain_one_decision(run: str, agent: str, step: int, as_json: bool) -> int:
    """Print what an agent weighed and decided in one step of a run."""
    if not agent or step < 0:
        raise UsageError("whose decision, and when? As in `mesocosm explain decision latest --agent 3 --step 20`.")
    found = explain_decision(run or "latest", agent, step)
    if as_json:
        say_json(asdict(found))
    else:
        tell_explanation(found)
    return 0


def tell_explanation(found: Explanation) -> None:
    """Print every decision of an agent in a step, and what else it did."""
    _heading(found)
    if found.frozen_until > found.step:
        told = f"It was frozen until step {found.frozen_until}: it could not propose, and its answers did not count."
        for line in wrapped(told):
            say(line)
    if found.external:
        say("Its decisions came from outside; what it answered is on record below.")
    elif not found.decisions:
        say("It decided on no deal in this step.")
    for decision in found.decisions:
        say()
        tell_decision(decision)
    _deeds(found)


def tell_decision(decision: Decision) -> None:
    """Print one decision: what was known, the options and why one of them won."""
    if decision.question == "propose":
        _proposal(decision)
    else:
        _answer(decision)


def _heading(found: Explanation) -> None:
    ways = "learning" if found.learning else "does not weigh levers"
    say(paint(f"{found.agent} in step {found.step} (epoch {found.epoch})", "bold"))
    say(f"{found.policy}, {found.role}, {ways}")
    proposals = [decision for decision in found.decisions if decision.question == "propose"]
    if proposals:
        known = proposals[0].known
        times = {0: "never frozen", 1: "frozen once"}
        frozen = times.get(known["freezes"], f"frozen {known['freezes']} times")
        say_entry(
            "so far",
            f"{known['deals']} own deals accepted, {known['audits']} audited, {frozen}; "
            f"balance {known['balance']:.2f} credits",
        )


def _proposal(decision: Decision) -> None:
    chosen = decision.chosen
    say_entry("proposal", terms_told(chosen) if chosen is not None else "none")
    say_entry("rule", decision.rule)
    say_entry("met", _met(decision.known))
    facts = [f"{label} {decision.known[name]:.3f}" for name, label in _OWN.items() if name in decision.known]
    if facts:
        say_entry("knew", ", ".join(facts) or "nothing that it looks at")
    say_entry("why", _why(decision))
    if chosen is not None:
        say_entry("came of it", _outcome_told(decision))
    if decision.options:
        say()
        for line in _options(decision):
            say(line)


_OWN = {"difficulty": "cost of full effort", "payoff_mean": "own payoff per deal so far"}


def terms_told(option: Option) -> str:
    """With whom and on which terms an option is."""
    return f"to {option.partner}: effort {option.effort:g}, disguise {option.disguise:g}, tau {option.tau:+g}"


def _met(known: dict[str, Any]) -> str:
    told = []
    for number, name in enumerate(known["met"]):
        facts = [f"trusts it {known['trust_of'][number]:.3f}"] if "trust_of" in known else []
        facts += [f"trusted {known['trust_in'][number]:.3f}"] if "trust_in" in known else []
        facts += [f"omega {known['leniency'][number]:.2f}"] if "leniency" in known else []
        facts += ["a mate"] if known.get("is_mate", [False, False])[number] else []
        told.append(f"{name} ({', '.join(facts)})" if facts else name)
    return "; ".join(told) if told else "nobody"


def _why(decision: Decision) -> str:
    """Why the option that was chosen won, in a sentence."""
    options, chosen = decision.options, decision.chosen
    if not options:
        return "it weighs no options" if chosen is not None else "there was nobody to propose to"
    best = options[0]
    if chosen is None:
        return f"the best of {len(options)} options is worth {best.value:+.3f} {decision.unit}: not enough"
    if math.isnan(chosen.value):
        return "the rule says so, whatever the options are worth"
    if chosen is not best and chosen.value < best.value:
        return f"worth {chosen.value:+.3f}; the rule passes over {terms_told(best)}, worth {best.value:+.3f}"
    others = [option for option in options if option is not chosen]
    more = chosen.value - others[0].value if others else math.nan
    lead = "" if not others else f", {more:.3g} more than the next" if more > 0.0 else ", as much as the next"
    return f"worth {chosen.value:+.3f} {decision.unit}, the most of {len(options)} options{lead}"


def _options(decision: Decision) -> list[str]:
    """The best options as a table."""
    parts = [name for name in HEADS if name in decision.options[0].parts]
    rows = [["", "with", "e", "d", "tau", "worth", *(HEADS[name] for name in parts)]]
    shown = decision.options[:SHOWN]
    if decision.chosen is not None and decision.chosen in decision.options and decision.chosen not in shown:
        shown = [*shown[:-1], decision.chosen]
    for option in shown:
        mark = ">" if option == decision.chosen else ""
        cells = [mark, option.partner, f"{option.effort:g}", f"{option.disguise:g}", f"{option.tau:+g}"]
        rows.append([*cells, f"{option.value:+.3f}", *(f"{option.parts[name]:.3f}" for name in parts)])
    spans = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.ljust(span) if place < 2 else cell.rjust(span)
                 for place, (cell, span) in enumerate(zip(row, spans, strict=True))]  # fmt: skip
        lines.append(paint(" ".join(cells).rstrip(), "bold" if number == 0 else "dim" if row[0] != ">" else "bold"))
    rest = len(decision.options) - len(shown)
    notes = [LEGEND] if parts else []
    notes += [f"and {rest} more option{'s' * (rest > 1)}; --json has all"] if rest > 0 else []
    return [*lines, *(paint(note, "dim") for note in notes)]


def _answer(decision: Decision) -> None:
    known = decision.known
    word = "yes" if decision.answer else "no"
    say_entry("answer", f"{word} to {known['initiator']}")
    say_entry("rule", decision.rule)
    facts = [f"its chance of a good outcome p~ {known['estimate']:.3f}"] if "estimate" in known else []
    for name, label in (("own_bar", "own bar"), ("joint_bar", "joint bar"), ("trust", "trust")):
        facts += [f"{label} {known[name]:.3f}"] if name in known else []
    facts += [f"tau {known['tau']:+g}"] if "tau" in known else []
    facts += ["a mate"] if known.get("is_mate") else []
    say_entry("knew", ", ".join(facts))
    say_entry("came of it", _outcome_told(decision))


def _outcome_told(decision: Decision) -> str:
    """What came of a proposal, in a sentence without its end."""
    came = decision.outcome
    if came is None:
        return "nothing: it was refused before anybody was asked"
    if came["accepted"]:
        went = "good" if came["v"] > 0 else "bad"
        return f"accepted; the outcome was {went}, own payoff {came['payoff']:+.3f} credits in truth"
    return REFUSED[came["reason"]].format(**came)


def _deeds(found: Explanation) -> None:
    """What else it did, or what befell it."""
    if not found.deeds:
        return
    say()
    rows = []
    for deed in found.deeds:
        told = ", ".join(f"{name} {value}" for name, value in deed.items() if name != "kind" and value != [])
        rows.append([deed["kind"], told])
    say(paint("also", "bold"))
    for line in table(rows):
        say(f"  {line}")
