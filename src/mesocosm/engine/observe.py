"""The information boundary: builds what rows may see from the world, and only what their policy asks for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import rng
from mesocosm.api import VISIBLE, View
from mesocosm.engine.batch import Batch, Player
from mesocosm.env.bidding import TRADE_VISIBLE
from mesocosm.env.economy import take
from mesocosm.env.interaction import Deals
from mesocosm.env.payoff import own_bar
from mesocosm.env.trust import trust_mean

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


def trust_between(batch: Batch, owner: I64, partner: I64) -> tuple[F64, F64]:
    """(m, n): how much each owner row trusts a partner row, and the weight behind it."""
    memory, world = batch.world.memory, batch.world
    alpha, beta = memory.counts(memory.locate(owner, world.slot[partner]))
    return trust_mean(alpha, beta, world.prior[partner], take(batch.by_row.prior_strength, owner))


def leniency_of(batch: Batch, row: I64, partner: I64) -> Any:
    """omega: how likely each row thinks a partner row to look at its own gain alone, by default what all start from.

    Shapes   (k,), or one number where nobody has learnt anything.
    """
    world, start = batch.world, take(batch.by_row.leniency, row)
    learner = world.learner[row]
    if not (learner >= 0).any():
        return start
    position = world.leniency.locate(np.maximum(learner, 0), world.slot[partner])
    return world.leniency.omega(np.where(learner < 0, -1, position), start)


def same_coalition(batch: Batch, row: I64, other: I64) -> Mask:
    """Whether two rows of a replicate are of one owner, or of one policy that knows and backs its own kind."""
    code = batch.world.code
    backs = np.array([player.policy.coalition for player in batch.cast])
    mates: Mask = (code[row] == code[other]) & backs[code[row]]
    if batch.world.identities.any_in_use:
        mates |= batch.world.identities.of_one_owner(row, other)
    return mates


def build_view(
    batch: Batch, player: Player, question: str, row: I64, source: dict[str, Any], is_blind: bool = False
) -> View:
    """A view of one question for rows of one policy.

    Params   source: column name -> values, or a function of no arguments that computes them; only columns the
             policy lists in `sees` (all of them for a policy that decides outside) are computed and shown;
             is_blind: show the rules as they are without levers, as frozen agents take them.
    """
    # in the market every policy is shown all there is: what it does there by default rests on it
    asked = VISIBLE[question] if player.policy.external or question in TRADE_VISIBLE else player.policy.sees
    shown: dict[str, Any] = {
        "agent": batch.world.slot[row],
        "step": batch.step,
        "epoch": batch.epoch,
        "rule": batch.economy.at(batch.world.replicate[row]) if is_blind else batch.rule_at(row),
        "menu": batch.menu,
        "learning": batch.learns[row],
    }
    for name in asked:
        if name in source:
            value = source[name]
            shown[name] = value() if callable(value) else value
    if question == "propose":
        shown["look"] = outlook(batch, batch.world.replicate[row])
    return View(question, shown)


def outlook(batch: Batch, replicate: I64) -> SimpleNamespace:
    """What the public rules say about outcomes: how good and bad ones look, by level of disguise."""
    table = batch.table
    first = take(table.first_class, replicate)
    levels = range(1, table.n_classes)
    return SimpleNamespace(
        screen_good=table.screen_odds[first],
        screen_bad=[table.screen_odds[first + d] for d in levels],
        p_good=table.expected_p[first],
        p_bad=[table.expected_p[first + d] for d in levels],
        doubt_good=table.doubt[first],
        doubt_bad=[table.doubt[first + d] for d in levels],
        suspect_good=table.suspect[first],
        suspect_bad=[table.suspect[first + d] for d in levels],
        attention_good=table.attention[first],
        attention_bad=[table.attention[first + d] for d in levels],
    )


def proposal_source(
    batch: Batch, row: I64, candidate: tuple[I64, I64], exists: tuple[Mask, Mask], x: F64
) -> dict[str, Any]:
    """Columns behind the second question."""
    world = batch.world
    k = len(row)
    twice, both = np.concatenate([row, row]), np.concatenate(candidate)
    of: list[tuple[F64, F64]] = []

    def trust_of(number: int) -> F64:
        if not of:
            of.append(trust_between(batch, both, twice))
        return of[0][number].reshape(2, k)

    def leniency() -> Any:
        omega = leniency_of(batch, twice, both)
        return omega.reshape(2, k) if np.ndim(omega) else omega

    return {
        "difficulty": x,
        "exists": exists,
        "trust_in": lambda: trust_between(batch, twice, both)[0].reshape(2, k),
        "trust_of": lambda: trust_of(0),
        "weight_of": lambda: trust_of(1),
        "leniency": leniency,
        "is_mate": lambda: same_coalition(batch, twice, both).reshape(2, k),
        "payoff_mean": lambda: world.payoff_mean[row],
        "steps_since_caught": lambda: batch.step - world.caught_step[row],
        "skill": lambda: world.skill[row],
        "luck": lambda: batch.uniform(rng.Purpose.PROPOSAL, row),
    }


def answer_source(batch: Batch, deal: Deals, chosen: Any, luck: F64 | None = None) -> dict[str, Any]:
    """Columns behind the third question, for some of the deals.

    Params   luck: (k,) of the counterparties, by default what is drawn for this turn.
    """

    def own() -> Any:
        """The counterparty's bar; frozen agents leave levers out of it."""
        in_force = take(deal.own, chosen)
        if batch.in_force is batch.economy and not np.ndim(deal.c_b):
            return in_force
        blind = batch.blind[deal.row_b[chosen]]
        return np.where(blind, own_bar(batch.economy.at(deal.replicate[chosen]), deal.tau[chosen], 0.0), in_force)

    return {
        "odds": deal.odds[chosen],
        "trust": deal.trust[chosen],
        "own_bar": own,
        "joint_bar": lambda: take(deal.joint, chosen),
        "luck": lambda: batch.uniform(rng.Purpose.ANSWER, deal.row_a[chosen]) if luck is None else luck[chosen],
        "tau": lambda: deal.tau[chosen],
        "is_mate": lambda: same_coalition(batch, deal.row_b[chosen], deal.row_a[chosen]),
    }


def focus(batch: Batch, row: I64) -> tuple[I64, Mask]:
    """The post each row reads in this step: keyed, nearer the top more often; and whether there is one."""
    feed, replicate = batch.world.feed, batch.world.replicate[row]
    luck = batch.uniform(rng.Purpose.READ, row)
    n = feed.n_visible[replicate]
    rank = (luck * luck * n).astype(np.int64)
    return feed.visible[replicate, rank], n > 0
