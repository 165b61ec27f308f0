"""Closed forms of information held against runs: noisy scores, informed traders, prices, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesocosm.analysis import closed_forms as theory
from mesocosm.analysis.evidence import F64, Arms, Case, Claim, Measured, Seen, difference, metric_of

Overrides = dict[str, Any]

# --- regressional_goodhart

MEAN, SD = 0.3, 0.4
BARS_ON_SCORE = (0.0, 0.2, 0.5)
FLATTERING = 6.0


def regressional_goodhart() -> Case:
    """How many of the chosen are bad, what proxies with right and wrong links say of them, and what disguise does."""

    def choosing(bar: float, slope: float = 2.0, **more: Any) -> Overrides:
        p = theory.chance_at(bar, slope)
        return {"payoff.s_minus": 2 * p, "payoff.s_plus": 2 - 2 * p, "proxy.k": slope, **more}

    right = theory.calibrated_slope(MEAN, SD)
    arms = {f"k 2 {bar:g}": choosing(bar) for bar in BARS_ON_SCORE}
    arms |= {f"right {bar:g}": choosing(bar, right) for bar in BARS_ON_SCORE}
    arms["steep"] = choosing(0.2, FLATTERING)
    arms["bayes"] = choosing(0.2, right) | {"proxy.calibration": "bayes"}
    for disguise in (0.5, 1.0):
        worn = {"conduct.disguise_menu": [disguise]}
        arms |= {f"worn {disguise:g} {bar:g}": choosing(bar) | worn for bar in (0.0, 0.5)}
    source = "a tail of two normal scores (v is +1 or -1, not normal); calibrated at k = 2 mu / s^2 = 3.75"
    return Case("regressional_goodhart", source, arms, [*_goodhart_claims(right)])


def _goodhart_claims(right: float) -> Iterator[Claim]:
    bad = {bar: theory.chosen_toxicity(bar, MEAN, SD) for bar in BARS_ON_SCORE}
    for bar in BARS_ON_SCORE:
        arm = f"k 2 {bar:g}"
        yield Claim(f"share of bad deals, score above {bar:g}", bad[bar], metric_of(arm, "toxicity_true"))
    yield Claim("share chosen, score above 0.2", theory.chosen_share(0.2, MEAN, SD),
                metric_of("k 2 0.2", "acceptance_rate"))  # fmt: skip
    for bar in BARS_ON_SCORE:
        said = theory.chosen_soft_toxicity(bar, MEAN, SD, 2.0)
        yield Claim(f"the same by the proxy, k 2, above {bar:g}", said, metric_of(f"k 2 {bar:g}", "toxicity_rate"))
    over = theory.chosen_soft_toxicity(0.0, MEAN, SD, 2.0) - bad[0.0]
    yield Claim("proxy less truth, k 2, above 0", over,
                difference(metric_of("k 2 0", "toxicity_rate"), metric_of("k 2 0", "toxicity_true")))  # fmt: skip
    for bar in BARS_ON_SCORE:
        arm = f"right {bar:g}"
        unbiased = difference(metric_of(arm, "toxicity_rate"), metric_of(arm, "toxicity_true"))
        yield Claim(f"proxy less truth, k {right:g}, above {bar:g}", 0.0, unbiased)
    under = theory.chosen_soft_toxicity(0.2, MEAN, SD, FLATTERING) - bad[0.2]
    steep = difference(metric_of("steep", "toxicity_rate"), metric_of("steep", "toxicity_true"))
    yield Claim(f"proxy less truth, k {FLATTERING:g}, above 0.2", under, steep)
    bayes = difference(metric_of("bayes", "toxicity_rate"), metric_of("bayes", "toxicity_true"))
    yield Claim("proxy less truth, Bayes' link, above 0.2", 0.0, bayes)
    for disguise in (0.5, 1.0):
        for bar in (0.0, 0.5):
            expected = theory.chosen_toxicity(bar, MEAN, SD, lift=2 * MEAN * disguise)
            told = f"bad deals, disguise {disguise:g}, above {bar:g}"
            yield Claim(told, expected, metric_of(f"worn {disguise:g} {bar:g}", "toxicity_true"))


# --- glosten_milgrom

INFORMED = 0.3


def glosten_milgrom() -> Case:
    """What a good is worth once it was bought or refused, and who gains what at the price that breaks even."""
    asked = {good: theory.worth_if_bought(good, INFORMED) for good in (0.5, 0.7)}
    arms: dict[str, Overrides] = {
        "even": {},
        "good": {"conduct.effort_menu": [0.7], "conduct.transfer": asked[0.7]},
        "eager": {"agents.2.params.buys": 0.8},
        "sharp": {"agents.1.count": 5, "agents.2.count": 5},
        "cheap": {"conduct.transfer": 0.5},
    }
    claims = [*_prices("even", "worth 1 with chance 0.5", 0.5), *_prices("good", "worth 1 with chance 0.7", 0.7)]
    claims += [
        Claim("ask, the others buy with chance 0.8", theory.worth_if_bought(0.5, INFORMED, 0.8), _worth("eager", True)),
        Claim("bid, the others buy with chance 0.8", theory.worth_if_refused(0.5, INFORMED, 0.8),
              _worth("eager", False)),
        Claim("spread, half of the traders informed", 0.5, metric_of("sharp", "quality_gap_true")),
        Claim("half-spread at which a dealer breaks even", INFORMED / 2, _lost_to_the_informed),
        Claim("buyers gain at the ask", 0.0, _gain("even", slice(1, 11))),
        Claim("buyers gain at the ask, chance 0.7", 0.0, _gain("good", slice(1, 11))),
        Claim("buyers gain at the price 0.5, per offer", INFORMED / 4, _gain("cheap", slice(1, 11))),
        Claim("the informed gain at the ask, per offer", INFORMED / 2 * (1 - asked[0.5]), _gain("even", slice(1, 4))),
        Claim("the others gain at the ask, per offer", -INFORMED / 2 * (1 - asked[0.5]), _gain("even", slice(4, 11))),
    ]  # fmt: skip
    source = "Glosten and Milgrom 1985: ask = E[v | bought], bid = E[v | refused], 3 of 10 traders informed"
    return Case("glosten_milgrom", source, arms, claims, ("counterparty", "accepted", "v", "pi_b_true"))


def _prices(arm: str, told: str, good: float) -> Iterator[Claim]:
    ask, bid = theory.worth_if_bought(good, INFORMED), theory.worth_if_refused(good, INFORMED)
    yield Claim(f"ask, {told}", ask, _worth(arm, True))
    yield Claim(f"bid, {told}", bid, _worth(arm, False))
    yield Claim(f"spread, {told}", ask - bid, metric_of(arm, "quality_gap_true"))


def _worth(arm: str, bought: bool) -> Callable[[Arms], F64]:
    """Share of goods worth 1 among those that were bought, or refused."""

    def measured(arms: Arms) -> F64:
        deal = arms[arm].deal
        return arms[arm].mean(deal["v"] > 0, deal["accepted"] == bought)

    return measured


def _gain(arm: str, buyers: slice) -> Callable[[Arms], F64]:
    """What some buyers gain, per offer made to anybody."""

    def measured(arms: Arms) -> F64:
        deal = arms[arm].deal
        theirs = deal["accepted"] & (deal["counterparty"] >= buyers.start) & (deal["counterparty"] < buyers.stop)
        return arms[arm].mean(np.where(theirs, deal["pi_b_true"], 0.0))

    return measured


def _lost_to_the_informed(arms: Arms) -> F64:
    """What a dealer without a spread loses per trade: the value less 1/2 where it sells, the reverse where it buys."""
    deal = arms["even"].deal
    value = np.where(deal["v"] > 0, 0.5, -0.5)
    return arms["even"].mean(np.where(deal["accepted"], value, -value))


# --- pairs of agents, several under every seed


@dataclass(frozen=True)
class Pairs:
    """An arm of two agents that is played several times under every seed, each time with luck of its own.

    One pair tells little, and rarely much at once: means over several are closer to normal.
    """

    name: str
    number: int
    terms: Overrides

    def arms(self) -> dict[str, Overrides]:
        """The arm once for each pair."""
        return {f"{self.name} {pair}": self.terms | {"governance.redraw.stream": pair} for pair in range(self.number)}

    def mean(self, measured: Callable[[Seen], F64]) -> Callable[[Arms], F64]:
        """What measures the mean over the pairs of a seed."""
        return lambda arms: np.stack([measured(arms[name]) for name in self.arms()]).mean(axis=0)


# --- price_path

MU = 0.3
ANSWERS = 20  # few enough for the logarithm of the odds to keep its digits
K = theory.odds_step(MU)
HONEST: Overrides = {"agents.1.type": "honest"}
STRICT: Overrides = {"payoff.rho_a": 2.25}  # the joint bar is .8
OWN = Pairs("own", 12, {})  # two agents learn here, and one in the others
JOINT = Pairs("joint", 24, HONEST)
OWN_STRICT = Pairs("own, strict", 8, STRICT)
JOINT_STRICT = Pairs("joint, strict", 8, HONEST | STRICT)


def price_path() -> Case:
    """How a belief about a partner moves with its answers, and that it stays a fair price on average."""
    arms = {name: terms for pairs in (OWN, JOINT, OWN_STRICT, JOINT_STRICT) for name, terms in pairs.arms().items()}
    claims = [
        Claim(f"mean belief after {n} answers", theory.price_after(n, MU), OWN.mean(_believed(n))) for n in (10, 20, 50)
    ]
    claims += [
        Claim("the same, other kind of partner, 50", 1 - theory.price_after(50, MU), JOINT.mean(_believed(50, 1))),
        Claim("log-odds gained per answer", MU * K, OWN.mean(_believed(ANSWERS, of=_log_odds_per_answer))),
        Claim(
            "variance of that, times the answers", K**2 * (1 - MU**2), OWN.mean(_believed(ANSWERS, of=_squared_error))
        ),
        Claim("share of yes, partner with bar 0.35", 0.65, OWN.mean(_share_of_yes)),
        Claim("share of yes, partner with bar 0.65", 0.35, JOINT.mean(_share_of_yes)),
    ]
    claims += [Claim(f"mean belief over both kinds, {n} answers", 0.5, _fair(n)) for n in (5, 10, 20)]
    source = "Glosten and Milgrom 1985: the path of a price by Bayes' rule, with a share mu = 0.3 of informed orders"
    return Case("price_path", source, arms, claims, ("initiator", "accepted", "leniency"))


def _believed(
    answers: int, learners: int = 2, of: Callable[[F64], F64] = lambda belief: belief
) -> Callable[[Seen], F64]:
    """What the agents that learn believe after a number of answers, or a function of it."""

    def measured(seen: Seen) -> F64:
        then = (seen.deal["step"] == answers) & (seen.deal["initiator"] < learners)
        return seen.mean(of(seen.deal["leniency"]), then)

    return measured


def _log_odds_per_answer(belief: F64) -> F64:
    logarithm: F64 = np.log(belief / (1.0 - belief))
    return logarithm / ANSWERS


def _squared_error(belief: F64) -> F64:
    return (_log_odds_per_answer(belief) - MU * K) ** 2 * ANSWERS


def _share_of_yes(seen: Seen) -> F64:
    return seen.mean(seen.deal["accepted"], seen.deal["initiator"] == 0)


def _fair(answers: int) -> Callable[[Arms], F64]:
    """The belief of the first agent where either kind of partner is as likely: the mean over as many of each."""
    own, joint = (pairs.mean(_believed(answers, 1)) for pairs in (OWN_STRICT, JOINT_STRICT))
    return lambda arms: (own(arms) + joint(arms)) / 2.0


# --- kyle

LAMBDA = 0.5


def kyle() -> Case:
    """What an insider gains against a linear price, what others lose, and what the price leaves unknown."""
    orders = (0.5, 1.0, 1.5)
    arms = {f"{beta:g}": {"proxy.gaussian_mean": beta} for beta in orders}
    claims = [
        Claim(
            f"insider gains, order {beta:g} v, lambda 1/2", theory.insider_gain(beta, LAMBDA), _traded(beta, _insider)
        )
        for beta in orders
    ]
    claims += [
        Claim(f"cov(v, flow) / var(flow), order {beta:g} v", theory.linear_price(beta), _slope(beta)) for beta in orders
    ]
    claims += [
        Claim("market maker gains", 0.0, _traded(1.0, _market_maker)),
        Claim("those who trade at random gain", -LAMBDA, _traded(1.0, _random_trader)),
        Claim("variance left once the price is known", theory.pricing_error(1.0, LAMBDA), _traded(1.0, _surprise)),
    ]
    source = "Kyle 1985, one auction: lambda = beta / (beta^2 + 1), and 1/2 at the equilibrium, beta = 1"
    return Case("kyle", source, arms, claims, ("v", "v_hat"))


def _insider(value: F64, order: F64, flow: F64) -> F64:
    return (value - LAMBDA * flow) * order


def _market_maker(value: F64, order: F64, flow: F64) -> F64:
    return (LAMBDA * flow - value) * flow


def _random_trader(value: F64, order: F64, flow: F64) -> F64:
    return (value - LAMBDA * flow) * (flow - order)


def _surprise(value: F64, order: F64, flow: F64) -> F64:
    return (value - LAMBDA * flow) ** 2


def _traded(beta: float, gain: Callable[[F64, F64, F64], F64]) -> Callable[[Arms], F64]:
    """The mean of something that value, insider's order and order flow come to."""

    def measured(arms: Arms) -> F64:
        deal = arms[f"{beta:g}"].deal
        value = deal["v"].astype(np.float64)
        return arms[f"{beta:g}"].mean(gain(value, beta * value, deal["v_hat"]))

    return measured


