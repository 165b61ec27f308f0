"""What an interval says: real or not, large enough to matter or not, as expected or not, and in which words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from mesocosm.analysis.power import ALPHA, seeds_to_decide, seeds_to_reject
from mesocosm.analysis.statistics import PairedEffect, t_quantile
from mesocosm.errors import UsageError, nearest

RISES, FALLS, UNCHANGED = "rises", "falls", "unchanged"
EXPECTED = (RISES, FALLS, UNCHANGED)


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests: whether an effect is smaller than a margin, either way."""

    margin: float
    p_value: float  # the larger of the two; NaN for fewer than two pairs
    low: float  # ends of the (1 - 2 alpha) interval: within the margin exactly where p_value < alpha
    high: float
    alpha: float = ALPHA

    @property
    def is_shown(self) -> bool:
        """Whether an effect as large as the margin is ruled out."""
        return self.p_value < self.alpha


def equivalence(effect: PairedEffect, margin: float, alpha: float = ALPHA) -> Equivalence:
    """Test whether an effect is smaller than a margin: "no effect" has to be shown, a large p value does not show it.

    By Student's t, whatever the effect's own interval was found by.

    Params   margin: the smallest effect that would matter, above 0.
    Raises   UsageError for a margin that is not above 0.
    Source   Schuirmann (1987), TOST; science notes 5.14
    Example
        >>> from mesocosm.analysis.statistics import paired_effect
        >>> found = equivalence(paired_effect([1.1, 1.9, 3.05, 4.0], [1.0, 2.0, 3.0, 4.0]), 0.2)
        >>> found.is_shown, round(found.p_value, 3)
        (True, 0.011)
    """
    if not (margin > 0.0 and math.isfinite(margin)):
        raise UsageError(
            f"a margin is a number above 0, and {margin:g} was given: every effect differs from 0 a little."
        )
    if not 0.0 < alpha < 0.5:
        raise UsageError(f"alpha lies between 0 and 0.5, and {alpha:g} was given.")
    error = effect.standard_error
    if effect.n < 2 or not math.isfinite(error):
        return Equivalence(margin, math.nan, math.nan, math.nan, alpha)
    half = t_quantile(1.0 - 2.0 * alpha, effect.n - 1) * error
    room = margin - abs(effect.change)
    if error == 0.0:
        p_value = 0.0 if room > 0.0 else 1.0
    else:
        import scipy.stats

        p_value = float(scipy.stats.t.sf(room / error, effect.n - 1))
    return Equivalence(margin, p_value, effect.change - half, effect.change + half, alpha)


class VerdictKind(StrEnum):
    """What can be said of an effect."""

    MATTERS = "matters"  # the whole interval lies beyond the smallest effect of interest
    REAL = "real"  # it excludes 0, but may be too small to matter (or no smallest effect was given)
    SMALL = "small"  # it excludes 0, and an effect that matters is ruled out
    NONE = "none"  # it holds 0, and an effect that matters is ruled out
    UNDECIDED = "undecided"  # it holds 0, and an effect that matters is not ruled out
    EXACTLY_ZERO = "exactly zero"  # no pair differs
    UNDEFINED = "undefined"  # fewer than two pairs


class Expectation(StrEnum):
    """How a finding stands to what was written down before the runs."""

    MET = "as expected"
    SMALLER = "smaller than expected"  # the expected way, but too small to matter
    AGAINST = "against expectation"
    OPEN = "expectation open"  # neither met nor refuted
    NOT_STATED = "no expectation"


@dataclass(frozen=True)
class Verdict:
    """What an effect comes to, for a person; it says rises and falls, never better and worse."""

    kind: VerdictKind
    direction: str  # "rises", "falls", or "" where 0 is not excluded
    expectation: Expectation
    smallest_effect: float | None
    fresh_seeds: int | None  # of a new study that would decide it, where undecided and a smallest effect was given

    @property
    def words(self) -> str:
        """The verdict as the end of a sentence that begins with the metric's name.

        Example
            >>> print(Verdict(VerdictKind.SMALL, "falls", Expectation.SMALLER, 0.02, None).words)
            falls, but by less than 0.02: real, and too small to matter (smaller than expected)
        """
        told = self._finding()
        return told if self.expectation is Expectation.NOT_STATED else f"{told} ({self.expectation})"

    def _finding(self) -> str:
        least = "" if self.smallest_effect is None else f"{self.smallest_effect:g}"
        match self.kind:
            case VerdictKind.MATTERS:
                return f"{self.direction} by more than {least}, the smallest effect of interest"
            case VerdictKind.REAL:
                return f"{self.direction}, but maybe by less than {least}, which matters" if least else self.direction
            case VerdictKind.SMALL:
                return f"{self.direction}, but by less than {least}: real, and too small to matter"
            case VerdictKind.NONE:
                return f"does not change by as much as {least}: no effect that matters"
            case VerdictKind.UNDECIDED:
                return f"may or may not change: undecided{self._missing()}"
            case VerdictKind.EXACTLY_ZERO:
                return "does not change at all: exactly 0 in every pair"
            case VerdictKind.UNDEFINED:
                return "is undefined: fewer than two pairs have a value"

    def _missing(self) -> str:
        if self.fresh_seeds is None:
            return "" if self.smallest_effect is not None else ", and without a smallest effect of interest it stays so"
        return f"; about {self.fresh_seeds:,} fresh seeds would tell"


