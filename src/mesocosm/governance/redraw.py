"""The redraw: a control that changes nothing but luck, for an A/A comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mesocosm.api import Lever
from mesocosm.registry import lever, param


@lever("redraw")
@dataclass(frozen=True)
class Redraw(Lever):
    """The same society with other luck: every draw comes from another seed. Its effect must be 0 within its interval.

    Params   stream: which other luck, a whole number; neutral at 0, the luck of the scenario's own seed.
    Source   science notes 5.14 (controls); design section 4.
    """

    phase: ClassVar[int] = 0
    neutral: ClassVar[dict[str, float]] = {"stream": 0}

    stream: int = param(1, about="which other luck; 0 for the scenario's own", ge=0, le=1_000_000)

    def salt(self) -> Any:
        """The number mixed into every seed."""
        return self.stream
