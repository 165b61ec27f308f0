"""Whether the decision to accept picks out the better interactions, and the identities that tie its measures together.

When a payoff depends on p alone (no transfer, cost, externality or reputation), toxicity, spread and conditional loss
carry one degree of freedom beyond E[p] and the acceptance rate: Q = E[p|acc] - E[p|rej] (science notes 0.2). The three
`*_from_gap` functions state this, for tests to check and so that no report counts one piece of evidence three times.
"""

from __future__ import annotations

from typing import Any

from mesocosm.measures.moments import F64, Moments


def acceptance_gap(quantity: Moments) -> F64:
    """How much better the accepted are than the rejected, E[x|acc] - E[x|rej]; with x = p this is the quality gap Q.

    Returns  NaN where either side is empty; negative means adverse selection.
    Source   science notes 5.4
    """
    return quantity.mean_accepted - quantity.mean_rejected


def selection_effect(quantity: Moments) -> F64:
    """What being accepted is worth against the average proposal, E[x|acc] - E[x]; with x a payoff, conditional loss.

    Params   quantity: moments of a payoff known for every proposal, rejected ones included (what it would have been).
    Returns  NaN where nothing was accepted; negative means adverse selection.
    Source   science notes 5.2
    """
    return quantity.mean_accepted - quantity.mean


def adverse_spread(good: Moments, s_plus: Any, s_minus: Any) -> F64:
    """The bid-ask spread that would break even on the selection, (s+ + s-)(E[p] - E[p|acc]).

    Params   good: moments of p or of the 0/1 column v=+1; s_plus, s_minus: surplus of a good and loss of a bad outcome.
    Returns  NaN where nothing was accepted; positive means adverse selection.
    Source   science notes 5.3
    """
    spread: F64 = (s_plus + s_minus) * (good.mean - good.mean_accepted)
    return spread


def toxicity_from_gap(mean_p: F64, share_rejected: F64, gap: F64) -> F64:
    """Toxicity as the identity gives it, 1 - E[p] - beta Q.

    Source   science notes 0.2
    """
    toxicity: F64 = 1.0 - mean_p - share_rejected * gap
    return toxicity


def spread_from_gap(share_rejected: F64, gap: F64, s_plus: Any, s_minus: Any) -> F64:
    """Spread as the identity gives it, -(s+ + s-) beta Q.

    Source   science notes 0.2
    """
    spread: F64 = -(s_plus + s_minus) * share_rejected * gap
    return spread


def loss_from_gap(share_rejected: F64, gap: F64, s_plus: Any, s_minus: Any, share: Any) -> F64:
    """Conditional loss of a side that gets `share` of the surplus and nothing else, share (s+ + s-) beta Q.

    Source   science notes 0.2
    """
    loss: F64 = share * (s_plus + s_minus) * share_rejected * gap
    return loss
