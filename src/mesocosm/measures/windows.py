"""What an agent's recent past adds up to: means over a ring of its last few values."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesocosm.measures.moments import F64


def window_mean(window: Any) -> F64:
    """Mean of each row's window, adding its columns from left to right so that the bits never depend on the CPU.

    A slot that is not yet filled should hold NaN: the mean is then NaN, and no comparison with a threshold holds.

    Shapes   window: (n, W); result (n,). NaN for W = 0.
    Example
        >>> window_mean(np.array([[0.25, 0.75], [0.5, np.nan]])).tolist()
        [0.5, nan]
    """
    ring = np.asarray(window, dtype=np.float64)
    n, width = ring.shape
    if width == 0:
        return np.full(n, np.nan)
    total: F64 = ring[:, 0].copy()
    for k in range(1, width):
        total += ring[:, k]
    total /= width
    return total
