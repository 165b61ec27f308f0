"""The sections of a report on a study."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from mesocosm.analysis.comparison_words import digits_of, signed
from mesocosm.analysis.displacement import LINES, displacement_of, is_measured
from mesocosm.analysis.outcomes import OutcomeEffect, findings_of, outcomes_of
from mesocosm.analysis.report.gallery import gallery_of
from mesocosm.analysis.report.limits import differences_markup, limits_markup
from mesocosm.analysis.report.markup import Child, join, table_of, tag
from mesocosm.analysis.report.page import PagePart, commands, warned
from mesocosm.analysis.statistics import PairedEffect
from mesocosm.analysis.study import StudyResults
from mesocosm.analysis.study_plan import STUDY
from mesocosm.analysis.study_record import RECORD
from mesocosm.analysis.study_tables import displacement_rows
from mesocosm.analysis.study_words import study_sentences
from mesocosm.config.constants import shown
from mesocosm.config.study import dump_study
from mesocosm.errors import UsageError
from mesocosm.runner.runner import MODEL

ARMS_MOST, FLAGS_MOST = 200, 60
EXPECTED = {"falls": "was expected to fall", "rises": "was expected to rise", "unchanged": "was expected to stay"}


def study_lead(found: StudyResults) -> Child:
    """What stands under the title: the question, and what was played to answer it."""
    study, base = found.design.study, found.design.base
    time, first, last = base.simulation, found.seeds[0], found.seeds[-1]
    told = f"{base.scenario_id}, {base.agents_initial:,} agents, {time.epochs} epochs of {time.steps_per_epoch} steps; "
    told += f"{len(found.seeds):,} paired {study.seeds.purpose} seeds ({first} to {last})."
    question = tag("p", tag("b", study.question)) if study.question else None
    return join(question, tag("p", told, class_="quiet"))


def study_sections(found: StudyResults) -> list[PagePart]:
    """All sections of a study's report, in order."""
    findings = findings_of(found)
    flags = found.flags
    more = [f"and {len(flags) - FLAGS_MOST} more like these: see {RECORD}"] if len(flags) > FLAGS_MOST else []
    sections = [
        PagePart("found", "What was found", tuple(_words(found))),
        PagePart("effects", "Effects", tuple(_effects(found, findings))),
        PagePart("controls", "Controls", tuple(_controls(found))),
        PagePart("beware", "Sanity flags", (warned([f"{flag}." for flag in (*flags[:FLAGS_MOST], *more)]),)),
        PagePart("pictures", "Pictures", tuple(gallery_of(found))),
    ]
    if is_measured(found):
        sections.append(PagePart("harm", "Where the harm went", tuple(_harm(found))))
    return [
        *sections,
        PagePart("configuration", "Configuration", tuple(_configuration(found))),
        PagePart("replay", "Replay it", tuple(_replay(found))),
        PagePart("limits", "Limits", (limits_markup(found.design.base, _robustness(found, findings), _varied(found)),)),
    ]


def _words(found: StudyResults) -> Iterator[Child]:
    study = found.design.study
    expected = EXPECTED.get(study.expect, "was not expected to move either way")
    yield tag("p", f"The question is decided on {study.primary}, which {expected}; a change below "
              f"{study.smallest_effect:g} would not matter.")  # fmt: skip
    if study.seeds.purpose == "tuning":
        yield tag("p", "These are tuning seeds, for choosing constants: report on others.")
    yield tag("ul", *(tag("li", sentence) for sentence in study_sentences(found)))


def _effects(found: StudyResults, findings: tuple[OutcomeEffect, ...]) -> Iterator[Child]:
    """Every outcome of every arm: change, interval, p values, verdict, and whether it holds elsewhere."""
    family = len(findings) > 1
    told = f"Change against the base of the same seed. Intervals are {100 * found.design.study.confidence:.0f} %"
    told += " and cover everything here at once; p by max-T and Holm." if family else "."
    yield tag("p", told, class_="about")
    asked = outcomes_of(found)
    heads = ("arm", "change", "interval", "p max-T", "p Holm", "verdict", "sign holds elsewhere in")
    for setting in found.settings:
        if setting:
            yield tag("h3", setting)
        for name, outcome in asked.items():
            own = [one for one in findings if one.setting == setting and one.outcome == name]
            digits = max((digits_of(one.effect) for one in own), default=3)
            rows = [_row(one, digits) for one in own[:ARMS_MOST]]
            who = f", {outcome.agents} agents" if outcome.agents else ""
            base = own[0].effect.base if own else float("nan")
            caption = f"{name}" + (f" ({outcome.metric})" if name != outcome.metric else "")
            yield table_of(heads, rows, caption=f"{caption}{who}; base {base:.{digits}f}", sortable=True)
            if len(own) > ARMS_MOST:
                yield tag("p", f"{len(own) - ARMS_MOST} more arms: see effects.parquet.", class_="about")


def _row(one: OutcomeEffect, digits: int) -> list[Child]:
    holds = "not tried" if one.holds is None else f"{one.holds.count} of {one.holds.n} ({100 * one.holds.share:.0f} %)"
    return [
        one.arm, signed(one.effect.change, digits), f"[{signed(one.low, digits)}, {signed(one.high, digits)}]",
        chance_text(one.p_max_t), chance_text(one.p_holm), one.verdict.words, holds,
    ]  # fmt: skip


