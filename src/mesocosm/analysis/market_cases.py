"""Closed forms of markets held against runs: externalities, adversaries, fines, and lemons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mesocosm.agents.policies.opportunistic import Opportunistic
from mesocosm.analysis import closed_forms as theory
from mesocosm.analysis.evidence import F64, Arms, Case, Claim, difference, metric_of

Overrides = dict[str, Any]
S_PLUS, S_MINUS, H = 2.0, 1.0, 2.0  # of the model; the scenarios leave them as they are

# --- pigou

FELT = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
TAX = 0.4
#: how all of the harm can be split over two sides that each have to consent, where the initiator gets .3 of the surplus
SPLIT = {"matched": (0.3, 0.7), "even": (0.5, 0.5), "swapped": (0.7, 0.3)}


def pigou() -> Case:
    """Welfare and toxicity over the part of the harm that is felt, jointly, by consent, and through a tax."""
    lever = "governance.externality_internalisation"

    def felt(rho_a: float, rho_b: float, **more: Any) -> Overrides:
        return {f"{lever}.rho_a": rho_a, f"{lever}.rho_b": rho_b, **more}

    def taxed(rate: float, tau: float) -> Overrides:
        terms = {"agents.0.type": "seller", "conduct.transfer": tau, "conduct.transfer_menu": [-1.0, 0.0]}
        return felt(0.0, 0.0) | terms | {"governance.transaction_tax.rate": rate}

    arms = {f"R {part:g}": felt(part / 2, part / 2) for part in FELT}
    arms |= {
        "one-sided": felt(1.0, 0.0, acceptance="consent"),
        "even": felt(0.5, 0.5, acceptance="consent"),
    }
    arms |= {
        f"theta .3, {name}": felt(*rho, acceptance="consent") | {"payoff.theta": 0.3} for name, rho in SPLIT.items()
    }
    arms |= {
        "taxed": taxed(TAX, 1.0),
        "taxed for nothing": taxed(TAX, 0.0),
        "untaxed": taxed(0.0, 0.0),
    }
    return Case("pigou", "Pigou 1920: joint decisions are best where all of the harm is felt", arms, [*_pigou_claims()])


def _pigou_claims() -> Iterator[Claim]:
    bar = {f"R {part:g}": theory.joint_threshold(S_PLUS, S_MINUS, part * H) for part in FELT}

    def welfare(arm: str, seen: bool = False) -> Callable[[Arms], F64]:
        return metric_of(arm, "social_welfare" if seen else "social_welfare_true", per="proposals")

    def expected_welfare(bar: float) -> float:
        return theory.uniform_welfare(bar, S_PLUS, S_MINUS, H)

    for arm, t in bar.items():
        yield Claim(f"welfare per proposal, {arm}", expected_welfare(t), welfare(arm))
    for arm, t in bar.items():
        yield Claim(f"share of bad deals, {arm}", theory.uniform_toxicity(t), metric_of(arm, "toxicity_true"))
    for arm in ("R 0", "R 1"):
        t = bar[arm]
        yield Claim(f"welfare by the proxy, {arm}", expected_welfare(t), welfare(arm, seen=True))
        yield Claim(f"bad deals by the proxy, {arm}", theory.uniform_toxicity(t), metric_of(arm, "toxicity_rate"))
        yield Claim(f"share accepted, {arm}", 1 - t, metric_of(arm, "acceptance_rate"))
        yield Claim(f"quality gap (1/2 at every bar), {arm}", 0.5, metric_of(arm, "quality_gap"))
    for lower in ("R 0.75", "R 1.5"):
        gain = expected_welfare(bar["R 1"]) - expected_welfare(bar[lower])
        measured = difference(welfare("R 1", seen=True), welfare(lower, seen=True))
        yield Claim(f"welfare, R 1 less {lower}, same luck", gain, measured)
    for arm, rho in (("one-sided", (1.0, 0.0)), ("even", (0.5, 0.5))):
        t = theory.consent_threshold(S_PLUS, S_MINUS, (0.5, 0.5), (rho[0] * H, rho[1] * H))
        told = f"consent, rho {rho[0]:g} and {rho[1]:g}"
        yield Claim(f"share accepted, {told}", 1 - t, metric_of(arm, "acceptance_rate"))
        yield Claim(f"welfare, {told}", expected_welfare(t), welfare(arm))
    least: dict[str, float] = {}
    for name, rho in SPLIT.items():
        least[name] = theory.consent_threshold(S_PLUS, S_MINUS, (0.3, 0.7), (rho[0] * H, rho[1] * H))
        told = f"welfare, theta 0.3, rho {rho[0]:g} and {rho[1]:g}"
        yield Claim(told, expected_welfare(least[name]), welfare(f"theta .3, {name}"))
    for name in ("even", "swapped"):
        gain = expected_welfare(least["matched"]) - expected_welfare(least[name])
        measured = difference(welfare("theta .3, matched", seen=True), welfare(f"theta .3, {name}", seen=True))
        yield Claim(f"rho_a = theta less {name}, same luck", gain, measured)
    t = theory.uniform_toxicity(theory.joint_threshold(S_PLUS, S_MINUS, 0.0, TAX))
    yield Claim(f"bad deals, tax {TAX:g} on a transfer of 1", t, metric_of("taxed", "toxicity_true"))
    nothing = difference(metric_of("taxed for nothing", "toxicity_true"), metric_of("untaxed", "toxicity_true"))
    yield Claim("change by a tax where tau is 0", 0.0, nothing)


# --- adversary_threshold

HIGH, LOW = 0.8, 0.1
BARS = {"private": 0.0, "social": H}  # what of the harm to others counts


def adversary_threshold() -> Case:
    """What the average deal is worth by the share of adversaries, and where a market that knows the average stops."""

    def crowd(honest: int, adversarial: int) -> Overrides:
        return {"agents.0.count": honest, "agents.1.count": adversarial}

    def share(honest: int, adversarial: int) -> float:
        return 2 * adversarial / (2 * adversarial + honest)

    arms: dict[str, Overrides] = {}
    claims: list[Claim] = []
    values = {"private": ((S_PLUS, S_MINUS), (5, 10, 15)), "social": ((S_PLUS, S_MINUS + H), (1, 2, 3))}
    for kind, (terms, numbers) in values.items():
        for adversaries in numbers:
            arm, q = f"{adversaries} of them", share(10, adversaries)
            arms[arm] = crowd(10, adversaries)
            expected = theory.deal_value(theory.pooled_chance(q, HIGH, LOW), *terms)
            measured = metric_of(arm, f"{kind}_welfare_true", per="interactions")
            claims.append(Claim(f"{kind} value of a deal, share {q:.3f}", expected, measured))
    edges = {"private": ((20, 19), (20, 21)), "social": ((16, 3), (24, 5))}
    for kind, harm in BARS.items():
        limit = theory.critical_share(HIGH, LOW, theory.joint_threshold(S_PLUS, S_MINUS, harm))
        for rule in ("joint", "consent"):
            for size in edges[kind]:
                q = share(*size)
                arm = f"{kind} {rule} {q}"
                known = {"proxy.prior": theory.pooled_chance(q, HIGH, LOW), "acceptance": rule}
                felt = {"payoff.rho_a": harm / H / 2, "payoff.rho_b": harm / H / 2}
                arms[arm] = crowd(*size) | known | felt | {"simulation.steps_per_epoch": 4}  # all or nothing: few do
                told = f"trade, {kind} bar, {rule}, share {q:.3f}"
                claims.append(Claim(told, float(q < limit), metric_of(arm, "acceptance_rate")))
    source = (
        "beyond q* = (p_H - bar) / (p_H - p_D), 0.667 private and 0.286 social, the average deal is worth less than "
        "nothing, and a market that knows the average stops"
    )
    return Case("adversary_threshold", source, arms, claims)


# --- becker


def becker() -> Case:
    """How many offend under audits and fines, whether only the product counts, and what limited liability does."""
    lever = "governance.random_audit"

    def under(chance: float, fine: float, **more: Any) -> Overrides:
        return {f"{lever}.probability": chance, f"{lever}.penalty": fine, **more}

    poor = {  # one step, one proposal: the balance of everybody is what it was given
        "environment.initial_budget": 2.5, "simulation.steps_per_epoch": 1, "safety.rate_limit_capacity": 1.0,
        "safety.rate_limit_refill": 1.0,
    }  # fmt: skip
    offences = {f"{q:g}, {fine:g}": (q, fine) for q, fine in ((0.1, 2.0), (0.1, 5.0), (0.2, 5.0))}
    arms = {arm: under(*terms) for arm, terms in offences.items()}
    arms |= {"seldom": under(0.05, 10.0), "often": under(0.25, 2.0), "frozen": under(0.2, 5.0, adaptation="frozen")}
    arms |= {f"poor {fine:g}": under(0.2, fine) | poor for fine in (2.0, 5.0, 10.0)}
    on_credit = poor | {"environment.credit_limit": 1e6}  # a stake leaves nothing to cover deals with
    stake, bond = "governance.staking", "governance.bonds.amount"
    arms |= {
        f"staked {fine:g}": under(0.2, fine) | on_credit | {f"{stake}.amount": 2.5, f"{stake}.slash": 0.0}
        for fine in (2.0, 5.0, 10.0)
    }
    arms |= {f"stake {amount:g}": under(0.2, 0.0) | {f"{stake}.amount": amount} for amount in (2.0, 4.0, 8.0)}
    arms["bond 2"] = under(0.2, 0.0) | {bond: 2.0}

    def offenders(arm: str) -> Callable[[Arms], F64]:
        return lambda arms: 1.0 - arms[arm].metric("mean_p_true")

    claims = [
        Claim(f"offences, q {q:g}, F {fine:g}", theory.offence_rate(q, fine), offenders(arm))
        for arm, (q, fine) in offences.items()
    ]
    claims += [
        Claim("offences, q 0.05, F 10", theory.offence_rate(0.05, 10.0), offenders("seldom")),
        Claim("q 0.05, F 10 less q 0.25, F 2, same luck", 0.0, difference(offenders("seldom"), offenders("often"))),
        Claim("offences of frozen agents, q 0.2, F 5", 1.0, offenders("frozen")),
    ]
    claims += [
        Claim(f"offences, q 0.2, F {fine:g}, balance 2.5", theory.offence_rate(0.2, fine, 2.5),
              offenders(f"poor {fine:g}"))
        for fine in (2.0, 5.0)
    ]  # fmt: skip
    claims += [
        Claim("F 10 less F 5, balance 2.5", 0.0, difference(offenders("poor 10"), offenders("poor 5"))),
        Claim("share of deals audited, q 0.2", 0.2, lambda arms: arms["frozen"].mean(arms["frozen"].deal["audited"])),
    ]
    claims += [
        Claim(f"offences, q 0.2, F {fine:g}, all of 2.5 staked", theory.offence_rate(0.2, fine, 2.5),
              offenders(f"staked {fine:g}"))
        for fine in (2.0, 5.0)
    ]  # fmt: skip
    claims.append(Claim("F 10 less F 5, all staked", 0.0, difference(offenders("staked 10"), offenders("staked 5"))))
    claims += [
        Claim(
            f"offences, stake of {amount:g} slashed", theory.offence_rate(0.2, amount), offenders(f"stake {amount:g}")
        )
        for amount in (2.0, 4.0, 8.0)
    ]
    claims.append(Claim("stake less bond of 2, same luck", 0.0, difference(offenders("stake 2"), offenders("bond 2"))))
    return Case("becker", "Becker 1968: offend if the gain x ~ U(0, 1) exceeds q F", arms, claims, ("audited",))


# --- lemons

K = 1.5
WORST = 0.2


def lemons() -> Case:
    """What is offered at a price, what buyers will pay for it, and where that leads."""
    uncertain = {"proxy.noise": "gaussian", "proxy.gaussian_mean": 0.0, "proxy.calibration": "bayes"}
    prices = [0.75**t for t in range(5)]
    arms: dict[str, Overrides] = {f"{price:.4f}": {"conduct.transfer": price} for price in prices}
    claims = [
        Claim(f"next price after {price:.4f}, k 1.5", K * theory.offered_quality(price),
              _willing(f"{price:.4f}"))
        for price in prices
    ]  # fmt: skip
    claims += [
        Claim(f"share offered at {price:.4f}", theory.offered_share(price), _offered(f"{price:.4f}"))
        for price in prices[1:3]
    ]
    for k in (1.5, 2.0):
        arm = f"k {k:g}"
        arms[arm] = {"conduct.transfer": 0.75, "payoff.s_plus": k}
        gain = k * theory.offered_quality(0.75) - 0.75
        claims.append(Claim(f"buyers gain at price 0.75, {arm}", gain, _gain(arm)))
    for k in (1.5, 2.5):
        arm = f"knowing, k {k:g}"
        known = {"proxy.prior": theory.offered_quality(0.75), "acceptance": "consent"}
        arms[arm] = uncertain | known | {"conduct.transfer": 0.75, "payoff.s_plus": k}
        claims.append(Claim(f"trade if buyers know the average, k {k:g}", float(k > 2), _accepted(arm)))
    for price in (0.4, theory.lasting_price(K, WORST), 0.8):
        arm = f"worst {price:g}"
        arms[arm] = {"conduct.q_low": WORST, "conduct.effort_cost": 1 - WORST, "conduct.transfer": price - WORST}
        told = f"worst car 0.2: next price after {price:.1f}"
        claims.append(Claim(told, K * theory.offered_quality(price, WORST), _willing(arm)))
    claims.append(Claim("worst car 0.2: share offered at 0.6", theory.offered_share(0.6, WORST), _offered("worst 0.6")))
    source = (
        "Akerlof 1970: what is offered at a price p is worth k p / 2 to buyers, so for k below 2 the market unravels"
    )
    return Case("lemons", source, arms, claims, ("accepted", "pi_b_true"))


def _willing(arm: str) -> Callable[[Arms], F64]:
    """What buyers pay who know the average quality of what is offered."""
    return lambda arms: K * arms[arm].metric("mean_p_true")


def _offered(arm: str) -> Callable[[Arms], F64]:
    """Share of sellers who offer of those who could: one chance a step, and a second one with a known chance."""
    chances = 1.0 + Opportunistic.second_proposal
    return lambda arms: arms[arm].metric("activity") / chances


def _accepted(arm: str) -> Callable[[Arms], F64]:
    return metric_of(arm, "acceptance_rate")


def _gain(arm: str) -> Callable[[Arms], F64]:
    """Mean realised payoff of buyers per deal."""
    return lambda arms: arms[arm].mean(arms[arm].deal["pi_b_true"], arms[arm].deal["accepted"])


MARKET_CASES = (pigou, adversary_threshold, becker, lemons)
