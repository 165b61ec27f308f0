"""A comparison in plain words: what the change does, whether the proxy tells, who responds, and the controls."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mesocosm.analysis.comparison import CHANGED, FROZEN, LEARNING, Comparison
from mesocosm.analysis.statistics import PairedEffect

DIGITS_MOST = 6
TRUTH, PROXY, WELFARE = "toxicity_true", "toxicity_rate", "social_welfare_true"


def sentences(found: Comparison) -> Iterator[str]:
    """The findings of a comparison, one a sentence, the most important first."""
    kind = found.adaptations[0]
    yield _headline(found, kind)
    yield _proxy(found, kind)
    yield f"True social welfare {moved(found.effect(WELFARE, adaptation=kind), digits=2)} a run and epoch."
    if found.adaptations == (LEARNING, FROZEN):
        yield _response(found)
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
    if proxy.high < 0.0 and not truth.excludes_zero:
        return f"{told} Beware, Goodhart: the proxy improves and the truth does not."
    if proxy.low > 0.0 and truth.high < 0.0:
        return f"{told} The proxy is alarmed by what in truth is an improvement."
    return told


def _response(found: Comparison) -> str:
    frozen, response = found.effect(TRUTH, adaptation=FROZEN), found.response(TRUTH)
    told = f"With frozen agents, who do not respond to it, true toxicity {moved(frozen)}."
    if response.is_exactly_zero:
        return f"{told} Nobody responds: both are the same."
    digits = digits_of(response)
    more = f"{signed(response.change, digits)} {interval(response, digits)}"
    if not response.excludes_zero:
        return f"{told} That agents respond makes no clear difference: {more}."
    return f"{told} That agents respond makes the difference of {more}."


def _incomes(found: Comparison, kind: str) -> str:
    """Who gains and who pays, for agent types whose income clearly changes."""
    told = []
    for agent_type in found.arms[kind, CHANGED].by_type:
        effect = found.effect("income", adaptation=kind, agent_type=agent_type)
        if effect.excludes_zero:
            told.append(f"{agent_type} {signed(effect.change, 2)} {interval(effect, 2)}")
    return f"Income, credits per agent and epoch: {'; '.join(told)}." if told else ""


def control_sentences(found: Comparison, kind: str) -> Iterator[str]:
    """Whether the controls are as they must be, and what pairing has bought."""
    arms = [name for adaptation, name in found.arms if adaptation == kind]
    if "sham" in arms:
        same = all(found.effect(metric, "sham", kind).is_exactly_zero or _is_undefined(found, metric, kind)
                   for metric in found.metrics)  # fmt: skip
        yield (
            "Sham: exactly 0 on every metric, as it must be."
            if same
            else ("Sham: NOT 0. A lever that changes nothing changed something: do not trust this comparison.")
        )
    if "redraw" in arms:
        effect = found.effect(TRUTH, "redraw", kind)
        verdict = "0 lies within" if not effect.excludes_zero else "0 lies outside, as it does once in twenty times"
        yield f"Other luck (redraw): {signed(effect.change)} {interval(effect)}, {verdict}."
    if "oracle" in arms:
        effect = found.effect(TRUTH, "oracle", kind)
        yield f"Oracle: {signed(effect.change)}; no lever can lower true toxicity more."
    factor = found.effect(TRUTH, adaptation=kind).variance_reduction
    if math.isfinite(factor):
        yield f"Pairing by keyed draws divides the variance of the difference by {factor:.1f}."


def _is_undefined(found: Comparison, metric: str, kind: str) -> bool:
    return found.effect(metric, "sham", kind).n == 0


def digits_of(effect: PairedEffect, digits: int = 3) -> int:
    """Digits that keep an interval which excludes 0 from looking as if it did not."""
    if effect.excludes_zero:
        while digits < DIGITS_MOST and 0.0 in (round(effect.low, digits), round(effect.high, digits)):
            digits += 1
    return digits


def moved(effect: PairedEffect, digits: int = 3) -> str:
    """How a quantity moves, from where to where, with its interval."""
    if effect.n == 0 or math.isnan(effect.change):
        return "is undefined"
    digits = digits_of(effect, digits)
    ends = f"from {effect.base:.{digits}f} to {effect.treated:.{digits}f}"
    if effect.is_exactly_zero:
        return f"does not change at all ({effect.base:.{digits}f})"
    size = f"{signed(effect.change, digits)} {interval(effect, digits)}"
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
    if not math.isfinite(effect.low):
        return "[no interval]"
    return f"[{signed(effect.low, digits)}, {signed(effect.high, digits)}]"


def chance(effect: PairedEffect) -> str:
    """The p value as people write it."""
    return "p < .001" if effect.p_value < 0.001 else f"p = {effect.p_value:.3f}".replace("0.", ".")
