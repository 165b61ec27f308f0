"""Transparency ledger: what comes to light of deals is put on a public record that every partner reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm.api import F64, Bench, SocialLever
from mesocosm.env.economy import take
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.env.leniency import standard_chance
from mesocosm.registry import lever, param

LONGEST_LAG = 100  # steps
DIGEST = 32  # bytes


@lever("transparency_ledger")
@dataclass(frozen=True)
class TransparencyLedger(SocialLever):
    """Outcomes that come to light are put on a public record, and what strangers think of an agent follows it.

    A deal comes to light when its counterparty discovers the outcome or an audit reads it; what was learnt then, v of
    +1 or -1, is entered by chance, and becomes readable some steps later. To who has never dealt with agent a, a counts
    as (s m0(R_a) + alpha_a) / (s + alpha_a + beta_a), s the strength of the prior, alpha and beta the readable entries,
    which fade with trust.decay as memories do. Own experience comes on top, and the prior keeps its weight in it.
    Entries are append-only: H_n = SHA-256(H_{n-1} || {"agent":a,"interaction":seq,"v":v}), H_0 32 zero bytes. Every
    `published` event states its head, so that anybody can recompute the chain from the log.
    Params   coverage: chance that what came to light is entered, a probability; neutral at 0.
             lag: steps until an entry can be read, 0 (at the next turn) to 100.
    Source   science notes 3.1.3; Nowak and Sigmund (1998): giving is kept up iff the chance q that a deed is known
             exceeds c / b; design section 2.
    """

    phase: ClassVar[int] = 66
    neutral: ClassVar[dict[str, float]] = {"coverage": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"transparency_coverage": "coverage"}

    coverage: float = param(
        1.0, about="chance that what came to light is put on record", unit="probability", ge=0.0, le=1.0
    )
    lag: int = param(0, about="steps until an entry can be read", unit="steps", ge=0, le=LONGEST_LAG)

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """Readable entries of each agent, good and bad; entries to come by the step they become readable; the chain."""
        return {
            "alpha": np.zeros(n_rows),
            "beta": np.zeros(n_rows),
            "to_come": np.zeros((n_rows, LONGEST_LAG + 1, 2), dtype=np.int16),
            "head": np.zeros((n_replicates, DIGEST), dtype=np.uint8),
        }

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """Enter what came to light."""
        entered = np.flatnonzero((deal.discovered | deal.audited) & (bench.draw(deal.row_a) < self.coverage))
        if len(entered) == 0:
            return
        row, lag = deal.row_a[entered], take(self.lag, entered)
        good = np.where(deal.discovered, deal.is_good, deal.told_good)[entered]
        at_once = np.broadcast_to(lag == 0, len(row))
        bench.column["alpha"][row] += at_once & good
        bench.column["beta"][row] += at_once & ~good
        due = (bench.step + lag) % (LONGEST_LAG + 1)
        bench.column["to_come"][row, due, np.where(good, 0, 1)] += ~at_once
        columns = {"v": np.where(good, 1, -1), "interaction": deal.seq[entered]}
        head = _lengthen(bench, row, [bench.slot[row], *columns.values()])
        bench.emit("published", row, columns | {"head": head}, deal.seq[entered])

    def on_step(self, bench: Bench) -> None:
        """Let entries that have become old enough be read."""
        fresh = bench.column["to_come"][:, bench.step % (LONGEST_LAG + 1)]
        bench.column["alpha"] += fresh[:, 0]
        bench.column["beta"] += fresh[:, 1]
        fresh[:] = 0

    def on_epoch(self, bench: Bench) -> None:
        """Let readable entries fade."""
        for name in ("alpha", "beta"):
            bench.column[name] *= bench.rule.decay

    def public_record(self, bench: Bench) -> tuple[Any, Any]:
        """The readable entries."""
        return bench.column["alpha"], bench.column["beta"]

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """An entry moves what all others think of the initiator, and so the chance of their yes.

        It is worth patience * running payoff * coverage * readers * (A(prior after it) - A(prior)), A the chance of a
        yes to a deal that looks good, as in the value of trust; a reader counts as far as it does not know better from
        its own experience, s / (s + n), as the candidate does. How long the lag is plays no part.
        """
        rule, strength = ahead.rule, ahead.rule.prior_strength
        readers = ahead.others * strength / bench.weight_behind(ahead.row_b, ahead.row_a)
        scale = rule.patience * ahead.payoff * self.coverage * readers
        weight = strength + bench.column["alpha"][ahead.row_a] + bench.column["beta"][ahead.row_a]
        now, bad, good = (
            standard_chance(trust)
            for trust in (ahead.prior, *(_after(ahead.prior, weight, outcome) for outcome in (0.0, 1.0)))
        )
        return Foresight(forfeit=scale * np.maximum(now - bad, 0.0), acclaim=scale * np.maximum(good - now, 0.0))


def _after(prior: F64, weight: F64, outcome: float) -> F64:
    """What strangers think after one more entry."""
    return (prior * weight + outcome) / (weight + 1.0)


def _lengthen(bench: Bench, row: Any, columns: list[Any]) -> Any:
    """Add entries (agent, v, interaction) to the chains of their replicates; returns the head after each, in hex."""
    heads = np.empty(len(row), dtype=object)
    chain = bench.column["head"]
    entries = zip(bench.replicate[row].tolist(), *(column.tolist() for column in columns), strict=True)
    for place, (replicate, agent, v, seq) in enumerate(entries):
        entry = f'{{"agent":{agent},"interaction":{seq},"v":{v}}}'
        digest = hashlib.sha256(chain[replicate].tobytes() + entry.encode())
        chain[replicate] = np.frombuffer(digest.digest(), dtype=np.uint8)
        heads[place] = digest.hexdigest()
    return heads
