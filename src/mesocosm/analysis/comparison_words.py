"""A comparison in plain words: what the change does, whether the proxy tells, who responds, and the controls."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from mesocosm.analysis.aggregation import Runs, differing_metrics
from mesocosm.analysis.comparison import BASE, CHANGED, FROZEN, LEARNING, Comparison
from mesocosm.analysis.multiplicity import holm
from mesocosm.analysis.overlap import Difference
from mesocosm.analysis.statistics import PairedEffect
from mesocosm.config.overrides import paths_of

#: what arms are called on the screen and in pictures
ARMS = {BASE: "as is", CHANGED: "changed", "sham": "sham", "redraw": "redraw", "oracle": "oracle"}
DIGITS_MOST = 6
PAIRS_LEAST = 10  # below, a variance is too uncertain for a word on what pairing does to it
GAIN_LEAST = 1.05  # what a variance is divided by at least, to be called smaller
_NAMED = 3
MARKET = ("market_toxicity_true", "market_surplus_true")
TRUTH, PROXY, WELFARE = "toxicity_true", "toxicity_rate", "social_welfare_true"


def sentences(found: Comparison) -> Iterator[str]:
    """The findings of a comparison, one a sentence, the most important first."""
    kind = found.adaptations[0]
    yield _headline(found, kind)
    yield _proxy(found, kind)
    yield f"True social welfare {moved(found.effect(WELFARE, adaptation=kind), digits=2)} a run and epoch."
    if found.adaptations == (LEARNING, FROZEN):
        yield _response(found)
    if found.scenario.simulation.phases.market:
        yield _market(found, kind)
    incomes = _incomes(found, kind)
    if incomes:
        yield incomes
    yield from control_sentences(found, kind)


def _headline(found: Comparison, kind: str) -> str:
    effect = found.effect(TRUTH, adaptation=kind)
    agents = "agents that learn" if kind == LEARNING else "frozen agents"
    if effect.n < 2:
        return f"With {agents}, true toxicity is undefined in all but {effect.n} pairs: nothing can be said."
    return f"With {agents}, true toxicity {moved(effect)} ({effect.n} pairs, {chance(effect)})."


def _proxy(found: Comparison, kind: str) -> str:
    """What the proxy shows beside the truth, and a warning where they disagree."""
    truth, proxy = found.effect(TRUTH, adaptation=kind), found.effect(PROXY, adaptation=kind)
    told = f"By the proxy it {moved(proxy)}."
    if proxy.high < 0.0 and truth.low > 0.0:
        return f"{told} Beware, Goodhart: the proxy improves while the truth gets worse."
    if proxy.high < 0.0 and truth.is_exactly_zero:
        return f"{told} Beware, Goodhart: the proxy improves and the truth does not."
    if proxy.high < 0.0 and not truth.excludes_zero:
        apart = found.divergence(TRUTH, PROXY, kind)
        if apart.low > 0.0:
            return f"{told} Beware, Goodhart: the proxy improves, and the truth falls behind by {sized(apart)}."
        return f"{told} Whether the truth improves is undecided."
    if proxy.low > 0.0 and truth.high < 0.0:
        return f"{told} The proxy is alarmed by what in truth is an improvement."
    return told


def _response(found: Comparison) -> str:
    frozen, response = found.effect(TRUTH, adaptation=FROZEN), found.response(TRUTH)
    is_lever = all(path.startswith("governance.") for path in paths_of(found.changes))
    who = "do not respond to it" if is_lever else "take it as given and do not learn"
    told = f"With frozen agents, who {who}, true toxicity {moved(frozen)}."
    if response.is_exactly_zero:
        return f"{told} That agents respond makes no difference to it."
    more = sized(response)
    if not response.excludes_zero:
        return f"{told} That agents respond makes no clear difference: {more}."
    return f"{told} That agents respond makes the difference of {more}."


def _market(found: Comparison, kind: str) -> str:
    """What becomes of work that is bought; what is said of toxicity and welfare is of deals alone."""
    told = "None of this counts the market."
    if not all(name in found.metrics for name in MARKET):
        return told
    bad, worth = (found.effect(name, adaptation=kind) for name in MARKET)
    return f"{told} Of the work paid for on it the bad share {moved(bad)}; what a bounty is worth {moved(worth)}."


def _incomes(found: Comparison, kind: str) -> str:
    """Who gains and who pays, for agent types whose income clearly changes, corrected for the number of types."""
    types = list(found.arms[kind, CHANGED].by_type)
    effects = [found.effect("income", adaptation=kind, agent_type=agent_type) for agent_type in types]
    adjusted = holm([effect.p_value for effect in effects])
    told = [
        f"{agent_type} {sized(effect, 2)}"
        for agent_type, effect, p_value in zip(types, effects, adjusted, strict=True)
        if effect.excludes_zero and p_value <= 1.0 - found.confidence
    ]
    return f"Income, credits per agent and epoch: {'; '.join(told)}." if told else ""


def control_sentences(found: Comparison, kind: str) -> Iterator[str]:
    """Whether the controls are as they must be, and what pairing has bought."""
    arms = [name for adaptation, name in found.arms if adaptation == kind]
    if "sham" in arms:
        yield sham_sentence([(found.arms[kind, "sham"], found.arms[kind, BASE])], "comparison")
    if "redraw" in arms:
        yield redraw_sentence([found.effect(TRUTH, "redraw", kind)], 1.0 - found.confidence)
    if "oracle" in arms:
        effect = found.effect(TRUTH, "oracle", kind)
        yield f"Oracle: {signed(effect.change)}; no lever can lower true toxicity more."
    yield from pairing_sentence([found.effect(TRUTH, adaptation=kind)])


def sham_sentence(pairs: Sequence[tuple[Runs, Runs]], noun: str) -> str:
    """Whether the sham lever left every run as it was.

    Params   pairs: runs with the lever and without, one a setting; noun: what the reader is not to trust otherwise.
    """
    wrong = list(dict.fromkeys(metric for sham, base in pairs for metric in differing_metrics(sham, base)))
    if wrong:
        return f"Sham: NOT 0 on {listed(wrong)}. What changes nothing changed something: do not trust this {noun}."
    if not any(np.isfinite(values).any() for sham, _ in pairs for values in sham.whole.values()):
        return "Sham: nothing is defined in it, so it shows nothing."
    return "Sham: exactly 0 on every metric, as it must be."


def redraw_sentence(effects: Sequence[PairedEffect], alpha: float) -> str:
    """Whether other luck is seen to change nothing, as far as luck allows.

    Params   effects: of the redraw on one metric, one a setting; alpha: how often luck alone moves an interval off 0.
    """
    judged = [effect for effect in effects if math.isfinite(effect.low)]
    if not judged:
        return "Other luck (redraw): there is no interval, so it shows nothing."
    told = "; ".join(sized(effect) for effect in judged[:2]) + (", ..." if len(judged) > 2 else "")
    outside = sum(effect.excludes_zero for effect in judged)
    where = f" in {outside} of {len(judged)}" if len(judged) > 1 else ""
    luck = f"0 lies outside{where}, as it does by luck in {100.0 * alpha:.0f} of 100"
    return f"Other luck (redraw): {told}: {luck if outside else '0 lies within'}."


def pairing_sentence(effects: Sequence[PairedEffect]) -> Iterator[str]:
    """What pairing has bought, where there are pairs enough to tell."""
    factors = [effect.variance_reduction for effect in effects if effect.n >= PAIRS_LEAST]
    factors = sorted(factor for factor in factors if math.isfinite(factor))
    gained = [factor for factor in factors if factor >= GAIN_LEAST]
    if not factors:
        return
    if not gained:
        yield "Pairing by keyed draws does not lower the variance of a difference here."
        return
    span = f"{gained[0]:.1f}" if len(gained) == 1 else f"{gained[0]:.1f} to {gained[-1]:.1f}"
    rest = f", and in {len(factors) - len(gained)} of {len(factors)} arms not at all" if gained != factors else ""
    yield f"Pairing by keyed draws divides the variance of a difference by {span}{rest}."


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are.

    Example
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def digits_of(effect: PairedEffect | Difference, digits: int = 3) -> int:
    """Digits with which an interval neither looks as if it held 0 when it does not, nor as if it had no width."""
    half = 0.5 * (effect.high - effect.low)
    while digits < DIGITS_MOST and (
        (effect.excludes_zero and 0.0 in (round(effect.low, digits), round(effect.high, digits)))
        or (half > 0.0 and round(half, digits) == 0.0)
    ):
        digits += 1
    return digits


def sized(effect: PairedEffect, digits: int = 3) -> str:
    """A change with its interval, in as many digits as it needs."""
    digits = digits_of(effect, digits)
    return f"{signed(effect.change, digits)} {interval(effect, digits)}"


def moved(effect: PairedEffect, digits: int = 3) -> str:
    """How a quantity moves, from where to where, with its interval."""
    if effect.n == 0 or math.isnan(effect.change):
        return "is undefined"
    digits = digits_of(effect, digits)
    ends = f"from {effect.base:.{digits}f} to {effect.treated:.{digits}f}"
    if effect.is_exactly_zero:
        return f"does not change at all ({effect.base:.{digits}f})"
    size = sized(effect, digits)
    if not effect.excludes_zero:
        return f"does not clearly change ({ends}): {size}"
    return f"{'rises' if effect.change > 0.0 else 'falls'} {ends}: {size}"


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign; no sign for what rounds to 0.

    Example
        >>> signed(0.1234), signed(-0.5, 1), signed(-0.0001)
        ('+0.123', '-0.5', '0.000')
    """
    if not math.isfinite(value):
        return "undefined"
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0.0 else text


def interval(effect: PairedEffect, digits: int = 3) -> str:
    """The confidence interval in brackets."""
    return span(effect.low, effect.high, digits)


def span(low: float, high: float, digits: int = 3) -> str:
    """The ends of an interval in brackets, where there is one.

    Example
        >>> span(-0.5, 0.25, 2), span(float("nan"), float("nan"))
        ('[-0.50, +0.25]', '[no interval]')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "[no interval]"
    return f"[{signed(low, digits)}, {signed(high, digits)}]"


def chance(effect: PairedEffect) -> str:
    """The p value as people write it."""
    return "p < .001" if effect.p_value < 0.001 else f"p = {effect.p_value:.3f}".replace("0.", ".")
