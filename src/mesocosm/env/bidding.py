"""What a trader expects of the market, and how agents of any policy behave in it unless they have ways of their own.

Costs of full effort are uniform between 0 and `cost_scale`; bids and offers follow from expected value under the public
rules. Pure arithmetic: nothing here sees another agent's cost, or an outcome.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm.env.panel import chance_paid, panel_right
from mesocosm.env.payoff import outcome_chance

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
SURE = 1e-9  # keeps odds finite where a panel never errs

#: question -> what every policy sees when the market asks it
TRADE_VISIBLE: dict[str, dict[str, str]] = {
    "offer_bounty": {
        "need_value": "(k,) credits that good work would be worth to the agent",
        "rivals": "(k,) agents who would be invited to bid",
        "kept": "(k,) share of a payment that reaches the worker, after what levers withhold",
    },
    "bid": {
        "work_cost": "(k,) credits that full effort would cost the agent",
        "offer": "(k,) the most that the poster pays, credits",
        "rivals": "(k,) agents invited to bid, the agent itself among them",
        "kept": "(k,) share of a payment that reaches the worker, after what levers withhold",
        "skill": "(k,)",
        "trust_of": "(k,) the poster's trust in the agent",
        "steps_since_caught": "(k,) steps since an own bad deal or bad work came to light",
        "is_mate": "(k,) whether the poster belongs to the agent's coalition",
    },
    "deliver": {
        "work_cost": "(k,) credits that full effort would cost the agent",
        "price": "(k,) credits the poster pays if the work is passed",
        "kept": "(k,) share of a payment that reaches the worker, after what levers withhold",
        "skill": "(k,)",
        "trust_of": "(k,) the poster's trust in the agent",
        "steps_since_caught": "(k,) steps since an own bad deal or bad work came to light",
        "is_mate": "(k,) whether the poster belongs to the agent's coalition",
    },
    "dispute": {
        "is_poster": "(k,) whether the agent ordered the work; otherwise it did it",
        "odds": "(k,) odds that the work is good: after the poster's own look, or from the worker's own effort",
        "verdict": "(k,) +1 or -1, 0 if no panel has looked",
        "price": "(k,) credits in escrow",
        "kept": "(k,) share of a payment that reaches the worker, after what levers withhold",
        "need_value": "(k,) credits that good work is worth to the poster",
        "is_mate": "(k,) whether the other side belongs to the agent's coalition",
    },
}


class Way(NamedTuple):
    """Levels of effort and disguise that a worker chooses."""

    effort: I64  # (k,)
    disguise: I64  # (k,)


class Trader:
    """The market side of every policy: post and bid by expected value, work with full effort, dispute what looks wrong.

    A policy that behaves otherwise overrides some of the four. All of them see the columns of `TRADE_VISIBLE`.
    """

    def offer_bounty(self, view: Any) -> F64:
        """Credits to offer for work, (k,), 0 for none: what it is worth, if that exceeds the price expected."""
        rule = view.rule
        worth = worth_of_work(rule, view.need_value)
        pays = np.maximum(chance_paid(rule, rule.prior_mean, 0.0) * view.kept, SURE)
        expected = expected_price(view.rivals) * rule.cost_scale / pays
        return np.where(worth > expected, np.minimum(rule.reserve, worth), 0.0)

    def bid(self, view: Any) -> F64:
        """Credits to ask for, (k,), 0 for no bid: the equilibrium bid of a bidder who works with full effort."""
        return equilibrium_bid(view, *cost_and_chance(view, 1.0, 0.0))

    def deliver(self, view: Any) -> Way:
        """Levels of effort and disguise, (k,) each: most effort, no disguise."""
        nothing = np.zeros(len(view), dtype=np.int64)
        return Way(nothing + (len(view.menu.effort) - 1), nothing)

    def dispute(self, view: Any) -> Mask:
        """Whether to contest what is about to happen: where the other outcome is the likelier to be right."""
        odds = odds_by_all(view)
        doubted: Mask = np.where(view.is_poster, odds < 1.0, odds > 1.0)
        return doubted


def worth_of_work(rule: Any, value: Any) -> Any:
    """The most that work is worth per payment, if it is good as often as a stranger is trusted to be.

    The chance that it is good and paid for, times its value, over the chance that it is paid for.
    """
    good = rule.prior_mean
    passes_good = np.where(np.asarray(rule.on_submission) > 0, 1.0, panel_right(rule))
    return good * passes_good * value / np.maximum(chance_paid(rule, good, 0.0), SURE)


def expected_price(n: Any) -> Any:
    """Mean price among n bidders with costs U(0, 1) and no reserve, first or second price: 2 / (n + 1).

    Infinite where nobody is there to bid.

    Source   science notes 3.13.
    """
    return np.where(np.asarray(n) > 0, 2.0 / (n + 1.0), np.inf)


def cost_and_chance(view: Any, effort: Any, disguise: Any) -> tuple[Any, Any]:
    """(cost, share of the price that comes back) of a way of working, for the agent's own cost of full effort.

    The share is the chance of being paid, less what levers withhold.
    """
    rule = view.rule
    share = view.work_cost / rule.cost_scale
    good = outcome_chance(rule, effort, view.skill, share)
    cost = view.work_cost * effort + rule.disguise_cost * disguise
    return cost, np.maximum(chance_paid(rule, good, disguise) * view.kept, SURE)


def equilibrium_bid(view: Any, cost: Any, paid: Any) -> F64:
    """The bid that is best if the others bid alike, 0 where even the whole offer would not cover the cost.

    With c the cost as a share of `cost_scale`, and r the offer times the share of it that comes back: in a first-price
    auction c + ((1-c)^n - (1-r)^n) / (n (1-c)^(n-1)), which is c + (1-c)/n where the offer does not bind, and in a
    second-price one c; both over that share.
    Source   science notes 3.13; Krishna, Auction Theory (2002), 2.4, for costs instead of values.
    """
    rule, n = view.rule, view.rivals
    c = cost / rule.cost_scale
    r = np.minimum(view.offer * paid / rule.cost_scale, 1.0)
    open_to = np.maximum(1.0 - c, SURE)
    power = whole_power(open_to, n - 1)
    shaded = c + np.maximum(power * open_to - whole_power(1.0 - r, n), 0.0) / (n * power)
    asked = np.where(np.asarray(rule.second_price) > 0, c, shaded) * rule.cost_scale / paid
    covers = view.offer * paid > cost
    return np.where(covers, np.minimum(np.maximum(asked, 1e-6), view.offer), 0.0)


def whole_power(base: Any, n: Any) -> F64:
    """base to the power of whole numbers n >= 0, by multiplication alone.

    Example
        >>> whole_power(np.array([0.5, 2.0]), np.array([3, 0])).tolist()
        [0.125, 1.0]
    """
    n = np.asarray(n)
    power = np.ones(np.broadcast_shapes(np.shape(base), n.shape))
    for k in range(int(n.max(initial=0))):
        power = np.where(k < n, power * base, power)
    return power


def best_conduct(view: Any, price: Any, efforts: range, disguises: range) -> tuple[Way, F64]:
    """The levels that pay best at a price, and what they bring; among equals the least of both."""
    found = Way(*(np.full(len(view), part[0], dtype=np.int64) for part in (efforts, disguises)))
    most = np.full(len(view), -np.inf)
    for e in efforts:
        for d in disguises:
            cost, paid = cost_and_chance(view, view.menu.effort[e], view.menu.disguise[d])
            brings = price * paid - cost
            better = brings > most
            most = np.where(better, brings, most)
            found = Way(np.where(better, e, found.effort), np.where(better, d, found.disguise))
    return found, most


def odds_by_all(view: Any) -> F64:
    """Odds that work is good by what the agent knows of it and by the panel's verdict, if there is one."""
    right = panel_right(view.rule)
    said = right / np.maximum(1.0 - right, SURE)
    odds: F64 = view.odds * np.where(view.verdict > 0, said, np.where(view.verdict < 0, 1.0 / said, 1.0))
    return odds


