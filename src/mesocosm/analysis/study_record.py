"""A study on disk: what was asked and found in one JSON file, every run's metrics and every effect as tables."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mesocosm import registry
from mesocosm.analysis.comparison_record import finite, write_table
from mesocosm.analysis.displacement import displacement_of, is_measured
from mesocosm.analysis.outcomes import OutcomeEffect, findings_of
from mesocosm.analysis.study import WELFARE, Contrast, StudyResults, Trial
from mesocosm.analysis.study_markdown import study_page
from mesocosm.analysis.tradeoff import pareto_dominance
from mesocosm.config.load import scenario_to_dict
from mesocosm.config.study import study_to_dict
from mesocosm.log.files import write_atomic
from mesocosm.runner.runner import MODEL

SCHEMA = 1
RECORD, PAGE, RUNS, EFFECTS = "study.json", "study.md", "runs.parquet", "effects.parquet"


def study_as_dict(found: StudyResults) -> dict[str, Any]:
    """What a study asked and found, as plain values; what is undefined or infinite is None."""
    study = found.design.study
    told = {
        "schema": SCHEMA,
        "model": MODEL,
        "study": study_to_dict(study),
        "scenario": scenario_to_dict(found.design.base),
        "changes": found.design.changes,
        "settings": found.design.settings,
        "purpose": study.seeds.purpose,
        "seeds": list(found.seeds),
        "family": {name: value for name, value in vars(found.family).items() if isinstance(value, int | float)},
        "contrasts": [_contrast(found, contrast) for contrast in found.contrasts],
        "controls": [
            {"setting": setting, "arm": arm} | vars(found.effect(study.primary, arm, setting))
            for setting in found.settings
            for arm in found.design.controls
        ],
        "findings": [_finding(found, finding) for finding in findings_of(found)] if study.outcomes else [],
        "displacement": [
            {"setting": part.setting, "arm": part.arm, "line": part.line, "part": part.part} | vars(part.effect)
            for setting in (found.settings if is_measured(found) else ())
            for part in displacement_of(found, setting)
        ],
        "trends": {setting: asdict(trend) for setting, trend in found.trends.items()},
        "robustness": [_trial(found, trial) for trial in found.trials],
        "flags": found.flags,
    }
    plain: dict[str, Any] = finite(told)
    return plain


def _finding(found: StudyResults, finding: OutcomeEffect) -> dict[str, Any]:
    told = {name: value for name, value in vars(finding).items() if name not in ("effect", "verdict", "holds")}
    verdict, holds = finding.verdict, finding.holds
    words = {"kind": verdict.kind, "expectation": verdict.expectation, "words": verdict.words}
    more = {"holds": None if holds is None else asdict(holds)}
    return told | {"effect": vars(finding.effect), "verdict": words} | more


def _contrast(found: StudyResults, contrast: Contrast) -> dict[str, Any]:
    told = {name: value for name, value in vars(contrast).items() if name not in ("effect", "verdict")}
    verdict = contrast.verdict
    words = {"kind": verdict.kind, "direction": verdict.direction, "expectation": verdict.expectation}
    more = {"fresh_seeds": verdict.fresh_seeds, "words": verdict.words}
    return told | {"effect": vars(contrast.effect), "verdict": words | more, "trade_off": _trade_off(found, contrast)}


def _trade_off(found: StudyResults, contrast: Contrast) -> dict[str, Any] | None:
    """How surely an arm is better on the primary metric, on true social welfare, on both; None if no way is better."""
    primary = found.design.study.primary
    better = registry.find("metric", primary).facts["better"]
    if better not in ("lower", "higher"):
        return None
    pair = [found.differences(metric, contrast.arm, contrast.setting) for metric in (primary, WELFARE)]
    return vars(pareto_dominance(pair[0], pair[1], (better, "higher")))


def _trial(found: StudyResults, trial: Trial) -> dict[str, Any]:
    return {
        "arm": trial.arm,
        "sign": trial.sign,
        "holds": asdict(trial.holds),
        "influences": [asdict(influence) for influence in trial.influences],
        "economies": [
            {"constants": constants, "effect": vars(effect)}
            for constants, effect in zip(found.constants, trial.effects, strict=True)
        ],
    }


def save_study(found: StudyResults, folder: Path) -> list[Path]:
    """Write what a study found beside its cells; returns the files. The same findings give the same bytes.

    Raises   MesocosmError when the disk refuses.
    """
    record = folder / RECORD
    write_atomic(record, (json.dumps(study_as_dict(found), indent=1, ensure_ascii=False) + "\n").encode(), shared=True)
    page = [folder / PAGE] if found.design.study.outcomes else []
    for path in page:
        write_atomic(path, study_page(found).encode(), shared=True)
    return [
        record,
        *page,
        write_table(found.per_seed, folder / RUNS),
        write_table(found.effects, folder / EFFECTS),
    ]
