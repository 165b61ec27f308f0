"""What theory expects: closed forms of adverse selection, externalities, deterrence and noisy choice.

Pure functions of numbers. Nothing here uses the model's own code, so that agreement means something.
"""

from __future__ import annotations

import math

# --- externalities (Pigou) and the shares of adversaries that a market bears


def joint_threshold(s_plus: float, s_minus: float, harm: float, cost: float = 0.0) -> float:
    """Least chance of a good outcome at which both sides together gain.

    Params   harm: the harm to others that the two feel, R h; cost: what each side pays for the deal, in credits.
    Source   Pigou (1920); science notes 3.11.
    Example
        >>> [round(joint_threshold(2, 1, felt * 2), 4) for felt in (0, 0.5, 1, 2)]
        [0.3333, 0.5, 0.6, 0.7143]
    """
    return (s_minus + harm + 2.0 * cost) / (s_plus + s_minus + harm)


def consent_threshold(s_plus: float, s_minus: float, shares: tuple[float, float], harms: tuple[float, float]) -> float:
    """Least chance of a good outcome at which each side by itself gains.

    Params   shares: of the surplus; harms: the harm to others that each side feels, rho h.
    Source   science notes 3.11, the caveat to rho_a + rho_b = 1.
    Example
        >>> round(consent_threshold(2, 1, (0.5, 0.5), (2, 0)), 4), consent_threshold(2, 1, (0.5, 0.5), (1, 1))
        (0.7143, 0.6)
    """
    sides = zip(shares, harms, strict=True)
    return max((share * s_minus + harm) / (share * (s_plus + s_minus) + harm) for share, harm in sides)


def uniform_welfare(threshold: float, s_plus: float, s_minus: float, h: float) -> float:
    """Social welfare per proposal if p ~ U(0, 1) is calibrated and deals are made above a threshold.

    Source   science notes 3.11: W(t) = (s+ + s- + h)(1 - t^2)/2 - (s- + h)(1 - t).
    Example
        >>> [round(uniform_welfare(joint_threshold(2, 1, felt * 2), 2, 1, 2), 4) for felt in (0, 0.5, 1, 2)]
        [0.2222, 0.375, 0.4, 0.3673]
    """
    return (s_plus + s_minus + h) * (1.0 - threshold**2) / 2.0 - (s_minus + h) * (1.0 - threshold)


def uniform_toxicity(threshold: float) -> float:
    """Share of bad deals among those made above a threshold if p ~ U(0, 1) is calibrated.

    Source   science notes 3.11.
    Example
        >>> uniform_toxicity(0.6)
        0.2
    """
    return (1.0 - threshold) / 2.0


def pooled_chance(share: float, high: float, low: float) -> float:
    """Chance that a deal turns out well when a share of all deals is of the worse kind.

    Source   science notes 3.1, the sandbox's market.
    Example
        >>> round(pooled_chance(2 / 3, 0.8, 0.1), 4), round(pooled_chance(2 / 7, 0.8, 0.1), 4)
        (0.3333, 0.6)
    """
    return (1.0 - share) * high + share * low


def critical_share(high: float, low: float, bar: float) -> float:
    """Share of the worse kind up to which the average deal clears a bar.

    Source   science notes 3.1: q* = (p_H - bar) / (p_H - p_D).
    Example
        >>> round(critical_share(0.8, 0.1, 1 / 3), 3), round(critical_share(0.8, 0.1, 3 / 5), 3)
        (0.667, 0.286)
    """
    return (high - bar) / (high - low)


def deal_value(chance: float, gain: float, loss: float) -> float:
    """Mean value of a deal that gains something if it turns out well and loses something if not.

    Example
        >>> abs(round(deal_value(1 / 3, 2, 1), 9))
        0.0
    """
    return chance * gain - (1.0 - chance) * loss


# --- deterrence


def offence_rate(chance: float, fine: float, holdings: float = math.inf) -> float:
    """Share of agents with a gain x ~ U(0, 1) from an offence who commit it.

    Params   chance: of an audit; fine: in credits, of which nobody pays more than the holdings.
    Source   Becker (1968): offend iff x > q F; science notes 3.12.
    Example
        >>> offence_rate(0.1, 2), offence_rate(0.1, 5), offence_rate(0.2, 5), offence_rate(0.2, 5, holdings=2.5)
        (0.8, 0.5, 0.0, 0.5)
    """
    return max(0.0, 1.0 - chance * min(fine, holdings))


# --- choosing by a noisy score


def normal_tail(z: float) -> float:
    """Chance that a standard normal variable exceeds z.

    Example
        >>> normal_tail(0.0), round(normal_tail(1.0), 4)
        (0.5, 0.1587)
    """
    return math.erfc(z / math.sqrt(2.0)) / 2.0


