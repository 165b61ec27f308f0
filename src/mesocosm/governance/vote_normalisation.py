"""Vote normalisation: no voter counts for more than a cap, and no voter gains by voting often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mesocosm.api import F64, I64, Bench, SocialLever
from mesocosm.registry import lever, param

NO_CAP = 1_000_000_000.0


@lever("vote_normalisation")
@dataclass(frozen=True)
class VoteNormalisation(SocialLever):
    """Cap the weight of a voter's ballots, and split what a voter counts for over the ballots it casts.

    Under `share` s a ballot of weight w counts (1 - s) w + s w / n, where n is how many ballots the voter casts, so
    that at 1 a brigade that votes on everybody has no more say than an agent that votes on one.
    Params   max_weight: most that one ballot counts; neutral at 1,000,000,000. share: how far weights are split over a
             voter's ballots, in [0, 1]; neutral at 0.
    Source   Plan 2.2, Vote Normalization.
    """

    phase: ClassVar[int] = 42
    neutral: ClassVar[dict[str, float]] = {"max_weight": NO_CAP, "share": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"vote_weight_cap": "max_weight"}

    max_weight: float = param(1.0, about="most that one ballot counts", unit="votes", ge=0.0, le=NO_CAP)
    share: float = param(0.0, about="how far a voter's weight is split over its ballots", ge=0.0, le=1.0)

    def weigh_ballots(self, bench: Bench, weight: F64, cast: I64) -> F64:
        """Cap, then split."""
        capped = np.minimum(weight, self.max_weight)
        split: F64 = (1.0 - self.share) * capped + self.share * (capped / np.maximum(cast, 1))
        return split
