"""Exports: the same values in every format, text that no spreadsheet runs, frames for Polars and pandas."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import mesocosm as mc
from hostile import FORMULAS, TEXTS
from mesocosm.analysis.comparison_record import save_comparison
from mesocosm.analysis.export import (
    FORMATS,
    OF_RUNS,
    check_table,
    spreadsheet_safe,
    table_frame,
    write_all_projections,
    write_export,
)  # fmt: skip
from mesocosm.analysis.figures.draw import find_source
from mesocosm.analysis.figures.run_source import RunSource, open_source
from mesocosm.analysis.study import StudyResults, sweep
from mesocosm.cli.main import main
from mesocosm.config.study import study_from_dict
from mesocosm.errors import UsageError
from mesocosm.runner.runner import Run

STUDY: dict[str, Any] = {
    "study_id": "one_rule",
    "base": "baseline",
    "epochs": 1,
    "arms": {"audit": {"governance.random_audit.probability": 0.4}},
    "primary": "toxicity_true",
    "smallest_effect": 0.02,
    "seeds": 3,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return mc.run("status_game", seed=2, epochs=3, output=tmp_path_factory.mktemp("export") / "run")


@pytest.fixture(scope="module")
def source(run: Run) -> RunSource:
    return open_source(run)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return sweep(study_from_dict(STUDY), workers=1, output=tmp_path_factory.mktemp("one_rule"))


def read(path: Path) -> pl.DataFrame:
    if path.suffix == ".json":
        return pl.DataFrame(json.loads(path.read_text(encoding="utf-8")), infer_schema_length=None)
    return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, null and NaN being alike, as JSON has one word for both."""
    if isinstance(one, float) or isinstance(other, float):
        pair = [math.nan if value is None else float(value) for value in (one, other)]
        return pair[0] == pair[1] or all(map(math.isnan, pair))
    return bool(one == other)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("table", OF_RUNS)
def test_every_table_of_a_run_has_the_same_values_in_every_format(
    table: str, form: str, source: RunSource, tmp_path: Path
) -> None:
    frame = table_frame(source, table)
    found = read(write_export(source, table, tmp_path, form))
    assert found.columns == frame.columns
    assert found.height == frame.height > 0
    for name in frame.columns:
        assert all(same(a, b) for a, b in zip(found[name], frame[name], strict=True)), name


def test_tables_are_the_run(run: Run, source: RunSource) -> None:
    assert table_frame(source, "epochs")["toxicity_true"].to_list() == [row["toxicity_true"] for row in run.rows]
    deals = table_frame(source, "interactions")
    assert deals.height == run.interactions.height
    types = {0: "honest", 19: "adversarial"}
    for slot, kind in types.items():
        assert set(deals.filter(pl.col("initiator") == slot)["initiator_type"]) == {kind}
    agents = table_frame(source, "agents")
    assert agents.height == 20 * len(run.rows)
    assert set(agents["type"]) == {"honest", "opportunistic", "adversarial"}


def test_events_are_every_event_in_order_with_their_causes(run: Run, source: RunSource) -> None:
    events = table_frame(source, "events")
    assert events["seq"].to_list() == list(range(events.height))
    counts = dict(events["kind"].value_counts().iter_rows())
    assert counts["interaction"] == run.interactions.height
    assert counts["posted"] == run.events("posted").height
    first = events.filter(pl.col("kind") == "replied").row(0, named=True)
    told = json.loads(first["fields"])
    assert told["content"] == run.events("replied")["content"][0]
    assert first["cause"] == told["post"]


@pytest.mark.parametrize("level", ["columns", "epoch"])
def test_events_come_out_of_a_log_of_any_level(level: str, run: Run, source: RunSource, tmp_path: Path) -> None:
    other = mc.run("status_game", seed=2, epochs=3, level=level, output=tmp_path / level)
    assert table_frame(open_source(other), "events").equals(table_frame(source, "events"))


@pytest.mark.parametrize("table", ["effects", "runs"])
def test_studies_have_effects_and_runs(table: str, study: StudyResults, tmp_path: Path) -> None:
    found = read(write_export(study, table, tmp_path, "parquet"))
    assert found.height == (study.effects if table == "effects" else study.per_seed).height
    if table == "effects":
        row = found.filter(arm="audit", agents="all", metric="toxicity_true").row(0, named=True)
        assert row["change"] == study.contrasts[0].effect.change


def test_comparisons_have_effects_and_runs(tmp_path: Path) -> None:
    found = mc.compare("baseline", "governance.random_audit.probability=0.4", seeds=2, epochs=1)
    save_comparison(found, tmp_path)
    source = find_source(tmp_path)
    assert table_frame(source, "effects").height == found.effects.height
    assert table_frame(source, "runs").equals(found.per_seed, null_equal=True)


