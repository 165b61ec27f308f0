"""A study with several outcomes as a page of Markdown: what was asked, the tables, and the findings in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesocosm.analysis.displacement import is_measured
from mesocosm.analysis.outcomes import OutcomeEffect, findings_of, outcomes_of
from mesocosm.analysis.study import StudyResults
from mesocosm.analysis.study_tables import LEGEND, harm_tables, outcome_rows, robustness_rows
from mesocosm.analysis.study_words import study_sentences
from mesocosm.config.constants import shown
from mesocosm.runner.runner import MODEL


def study_page(found: StudyResults) -> str:
    """The whole page."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: StudyResults) -> Iterator[str]:
    study, base = found.design.study, found.design.base
    yield f"# {study.study_id}"
    if study.question:
        yield from ("", study.question)
    time, first, last = base.simulation, found.seeds[0], found.seeds[-1]
    size = f"{base.agents_initial:,} agents, {time.epochs} epochs of {time.steps_per_epoch} steps"
    luck = f"{len(found.seeds):,} paired {study.seeds.purpose} seeds ({first} to {last})"
    yield from ("", f"{base.scenario_id}, {size}, {luck}, model {MODEL}.")
    findings = findings_of(found)
    yield from ("", "## What was measured", "")
    yield from _table([["outcome", "metric", "agents", "smallest effect", "expected"], *_asked(found)])
    yield from ("", "### What every arm sets", "")
    arms = [[arm, ", ".join(f"{key}={shown(value)}" for key, value in found.design.changes[arm].items())]
            for arm in found.design.arms]  # fmt: skip
    yield from _table([["arm", "sets"], *arms])
    yield from ("", "## What every arm does", "", f"Changes against the base of the same seed. {LEGEND}")
    for setting in found.settings:
        yield ""
        yield from _table(outcome_rows(found, findings, setting))
    elsewhere = robustness_rows(found, findings)
    if elsewhere:
        count = len(found.elsewhere)
        yield from ("", "## Elsewhere", "", f"In how many of {count} other economies each effect keeps its sign.", "")
        yield from _table(elsewhere)
    if is_measured(found):
        yield from ("", "## Where the harm went", "")
        yield "Bad deals an epoch; + clearly more, - clearly fewer, by each effect's own interval."
        for setting, tables in harm_tables(found):
            if setting:
                yield from ("", f"### In {setting}")
            for rows in tables:
                yield ""
                yield from _table(rows)
    yield from (
        "",
        "## Intervals",
        "",
        "Simultaneous over everything above, with p values adjusted by max-T and Holm.",
        "",
    )
    yield from _table([["setting", "outcome", "arm", "change", "interval", "max-T", "Holm", "verdict"],
                       *(_interval(finding) for finding in findings)])  # fmt: skip
    yield from ("", "## In words", "")
    for sentence in study_sentences(found):
        yield f"- {sentence}"
    for flag in found.flags:
        yield f"- Beware: {flag}."


def _asked(found: StudyResults) -> Iterator[list[str]]:
    for name, outcome in outcomes_of(found).items():
        other = ", ".join(f"{arm} {way}" for arm, way in outcome.expect_of.items())
        expected = f"{outcome.expect}; {other}" if other else outcome.expect
        yield [name, outcome.metric, outcome.agents or "all", f"{outcome.smallest_effect:g}", expected]


def _interval(finding: OutcomeEffect) -> list[str]:
    return [
        finding.setting, finding.outcome, finding.arm, f"{finding.effect.change:.4g}",
        f"[{finding.low:.4g}, {finding.high:.4g}]", f"{finding.p_max_t:.4f}", f"{finding.p_holm:.4f}",
        finding.verdict.words,
    ]  # fmt: skip


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"

    yield line(rows[0])
    yield "|" + "---|" * len(rows[0])
    for row in rows[1:]:
        yield line(row)
