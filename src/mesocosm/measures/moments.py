"""Counts and sums of one quantity on both sides of the decision to accept: all that the headline measures need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesocosm import exact

F64 = NDArray[np.float64]


def ratio(part: Any, whole: Any) -> F64:
    """Divide a part by its whole, and say NaN where there is no whole.

    Shapes   part and whole broadcast against each other.
    Example
        >>> ratio(np.array([1, 0]), np.array([4, 0])).tolist()
        [0.25, nan]
    """
    whole = np.asarray(whole, dtype=np.float64)
    empty = whole == 0
    divided: F64 = np.asarray(part, dtype=np.float64) / np.where(empty, 1.0, whole)
    return np.where(empty, np.nan, divided)


@dataclass(frozen=True, slots=True)
class Moments:
    """How many proposals were accepted and rejected, and what one quantity adds up to over each.

    Shapes   four arrays of one shape: (R,) by replicate, or by any other group. A mean over nothing is NaN.
    """

    n_accepted: F64
    n_rejected: F64
    sum_accepted: F64
    sum_rejected: F64

    @property
    def n(self) -> F64:
        """Number of proposals."""
        return self.n_accepted + self.n_rejected

    @property
    def mean(self) -> F64:
        """Mean over all proposals, E[x]."""
        return ratio(self.sum_accepted + self.sum_rejected, self.n)

    @property
    def mean_accepted(self) -> F64:
        """Mean over the accepted, E[x|acc]."""
        return ratio(self.sum_accepted, self.n_accepted)

    @property
    def mean_rejected(self) -> F64:
        """Mean over the rejected, E[x|rej]."""
        return ratio(self.sum_rejected, self.n_rejected)

    @property
    def share_accepted(self) -> F64:
        """Share of proposals accepted, alpha; the share rejected is beta = 1 - alpha."""
        return ratio(self.n_accepted, self.n)

    @property
    def share_rejected(self) -> F64:
        """Share of proposals rejected, beta."""
        return ratio(self.n_rejected, self.n)


def moments_by(group: NDArray[np.int64], accepted: NDArray[np.bool_], value: Any, n_groups: int) -> Moments:
    """Count and add up a column on both sides of the decision to accept, group by group in row order.

    Shapes   group, accepted, value: (k,); the moments are (n_groups,).
    Example
        >>> side = moments_by(np.array([0, 0, 0]), np.array([True, True, False]), np.array([0.9, 0.7, 0.2]), 1)
        >>> side.n_accepted.tolist(), round(float(side.mean_accepted[0]), 12)
        ([2.0], 0.8)
    """
    taken = np.asarray(accepted, dtype=bool)
    cell = np.asarray(group, dtype=np.int64) * 2 + taken
    count = exact.count_by(cell, 2 * n_groups).astype(np.float64).reshape(n_groups, 2)
    total = exact.sum_by(cell, np.asarray(value, dtype=np.float64), 2 * n_groups).reshape(n_groups, 2)
    return Moments(count[:, 1], count[:, 0], total[:, 1], total[:, 0])
