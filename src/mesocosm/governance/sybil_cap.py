"""A cap on identities per owner, as far as they are found out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm import exact
from mesocosm.api import I64, Bench, Lever, Mask
from mesocosm.registry import lever, param


@lever("sybil_cap")
@dataclass(frozen=True)
class SybilCap(Lever):
    """An owner may have at most so many identities; one that cannot be traced to its owner escapes the cap.

    Whether an identity is traced is drawn each time its owner asks for it, and holds as long as it is there. Identities
    that an owner has given up still count; those opened before the cap was in force count if they were traced.
    Params   max_identities: per owner, its own included; neutral at 1,000,000,000 (no cap).
             detection: chance that an identity is traced to its owner.
    Source   science notes 3.1.5, owner binding; Douceur (2002), The Sybil Attack.
    """

    phase: ClassVar[int] = 11
    neutral: ClassVar[dict[str, float]] = {"max_identities": 1_000_000_000}
    short_forms: ClassVar[dict[str, str]] = {"sybil_cap": "max_identities"}

    max_identities: int = param(
        1, about="identities an owner may have, its own included", unit="identities", ge=1, le=1_000_000_000
    )
    detection: float = param(1.0, about="chance that an identity is traced to its owner", ge=0.0, le=1.0)

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """Which identities were traced to their owners."""
        return {"traced": np.zeros(n_rows, dtype=np.int64)}

    def may_open(self, bench: Bench, row: I64) -> Mask:
        """Refuse what is traced to an owner who has its fill of identities that are."""
        traced = bench.draw(row) < self.detection
        bench.column["traced"][row] = traced
        everyone = np.arange(len(bench.owner))
        counts = bench.active & ((bench.owner == everyone) | (bench.column["traced"] > 0))
        has = exact.count_by(bench.owner[counts], len(everyone))[bench.owner[row]]
        allowed: Mask = ~traced | (has < self.max_identities)
        return allowed
