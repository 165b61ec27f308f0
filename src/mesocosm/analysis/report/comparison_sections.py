"""The sections of a report on a comparison, from its record on disk."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from mesocosm.analysis.comparison import compared_metrics
from mesocosm.analysis.comparison_record import RECORD
from mesocosm.analysis.equivalence import verdict_of
from mesocosm.analysis.figures.kinds import KINDS, Comparable, kinds_of, maybe_picture
from mesocosm.analysis.report.inline_svg import picture_markup
from mesocosm.analysis.report.limits import differences_markup, limits_markup
from mesocosm.analysis.report.markup import Child, table_of, tag
from mesocosm.analysis.report.page import PagePart, commands, warned
from mesocosm.analysis.report.study_sections import control_verdict, effect_text
from mesocosm.analysis.statistics import PairedEffect
from mesocosm.config.load import dump_scenario, scenario_from_dict
from mesocosm.config.schema import Scenario
from mesocosm.runner.directory import SCENARIO

_PLACE = ("adaptation", "arm", "agents", "metric")
SHOWN = (
    "toxicity_true", "toxicity_rate", "harm_rate", "acceptance_rate", "social_welfare_true", "private_welfare_true",
    "quality_gap_true", "income",
)  # fmt: skip


def comparison_lead(source: Comparable) -> Child:
    """What stands under the title: what was compared, over which seeds."""
    told, seeds = source.record, source.record["seeds"]
    since = f" from epoch {told['since_epoch']} on" if told.get("since_epoch") else ""
    words = (
        f"What does {', '.join(told['changes'])} change{since}? {len(seeds)} paired seeds ({seeds[0]} to {seeds[-1]}), "
    )
    return tag("p", words + f"{' and '.join(told['adaptations'])} agents.")


def comparison_sections(source: Comparable) -> list[PagePart]:
    """All sections of a comparison's report, in order."""
    told = source.record
    scenario = scenario_from_dict(told["scenario"])
    nothing = tag("p", "Robustness: not tried. mesocosm sweep with a robustness block says in what share of other "
                  "economies an effect keeps its sign.")  # fmt: skip
    return [
        PagePart("found", "What was found", tuple(_words(told))),
        PagePart("effects", "Effects", tuple(_effects(told))),
        PagePart("controls", "Controls", tuple(_controls(told))),
        PagePart("beware", "Sanity flags", (warned([f"{flag}." for flag in told.get("flags", [])]),)),
        PagePart("pictures", "Pictures", tuple(_pictures(source))),
        PagePart("configuration", "Configuration", tuple(_configuration(told, scenario))),
        PagePart("replay", "Replay it", tuple(_replay(source))),
        PagePart("limits", "Limits", (limits_markup(scenario, nothing, {}),)),
    ]


def effect_of_row(row: Mapping[str, Any]) -> PairedEffect:
    """An effect as it was before it was written down; None is NaN again."""
    facts: dict[str, Any] = {
        name: float("nan") if value is None else value for name, value in row.items() if name not in _PLACE
    }
    return PairedEffect(**facts)


def _rows(told: Mapping[str, Any], arm: str) -> Iterator[tuple[str, str, PairedEffect]]:
    for row in told["effects"]:
        if row["arm"] == arm and row["agents"] == "all" and row["metric"] in SHOWN:
            yield str(row["adaptation"]), str(row["metric"]), effect_of_row(row)


def _words(told: Mapping[str, Any]) -> Iterator[Child]:
    """The findings as the command told them; records of before have none."""
    told_of = told.get("findings")
    findings = [tag("li", str(sentence)) for sentence in told_of] if isinstance(told_of, list) else []
    yield tag("ul", *findings) if findings else tag("p", "Not told in words: the record is of an older version.")


def _effects(told: Mapping[str, Any]) -> Iterator[Child]:
    confidence = 100 * float(told["confidence"])
    words = f"Change against the same seed as it was; {confidence:.0f} % intervals, each by itself."
    yield tag("p", words, class_="about")
    for adaptation in told["adaptations"]:
        own = [(metric, effect) for kind, metric, effect in _rows(told, "changed") if kind == adaptation]
        rows = [
            [metric, f"{effect.base:.3f}", f"{effect.treated:.3f}", effect_text(effect), verdict_of(effect, None).words]
            for metric, effect in sorted(own, key=lambda one: SHOWN.index(one[0]))
        ]
        yield table_of(("metric", "as is", "changed", "change", "verdict"), rows, caption=f"{adaptation} agents")


def _controls(told: Mapping[str, Any]) -> Iterator[Child]:
    rows = [
        [adaptation, arm, metric, effect_text(effect), control_verdict(arm, effect, 1.0 - float(told["confidence"]))]
        for arm in ("sham", "redraw", "oracle")
        for adaptation, metric, effect in _rows(told, arm)
        if metric in ("toxicity_true", "social_welfare_true")
    ]
    if not rows:
        yield tag("p", "None ran: nothing shows that what changes nothing changed nothing.")
        return
    yield tag("p", "A sham must be exactly 0; of a redraw, which is other luck alone, 0 must lie within; the oracle is "
              "the most that a lever can do.")  # fmt: skip
    yield table_of(("agents", "control", "metric", "change", "is as it must be"), rows)


def _configuration(told: Mapping[str, Any], scenario: Scenario) -> Iterator[Child]:
    """What is changed, what it is changed from, and the whole scenario."""
    rows = [list(str(change).partition("=")[::2]) for change in told["changes"]]
    yield tag("h3", "What is changed")
    yield table_of(("key", "value"), rows)
    yield tag("h3", "What it is changed from")
    yield differences_markup(scenario)
    yield tag("details", tag("summary", "The whole scenario, resolved"), tag("pre", dump_scenario(scenario)))


def _pictures(source: Comparable) -> Iterator[Child]:
    for kind in kinds_of(source):
        picture = maybe_picture(kind, source, kind)
        if picture is not None:
            yield picture_markup(picture, KINDS[kind][0])


def _replay(source: Comparable) -> Iterator[Child]:
    told = source.record
    seeds = told["seeds"]
    yield commands(command_again(source))
    digest = hashlib.sha256((source.folder / RECORD).read_bytes()).hexdigest()
    facts = [["model", str(told.get("model", "?"))], ["seeds", f"{seeds[0]} to {seeds[-1]}"],
             [f"{RECORD}, SHA-256", digest]]  # fmt: skip
    yield table_of(("what", "value"), ([what, tag("code", value)] for what, value in facts))


def command_again(source: Comparable) -> str:
    """The command that makes the same comparison again, to the byte of its record."""
    told = source.record
    kept = source.folder / SCENARIO
    name = shlex.quote(str(kept)) if kept.is_file() else told["scenario"]["scenario_id"]
    words = [f"mesocosm compare {name}", *(f"--set {shlex.quote(str(change))}" for change in told["changes"])]
    words.append(f"--seeds {len(told['seeds'])} --first-seed {told['seeds'][0]}")
    if len(told["adaptations"]) == 1:
        words.append(f"--adaptation {told['adaptations'][0]}")
    if not any(row["arm"] == "sham" for row in told["effects"]):
        words.append("--no-controls")
    usual = compared_metrics(scenario_from_dict(told["scenario"]), ())
    more = [name for name in dict.fromkeys(row["metric"] for row in told["effects"]) if name not in usual]
    if more:
        words.append(f"--metrics {shlex.quote(','.join(more))}")
    return " ".join(words)