def chance_text(value: float) -> str:
    """A p value as a table shows it."""
    return "–" if value != value else "< .001" if value < 0.001 else f"{value:.3f}"


def effect_text(effect: PairedEffect, digits: int = 3) -> str:
    """A change with its own interval."""
    if effect.is_exactly_zero:
        return "exactly 0"
    digits = digits_of(effect, digits)
    return f"{signed(effect.change, digits)} [{signed(effect.low, digits)}, {signed(effect.high, digits)}]"


def control_verdict(name: str, effect: PairedEffect, alpha: float) -> str:
    """Whether a control came out as it must.

    Params   alpha: how often luck alone moves the interval of a redraw off 0.
    """
    if name == "sham":
        return "yes" if effect.is_exactly_zero else "NO: do not trust these results"
    if name == "redraw" and effect.excludes_zero:
        return f"0 lies outside, as by luck in {100 * alpha:.0f} of 100"
    return "yes" if name == "redraw" else "–"


def _controls(found: StudyResults) -> Iterator[Child]:
    if not found.design.controls:
        yield tag("p", "None ran (controls: false): nothing shows that what changes nothing changed nothing.")
        return
    about = {
        "sham": "a lever that does nothing; must be exactly 0",
        "redraw": "other luck, nothing else; 0 must lie within",
        "oracle": "refuses what would go wrong; the most that a lever can do",
    }
    primary = found.design.study.primary
    rows = []
    for setting in found.settings:
        for name in found.design.controls:
            effect = found.effect(primary, name, setting)
            verdict = control_verdict(name, effect, found.design.study.alpha)
            rows.append([setting or found.design.base.scenario_id, name, about[name], effect_text(effect), verdict])
    yield table_of(("setting", "control", "what it is", f"change in {primary}", "is as it must be"), rows)


def _harm(found: StudyResults) -> Iterator[Child]:
    told = "Bad deals an epoch; + clearly more, - clearly fewer, by each effect's own interval."
    yield tag("p", told, class_="about")
    parts = list(displacement_of(found, found.settings[0]))
    for line in ("initiator", *LINES):
        rows = displacement_rows(found, parts, line)
        yield table_of(rows[0], rows[1:])


def _configuration(found: StudyResults) -> Iterator[Child]:
    design = found.design
    yield tag("h3", "The base of every run")
    yield differences_markup(design.base)
    yield tag("h3", "What each arm changes")
    rows = [[arm, ", ".join(f"{key}={shown(value)}" for key, value in design.changes[arm].items())]
            for arm in design.arms[:ARMS_MOST]]  # fmt: skip
    yield table_of(("arm", "changes"), rows)
    if design.study.settings:
        yield tag("h3", "What each setting changes")
        told = [[name, ", ".join(f"{key}={shown(value)}" for key, value in world.items()) or "nothing"]
                for name, world in design.settings.items()]  # fmt: skip
        yield table_of(("setting", "changes"), told)
    yield tag("details", tag("summary", "The whole study file"), tag("pre", dump_study(design.study)))


def _replay(found: StudyResults) -> Iterator[Child]:
    folder = found.folder or Path()
    yield tag("p", "Playing the same study file again gives the same bytes in every run and table.")
    yield commands(f"mesocosm sweep {shlex.quote(str(folder / STUDY))} --output DIRECTORY")
    facts = [
        ["seeds", f"{found.seeds[0]} to {found.seeds[-1]} ({found.design.study.seeds.purpose})"],
        ["model", MODEL],
        ["study file, SHA-256", _digest(folder / STUDY)],
        [f"{RECORD}, SHA-256", _digest(folder / RECORD)],
    ]
    yield table_of(("what", "value"), ([name, tag("code", value)] for name, value in facts))


def _is_record(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _digest(path: Path) -> str:
    """The hash of a file of a study.

    Raises   UsageError for a record that cannot be read: its hash would vouch for nothing.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return "not there"
    if path.name == RECORD and not _is_record(data):
        told = f"mesocosm sweep {shlex.quote(str(path.with_name(STUDY)))} --output {shlex.quote(str(path.parent))}"
        raise UsageError(f"{path} is damaged. Its runs are kept: {told} writes it again.")
    return hashlib.sha256(data).hexdigest()


def _varied(found: StudyResults) -> dict[str, tuple[float, float]]:
    plan = found.design.study.robustness
    return {} if plan is None else {name: (float(ends[0]), float(ends[1])) for name, ends in plan.ranges.items()}


def _robustness(found: StudyResults, findings: tuple[OutcomeEffect, ...]) -> Child:
    tried = [one for one in findings if one.holds is not None and one.setting == found.settings[0]]
    if not tried:
        return tag("p", "Robustness: not tried. Findings hold for the constants of this economy; a robustness block in "
                   "the study says in what share of others they keep their sign.")  # fmt: skip
    rows = [
        [one.outcome, one.arm, f"{one.holds.count} of {one.holds.n}", f"{100 * one.holds.share:.0f} %",
         f"[{100 * one.holds.low:.0f}, {100 * one.holds.high:.0f}] %"]
        for one in tried if one.holds is not None
    ]  # fmt: skip
    told = f"In how many of {len(found.elsewhere)} other economies each effect keeps the sign that it has here:"
    return join(tag("p", told), table_of(("outcome", "arm", "economies", "share", "95 %"), rows))
