"""The sections of a report on one run."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mesocosm import registry
from mesocosm.agents.records import agent_name
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.analysis.report.gallery import gallery_of
from mesocosm.analysis.report.limits import differences_markup, limits_markup
from mesocosm.analysis.report.markup import Child, Markup, join, table_of, tag
from mesocosm.analysis.report.page import PagePart, commands, facts_markup, warned
from mesocosm.analysis.run_words import merged
from mesocosm.config.load import dump_scenario
from mesocosm.config.study import CONTROLS
from mesocosm.errors import UsageError
from mesocosm.runner.directory import read_manifest
from mesocosm.runner.projections import FILES, account_of, agents_of
from mesocosm.runner.runner import MODEL, PARENT

AGENTS_MOST, EPOCHS_MOST, YAML_MOST = 500, 200, 40_000
_OF_AGENTS = ("agent", "epoch", "active", "reputation", "balance", "proposed", "accepted", "deals", "acted", "refused",
              "freezes")  # fmt: skip
BY_TYPE = ("proposals", "acceptance_rate", "toxicity_true", "toxicity_rate", "income")
HEADLINES = (
    ("toxicity_true", "true toxicity: share of accepted deals that went wrong"),
    ("toxicity_rate", "toxicity as the proxy sees it"),
    ("goodhart_gap", "Goodhart gap: true less proxy"),
    ("acceptance_rate", "share of proposals accepted"),
    ("participation", "share of agents taking part"),
    ("social_welfare_true", "true social welfare, credits an epoch"),
    ("private_welfare_true", "true private welfare, credits an epoch"),
    ("influence_gini", "Gini of votes received"),
)


def run_lead(source: RunSource) -> Child:
    """What stands under the title: the question, and whether the run ended by itself."""
    run = source.run
    told = [tag("p", run.scenario.description)] if run.scenario.description else []
    if run.reason != "completed":
        told.append(tag("p", f"This run did not end by itself ({run.reason}): {len(run.rows)} epochs are shown."))
    return join(*told)


def run_sections(source: RunSource) -> list[PagePart]:
    """All sections of a run's report, in order."""
    run = source.run
    return [
        PagePart("found", "What happened", tuple(_headlines(source))),
        PagePart("beware", "Sanity flags", tuple(_beware(source))),
        PagePart("pictures", "Pictures", tuple(gallery_of(source))),
        PagePart("types", "By type", tuple(_types(source))),
        PagePart("agents", "Agents", tuple(_agents(source))),
        PagePart("epochs", "Epochs", tuple(_epochs(run.rows))),
        PagePart("configuration", "Configuration", tuple(_configuration(source))),
        PagePart("replay", "Replay it", tuple(_replay(source))),
        PagePart("limits", "Limits", (limits_markup(run.scenario, _no_robustness(), {}),)),
    ]


def _beware(source: RunSource) -> Iterator[Child]:
    """Sanity flags; a run without a whole epoch has been through no check."""
    run = source.run
    if run.rows:
        yield warned([f"{flag}." for flag in merged(run.flags)])
        return
    told = "" if run.reason == "completed" else f" The log is cut ({run.reason}); mesocosm run --resume goes on."
    yield tag("p", f"Nothing was checked, for no epoch was completed.{told}")


def number(value: Any, digits: int = 3) -> str:
    """A number as a table shows it, a dash where it is undefined."""
    if value is None or not math.isfinite(float(value)):
        return "–"
    return f"{float(value):,.{digits}f}"


