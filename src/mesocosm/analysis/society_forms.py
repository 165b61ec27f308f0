"""What theory expects of a society beside its deals: messages, trust, the price of work and those who judge it.

Pure functions of numbers. Nothing here uses the model's own code, so that agreement means something.
"""

from __future__ import annotations

import math

# --- messages and trust


def message_share(price: float, worth: float) -> float:
    """Share of messages that are still written at a price, each worth x ~ Exp(worth) to its author.

    Source   science notes 3.1.2: exp(-t / m).
    Example
        >>> round(message_share(0.2, 0.2), 4), message_share(0.0, 0.2)
        (0.3679, 1.0)
    """
    return math.exp(-price / worth)


def clique_mass(inflow: float, restart: float) -> float:
    """EigenTrust held by a clique that trusts only itself, if a share of everybody else's trust flows into it.

    Source   science notes 3.7: (1 - a) e / (a + (1 - a) e).
    Example
        >>> [round(clique_mass(e, 0.1), 4) for e in (0.01, 0.05, 0.1)]
        [0.0826, 0.3103, 0.4737]
    """
    return (1.0 - restart) * inflow / (restart + (1.0 - restart) * inflow)


# --- buying work, and judging it


def procurement_price(n: int, most: float = 1.0) -> float:
    """Mean price at which work is bought from one of n bidders with costs U(0, 1), if it is bought.

    The same for sealed bids at the first and at the second price.

    Params   most: the largest price that the buyer pays.
    Source   Vickrey (1961), Myerson (1981); science notes 3.13: n times the integral of 2c (1-c)^(n-1) up to `most`.
    Example
        >>> [round(procurement_price(n), 4) for n in (2, 3, 5, 10)]
        [0.6667, 0.5, 0.3333, 0.1818]
    """
    left = (1.0 - most) ** n
    return 2.0 * ((1.0 - left * (1.0 - most)) / (n + 1) - most * left) / (1.0 - left)


def panel_accuracy(n: int, p: float, together: float = 0.0) -> float:
    """Chance that most of n verifiers are right, each with chance p; at times all of them see the same.

    Params   n: odd; together: share of the time in which one cause decides what all see.
    Source   Condorcet (1785); science notes 3.5: (1-c) P_n + c p.
    Example
        >>> round(panel_accuracy(11, 0.6), 4), round(panel_accuracy(11, 0.7, 0.2), 4)
        (0.7535, 0.8774)
    """
    most = sum(math.comb(n, k) * p**k * (1.0 - p) ** (n - k) for k in range(n // 2 + 1, n + 1))
    return (1.0 - together) * most + together * p
