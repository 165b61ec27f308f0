"""A price on messages, against spam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mesocosm.api import SocialLever
from mesocosm.registry import lever, param


@lever("message_tax")
@dataclass(frozen=True)
class MessageTax(SocialLever):
    """Every post and every reply costs its author a price.

    Agents write what is worth more to them than the price. A message is worth x ~ Exp(feed.message_worth), so that the
    volume falls to exp(-price / message_worth) of what it was.
    Params   price: credits per post or reply; neutral at 0.
    Moves    author -> treasury.
    Source   science notes 3.1.2: a micro-tax on messages between agents, against spam.
    """

    phase: ClassVar[int] = 25
    neutral: ClassVar[dict[str, float]] = {"price": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"message_price": "price"}
    moves: ClassVar[str] = "author -> treasury"

    price: float = param(0.1, about="price of a post or a reply", unit="credits", ge=0.0, le=1e9)

    def message_price(self) -> Any:
        """The price."""
        return self.price
