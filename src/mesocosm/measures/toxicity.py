"""How harmful the accepted interactions are: the same share by the proxy p and by the realised outcome v."""

from __future__ import annotations

from mesocosm.measures.moments import F64, Moments, ratio


def mean_harm(good: Moments) -> F64:
    """Mean chance of harm among accepted interactions, E[1-p|acc].

    Params   good: moments of p (the proxy's chance that v=+1) for the soft share, or of the 0/1 column v=+1 for the
             realised share; with 0/1 the result is the exact fraction of v=-1.
    Returns  NaN where nothing was accepted.
    Source   science notes 5.1
    Example
        >>> import numpy as np
        >>> one = np.array([1.0])
        >>> mean_harm(Moments(4 * one, one, 3 * one, one)).tolist()
        [0.25]
    """
    return ratio(good.n_accepted - good.sum_accepted, good.n_accepted)


def harm_per_proposal(good: Moments) -> F64:
    """Accepted harm per proposal, which falls when everything is refused even though the toxicity does not.

    Params   good: moments of p or of the 0/1 column v=+1.
    Returns  NaN where nobody proposed.
    Source   science notes 5.1 (volume-aware harm, in units of h)
    """
    return ratio(good.n_accepted - good.sum_accepted, good.n)