def chosen_share(bar: float, mean: float, sd: float, lift: float = 0.0) -> float:
    """Share of deals whose score exceeds a bar, half of all deals being good.

    Params   mean: of the score of a good deal, and minus that of a bad one; lift: what disguise adds to a bad one.
    Example
        >>> chosen_share(0.0, 0.3, 0.4)
        0.5
    """
    return (normal_tail((bar - mean) / sd) + normal_tail((bar + mean - lift) / sd)) / 2.0


def chosen_toxicity(bar: float, mean: float, sd: float, lift: float = 0.0) -> float:
    """Share of bad deals among those whose score exceeds a bar, half of all deals being good.

    Params   as for `chosen_share`.
    Source   science notes 3.6, "Plan link" and "Deceptive shift".
    Example
        >>> [round(chosen_toxicity(bar, 0.3, 0.4), 5) for bar in (0, 0.2, 0.5)]
        [0.22663, 0.14999, 0.06867]
    """
    bad = normal_tail((bar + mean - lift) / sd)
    return bad / (bad + normal_tail((bar - mean) / sd))


def chosen_soft_toxicity(bar: float, mean: float, sd: float, slope: float) -> float:
    """What a proxy p = 1 / (1 + exp(-slope * score)) says of the deals whose score exceeds a bar: the mean of 1 - p.

    Source   science notes 0.3; the integral over the two normal tails is taken numerically.
    Example
        >>> round(chosen_soft_toxicity(0, 0.3, 0.4, 2.0), 4), round(chosen_soft_toxicity(0, 0.3, 0.4, 3.75), 4)
        (0.3218, 0.2266)
    """
    from scipy.integrate import quad

    def density(score: float) -> float:
        sides = (math.exp(-(((score - centre) / sd) ** 2) / 2.0) for centre in (mean, -mean))
        return sum(sides) / (2.0 * sd * math.sqrt(2.0 * math.pi))

    mass, _ = quad(lambda score: density(score) / (1.0 + math.exp(slope * score)), bar, mean + 12.0 * sd, epsabs=1e-12)
    return float(mass) / chosen_share(bar, mean, sd)


def calibrated_slope(mean: float, sd: float) -> float:
    """Slope k at which p = sigmoid(k * score) is the chance of a good deal, half of all deals being good.

    Source   science notes 0.3: k = 2 mu / s^2.
    Example
        >>> round(calibrated_slope(0.3, 0.4), 9)
        3.75
    """
    return 2.0 * mean / sd**2


def chance_at(score: float, slope: float) -> float:
    """What the proxy says at a score.

    Example
        >>> chance_at(0.0, 2.0)
        0.5
    """
    return 1.0 / (1.0 + math.exp(-slope * score))


# --- trading with those who know more


def worth_if_bought(good: float, informed: float, buys: float = 0.5) -> float:
    """Chance that a good is worth 1 once a trader has bought it: the ask of a dealer who breaks even.

    Params   good: chance that it is worth 1 and not 0; informed: share of traders who know; buys: chance that the
             others buy.
    Source   Glosten and Milgrom (1985); science notes 3.1.
    Example
        >>> round(worth_if_bought(0.5, 0.3), 4), round(worth_if_bought(0.7, 0.3), 4)
        (0.65, 0.8125)
    """
    noise = (1.0 - informed) * buys
    return good * (informed + noise) / (good * informed + noise)


def worth_if_refused(good: float, informed: float, buys: float = 0.5) -> float:
    """Chance that a good is worth 1 once a trader has refused it: the bid of a dealer who breaks even.

    Source   Glosten and Milgrom (1985); science notes 3.1.
    Example
        >>> round(worth_if_refused(0.5, 0.3), 4), round(worth_if_refused(0.7, 0.3), 4)
        (0.35, 0.5568)
    """
    noise = (1.0 - informed) * (1.0 - buys)
    return good * noise / ((1.0 - good) * informed + noise)


def odds_step(informed: float) -> float:
    """How far one order moves the logarithm of the odds, up or down.

    Source   science notes 3.1: k = ln((1 + mu) / (1 - mu)).
    Example
        >>> round(odds_step(0.3), 5), round(0.3 * odds_step(0.3), 5)
        (0.61904, 0.18571)
    """
    return math.log((1.0 + informed) / (1.0 - informed))


def price_after(orders: int, informed: float) -> float:
    """Mean price after a number of orders, of a good that is worth 1, from a price of one half.

    Source   science notes 3.1: sum over j of Binom(j; T, (1+mu)/2) / (1 + exp(-(2j - T) k)).
    Example
        >>> round(price_after(50, 0.3), 6), price_after(0, 0.3)
        (0.977545, 0.5)
    """
    up, k = (1.0 + informed) / 2.0, odds_step(informed)
    weight = [math.comb(orders, j) * up**j * (1.0 - up) ** (orders - j) for j in range(orders + 1)]
    return sum(w / (1.0 + math.exp(-(2 * j - orders) * k)) for j, w in enumerate(weight))