def verdict_of(
    effect: PairedEffect,
    smallest_effect: float | None = None,
    expected: str | None = None,
    *,
    alpha: float = ALPHA,
    adjusted: float | None = None,
    interval: tuple[float, float] | None = None,
    family: int = 1,
    can_tell: bool = True,
) -> Verdict:
    """Put an effect, the smallest effect of interest and what was expected together.

    An effect of a family is judged by the family's numbers: it is real where its adjusted p value is at most alpha
    (without one: where its interval excludes 0), and it matters where the simultaneous interval says so (without one:
    Bonferroni's). That it is too small to matter is shown at alpha / family.

    Params   expected: "rises", "falls", "unchanged", or None; adjusted: p value from `holm` or `max_t`; interval: from
             `max_t`; family: arms judged together; can_tell: whether there are seeds enough that any arm could be told
             from luck (`Family.can_reject`): without, nothing is shown, neither an effect nor that there is none.
    Raises   UsageError for another expectation, or a smallest effect that is not above 0.
    Source   science notes 5.14: effect size with interval, plus TOST against a margin
    Example
        >>> from mesocosm.analysis.statistics import paired_effect
        >>> effect = paired_effect([0.10, 0.12, 0.11, 0.09], [0.20, 0.21, 0.22, 0.20])
        >>> print("True toxicity", verdict_of(effect, 0.05, "falls").words)
        True toxicity falls by more than 0.05, the smallest effect of interest (as expected)
    """
    if expected is not None and expected not in EXPECTED:
        raise UsageError(f"{expected!r} is no expectation. {nearest(expected, EXPECTED)}")
    low, high = interval if interval is not None else _interval(effect, alpha, family)
    small = can_tell and smallest_effect is not None and equivalence(effect, smallest_effect, alpha / family).is_shown
    is_real = can_tell and ((low > 0.0 or high < 0.0) if adjusted is None else adjusted <= alpha)
    kind, direction, missing = VerdictKind.UNDECIDED, "", None
    if effect.n < 2 or math.isnan(effect.change):
        kind = VerdictKind.UNDEFINED
    elif effect.is_exactly_zero:
        kind = VerdictKind.EXACTLY_ZERO
    elif is_real and effect.change != 0.0:
        kind = _size(low, high, smallest_effect, small)
        direction = RISES if effect.change > 0.0 else FALLS
    elif small:
        kind = VerdictKind.NONE
    elif smallest_effect is not None:
        missing = _fresh_seeds(effect, smallest_effect, alpha, family)
        if missing is not None and adjusted is not None:
            missing = max(missing, seeds_to_reject(alpha))
    stands = _expectation(kind, direction, expected)
    if not can_tell and expected is not None:
        stands = Expectation.OPEN
    return Verdict(kind, direction, stands, smallest_effect, missing)


def _interval(effect: PairedEffect, alpha: float, family: int) -> tuple[float, float]:
    """The effect's own interval, or Bonferroni's by Student's t where it is one of a family."""
    if family == 1 or effect.n < 2:
        return effect.low, effect.high
    half = t_quantile(1.0 - alpha / family, effect.n - 1) * effect.standard_error
    return effect.change - half, effect.change + half


def _size(low: float, high: float, smallest_effect: float | None, small: bool) -> VerdictKind:
    if smallest_effect is None:
        return VerdictKind.REAL
    if low > smallest_effect or high < -smallest_effect:
        return VerdictKind.MATTERS
    return VerdictKind.SMALL if small else VerdictKind.REAL


def _fresh_seeds(effect: PairedEffect, smallest_effect: float, alpha: float, family: int) -> int | None:
    """Seeds with which the interval is narrower than the smallest effect, or None beyond all measure."""
    try:
        needed = seeds_to_decide(
            effect.standard_error * math.sqrt(effect.n), smallest_effect, alpha=alpha, family=family
        )
    except UsageError:
        return None
    return needed


def _expectation(kind: VerdictKind, direction: str, expected: str | None) -> Expectation:
    if expected is None:
        return Expectation.NOT_STATED
    if kind in (VerdictKind.UNDECIDED, VerdictKind.UNDEFINED):
        return Expectation.OPEN
    if expected == UNCHANGED:
        if kind is VerdictKind.REAL:
            return Expectation.OPEN
        return Expectation.AGAINST if kind is VerdictKind.MATTERS else Expectation.MET
    if direction != expected:
        return Expectation.AGAINST
    return Expectation.SMALLER if kind is VerdictKind.SMALL else Expectation.MET