def gain_of_dispute(view: Any) -> F64:
    """What a dispute brings on average, credits: the escrow if the panel overturns, less the bond if it does not.

    A poster who wins goes without the work, a loss of its value as far as accounts credit it. Of what a worker wins,
    levers withhold their part.
    """
    rule = view.rule
    odds = odds_by_all(view)
    good = odds / (1.0 + odds)
    right = panel_right(rule)
    wrong = np.where(view.is_poster, 1.0 - good, good)  # chance that what is about to happen is
    overturns = wrong * right + (1.0 - wrong) * (1.0 - right)
    wins_bad = np.where(view.is_poster, good * (1.0 - right), 0.0)  # overturned although it was good
    seen = seen_chance(rule, view.verdict)
    lost = np.where(np.asarray(rule.settle_on_outcome) > 0, wins_bad, overturns * seen) * view.need_value
    lost = np.where(view.is_poster, lost, 0.0)
    wins = view.price * np.where(view.is_poster, 1.0, view.kept)
    gain: F64 = overturns * wins - lost - (1.0 - overturns) * rule.dispute_bond
    return gain


def seen_chance(rule: Any, verdict: Any) -> F64:
    """Chance that paid work is good as accounts see it: the panel's, or a stranger's where no panel has looked."""
    return np.where(np.asarray(verdict) > 0, panel_right(rule), rule.prior_mean)


def awarded(bidder: I64, bid: I64, offer: I64, is_second: Any) -> tuple[I64, I64]:
    """Winner and price of sealed-bid procurement auctions: the lowest bid wins, among equal ones the first.

    Params   bidder: (k, K) slots, -1 for no bid, or none that counts; bid: (k, K) and offer (k,) in micro-credits;
             is_second: whether the price is the lowest of the other bids (the offer, if there is none) instead of the
             winner's own, a number or (k,).
    Returns  (place of the winner (k,), price (k,)); offers without a bid are not among them.
    """
    asks = np.where(bidder >= 0, bid, offer[:, None])
    order = np.argsort(np.where(bidder >= 0, bid, offer[:, None] + 1), axis=1, kind="stable")
    winner = order[:, 0]
    k = np.arange(len(winner))
    second = asks[k, order[:, 1]] if bidder.shape[1] > 1 else offer
    price: I64 = np.where(np.asarray(is_second) > 0, second, asks[k, winner])
    return winner, price
