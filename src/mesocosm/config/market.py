"""What a scenario may say of the market: bounties on work, bids for it, and who verifies it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from mesocosm.config.section import CREDITS_MAX, Section, broken_rule, knob


class MarketSettings(Section):
    """Bounties, sealed bids, escrow and verification; in play where `simulation.phases.market` is true."""

    auction: Literal["first_price", "second_price"] = knob(
        "first_price", "What the winner is paid: its own bid, or the lowest of the other bids."
    )
    need_rate: float = knob(0.05, "Chance that an agent needs some work done.", "per agent and step", ge=0, le=1)
    value_low: float = knob(0.5, "Least value of good work to whoever needs it.", "credits", ge=0, le=CREDITS_MAX)
    value_high: float = knob(3.0, "Largest value of good work to whoever needs it.", "credits", ge=0, le=CREDITS_MAX)
    reserve: float = knob(1.0, "Largest bounty that anybody offers.", "credits", gt=0, le=CREDITS_MAX)
    cost_scale: float = knob(
        1.0, "Cost of full effort to the costliest bidder; a bidder's own is uniform below.", "credits", gt=0,
        le=CREDITS_MAX,
    )  # fmt: skip
    bidders: int = knob(4, "Agents invited to bid for a bounty.", "agents", ge=1, le=32)
    deadline_epochs: int = knob(2, "Time from a bounty's posting to its deadline.", "epochs", ge=1, le=1_000_000)
    condition: Literal["on_verified", "on_submission"] = knob(
        "on_verified", "When escrow is released: on a verdict that the work is good, or on submission."
    )
    panel_size: int = knob(3, "Verifiers in a panel; a majority decides.", "verifiers", ge=1, le=101)
    panel_accuracy: float = knob(0.9, "Chance that one verifier judges right.", ge=0.5, le=1)
    panel_correlation: float = knob(0.2, "Chance that the whole panel errs or is right together.", ge=0, le=1)
    dispute_bond: float = knob(0.2, "What opening a dispute puts at stake.", "credits", ge=0, le=CREDITS_MAX)
    board_size: int = knob(32, "Bounties that can be under way at once.", "bounties", ge=1, le=4096)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.value_low > self.value_high:
            raise broken_rule("value_low", f"must not exceed value_high ({self.value_high:g})")
        if self.panel_size % 2 == 0:
            raise broken_rule("panel_size", f"must be odd, so that a majority decides; got {self.panel_size}")
        return self