def linear_price(order: float) -> float:
    """Slope of the linear price in the order flow, value and noise having variance 1.

    Params   order: what the insider orders per unit of value, beta.
    Source   Kyle (1985); science notes 3.2: lambda = beta / (beta^2 + 1).
    Example
        >>> linear_price(1.0)
        0.5
    """
    return order / (order**2 + 1.0)


def insider_gain(order: float, slope: float) -> float:
    """Mean gain of an insider against a linear price of a given slope, value and noise having variance 1.

    Source   Kyle (1985): beta - lambda beta^2, highest at beta = 1 / (2 lambda).
    Example
        >>> [insider_gain(order, 0.5) for order in (0.5, 0.75, 1.0, 1.25, 1.5)]
        [0.375, 0.46875, 0.5, 0.46875, 0.375]
    """
    return order - slope * order**2


def pricing_error(order: float, slope: float) -> float:
    """Mean squared distance between value and linear price, both value and noise having variance 1.

    Source   Kyle (1985); science notes 3.2: half of the variance is left at the equilibrium.
    Example
        >>> pricing_error(1.0, 0.5)
        0.5
    """
    return (1.0 - slope * order) ** 2 + slope**2


# --- lemons


def offered_quality(price: float, worst: float = 0.0) -> float:
    """Mean quality of what is offered at a price, qualities being uniform from the worst one to 1.

    Source   Akerlof (1970); science notes 3.3.
    Example
        >>> offered_quality(0.75), round(offered_quality(0.6, worst=0.2), 9)
        (0.375, 0.4)
    """
    return (worst + min(price, 1.0)) / 2.0


def offered_share(price: float, worst: float = 0.0) -> float:
    """Share of sellers who offer at a price.

    Example
        >>> round(offered_share(0.6, worst=0.2), 9)
        0.5
    """
    return min(max((price - worst) / (1.0 - worst), 0.0), 1.0)


def lasting_price(k: float, worst: float) -> float:
    """Price that buyers are willing to pay for what is offered at it, quality being worth k times as much to them.

    Source   science notes 3.3: p* = min(1, k a / (2 - k)) for 1 < k < 2.
    Example
        >>> round(lasting_price(1.5, 0.2), 9), lasting_price(1.5, 0.4)
        (0.6, 1.0)
    """
    return min(1.0, k * worst / (2.0 - k))


# --- memory, standing, rails and levers


def trust_moments(prior: float, weight: float, chance: float, deals: int) -> tuple[float, float]:
    """Mean and variance of a Beta posterior's mean after a number of deals whose outcomes are known.

    Params   prior, weight: trust in a stranger, and the deals it is worth; chance: of a good outcome.
    Source   Beta-Bernoulli reputation.
    Example
        >>> trust_moments(0.5, 2.0, 0.5, 2)
        (0.5, 0.03125)
    """
    total = weight + deals
    return (weight * prior + deals * chance) / total, deals * chance * (1.0 - chance) / total**2


def average_variance(keep: float, variance: float, deals: int) -> float:
    """Variance of a moving average R <- keep R + (1 - keep) x that began at 0, after a number of deals.

    Source   science notes 3.1.6: (1 - g) / (1 + g) Var x in the long run.
    Example
        >>> round(average_variance(0.9, 1.0, 1000), 4)
        0.0526
    """
    return variance * (1.0 - keep) / (1.0 + keep) * (1.0 - math.pow(keep, 2 * deals))


def yes_chance(trust: float, look: float, bar: float) -> float:
    """Chance that a partner accepts whose odds of a good outcome are those of trust times e^look, with logistic noise.

    Source   design section 2, "Screen" and "Accept".
    Example
        >>> yes_chance(0.5, 0.0, 0.25)
        0.75
    """
    odds = trust / (1.0 - trust) * math.exp(look) * (1.0 - bar) / bar
    return odds / (1.0 + odds)


def uniform_mean_tail(numbers: int, level: float) -> float:
    """Chance that the mean of independent numbers, uniform on (0, 1), exceeds a level.

    Source   the Irwin-Hall distribution.
    Example
        >>> uniform_mean_tail(1, 0.25), uniform_mean_tail(2, 0.5), round(uniform_mean_tail(10, 0.65), 4)
        (0.75, 0.5, 0.0505)
    """
    x = numbers * level
    terms = ((-1) ** k * math.comb(numbers, k) * (x - k) ** numbers for k in range(math.floor(x) + 1))
    return float(1.0 - sum(terms) / math.factorial(numbers))