def _headlines(source: RunSource) -> Iterator[Child]:
    rows = source.run.rows
    if not rows:
        yield tag("p", "No epoch was completed, so there is nothing to show.")
        return
    told = []
    for name, label in HEADLINES:
        values = np.array([float(row.get(name, math.nan)) for row in rows])
        known = values[np.isfinite(values)]
        if len(known):
            digits = 1 if np.abs(known).max() >= 10.0 else 3
            span = f"{label}; {number(known[0], digits)} at first, {number(known[-1], digits)} at the end"
            told.append((number(known.mean(), digits), span))
    yield facts_markup(told)
    yield tag("p", "Means over epochs.", class_="about")
    levers = [name for name in source.run.scenario.governance if name not in CONTROLS]
    controls = [name for name in source.run.scenario.governance if name in CONTROLS]
    yield tag("p", f"Levers in force: {', '.join(_fired(source, levers))}." if levers else "No lever was in force.")
    if controls:
        yield tag("p", f"Controls in force: {', '.join(controls)}.")
    yield tag(
        "p",
        "One run has no intervals and no controls beside it: what it shows may be luck. Effects with intervals, "
        "verdicts, sham and oracle come from many seeds:",
    )
    change = f"governance.{levers[0]}.{_neutral(levers[0])}" if levers else "governance.random_audit.probability=0.2"
    yield commands(f"mesocosm compare {_scenario_address(source)} --set {change}")


def _fired(source: RunSource, levers: Sequence[str]) -> Iterator[str]:
    for name in levers:
        count = source.run.fired.get(name)
        yield name if count is None else f"{name} (fired {count:,} time{'s' * (count != 1)})"


def _neutral(lever: str) -> str:
    """A setting at which a lever does nothing, to compare its presence with."""
    target = registry.find("lever", lever).target
    neutral: Mapping[str, Any] = getattr(target, "neutral", {}) or {}
    return next((f"{name}={value}" for name, value in neutral.items()), "...")


def _scenario_address(source: RunSource) -> str:
    path = source.run.path
    return shlex.quote(str(path / "scenario.yaml")) if path.is_dir() else source.run.scenario.scenario_id


def _types(source: RunSource) -> Iterator[Child]:
    """Metrics by type of agent over the whole run, from the Parquet table; else from the log."""
    heads = ("type", "agents", "proposals", "accepted", "true toxicity", "proxy toxicity", "income an epoch")
    try:
        found = _by_type(source)
    except UsageError as error:
        yield tag("p", str(error))
        return
    rows = [
        [
            kind, f"{source.types.count(kind):,}", number(row.get("proposals"), 0), number(row.get("acceptance_rate")),
            number(row.get("toxicity_true")), number(row.get("toxicity_rate")), number(row.get("income"), 2),
        ]
        for kind, row in sorted(found.items())
    ]  # fmt: skip
    yield table_of(heads, rows, caption="Over the whole run; income is a mean over epochs.", sortable=True)


def _by_type(source: RunSource) -> dict[str, dict[str, float]]:
    import polars as pl

    path = source.projection(FILES[1])
    if path is not None:
        table = pl.read_parquet(path, columns=["epoch", "type", *BY_TYPE])
        rows = table.to_dicts()
    else:
        tables = {"interaction": source.events("interaction"), "agent_state": source.events("agent_state")}
        rows = account_of(tables, source.run.scenario, (), BY_TYPE).types
    found: dict[str, dict[str, float]] = {}
    for kind in sorted({str(row["type"]) for row in rows}):
        own = {
            name: np.array([math.nan if row[name] is None else float(row[name]) for row in rows if row["type"] == kind])
            for name in BY_TYPE
        }
        accepted = own["proposals"] * np.nan_to_num(own["acceptance_rate"])
        found[kind] = {"proposals": float(own["proposals"].sum()), "income": _mean(own["income"])}
        found[kind]["acceptance_rate"] = _pooled(own["acceptance_rate"], own["proposals"])
        for name in ("toxicity_true", "toxicity_rate"):
            found[kind][name] = _pooled(own[name], accepted)
    return found


def _pooled(share: Any, count: Any) -> float:
    """A share over all epochs: each epoch's, weighted by how many it is of."""
    total = float(count[np.isfinite(share)].sum())
    return float(np.nansum(share * count)) / total if total else math.nan


def _mean(column: Any) -> float:
    known = column[np.isfinite(column)]
    return float(known.mean()) if len(known) else math.nan


