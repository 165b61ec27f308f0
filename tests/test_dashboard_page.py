"""States of the page that a person in a hurry does not reach: nothing there, damage, extremes, hostile texts."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

import mesocosm as mc
from forged_log import Record, forge
from hostile_texts import hostile_ids, hostile_texts
from mesocosm.analysis.comparison_record import save_comparison
from mesocosm.analysis.study import sweep
from mesocosm.analysis.study_record import save_study
from mesocosm.cli.run import read_back
from mesocosm.config.load import bundled_scenarios, load_scenario, scenario_to_dict
from mesocosm.dashboard import agents_view, app, feed_view, following, launch, limits_view
from mesocosm.dashboard.pace import Wish
from mesocosm.runner.directory import claimed, run_root
from mesocosm.runner.runner import Run

PAGE = Path(str(app.__file__))
VIEWS = ("Run", "Network", "Compare", "Start", "Limits")


def made(name: str = "made", scenario: str = "baseline", **more: Any) -> Run:
    asked: dict[str, Any] = {"seed": 1, "epochs": 3} | more
    return mc.run(scenario, output=run_root() / name, **asked)


def page(view: str = "Run", **state: Any) -> AppTest:
    test = AppTest.from_file(str(PAGE), default_timeout=60)
    test.session_state["view"] = view
    for name, value in state.items():
        test.session_state[name] = value
    return checked(test.run())


def checked(test: AppTest) -> AppTest:
    assert not test.exception, [(error.value, error.stack_trace) for error in test.exception]
    return test


def all_text(test: AppTest, *kinds: str) -> str:
    return "\n".join(str(getattr(element, "value", "")) for kind in kinds for element in test.get(kind))


def said(test: AppTest) -> str:
    """All that the page says in words."""
    return all_text(test, "text", "code", "error", "info", "warning", "caption", "markdown", "subheader")


def tables(test: AppTest) -> list[pl.DataFrame]:
    return [pl.from_pandas(element.value) for element in test.dataframe]


def charts(test: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.spec) for element in test.get("plotly_chart")]


@pytest.fixture(autouse=True)
def _no_run_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "argv", ["app.py"])  # as the server starts it when no run is named
    yield
    for player in launch._players.values():
        if player.poll() is None:
            player.kill()
            player.wait()
    launch._players.clear()


def test_an_empty_run_root_leads_to_starting_a_run() -> None:
    for view in VIEWS:
        page(view)
    test = page("Run")
    assert "There is no run under the run root yet" in said(test)
    checked(test.button(key="first_start").click().run())
    assert test.session_state["view"] == "Start"
    assert test.selectbox(key="start_scenario").value == "baseline"


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_a_finished_run_is_drawn(view: str) -> None:
    made("one", "adversarial_attack")
    made("two", "adversarial_attack", seed=2)
    test = page(view)
    assert not test.error
    assert len(charts(test)) == {"Run": 4, "Network": 1, "Compare": 1}.get(view, 0)


def test_the_four_charts_show_the_rows_of_the_run() -> None:
    run = made()
    drawn = charts(page())
    lines = {trace["name"]: trace["y"] for trace in drawn[0]["data"] if trace.get("name")}
    assert [chart["layout"]["title"]["text"] for chart in drawn] == [
        "<b>Toxicity</b>", "<b>Conditional loss</b>", "<b>Quality gap</b>", "<b>Participation</b>",
    ]  # fmt: skip
    assert lines["true"] == [row["toxicity_true"] for row in run.rows]
    assert lines["by proxy"] == [row["toxicity_rate"] for row in run.rows]
    for chart in drawn:
        assert chart["layout"]["yaxis"]["title"]["text"]
        assert chart["layout"]["xaxis"]["title"]["text"] == "epoch"


def test_the_table_of_agents_can_be_filtered() -> None:
    made()
    test = page()
    assert set(tables(test)[0].columns) == {
        "ID", "Type", "Role", "Reputation", "Resources", "Interactions", "Proposed", "Status",
    }  # fmt: skip
    assert len(tables(test)[0]) == 5
    checked(test.multiselect(key="agents_types").select("deceptive").run())
    assert tables(test)[0]["Type"].to_list() == ["deceptive"]
    checked(test.text_input(key="agents_text").set_value("nobody").run())
    assert "0 of 5 agents" in said(test)


def test_the_table_of_many_agents_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made()
    monkeypatch.setattr(agents_view, "LOOKED_THROUGH", 3)
    monkeypatch.setattr(agents_view, "ROWS_MOST", 2)
    test = page()
    assert tables(test)[0]["ID"].to_list() == ["a_00", "a_01"]
    assert "3 of 3 agents; the first 2 are shown." in said(test)
    assert "Of 5 agents the first 3 are looked through." in said(test)


def test_the_feed_can_be_filtered_and_an_event_leads_to_its_cause() -> None:
    run = made()
    test = page()
    checked(test.multiselect(key="feed_kinds").select("voted").run())
    feed = tables(test)[1]
    assert set(feed["Event"]) == {"voted"}
    seq = int(feed["#"][0])
    checked(test.number_input(key="event_number").set_value(seq).run())
    assert f"**Event #{seq:,}**" in said(test)
    vote = next(record for record in run.log.records() if record.get("seq") == seq and record["kind"] == "voted")
    checked(test.button(key="event_cause").click().run())
    assert f"**Event #{vote['causes'][0]:,}**" in said(test)
    checked(test.button(key="event_back").click().run())
    assert "**Event #" not in said(test)
    checked(test.number_input(key="event_number").set_value(10**9).run())
    assert "is not in this log" in said(test)


def test_a_damaged_log_is_named_and_shown_as_far_as_it_is_good() -> None:
    run = made()
    lines = run.log_path.read_bytes().splitlines(keepends=True)
    bad = max(at for at, line in enumerate(lines) if b'"kind":"interaction"' in line)
    lines[bad] = lines[bad].replace(b'"v":', b'"w":')
    run.log_path.write_bytes(b"".join(lines))
    test = page()
    assert "The log is damaged" in said(test)
    assert f"line {bad + 1}," in said(test)
    assert "**Epoch 2 / 3**" in said(test)
    for view in VIEWS[1:]:
        page(view)


@pytest.mark.parametrize("rest", [b"", b"\xff\xfe\x00", b"not a log\n", b'{"kind":"header"}\n'])
def test_what_is_no_log_at_all_is_no_traceback(rest: bytes) -> None:
    run = made()
    run.log_path.write_bytes(rest)
    for view in VIEWS:
        page(view)


def test_a_run_of_a_newer_schema_says_what_to_do() -> None:
    run = made()
    copy = run.path / "copy.jsonl"
    forge(run.log_path, copy, lambda record: record.update(schema=99) if record["kind"] == "header" else None)
    copy.replace(run.log_path)
    test = page()
    assert "Read it with a newer Mesocosm" in said(test)
    for view in VIEWS[1:]:
        page(view)


def test_a_run_without_rejections_says_that_its_quality_gap_is_undefined() -> None:
    run = made(epochs=2, overrides=["acceptance=all"])
    assert [row["acceptance_rate"] for row in run.rows] == [1.0, 1.0]
    test = page()
    notes = [note["text"] for note in charts(test)[2]["layout"]["annotations"]]
    assert notes == ["undefined in every epoch"]
    assert "quality_gap" in said(test)  # the flag that says so


def all_frozen(run: Run) -> None:
    """Let the last freezes of a run be those of all its agents, for good."""
    last = [record["seq"] for record in run.log.records() if record["kind"] == "frozen"][-5:]
    assert len(last) == 5
    times, copy = run.log_path.stat().st_mtime_ns, run.path / "copy.jsonl"

    def freeze(record: Record) -> None:
        if record.get("seq") in last and record["kind"] == "frozen":
            record |= {"agent": last.index(record["seq"]), "until_step": 10**6}

    assert forge(run.log_path, copy, freeze) == 5
    copy.replace(run.log_path)
    os.utime(run.log_path, ns=(times, times))


STRICT = ("governance.circuit_breaker.threshold=0.0", "governance.circuit_breaker.cool_down=3")


def test_a_run_in_which_all_agents_are_frozen_shows_them_frozen() -> None:
    all_frozen(made(epochs=8, overrides=STRICT))
    test = page()
    assert tables(test)[0]["Status"].to_list() == ["frozen"] * 5
    checked(test.multiselect(key="agents_status").select("active").run())
    assert "0 of 5 agents" in said(test)
    network = charts(page("Network"))[0]
    assert "frozen at some time" in {trace.get("name") for trace in network["data"]}


def test_a_freeze_that_is_over_is_not_shown() -> None:
    made(epochs=8, overrides=STRICT)
    assert "active" in tables(page())[0]["Status"].to_list()


def test_agents_are_frozen_in_the_tables_of_a_large_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(epochs=8, overrides=STRICT)
    read_back(run, parquet=True)
    all_frozen(run)
    monkeypatch.setattr(following, "SUMMED_UP_FROM", 0)
    assert tables(page())[0]["Status"].to_list() == ["frozen"] * 5


def test_a_run_that_was_cut_can_go_on_from_the_page() -> None:
    run = made(epochs=4)
    whole = run.log_path.read_bytes()
    run.log_path.write_bytes(whole[: len(whole) // 2])
    test = page()
    assert "cut short" in said(test)
    checked(test.button(key="go_on").click().run())
    launch._players["made"].wait(timeout=60)
    assert run.log_path.read_bytes() == whole
    assert "completed" in said(page())


@pytest.mark.parametrize(("level", "told"), [("epoch", "checkpoints only"), ("columns", "the newest first")])
def test_logs_of_other_levels_are_shown(level: str, told: str) -> None:
    made(level=level)
    for view in VIEWS:
        page(view)
    assert told in said(page())


def test_a_note_is_shown_itself_and_leads_to_the_event_before_it() -> None:
    made(overrides=["governance.random_audit.probability=0.3"])
    first = page()
    checked(first.multiselect(key="feed_kinds").select("interaction").run())
    seq = int(tables(first)[1]["#"][0])
    note = {"seq": seq, "kind": "fired", "lever": "random_audit", "count": 3, "note": True}
    test = page(event=seq, event_note=note)
    assert f"**Note after event #{seq:,}**" in said(test)
    assert "random_audit" in tables(test)[2]["Value"].to_list()
    checked(test.button(key="event_cause").click().run())
    assert f"**Event #{seq:,}**" in said(test)


def test_the_head_of_a_run_says_what_it_has_otherwise_than_the_bundled_scenario() -> None:
    made(overrides=["payoff.theta=0.4"])
    assert "Otherwise than baseline as bundled: payoff.theta=0.4" in said(page())


def test_a_group_of_nobody_is_left_out_of_the_run() -> None:
    test = page("Start")
    checked(test.number_input(key="start_group_baseline_0").set_value(0).run())
    checked(test.number_input(key="start_group_baseline_1").set_value(4).run())
    checked(test.number_input(key="start_epochs_baseline").set_value(1).run())
    checked(test.button(key="start").click().run())
    [place] = list(run_root().iterdir())
    cast, base = load_scenario(place / "scenario.yaml").agents, load_scenario("baseline").agents
    assert [group.type for group in cast] == [group.type for group in base[1:]]
    assert cast[0].count == 4


def test_a_run_is_started_with_what_the_form_says() -> None:
    test = page("Start")
    checked(test.number_input(key="start_epochs_baseline").set_value(2).run())
    checked(test.number_input(key="start_group_baseline_0").set_value(2).run())
    checked(test.multiselect(key="start_levers_baseline").select("random_audit").run())
    checked(test.number_input(key="start_lever_baseline_random_audit_probability").set_value(0.3).run())
    checked(test.text_area(key="start_changes").set_value("payoff.theta=0.4\n").run())
    checked(test.selectbox(key="start_speed").set_value("as fast as it can").run())
    checked(test.button(key="start").click().run())
    [place] = list(run_root().iterdir())
    launch._players[place.name].wait(timeout=60)
    assert launch._players[place.name].returncode == 0
    scenario = load_scenario(place / "scenario.yaml")
    assert scenario.simulation.epochs == 2
    assert scenario.agents[0].count == 2
    assert scenario.governance["random_audit"]["probability"] == 0.3
    assert scenario.payoff.theta == 0.4
    assert test.session_state["view"] == "Run"
    assert "completed" in said(page())


def test_every_bundled_scenario_and_lever_has_a_form() -> None:
    test = page("Start")
    for name in test.selectbox(key="start_scenario").options:
        checked(test.selectbox(key="start_scenario").set_value(name).run())
    checked(test.selectbox(key="start_scenario").set_value("baseline").run())
    levers = test.multiselect(key="start_levers_baseline")
    checked(levers.set_value(levers.options).run())


def test_a_lever_that_a_scenario_has_can_be_left_out() -> None:
    name = next(name for name in bundled_scenarios() if load_scenario(name).governance)
    test = page("Start")
    checked(test.selectbox(key="start_scenario").set_value(name).run())
    assert test.multiselect(key=f"start_levers_{name}").value
    checked(test.multiselect(key=f"start_levers_{name}").set_value([]).run())
    checked(test.number_input(key=f"start_epochs_{name}").set_value(1).run())
    checked(test.button(key="start").click().run())
    [place] = list(run_root().iterdir())
    assert load_scenario(place / "scenario.yaml").governance == {}


@pytest.mark.parametrize(
    "line", ["payoff.thetaa=1", "payoff.theta=9", "nonsense", "<b>x</b>=1", "governance.nobody.x=1"]
)
def test_a_mistake_in_the_form_is_explained_and_nothing_is_started(line: str) -> None:
    test = page("Start")
    checked(test.text_area(key="start_changes").set_value(line).run())
    checked(test.button(key="start").click().run())
    assert "The run was not started" in said(test)
    assert not list(run_root().iterdir())


def test_flags_assumed_constants_and_robustness_are_shown(tmp_path: Path) -> None:
    made(overrides=["acceptance=all", "payoff.theta=0.4"])
    test = page("Limits")
    constants, *_ = tables(test)
    theta = constants.filter(pl.col("Constant") == "payoff.theta").row(0, named=True)
    assert (theta["Here"], theta["Default"], theta["Changed"]) == ("0.4", "0.5", True)
    assert "quality_gap" in said(test)
    checked(test.toggle(key="limits_changed").set_value(True).run())
    assert "payoff.theta" in tables(test)[0]["Constant"].to_list()
    assert set(tables(test)[0]["Changed"]) == {True}


def study_record() -> dict[str, Any]:
    effect = {"change": -0.07, "low": -0.09, "high": -0.05, "base": 0.13}
    return {
        "study": {"study_id": "made_up", "primary": "toxicity_true", "confidence": 0.95},
        "seeds": [1, 2],
        "contrasts": [{"arm": arm, "setting": "", "effect": effect, "verdict": {"words": "real"}} for arm in "ab"],
        "robustness": [{"arm": "a", "holds": {"count": 18, "n": 20}}],
        "flags": ["lever b never fired"],
    }


def test_each_finding_of_a_study_stands_beside_its_robustness() -> None:
    folder = run_root() / "study_1"
    folder.mkdir()
    (folder / "study.json").write_text(json.dumps(study_record()))
    pl.DataFrame({"setting": [""], "arm": ["base"], "seed": [1], "toxicity_true": [0.1]}).write_parquet(
        folder / "runs.parquet"
    )
    test = page("Limits")
    found = tables(test)[-1]
    assert found["Sign holds in"].to_list() == ["18 of 20 economies", "not tried"]
    assert "lever b never fired" in said(test)
    (folder / "study.json").write_text("{")
    assert "cannot be read" in said(page("Limits"))
    assert limits_view.finding_rows(study_record())[0]["Change"] == -0.07


def test_results_of_a_comparison_and_a_study_are_told_and_drawn() -> None:
    view = {"compare_what": "One study or comparison"}
    assert "There is no study or comparison" in said(page("Compare", **view))
    found = mc.compare("baseline", "governance.random_audit.probability=0.4", seeds=3, epochs=2)
    folder = run_root() / "compared"
    folder.mkdir()
    save_comparison(found, folder)
    test = page("Compare", **view)
    assert "true toxicity" in said(test)
    assert len(charts(test)) == 4  # effects and their price, for learning and for frozen agents
    study = {"study_id": "two_rules", "question": "Which <b>rule</b>?", "base": "baseline", "epochs": 1,
             "arms": {"audit": {"governance.random_audit.probability": 0.4}}, "primary": "toxicity_true",
             "smallest_effect": 0.02, "expect": "falls", "seeds": 6}  # fmt: skip
    swept = sweep(study, workers=1, output=run_root() / "study_two_rules")
    save_study(swept, run_root() / "study_two_rules")
    test = page("Compare", results_of="study_two_rules", **view)
    assert "Which <b>rule</b>?" in all_text(test, "text")
    assert "Sham: exactly 0" in said(test)
    assert len(charts(test)) >= 2
    (folder / "comparison.json").write_text("{")
    assert "cannot be read" in said(page("Compare", results_of="compared", **view))


def write_study(name: str, shift: float) -> None:
    """The record of a study of four seeds with one arm, as far as a comparison of studies reads it."""
    folder = run_root() / name
    folder.mkdir()
    study = {"study_id": name, "primary": "toxicity_true", "confidence": 0.95, "arms": {}, "settings": {}}
    record = {
        "study": study, "seeds": [1, 2, 3, 4], "model": "a", "scenario": scenario_to_dict(load_scenario("baseline")),
        "changes": {"audit": {"governance.random_audit.probability": -shift}}, "settings": {},
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(record))
    rows = [
        {"setting": "", "arm": arm, "seed": seed, "toxicity_true": 0.2 + 0.01 * seed + change * (1 + 0.1 * seed)}
        for arm, change in (("base", 0.0), ("audit", shift))
        for seed in (1, 2, 3, 4)
    ]
    pl.DataFrame(rows).write_parquet(folder / "runs.parquet")


def test_two_studies_stand_beside_each_other() -> None:
    assert "fewer than two studies" in said(page("Compare", compare_what="Studies"))
    write_study("one", -0.05)
    write_study("two", -0.1)
    test = page("Compare", compare_what="Studies", study_first="one", study_second="two")
    assert not test.error, said(test)
    [row] = tables(test)[-1].rows(named=True)
    assert "Beware:" in said(test)  # the arm of this name is another one in either study
    assert row["Arm"] == "audit"
    assert row["First"] == pytest.approx(-0.0625)
    assert row["Second"] == pytest.approx(-0.125)
    assert row["Shared seeds"] == 4
    drawn = {trace.get("name"): trace for trace in charts(test)[0]["data"]}
    assert drawn["one"]["x"] == [pytest.approx(-0.0625)]
    assert drawn["two"]["error_x"]["array"][0] > 0.0


def test_the_comparison_has_a_column_a_run_and_what_was_asked_differently() -> None:
    one, two = made("one"), made("two", overrides=["payoff.theta=0.4"])
    test = page("Compare", compare_runs=["one", "two"], compare_metric="toxicity_rate")
    means, asked = tables(test)
    rows = {row["Metric"]: row for row in means.rows(named=True)}
    toxicity = [sum(row["toxicity_rate"] for row in run.rows) / 3 for run in (one, two)]
    assert rows["toxicity_rate"]["A, seed 1"] == pytest.approx(toxicity[0])
    assert rows["toxicity_rate"]["B, seed 1, less the first"] == pytest.approx(toxicity[1] - toxicity[0])
    assert asked.rows(named=True) == [{"Key": "payoff.theta", "A": "0.5", "B": "0.4"}]
    lines = [trace["y"] for trace in charts(test)[0]["data"]]
    assert lines == [[row["toxicity_rate"] for row in run.rows] for run in (one, two)]
    assert charts(test)[0]["layout"]["yaxis"]["rangemode"] == "tozero"
    below = page("Compare", compare_runs=["one", "two"], compare_metric="goodhart_gap")
    axis = charts(below)[0]["layout"]["yaxis"]
    assert axis["zeroline"] and "rangemode" not in axis


def test_a_run_that_another_process_is_writing_is_followed() -> None:
    run = made(epochs=6)
    whole = run.log_path.read_bytes()
    ends = [found.start() for found in re.finditer(rb'"kind":"checkpoint"', whole)]
    with claimed(run.path):
        run.log_path.write_bytes(whole[: ends[2] + 40])  # the process is in the middle of a line
        test = page()
        assert "being written by another process" in said(test)
        assert "**Epoch 2 / 6**" in said(test)
        assert not any(button.key in ("pause", "go_on") for button in test.button)
        run.log_path.write_bytes(whole[: ends[4] + 40])
        assert "**Epoch 4 / 6**" in said(checked(test.run()))
    run.log_path.write_bytes(whole)
    assert "completed" in said(checked(test.run()))
    assert "not held against its hashes" not in said(test)


def test_a_long_log_is_said_not_to_have_been_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    made()
    monkeypatch.setattr(following, "_weight", lambda path: following.CHECKED_UP_TO + 1)
    assert "mesocosm verify" in said(page())


# --- hostile


def test_a_thousand_hostile_texts_and_names_never_become_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = hostile_texts()
    run = made(scenario="status_game", epochs=26)
    posts = iter(texts)
    used = 0

    def change(record: Record) -> None:
        nonlocal used
        if record["kind"] == "header":
            record["scenario"] |= {"scenario_id": texts[0], "description": texts[1]}
            record["scenario"]["agents"][0]["type"] = texts[2]
            record["scenario"]["governance"] = {texts[3]: {texts[4]: texts[5]}}
        elif record["kind"] in ("posted", "replied"):
            record["content"] = next(posts, "")
            used += bool(record["content"])
        elif record["kind"] == "simulation_ended":
            record["reason"] = texts[6]
        elif record["kind"] == "end":
            record["reason"] = texts[7]
        elif record["kind"] == "checkpoint":
            record["totals"] |= {texts[8]: 1.0}

    forged = run.path / "forged.jsonl"
    forge(run.log_path, forged, change)
    forged.replace(run.log_path)
    manifest = json.loads((run.path / "manifest.json").read_bytes())
    (run.path / "manifest.json").write_text(json.dumps(manifest | {"flags": texts[:40]}))
    assert used == len(texts)
    made("other")
    monkeypatch.setattr(feed_view, "SHOWN", 2000)
    for view in VIEWS:
        test = page(view, run="made", feed_kinds=["posted", "replied"], event=None)
        for kind in ("markdown", "caption", "error", "info", "warning", "subheader", "html"):
            assert "zq" not in all_text(test, kind), (view, kind)
        for widget in ("selectbox", "multiselect", "button", "number_input", "text_input", "toggle"):
            assert "zq" not in "".join(str(getattr(element, "label", "")) for element in test.get(widget)), (
                view,
                widget,
            )
        for chart in test.get("plotly_chart"):
            assert not re.search(r"<(script|img|svg|a |iframe|style)", chart.proto.spec)
        assert not set(HIDDEN) & set("".join(text_of(table) for table in tables(test)))
        if view == "Run":
            cells = text_of(tables(test)[-1])
            assert sum(f"zq{number}" in cells for number in range(1000)) > 990
            assert "zq0" in all_text(test, "text")  # the scenario's name
            assert "zq39" in all_text(test, "text")  # a flag


HIDDEN = "\u202e\u2066\u200f\ufeff\x1b\x00"


def text_of(table: pl.DataFrame) -> str:
    return "\n".join("\n".join(str(value) for value in row) for row in table.rows())


def test_hostile_ids_in_the_address_open_the_last_run_and_say_so(tmp_path: Path) -> None:
    outside = mc.run("baseline", seed=5, epochs=1, output=tmp_path / "elsewhere").path
    made()
    for name in hostile_ids(str(outside), "elsewhere", 40)[:12]:
        test = AppTest.from_file(str(PAGE), default_timeout=60)
        test.query_params["run"] = name
        checked(test.run())
        assert test.session_state["run"] == "made"
        assert "elsewhere" not in all_text(test, "markdown", "error")
        assert not name or "cannot be opened" in said(test)


def test_a_scenario_of_strangers_is_shown_without_its_types() -> None:
    run = made()
    copy = run.path / "copy.jsonl"

    def strange(record: Record) -> None:
        if record["kind"] == "header":
            record["scenario"]["agents"][0]["type"] = "stranger"

    forge(run.log_path, copy, strange)
    copy.replace(run.log_path)
    test = page()
    assert "means nothing to this Mesocosm" in said(test)
    assert set(tables(test)[0]["Type"]) == {"unknown"}
    assert agents_view.STATUSES[0] == "active"


def test_a_run_that_is_played_can_be_paused_and_ended_from_the_page() -> None:
    run_id = launch.begin(load_scenario("baseline", ["simulation.epochs=500"]), Wish(epochs_per_s=3.0))
    test = page(run=run_id)
    for _ in range(200):
        if test.get("button") and any(button.key == "pause" for button in test.button):
            break
        checked(test.run())
    checked(test.button(key="pause").click().run())
    for _ in range(200):
        if "paused" in said(test):
            break
        checked(test.run())
    assert any(button.key == "resume" for button in test.button)
    before = said(test).partition("**Epoch ")[2].partition(" ")[0]
    checked(test.run())
    assert said(test).partition("**Epoch ")[2].partition(" ")[0] == before
    checked(test.button(key="end").click().run())
    launch._players[run_id].wait(timeout=60)
    assert "ended early" in said(checked(test.run()))