def _slope(beta: float) -> Callable[[Arms], Measured]:
    def measured(arms: Arms) -> Measured:
        seen = arms[f"{beta:g}"]
        return seen.total(seen.deal["v"] * seen.deal["v_hat"]), seen.total(seen.deal["v_hat"] ** 2)

    return measured


# --- bookkeeping

KEEP, DEALS = 0.9, 21
TRIP = 0.6
PLAYED = 4  # pairs under every seed
MEMORY = Pairs("memory", PLAYED, {})
STANDING = Pairs("standing", PLAYED, {"reputation.keep": KEEP})
BREAKER = Pairs(
    "breaker", PLAYED, {"simulation.steps_per_epoch": 10, "governance.circuit_breaker.threshold": TRIP}
)  # fmt: skip
LOOK = Pairs("look", PLAYED, {"trust.prior_strength": 1e6, "trust.discovery": 0.0, "acceptance": "policy"})
BUCKET: Overrides = {
    "simulation.steps_per_epoch": 40, "safety.rate_limit_capacity": 1.0, "safety.rate_limit_refill": 0.25,
}  # fmt: skip


def bookkeeping() -> Case:
    """Whether trust, reputation, token buckets, breakers and a partner's own look are what they are said to be."""
    played = [pairs.arms() for pairs in (MEMORY, STANDING, BREAKER, LOOK)]
    arms = {name: terms for part in played for name, terms in part.items()} | {"bucket": BUCKET}
    mean, variance = theory.trust_moments(0.6, 2.0, 0.5, DEALS - 1)
    bar = theory.joint_threshold(2.0, 1.0, 0.0)

    def trust(seen: Seen) -> F64:
        return seen.mean(seen.deal["trust"], seen.deal["step"] == DEALS - 1)

    def trust_variance(seen: Seen) -> F64:
        return seen.mean((seen.deal["trust"] - mean) ** 2, seen.deal["step"] == DEALS - 1)

    def said_yes(good: bool) -> Callable[[Seen], F64]:
        return lambda seen: seen.mean(seen.deal["accepted"], (seen.deal["v"] > 0) == good)

    claims = [
        Claim("trust after 20 deals, half of them good", mean, MEMORY.mean(trust)),
        Claim("its variance", variance, MEMORY.mean(trust_variance)),
        Claim("variance of reputation after 21 deals", theory.average_variance(KEEP, 1 / 3, DEALS),
              STANDING.mean(lambda seen: seen.agent_mean(seen.agent["reputation"] ** 2))),
        Claim("proposals a step, bucket refilled by 1/4", 0.25, metric_of("bucket", "activity")),
        Claim("agents frozen by luck, breaker at 0.6", theory.uniform_mean_tail(10, TRIP),
              BREAKER.mean(lambda seen: seen.agent_mean(seen.agent["freezes"]))),
        Claim("honest partner accepts a good deal", theory.yes_chance(0.6, 1.0, bar), LOOK.mean(said_yes(True))),
        Claim("honest partner accepts a bad deal", theory.yes_chance(0.6, -1.0, bar), LOOK.mean(said_yes(False))),
    ]  # fmt: skip
    source = "Beta posteriors, moving averages, token buckets, Irwin-Hall sums, logistic choice"
    return Case("bookkeeping", source, arms, claims, ("accepted", "v", "trust"))


INFORMATION_CASES = (regressional_goodhart, glosten_milgrom, price_path, kyle, bookkeeping)