# --- spreadsheets


def test_no_text_of_a_csv_begins_like_a_formula_and_numbers_stay(tmp_path: Path) -> None:
    numbers = [-1.5, 2.0, -3.25]
    frame = pl.DataFrame(
        {
            "text": [FORMULAS[0], "plain", "a=b"],
            "number": numbers,
            "list": [[-1, 2], [], [3]],
            "none": pl.Series([None, "-x", None], dtype=pl.String),
        }
    )
    path = tmp_path / "it.csv"
    spreadsheet_safe(frame).write_csv(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == [f"'{FORMULAS[0]}", "plain", "a=b"]
    assert [float(row["number"]) for row in rows] == numbers
    assert [row["list"] for row in rows] == ["[-1, 2]", "[]", "[3]"]
    assert [row["none"] for row in rows] == ["", "'-x", ""]


def test_a_thousand_hostile_texts_cannot_run_in_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "it.csv"
    spreadsheet_safe(pl.DataFrame({"text": TEXTS})).write_csv(path)
    with path.open(encoding="utf-8", newline="") as file:
        cells = [row["text"] for row in csv.DictReader(file)]
    assert len(cells) == 1_000
    assert not any(cell[:1] in tuple("=+-@\t\r") for cell in cells)
    kept = [cell.removeprefix("'") for cell in cells]
    assert sum(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in kept) >= 100


def test_other_formats_keep_texts_as_they_are(source: RunSource, tmp_path: Path) -> None:
    frame = table_frame(source, "events")
    assert read(write_export(source, "events", tmp_path, "json"))["fields"].to_list() == frame["fields"].to_list()


# --- the command


def test_the_command_writes_all_tables_or_those_asked_for(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run.path), "--format", "csv", "--out", str(tmp_path / "all"), "--json"]) == 0
    files = [Path(path).name for path in json.loads(capsys.readouterr().out)["files"]]
    assert files == [f"{name}.csv" for name in OF_RUNS]
    wanted = ["--table", "epochs", "--table", "agents", "--format", "json", "--out", str(tmp_path / "some")]
    assert main(["export", str(run.path), *wanted]) == 0
    assert {path.name for path in (tmp_path / "some").iterdir()} == {"epochs.json", "agents.json"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "interaction"], "Did you mean interactions?"),
        (["--table", "effects"], "belongs to studies"),
        (["--format", "cvs"], "Did you mean csv?"),
    ],
)
def test_the_command_refuses_with_the_nearest_right_word(
    arguments: list[str], message: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run.path), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_log_of_checkpoints_has_epochs_and_events_and_says_what_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mc.run("baseline", seed=1, epochs=1, level="epoch", output=tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {Path(path).stem for path in told["files"]} == {"epochs", "events"}
    assert set(told["without"]) == {"agents", "interactions", "types"}
    assert all("--log full" in why for why in told["without"].values())


def test_parquet_without_a_place_makes_the_tables_that_pictures_are_read_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = mc.run("baseline", seed=1, epochs=2, output=tmp_path / "run")
    assert open_source(made).projection("interactions.parquet") is None
    assert main(["export", str(made.path), "--format", "parquet"]) == 0
    assert open_source(made).projection("interactions.parquet") is not None
    assert (made.path / "export" / "events.parquet").is_file()
    again = {path.name: path.read_bytes() for path in made.path.glob("*.parquet")}
    write_all_projections(open_source(made))
    assert again == {path.name: path.read_bytes() for path in made.path.glob("*.parquet")}


def test_a_table_is_named_among_those_there_are(source: RunSource, study: StudyResults) -> None:
    assert check_table(source, "epochs") == "epochs"
    with pytest.raises(UsageError, match="belongs to runs; here there are effects, runs"):
        check_table(study, "events")


# --- from Python


def test_a_loaded_run_has_its_epochs_as_a_polars_frame(run: Run) -> None:
    found = mc.load_run(run.path)
    assert isinstance(found.epochs, pl.DataFrame)
    assert found.epochs.equals(run.epochs)


def test_pandas_is_there_on_request_and_asked_for_when_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"pip install 'mesocosm\[pandas\]'"):
        run.to_pandas()
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    assert list(run.to_pandas()) == run.epochs.columns
    assert run.to_pandas("interactions")["p"] == run.interactions["p"].to_list()
    assert run.to_pandas("posted")["content"] == run.events("posted")["content"].to_list()