def _agents(source: RunSource) -> Iterator[Child]:
    try:
        states = source.columns("agents", _OF_AGENTS)
        deals = source.columns("interactions", ["initiator", "accepted", "epoch"])
    except UsageError as error:
        yield tag("p", str(error))
        return
    if not len(states["agent"]):
        yield tag("p", "No epoch was completed, so there are no agents to list.")
        return
    rows = agents_of({"agent_state": states, "interaction": deals}, source.run.scenario)
    frozen = set(states["agent"][states["freezes"] > 0].tolist())
    chosen = sorted(rows, key=lambda row: (-row["deals"], row["agent"]))[:AGENTS_MOST]
    heads = ("id", "type", "role", "reputation", "balance", "proposals", "accepted", "deals", "refused", "status")
    told = [
        [
            agent_name(row["agent"]), row["type"], row["role"], number(row["reputation"], 2), number(row["balance"], 2),
            f"{row['proposed']:,}", f"{row['accepted']:,}", f"{row['deals']:,}", f"{row['refused']:,}",
            ("there" if row["active"] else "left") + (", was frozen" if row["agent"] in frozen else ""),
        ]
        for row in chosen
    ]  # fmt: skip
    more = len(rows) - len(chosen)
    yield tag("p", f"{len(rows):,} agents; a heading sorts." + (f" The {more:,} with the fewest deals are left out." if
              more else ""), class_="about")  # fmt: skip
    yield table_of(heads, told, sortable=True)


def _epochs(rows: Sequence[Mapping[str, Any]]) -> Iterator[Child]:
    if not rows:
        yield tag("p", "None.")
        return
    names = [name for name in rows[0] if name != "epoch"]
    shown_rows = list(rows)[:EPOCHS_MOST]
    told = [[str(row["epoch"]), *(number(row.get(name)) for name in names)] for row in shown_rows]
    note = f"The first {EPOCHS_MOST} of {len(rows):,}; `mesocosm export` writes all." if len(rows) > EPOCHS_MOST else ""
    yield tag("details", tag("summary", f"Every metric of {len(shown_rows)} epochs"),
              table_of(("epoch", *names), told), tag("p", note) if note else None)  # fmt: skip


def _configuration(source: RunSource) -> Iterator[Child]:
    parent = read_manifest(source.run.path).get(PARENT) if source.run.path.is_dir() else None
    if isinstance(parent, dict):
        told = ", ".join(str(order) for order in parent.get("orders", [])[:20])
        yield tag("p", f"A branch of the run {parent.get('run', '?')}, under other rules: {told}.")
    yield differences_markup(source.run.scenario)
    text = dump_scenario(source.run.scenario)
    cut = text[:YAML_MOST]
    note = "" if len(cut) == len(text) else f"\n... {len(text) - len(cut):,} more characters: see scenario.yaml"
    yield tag("details", tag("summary", "The whole scenario, resolved"), tag("pre", cut + note))


def _replay(source: RunSource) -> Iterator[Child]:
    run = source.run
    address = shlex.quote(str(run.path))
    again = [f"mesocosm replay {address} --verify"]
    if run.path.is_dir():
        again.append(f"mesocosm run {shlex.quote(str(run.path / 'scenario.yaml'))} --seed {run.seed}")
    yield tag("p", "The first command checks that this log is this run, to the byte; the second runs it anew.")
    yield commands(*again)
    points = source.log.checkpoints
    facts = [
        ["seed", str(run.seed)],
        ["model", f"{source.log.header.model} (this report: {MODEL})"],
        ["log level", source.log.header.level],
        ["trajectory, SHA-256", run.trajectory or "none: the log has no end"],
        ["state at the last checkpoint, SHA-256", str(getattr(points[-1], "state", "")) if points else "none"],
        ["hashes", "not checked for this report: the log is large" if source.trusted else "checked for this report"],
    ]
    host = read_manifest(run.path).get("host") if run.path.is_dir() else None
    if isinstance(host, dict):
        facts.append(["made with", f"Python {host.get('python', '?')} on {host.get('platform', '?')}"])
        packages = host.get("packages")
        if isinstance(packages, dict):
            facts.append(["packages", ", ".join(f"{name} {version}" for name, version in packages.items())])
    yield table_of(("what", "value"), ([name, tag("code", value)] for name, value in facts))


def _no_robustness() -> Markup:
    return tag(
        "p",
        "Robustness: not tried. One run in one economy says nothing of others; a study with a robustness block says in "
        "what share of other economies a finding keeps its sign.",
    )
