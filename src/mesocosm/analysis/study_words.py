"""A study in plain words: what each arm comes to, the dose, the other economies, and the controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesocosm.analysis.comparison_words import (
    TRUTH,
    interval,
    listed,
    pairing_sentence,
    redraw_sentence,
    sham_sentence,
    signed,
)
from mesocosm.analysis.dose_response import DoseResponse
from mesocosm.analysis.equivalence import Expectation, VerdictKind, equivalence
from mesocosm.analysis.statistics import PairedEffect
from mesocosm.analysis.study import WELFARE, Contrast, StudyResults, Trial
from mesocosm.config.study import BASE

#: a verdict in a word or two, for a table
SHORT = {
    VerdictKind.MATTERS: "{direction}",
    VerdictKind.REAL: "{direction}, maybe little",
    VerdictKind.SMALL: "{direction} too little",
    VerdictKind.NONE: "no effect",
    VerdictKind.UNDECIDED: "undecided",
    VerdictKind.EXACTLY_ZERO: "exactly 0",
    VerdictKind.UNDEFINED: "undefined",
}
CLEARLY = 0.05  # adjusted p value up to which a constant counts as one that an effect hangs on


def short_verdict(contrast: Contrast) -> str:
    """The verdict on an arm in a word or two, with a mark where it goes against what was expected."""
    told = SHORT[contrast.verdict.kind].format(direction=contrast.verdict.direction)
    return f"{told} (!)" if contrast.verdict.expectation is Expectation.AGAINST else told


def study_sentences(found: StudyResults) -> Iterator[str]:
    """The findings of a study, one a sentence, the most important first."""
    family, study = found.family, found.design.study
    can_tell = family.size == 0 or family.can_reject(study.alpha)
    if not can_tell:
        yield (
            f"{len(found.seeds)} seeds are too few: the smallest p value they allow is {family.least:.3f}, so nothing "
            f"can be told from luck at {100 * study.confidence:g} %, on any metric."
        )
    yield from _counted(found)
    if can_tell:
        yield _price(found)
    for setting, trend in found.trends.items():
        yield _dose(found, setting, trend)
    for trial in found.trials:
        yield _robust(found, trial)
    yield from _controls(found)
    yield from pairing_sentence([contrast.effect for contrast in found.contrasts])


def _counted(found: StudyResults) -> Iterator[str]:
    """How many arms do what, and what these words mean."""
    study, kinds = found.design.study, [contrast.verdict.kind for contrast in found.contrasts]
    metric, least = study.primary, f"{study.smallest_effect:g}"
    count = {kind: kinds.count(kind) for kind in VerdictKind}
    total = len(kinds)
    for direction in ("falls", "rises"):
        moved = [
            contrast
            for contrast in found.contrasts
            if contrast.verdict.kind is VerdictKind.MATTERS and contrast.verdict.direction == direction
        ]
        if moved:
            most = sorted(moved, key=lambda contrast: -abs(contrast.effect.change))
            told = [f"{_placed(found, one)} ({signed(one.effect.change)})" for one in most]
            where = f"in {_of_arms(len(moved), total)}: {listed(told)}" if total > 1 else f"under {told[0]}"
            yield f"{metric} {direction} by more than {least} {where}."
    others = {
        VerdictKind.REAL: f"moves in {{}}, but maybe by less than {least}",
        VerdictKind.SMALL: f"moves in {{}} by less than {least}: real, and too small to matter",
        VerdictKind.NONE: f"has no effect larger than {least} in {{}}",
        VerdictKind.UNDECIDED: "is undecided in {}",
        VerdictKind.EXACTLY_ZERO: "does not move at all in {}",
        VerdictKind.UNDEFINED: "is undefined in {}",
    }
    for kind, words in others.items():
        if count[kind]:
            yield f"{metric} {words.format(_of_arms(count[kind], total))}{_fresh_seeds(found, kind)}."
    against = [one for one in found.contrasts if one.verdict.expectation is Expectation.AGAINST]
    opposite = [_placed(found, one) for one in against if one.verdict.direction]
    still = [_placed(found, one) for one in against if not one.verdict.direction]
    if opposite:
        yield f"Against what was expected (!): {listed(opposite)}."
    if still:
        yield f"No effect that matters where one was expected (!): {listed(still)}."


def _placed(found: StudyResults, contrast: Contrast) -> str:
    """An arm, with its setting where there are several."""
    return f"{contrast.arm} in {contrast.setting}" if len(found.settings) > 1 else contrast.arm


def _of_arms(count: int, total: int) -> str:
    return "the one arm" if total == 1 else f"{count} of {total} arms"


def _fresh_seeds(found: StudyResults, kind: VerdictKind) -> str:
    if kind is not VerdictKind.UNDECIDED:
        return ""
    more = [contrast.verdict.fresh_seeds for contrast in found.contrasts if contrast.verdict.kind is kind]
    known = [count for count in more if count is not None]
    return (
        f"; a new study of about {max(known):,} fresh seeds would decide {'it' if len(more) == 1 else 'all of them'}"
        if known and len(known) == len(more)
        else ""
    )


def _price(found: StudyResults) -> str:
    """What the arms do to everybody's welfare."""
    effects = [found.effect(WELFARE, contrast.arm, contrast.setting) for contrast in found.contrasts]
    rises, falls = (sum(effect.excludes_zero and effect.change * sign > 0.0 for effect in effects) for sign in (1, -1))
    if len(effects) == 1:
        way = "clearly rises" if rises else "clearly falls" if falls else "does not clearly change"
        return f"True social welfare {way}."
    return f"True social welfare clearly rises in {rises} and falls in {falls} of {len(effects)} arms."


