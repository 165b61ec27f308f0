"""A price on further identities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mesocosm.api import I64, Bench, Lever
from mesocosm.registry import lever, param


@lever("identity_cost")
@dataclass(frozen=True)
class IdentityCost(Lever):
    """An owner pays for every identity beyond its first, and puts up a deposit that stays with it.

    A deposit is held as long as the identity is there, and goes to the commons when its owner leaves, as all that
    leavers have: an owner reckons with it as with a cost. Owners open an identity iff it is worth more than both.
    Params   price: credits per further identity; deposit: credits held for each. Neutral at 0 and 0.
    Moves    owner -> treasury; owner -> bond.
    Source   science notes 3.1.5: a sybil pays iff g'(k) > c_id + stake; Douceur (2002), The Sybil Attack;
             Friedman and Resnick (2001), The Social Cost of Cheap Pseudonyms.
    """

    phase: ClassVar[int] = 12
    neutral: ClassVar[dict[str, float]] = {"price": 0.0, "deposit": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"identity_cost": "price"}
    moves: ClassVar[str] = "owner -> treasury; owner -> bond"

    price: float = param(10.0, about="price of a further identity", unit="credits", ge=0.0, le=1e6)
    deposit: float = param(0.0, about="what is held for a further identity", unit="credits", ge=0.0, le=1e6)

    def identity_price(self, bench: Bench, owner: I64) -> tuple[Any, Any]:
        """The price and the deposit, the same for every identity."""
        return self.price, self.deposit
