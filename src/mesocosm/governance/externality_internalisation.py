"""Externality internalisation: making those who deal feel the harm that they do to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mesocosm.api import Lever
from mesocosm.registry import lever, param


@lever("externality_internalisation")
@dataclass(frozen=True)
class ExternalityInternalisation(Lever):
    """Each side of a deal feels a part of the harm to others, as under strict liability; no credits move.

    It adds to payoff.rho_a and payoff.rho_b, and so to payoffs and to the bars that a proposal has to clear. If all
    decided on the joint payoff, rho_a + rho_b = 1 would be best; with consent of both sides it takes rho_a = theta
    and rho_b = 1 - theta.
    Params   rho_a, rho_b: parts of the harm felt by initiator and counterparty, at least 0; neutral at 0.
    Source   Pigou (1920), The Economics of Welfare; science notes 3.11.
    """

    phase: ClassVar[int] = 15
    neutral: ClassVar[dict[str, float]] = {"rho_a": 0.0, "rho_b": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"rho_a": "rho_a", "rho_b": "rho_b"}

    rho_a: float = param(0.5, about="part of the harm to others that the initiator feels", ge=0.0, le=5.0)
    rho_b: float = param(0.5, about="part of the harm to others that the counterparty feels", ge=0.0, le=5.0)

    def internalise(self) -> tuple[Any, Any]:
        """What is added to rho_a and rho_b."""
        return self.rho_a, self.rho_b
