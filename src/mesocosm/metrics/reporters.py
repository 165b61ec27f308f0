"""The soft and hard reporter: each metric by the proxy beside the same metric by the truth, and what to be wary of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import registry
from mesocosm.errors import MesocosmError
from mesocosm.measures.moments import F64
from mesocosm.metrics.evaluate import DEFAULT_METRICS, evaluate_metrics, needs_of
from mesocosm.metrics.totals import EpochTotals

Mask = NDArray[np.bool_]

#: a made-up value for everything that is known of a made-up proposal
_MADE_UP = 0.5


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


def sanity_flags(
    totals: EpochTotals, names: Iterable[str] = DEFAULT_METRICS, values: Mapping[str, F64] | None = None
) -> list[dict[str, Any]]:
    """What a reader should know before trusting an epoch's numbers: which are undefined, and why.

    A metric is undefined because nobody proposed; or because nothing was accepted, or rejected, if one such proposal
    would have defined it; or else for the reason that it declares itself.

    Params   values: the metrics of the epoch, if they have been evaluated already.
    Returns  for each finding one row with epoch, replicate, metrics (those affected) and text.
    """
    asked = tuple(names)
    known = evaluate_metrics(totals, asked) if values is None else values
    affected: dict[tuple[int, str], list[str]] = {}
    for name in asked:
        missing = np.isnan(known[name])
        if missing.any():
            for replicate, why in _reasons(totals, name, missing):
                affected.setdefault((replicate, why), []).append(name)
    found = []
    for (replicate, why), metrics in affected.items():
        place = f"in epoch {totals.epoch}"
        text = f"{why} {place}, so {_listed(metrics)} undefined" if why else f"{_listed(metrics)} undefined {place}"
        found.append({"epoch": totals.epoch, "replicate": replicate, "metrics": metrics, "text": text})
    return sorted(found, key=lambda row: int(row["replicate"]))


def _reasons(totals: EpochTotals, name: str, missing: Mask) -> Iterator[tuple[int, str]]:
    """Why a metric is undefined, for each replicate in which it is."""
    silent = totals.proposals == 0
    left = missing.copy()
    for where, text, sides in (
        (silent, "nobody proposed", (0, 1)),
        (~silent & (totals.accepted == 0), "nothing was accepted", (1,)),
        (~silent & (totals.accepted == totals.proposals), "no rejections", (0,)),
    ):
        if (left & where).any():
            explained = left & where & (_defined_with(totals, name, sides) | (len(sides) == 2 and _reads_deals(name)))
            left &= ~explained
            yield from ((replicate, text) for replicate in np.flatnonzero(explained).tolist())
    if left.any():
        own = registry.find("metric", name).facts["undefined"]
        texts = np.broadcast_to(np.asarray(own(totals) if callable(own) else own, dtype=object), len(left))
        yield from ((replicate, str(texts[replicate])) for replicate in np.flatnonzero(left).tolist())


def _reads_deals(name: str) -> bool:
    return needs_of([name]).deals


def _defined_with(totals: EpochTotals, name: str, sides: tuple[int, ...]) -> Mask:
    """In which replicates a metric would be defined if each had one more proposal, rejected (0) or accepted (1)."""
    one = np.zeros_like(totals.count)
    one[:, :1, list(sides)] = 1  # of whatever type comes first
    replicate = np.tile(np.arange(totals.n_replicates), len(sides))
    accepted = np.repeat(np.asarray(sides, dtype=np.float64), totals.n_replicates)
    raw = {
        column: np.r_[kept, accepted if column == "accepted" else np.full(len(replicate), _MADE_UP)]
        for column, kept in totals.raw.items()
    }
    supposed = replace(
        totals,
        count=totals.count + one,
        sums={column: total + _MADE_UP * one for column, total in totals.sums.items()},
        raw=raw,
        raw_replicate=np.r_[totals.raw_replicate, replicate],
        raw_type=np.r_[totals.raw_type, np.zeros(len(replicate), dtype=np.int64)],
        memo={},
    )
    try:
        defined: Mask = ~np.isnan(evaluate_metrics(supposed, [name])[name])
    except MesocosmError:  # it cannot cope with what is made up, so nothing is learnt
        return np.zeros(totals.n_replicates, dtype=np.bool_)
    return defined


def _listed(metrics: list[str]) -> str:
    """Join names as a sentence does.

    Example
        >>> _listed(["spread"]), _listed(["a", "b", "c"])
        ('spread is', 'a, b and c are')
    """
    if len(metrics) == 1:
        return f"{metrics[0]} is"
    return f"{', '.join(metrics[:-1])} and {metrics[-1]} are"
