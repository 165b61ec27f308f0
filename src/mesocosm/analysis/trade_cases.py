"""Closed forms of the market held against runs: the price of work by auction, and panels that judge it."""

from __future__ import annotations

from typing import Any

from mesocosm.analysis import society_forms as theory
from mesocosm.analysis.evidence import Case, Claim, difference, metric_of

Overrides = dict[str, Any]

# --- procurement

BIDDERS = (2, 3, 5, 10)
VALUE = 10.0  # of the work to whoever buys it, so that nobody does without
MOST = 0.6


def procurement() -> Case:
    """The mean price over the number of bidders, under both rules of payment, and with a largest price."""

    def crowd(n: int, auction: str, **more: Any) -> Overrides:
        return {"agents.0.count": n + 1, "market.bidders": n, "market.auction": auction, **more}

    arms: dict[str, Overrides] = {}
    claims: list[Claim] = []
    for n in BIDDERS:
        for auction in ("first_price", "second_price"):
            arms[f"{auction} {n}"] = crowd(n, auction)
        first, second = (f"{auction} {n}" for auction in ("first_price", "second_price"))
        price = theory.procurement_price(n)
        claims += [
            Claim(f"price, first price, {n} bidders", price, metric_of(first, "market_price")),
            Claim(f"price, second price, {n} bidders", price, metric_of(second, "market_price")),
            Claim(f"first less second, {n} bidders, same costs", 0.0,
                  difference(metric_of(first, "market_price"), metric_of(second, "market_price"))),
            Claim(f"value less the lowest of {n} costs", VALUE - 1.0 / (n + 1),
                  metric_of(first, "market_surplus_true")),
        ]  # fmt: skip
    for auction in ("first_price", "second_price"):
        arm = f"{auction} 3, at most {MOST:g}"
        arms[arm] = crowd(3, auction, **{"market.reserve": MOST})
        told = f"{auction.replace('_', ' ')}, 3 bidders, at most {MOST:g}"
        claims.append(Claim(told, theory.procurement_price(3, MOST), metric_of(arm, "market_price")))
    source = "Vickrey 1961: n bidders with costs U(0, 1) sell at 2 / (n + 1) on average, whichever price is paid"
    return Case("procurement", source, arms, claims)


# --- verifier_panel

PANELS = ((1, 0.6, 0.0), (3, 0.7, 0.0), (11, 0.6, 0.0), (3, 0.7, 0.2), (11, 0.7, 0.2), (21, 0.6, 0.1), (11, 0.7, 1.0))


def verifier_panel() -> Case:
    """How often a panel pays for bad work, and for good work, over its size, accuracy and common cause."""
    arms: dict[str, Overrides] = {}
    claims: list[Claim] = []
    for size, accuracy, together in PANELS:
        panel = {
            "market.panel_size": size, "market.panel_accuracy": accuracy, "market.panel_correlation": together,
        }  # fmt: skip
        right = theory.panel_accuracy(size, accuracy, together)
        told = f"{size} of {accuracy:g}, common cause {together:g}"
        arms[f"bad {told}"] = panel | {"conduct.q_low": 0.0, "conduct.q_high": 0.0}
        arms[f"good {told}"] = panel | {"conduct.q_low": 1.0, "conduct.q_high": 1.0}
        claims += [
            Claim(f"bad paid, {told}", 1.0 - right, metric_of(f"bad {told}", "wrong_release_rate")),
            Claim(f"good paid, {told}", right, metric_of(f"good {told}", "market_completion_rate")),
        ]
    source = "Condorcet 1785: a majority of n is right with chance P_n, and (1 - c) P_n + c p under a common cause c"
    return Case("verifier_panel", source, arms, claims)


TRADE_CASES = (procurement, verifier_panel)
