"""Finished runs, and finished studies, side by side."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

import mesocosm as mc
from mesocosm.analysis.across_runs import across_runs
from mesocosm.analysis.across_studies import across_studies
from mesocosm.analysis.overlap import differences_of
from mesocosm.analysis.statistics import paired_effect
from mesocosm.analysis.study import sweep
from mesocosm.analysis.study_record import save_study
from mesocosm.api import Kill
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
        "controls": {"arms": {"rho": {"governance.rho_a": 0.5}}},
        "turned": {
            "arms": {"audit": {"governance.random_audit.probability": 0.1}, "rho": {"governance.rho_a": 0.5}},
            "confidence": 0.8, "primary": "harm_rate", "metrics": ["toxicity_true"],
        },
        "else": {"arms": {"rho": {"governance.rho_a": 0.5}}, "controls": False},
    }  # fmt: skip
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


def test_copies_of_a_run_and_its_log_at_other_levels_count_once(
    runs: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = [
        mc.run("baseline", seed=3, epochs=2, level=level, output=tmp_path / level) for level in ("columns", "epoch")
    ]
    shutil.copytree(runs[0].path, tmp_path / "copied")
    found = across_runs([*runs, *copies, tmp_path / "copied"])
    assert [one.seeds for one in found.societies] == [(1, 2, 3), (1, 2, 3)]
    assert sorted(found.notes) == [
        f"{name} is left out: it is the same run as plain_3" for name in ("columns", "copied", "epoch")
    ]
    with pytest.raises(UsageError, match="copies of one"):
        across_runs([runs[0], *copies])
    assert main(["compare", *(str(run.path) for run in (*runs, copies[0]))]) == 0
    assert "columns is left out" in " ".join(capsys.readouterr().out.split())


def test_a_run_under_orders_is_another_society(runs: list[Run], tmp_path: Path) -> None:
    changed = mc.branch(runs[0], at=1, changes=[AUDIT], output=tmp_path / "branch")
    found = across_runs([runs[0], changed])
    assert [one.seeds for one in found.societies] == [(3,), (3,)]
    (told,) = found.societies[1].differs
    assert told.startswith("governance.random_audit.probability from epoch 1")


def test_a_run_that_was_cut_short_is_named(runs: list[Run], tmp_path: Path) -> None:
    cut = mc.run("baseline", seed=5, epochs=2, orders=[(1, 12, 0, Kill("enough"))], output=tmp_path / "cut")
    found = across_runs([runs[0], cut])
    assert found.notes == ("cut has only 1 of its 2 epochs, and its means are over these",)


def test_the_means_of_runs_are_over_what_their_difference_is_over(runs: list[Run]) -> None:
    found = across_runs([*runs[:3], *runs[3:5]])
    for change in found.differences(found.societies[1]).values():
        assert change.seeds == (3, 2) or math.isnan(change.change)
        if math.isfinite(change.change):
            assert change.change == pytest.approx(change.second - change.first)


def test_runs_as_json_have_their_changes(runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *(str(run.path) for run in runs), "--json", "--metrics", "acceptance_rate"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = across_runs(runs)
    effect = found.effect("acceptance_rate", found.societies[1])
    assert effect is not None
    change = next(one for one in told["changes"] if one["metric"] == "acceptance_rate")
    assert [change[name] for name in ("society", "change", "low", "high", "pairs")] == [
        "B", pytest.approx(effect.change), pytest.approx(effect.low), pytest.approx(effect.high), 3
    ]  # fmt: skip


# --- what is finished and what is not


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--seeds", "4"], "leave out --seeds"),
        (["--seeds", "30"], "leave out --seeds"),
        (["--epochs", "2", "--adaptation", "both"], "leave out --epochs, --adaptation"),
        (["--output", "there", "--no-controls"], "leave out --output, --no-controls"),
        (["--first-seed", "0", "--quiet"], "leave out --first-seed, --quiet"),
    ],
)
def test_options_of_a_comparison_are_not_ignored_beside_finished_runs(
    runs: list[Run], options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(runs[0].path), str(runs[4].path), *options]) == 2
    assert told in capsys.readouterr().err


def test_what_is_not_finished_or_not_comparable_gets_advice_that_works(
    runs: list[Run], studies: dict[str, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps(STUDY))
    shard = tmp_path / "shard"
    assert main(["sweep", str(file), "--shard", "1/2", "--output", str(shard), "--quiet"]) == 0
    assert main(["sweep", str(file), "--pilot", "5", "--output", str(tmp_path / "tried"), "--quiet"]) == 0
    capsys.readouterr()
    run, study = str(runs[0].path), str(studies["whole"])
    for words, told in (
        ([str(file), str(file)], "these are study files. Sweep them first"),
        ([str(file)], f"is a study file: mesocosm sweep {file}"),
        ([run], f"is a finished run: name another one to compare it with, as in mesocosm compare {run} RUN"),
        ([run, "--set", AUDIT], "is a finished run"),
        ([study], f"is a study: name another one to compare it with, as in mesocosm compare {study} STUDY"),
        (["baseline", "adversarial_attack"], "Run each of them, and compare the runs"),
        ([run, "baseline"], "a scenario is compared with itself under a change"),
        ([study, str(shard)], "this sweep has no results yet"),
        ([str(shard)], f"mesocosm sweep {shard / 'study.yaml'} --output {shard}"),
        ([study, str(tmp_path / "tried")], "there is only a pilot here"),
        ([study, str(tmp_path / "tried" / "pilot")], "is a pilot"),
        ([study, study, "--metrics", "harm_rate,income"], "one metric at a time"),
    ):
        assert main(["compare", *words]) == 2, words
        assert told in capsys.readouterr().err


# --- studies


def test_studies_with_shared_seeds_are_compared_seed_by_seed(studies: dict[str, Path]) -> None:
    found = across_studies(studies["whole"], studies["part"])
    assert found.metric == "toxicity_true"
    assert {(arm.shared_seeds, arm.change, arm.low, arm.high) for arm in found.arms} == {(3, 0.0, 0.0, 0.0)}
    assert {(arm.first.n, arm.second.n) for arm in found.arms} == {(3, 3)}, "all columns are over the same seeds"
    arms = across_studies(studies["whole"], studies["harsh"]).arms
    audit = next(arm for arm in arms if arm.arm == "audit")
    assert audit.shared_seeds == 6
    assert audit.change == pytest.approx(audit.second.change - audit.first.change)
    assert audit.change != 0.0


def test_studies_without_a_shared_seed_are_compared_by_welch(studies: dict[str, Path]) -> None:
    import polars as pl

    arms = across_studies(studies["whole"], studies["other"]).arms
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


def rewritten(place: Path, folder: Path, seeds: list[int], **changes: Any) -> Path:
    """The results of a study as if it had been on other seeds, and asked otherwise."""
    import polars as pl

    record = json.loads((folder / "study.json").read_text())
    number = dict(zip(record["seeds"], seeds, strict=False))
    table = pl.read_parquet(folder / "runs.parquet").filter(pl.col("seed").is_in(list(number)))
    place.mkdir()
    table.with_columns(pl.col("seed").replace(number)).write_parquet(place / "runs.parquet")
    record |= {"seeds": sorted(number.values())} | changes
    (place / "study.json").write_text(json.dumps(record))
    return place


@pytest.mark.parametrize("common", [0, 1, 2])
def test_seeds_that_only_one_study_has_are_not_thrown_away(
    studies: dict[str, Path], tmp_path: Path, common: int, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = [1000 + number for number in range(common)] + [9000 + number for number in range(6 - common)]
    other = rewritten(tmp_path / "other", studies["harsh"], seeds)
    found = across_studies(studies["whole"], other)
    assert found.common == common
    for arm in found.arms:
        assert (arm.first.n, arm.second.n, arm.shared_seeds) == (6, 6, 0)
        assert arm.change == pytest.approx(arm.second.change - arm.first.change)
        if arm.arm == "audit":
            apart = scipy.stats.t.ppf(0.975, 5) * math.hypot(arm.first.standard_error, arm.second.standard_error)
            assert 0.0 < arm.high - arm.low < 2.2 * apart
    assert main(["compare", str(studies["whole"]), str(other)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "undefined" not in told
    assert ("independent seeds (Welch)" if common == 0 else "all seeds of each, 6 and 6") in told


def test_studies_of_too_few_seeds_cannot_tell(
    studies: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = rewritten(tmp_path / "one", studies["whole"], [1000])
    other = rewritten(tmp_path / "other", studies["harsh"], [1000])
    assert main(["compare", str(one), str(other)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Whether they differ cannot be told" in told
    assert "do not clearly differ" not in told


def test_what_else_differs_between_studies_is_told(
    studies: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = across_studies(studies["whole"], studies["harsh"])
    assert found.cautions == ("all their runs differ in conduct.q_low (0.1 in A, 0.4 in B)",)
    found = across_studies(studies["whole"], studies["turned"])
    assert found.cautions == (
        "the arm audit is not the same: governance.random_audit.probability (0.4 in A, 0.1 in B)",
        "their confidences are 95 % and 80 %; here the larger one holds for both",
        "the first was decided on toxicity_true, the second on harm_rate",
    )
    assert found.alone == (("tax",), ("rho",))
    assert {arm.first.confidence for arm in found.arms} == {0.95}
    assert main(["compare", str(studies["turned"]), str(studies["turned"])]) == 0
    assert "80 % interval" in capsys.readouterr().out
    assert main(["compare", str(studies["whole"]), str(studies["turned"])]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for words in ("only in A tax", "only in B rho", "beware the arm audit is not the same", "95 % interval"):
        assert words in told
    assert across_studies(studies["whole"], studies["part"]).cautions == ()


def test_studies_that_share_only_controls_share_no_arm(studies: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="share no arm of the same setting and name but the controls"):
        across_studies(studies["whole"], studies["controls"])


@pytest.mark.parametrize("shared", [0, 3, 8, 20])
@pytest.mark.parametrize("together", [0.0, 0.8])
def test_intervals_over_all_seeds_cover_as_often_as_they_say(shared: int, together: float) -> None:
    chance = np.random.default_rng(21)
    missed = 0
    for _ in range(500):
        luck = chance.normal(size=(40 - shared, 2))
        luck[:, 1] = together * luck[:, 0] + math.sqrt(1 - together**2) * luck[:, 1]
        first = {seed: float(luck[seed, 0]) for seed in range(20)}
        second = {seed: float(2.0 * luck[seed, 1]) for seed in range(20 - shared, 40 - shared)}
        missed += differences_of([(first, second)])[0].excludes_zero
    assert scipy.stats.binomtest(missed, 500).proportion_ci(0.99).low <= 0.05, missed


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