def _dose(found: StudyResults, setting: str, trend: DoseResponse) -> str:
    where = f" in {setting}" if setting else ""
    effect = trend.trend
    way = "rises" if effect.change > 0.0 else "falls"
    told = f"{signed(effect.change, 2)} {interval(effect, 2)}, p {_p(trend.p_value)}"
    clear = trend.p_value <= found.design.study.alpha
    words = f"{found.design.study.primary} {way} with the dose" if clear else "No clear trend with the dose"
    flips = "; ".join(f"between {flip.below:g} and {flip.above:g}" for flip in trend.flips)
    turned = f" The effect changes its sign {flips}." if flips else ""
    few = " Fewer than five doses say little of a trend." if trend.has_few_doses else ""
    return f"{words}{where} (rank correlation {told}).{turned}{few}"


def _robust(found: StudyResults, trial: Trial) -> str:
    holds, way = trial.holds, "falls" if trial.sign < 0 else "rises"
    share = f"{holds.count} of {holds.n} economies ({100 * holds.share:.0f} %, "
    share += f"[{100 * holds.low:.0f}, {100 * holds.high:.0f}])"
    on = [
        f"{influence.name} ({signed(influence.rank_correlation, 2)})"
        for influence in trial.influences
        if influence.adjusted <= CLEARLY
    ]
    hangs = f"Its size hangs on {listed(on)}." if on else "No constant clearly moves its size."
    clear = [effect.excludes_zero and effect.change * trial.sign > 0.0 for effect in trial.effects].count(True)
    against = [effect.excludes_zero and effect.change * trial.sign < 0.0 for effect in trial.effects].count(True)
    share += f", clearly in {clear}, clearly the other way in {against}"
    return f"Elsewhere: {found.design.study.primary} {way} under {trial.arm} in {share}. {hangs}"


def _controls(found: StudyResults) -> Iterator[str]:
    """Whether the controls are as they must be, in every setting."""
    if not found.design.controls:
        return
    primary = found.design.study.primary
    effects = {name: [found.effect(primary, name, where) for where in found.settings] for name in found.design.controls}
    yield sham_sentence([(found.runs[where, "sham"], found.runs[where, BASE]) for where in found.settings], "study")
    yield redraw_sentence(effects["redraw"], found.design.study.alpha) + _same_as_luck(found, effects["redraw"])
    ends = "; ".join(signed(effect.change) for effect in effects["oracle"][:3])
    yield f"Oracle, the most that a lever can do to true toxicity: {primary} {ends}.{_bound(found)}"


def _same_as_luck(found: StudyResults, effects: Sequence[PairedEffect]) -> str:
    """Whether other luck is shown to change nothing that matters: two one-sided tests in every setting."""
    margin, alpha = found.design.study.smallest_effect, found.design.study.alpha
    tests = [equivalence(effect, margin, alpha) for effect in effects]
    shown = sum(test.is_shown for test in tests)
    if shown == len(tests):
        every = f" in all {len(tests)} settings" if len(tests) > 1 else ""
        return f" Smaller than {margin:g}{every} (TOST, p {_p(max(test.p_value for test in tests))})."
    where = f" in {len(tests) - shown} of {len(tests)} settings" if len(tests) > 1 else ""
    return f" That it is smaller than {margin:g} is not shown{where} (TOST): more seeds would tell."


def _bound(found: StudyResults) -> str:
    """Whether any arm is safer than the oracle, which no lever can be: on average, in any setting."""
    below = [
        f"{arm} in {where}" if where else arm
        for where in found.settings
        for arm in found.design.arms
        if found.differences(TRUTH, arm, where).sum() < found.differences(TRUTH, "oracle", where).sum()
    ]
    if below:
        return f" NOT so: {TRUTH} is lower under {listed(below)}. Do not trust this study."
    return " No arm goes below it."


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"= {value:.3f}".replace("0.", ".")
