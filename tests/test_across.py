"""Finished runs, and finished studies, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

import mesocosm as mc
from mesocosm.analysis.across_runs import across_runs
from mesocosm.analysis.across_studies import across_studies
from mesocosm.analysis.statistics import paired_effect
from mesocosm.analysis.study import sweep
from mesocosm.analysis.study_record import save_study
from mesocosm.cli.main import main
from mesocosm.config.study import study_from_dict
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.runner.runner import Run

AUDIT = "governance.random_audit.probability=0.4"
STUDY: dict[str, Any] = {
    "study_id": "pair", "base": "baseline", "epochs": 2, "primary": "toxicity_true", "smallest_effect": 0.02,
    "arms": {"audit": {"governance.random_audit.probability": 0.4}, "tax": {"governance.transaction_tax.rate": 0.2}},
    "seeds": 6,
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three runs as they are and three with audits, on the same seeds."""
    place = tmp_path_factory.mktemp("runs")
    return [
        mc.run(
            "baseline", seed=seed, epochs=2, overrides=[AUDIT] if audited else [], output=_folder(place, seed, audited)
        )
        for audited in (False, True)
        for seed in (3, 1, 2)
    ]


def _folder(place: Path, seed: int, audited: bool) -> Path:
    folder = place / f"{'audited' if audited else 'plain'}_{seed}"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same study on its seeds, on some of them, and on others; and with harsher harm."""
    place = tmp_path_factory.mktemp("studies")
    asked: dict[str, dict[str, Any]] = {
        "whole": {},
        "part": {"seeds": 3},
        "other": {"seeds": {"reporting": 6, "first": 5000}},
        "harsh": {"set": {"conduct.q_low": 0.4}},
        "else": {"arms": {"rho": {"governance.rho_a": 0.5}}, "controls": False},
    }
    for name, changes in asked.items():
        found = sweep(study_from_dict(STUDY | changes), workers=1, output=place / name)
        save_study(found, place / name)
    return {name: place / name for name in asked}


# --- runs


def test_runs_that_differ_in_the_seed_alone_are_one_society(runs: list[Run]) -> None:
    found = across_runs(runs)
    assert [(one.name, one.seeds) for one in found.societies] == [("A", (1, 2, 3)), ("B", (1, 2, 3))]
    assert found.societies[0].differs == {}
    assert found.societies[1].differs["governance.random_audit.probability"] == 0.4
    assert all(path.startswith("governance.random_audit.") for path in found.societies[1].differs)


def test_societies_with_the_same_seeds_are_compared_in_pairs(runs: list[Run]) -> None:
    found = across_runs(runs)
    by_seed = {
        (run.seed, bool(run.scenario.governance)): np.mean([row["toxicity_true"] for row in run.rows]) for run in runs
    }
    expected = paired_effect(*([by_seed[seed, audited] for seed in (1, 2, 3)] for audited in (True, False)))  # type: ignore[arg-type]
    effect = found.effect("toxicity_true", found.societies[1])
    assert effect is not None
    assert effect.n == 3
    assert [effect.change, effect.low, effect.high] == pytest.approx([expected.change, expected.low, expected.high])


def test_only_shared_seeds_make_pairs(runs: list[Run]) -> None:
    plain, audited = runs[:3], runs[3:]
    effect = across_runs([*plain, *audited[:2]]).effect(
        "toxicity_true", across_runs([*plain, *audited[:2]]).societies[1]
    )
    assert effect is not None
    assert effect.n == 2
    found = across_runs([plain[0], audited[1]])
    assert found.effect("toxicity_true", found.societies[1]) is None
    assert found.effect("toxicity_true", found.societies[0]) is None


def test_two_different_runs_with_an_epoch_each_are_needed(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least two different runs"):
        across_runs([runs[0], runs[0]])
    empty = mc.run("baseline", epochs=0, output=tmp_path / "empty.jsonl")
    with pytest.raises(UsageError, match="no epoch was completed"):
        across_runs([runs[0], empty])


def test_the_command_puts_runs_side_by_side_within_eighty_columns(
    runs: list[Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["compare", *(str(run.path) for run in runs)]) == 0
    printed = capsys.readouterr().out
    assert "governance.random_audit.probability=0.4" in printed
    assert "toxicity_true" in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert main(["compare", str(runs[0].path), str(runs[4].path), "--metrics", "participation"]) == 0
    printed = capsys.readouterr().out
    assert "may be luck" in " ".join(printed.split())
    assert main(["compare", *(str(run.path) for run in runs), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["seeds"] for one in told["societies"]] == [[1, 2, 3], [1, 2, 3]]
    assert len(told["runs"]) == 6


# --- studies


def test_studies_with_shared_seeds_are_compared_seed_by_seed(studies: dict[str, Path]) -> None:
    metric, arms = across_studies(studies["whole"], studies["part"])
    assert metric == "toxicity_true"
    assert {(arm.shared_seeds, arm.change, arm.low, arm.high) for arm in arms} == {(3, 0.0, 0.0, 0.0)}
    _, arms = across_studies(studies["whole"], studies["harsh"])
    audit = next(arm for arm in arms if arm.arm == "audit")
    assert audit.shared_seeds == 6
    assert audit.change == pytest.approx(audit.second.change - audit.first.change)
    assert audit.change != 0.0


def test_studies_without_a_shared_seed_are_compared_by_welch(studies: dict[str, Path]) -> None:
    import polars as pl

    _, arms = across_studies(studies["whole"], studies["other"])
    audit = next(arm for arm in arms if arm.arm == "audit")
    assert audit.shared_seeds == 0
    pair = []
    for name in ("whole", "other"):
        table = pl.read_parquet(studies[name] / "runs.parquet").sort("seed")
        one, base = (table.filter(table["arm"] == arm)["toxicity_true"].to_numpy() for arm in ("audit", "base"))
        pair.append(one - base)
    expected = scipy.stats.ttest_ind(pair[1], pair[0], equal_var=False).confidence_interval(0.95)
    assert [audit.low, audit.high] == pytest.approx([expected.low, expected.high])
    assert audit.change == pytest.approx(pair[1].mean() - pair[0].mean())


def test_studies_that_cannot_be_compared_say_why(studies: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="share no arm"):
        across_studies(studies["whole"], studies["else"])
    with pytest.raises(UsageError, match="was not measured"):
        across_studies(studies["whole"], studies["other"], "brier")
    with pytest.raises(UsageError, match="no results of a study"):
        across_studies(studies["whole"], tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "study.json").write_text("{")
    (broken / "runs.parquet").write_bytes(b"")
    with pytest.raises(MesocosmError, match="cannot be read"):
        across_studies(studies["whole"], broken)


def test_the_command_compares_studies_within_eighty_columns(
    studies: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(studies["whole"].parent)
    assert main(["compare", "whole", "harsh"]) == 0
    printed = capsys.readouterr().out
    assert "seed by seed over the 6 seeds of both" in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 80
    assert main(["compare", "whole", "part"]) == 0
    assert "the same in every shared arm, exactly" in " ".join(capsys.readouterr().out.split())
    assert main(["compare", "whole", "other", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metric"] == "toxicity_true"
    assert main(["compare", "whole", "part", "other"]) == 2
    assert "two studies at a time" in capsys.readouterr().err
    assert main(["compare", "whole", "part", "--set", AUDIT]) == 2
    assert "compared as they are" in capsys.readouterr().err


def test_runs_and_studies_do_not_mix(
    runs: list[Run], studies: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(runs[0].path), str(studies["whole"])]) == 2
    assert "cannot be compared with each other" in capsys.readouterr().err
