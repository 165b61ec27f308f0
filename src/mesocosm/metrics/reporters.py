"""The soft and hard reporter: each metric by the proxy beside the same metric by the truth, and what to be wary of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mesocosm import exact, registry
from mesocosm.metrics.evaluate import DEFAULT_METRICS, evaluate_metrics
from mesocosm.metrics.totals import EpochTotals

#: metrics that no rejected proposal, no accepted one or no vote leaves undefined
_NEED_REJECTED = ("quality_gap", "quality_gap_true")
_NEED_ACCEPTED = (
    "toxicity_rate",
    "toxicity_true",
    "goodhart_gap",
    "quality_gap",
    "quality_gap_true",
    "conditional_loss_initiator",
    "conditional_loss_initiator_true",
    "conditional_loss_counterparty",
    "conditional_loss_counterparty_true",
    "spread",
    "spread_true",
)
_NEED_PROPOSALS = (*_NEED_ACCEPTED, "acceptance_rate", "harm_rate", "toxic_rate", "mean_p", "mean_p_true")
_NEED_VOTES = ("influence_gini", "influence_top1")


def with_twins(names: Iterable[str]) -> tuple[str, ...]:
    """The metrics asked for and, after each, the twin that says the same of the truth; none of them twice.

    Example
        >>> with_twins(["toxicity_rate", "acceptance_rate"])
        ('toxicity_rate', 'toxicity_true', 'acceptance_rate')
    """
    paired: list[str] = []
    for name in names:
        twin = registry.find("metric", name).facts["twin"]
        paired += [one for one in (name, twin) if one and one not in paired]
    return tuple(paired)


def report_epoch(
    totals: EpochTotals, names: Iterable[str] = DEFAULT_METRICS, replicate: int = 0
) -> list[dict[str, Any]]:
    """One epoch of one replicate as a table: soft (by the proxy p) beside hard (by the realised outcome v).

    A Tally that is to be reported on is made with `with_twins(names)`.

    Returns  for each metric one row with epoch, metric, unit, better, soft, hard, gap (hard minus soft) and value.
             A metric that is neither has its number under value, and None under soft, hard and gap.
    """
    paired = with_twins(names)
    values = {name: float(value[replicate]) for name, value in evaluate_metrics(totals, paired).items()}
    facts = {name: registry.find("metric", name).facts for name in paired}
    hard_names = {fact["twin"] for fact in facts.values() if fact["twin"]}
    rows: list[dict[str, Any]] = []
    for name in paired:
        if name in hard_names:
            continue
        row: dict[str, Any] = {"epoch": totals.epoch, "metric": name, "twin": facts[name]["twin"]}
        row |= {"unit": facts[name]["unit"], "better": facts[name]["better"]}
        row |= {"soft": None, "hard": None, "gap": None, "value": values[name]}
        if row["twin"]:
            hard = values[row["twin"]]
            row |= {"soft": values[name], "hard": hard, "gap": hard - values[name], "value": None}
        rows.append(row)
    return rows


def sanity_flags(totals: EpochTotals, names: Iterable[str] = DEFAULT_METRICS) -> list[dict[str, Any]]:
    """What a reader should know before trusting an epoch's numbers: which are undefined, and why.

    Returns  for each finding one row with epoch, replicate, metrics (those affected) and text.
    """
    asked = tuple(names)
    found: list[dict[str, Any]] = []
    for where, text, affected in _conditions(totals, asked):
        metrics = [name for name in asked if name in affected]
        for replicate in np.flatnonzero(where).tolist() if metrics else ():
            told = f"{text} in epoch {totals.epoch}, so {_listed(metrics)} undefined"
            found.append({"epoch": totals.epoch, "replicate": replicate, "metrics": metrics, "text": told})
    return sorted(found, key=lambda row: int(row["replicate"]))


def _conditions(totals: EpochTotals, asked: tuple[str, ...]) -> Iterator[tuple[Any, str, tuple[str, ...]]]:
    """Where something is missing, how to say so, and which metrics need it."""
    silent = totals.proposals == 0
    none_accepted = ~silent & (totals.accepted == 0)
    none_rejected = ~silent & (totals.accepted == totals.proposals)
    yield silent, "nobody proposed", _NEED_PROPOSALS
    yield none_accepted, "nothing was accepted", _NEED_ACCEPTED
    yield none_rejected, "no rejections", _NEED_REJECTED
    if not set(asked) & set(_NEED_VOTES):
        return
    row, votes = totals.agent_replicate, totals.agent("votes_received")
    n_replicates = totals.n_replicates
    few = exact.count_by(row, n_replicates) < 2
    negative = exact.count_by(row, n_replicates, votes < 0) > 0
    no_votes = exact.count_by(row, n_replicates, votes != 0) == 0
    yield negative, "an agent's votes received are negative", _NEED_VOTES
    yield no_votes, "nobody was voted for", _NEED_VOTES
    yield few & ~no_votes, "fewer than two agents were active", ("influence_gini",)


def _listed(metrics: list[str]) -> str:
    """Join names as a sentence does.

    Example
        >>> _listed(["spread"]), _listed(["a", "b", "c"])
        ('spread is', 'a, b and c are')
    """
    if len(metrics) == 1:
        return f"{metrics[0]} is"
    return f"{', '.join(metrics[:-1])} and {metrics[-1]} are"
