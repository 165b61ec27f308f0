"""What the page knows of a run: followed as it is written, looked up event by event, paced from outside."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mesocosm as mc
from forged_log import forge
from hostile_texts import hostile_texts
from mesocosm.cli.run import read_back
from mesocosm.config.load import load_scenario
from mesocosm.config.schema import Scenario
from mesocosm.dashboard import following, launch, pace, play
from mesocosm.dashboard.events import Event, Filter, LineEvents, causes_of, events_of
from mesocosm.dashboard.following import Following
from mesocosm.dashboard.pace import Pace, PageGone, Wish, read_pace, write_wish
from mesocosm.dashboard.places import Openable, open_place
from mesocosm.dashboard.plain import plain_words
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.runner.directory import run_root
from mesocosm.runner.runner import Run, load_run

BREAKER = ("governance.circuit_breaker.threshold=0.35",)


def made(name: str = "made", scenario: str = "adversarial_attack", **more: Any) -> Run:
    asked: dict[str, Any] = {"seed": 1, "epochs": 4, "overrides": BREAKER} | more
    return mc.run(scenario, output=run_root() / name, **asked)


def followed(name: str = "made") -> Following:
    found = Following(open_place(name))
    found.read_on()
    return found


def same_rows(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    def plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: None if math.isnan(value) else value for name, value in sorted(row.items())} for row in rows]

    return plain(one) == plain(other)


# --- following


def test_a_finished_run_is_read_as_load_run_reads_it() -> None:
    run = made()
    found = followed()
    assert same_rows(found.rows, run.rows)
    assert found.is_complete
    assert found.checked
    assert found.damage == ""
    last = run.agents.filter(run.agents["epoch"] == 3)
    assert [found.agents[agent].balance for agent in sorted(found.agents)] == last["balance"].to_list()
    assert sum(state.proposed for state in found.agents.values()) == len(run.interactions)


def test_a_log_that_grows_in_arbitrary_pieces_is_read_to_the_same_end() -> None:
    run = made()
    whole = run.log_path.read_bytes()
    rng = random.Random(7)
    cuts = sorted(rng.sample(range(1, len(whole)), 60))
    run.log_path.write_bytes(b"")
    found = Following(open_place("made"))
    with run.log_path.open("ab") as file:
        for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            file.write(whole[start:stop])
            file.flush()
            found.read_on()
            assert found.damage == ""
            assert found.size <= stop
            assert len(found.rows) == whole[: found.size].count(b'"kind":"checkpoint"')
    assert same_rows(found.rows, run.rows)
    assert found.is_complete


def test_half_a_line_is_left_for_later() -> None:
    run = made()
    whole = run.log_path.read_bytes()
    cut = whole.rindex(b'"kind":"checkpoint"') + 30
    run.log_path.write_bytes(whole[:cut])
    found = followed()
    assert len(found.rows) == 3
    assert found.size == whole.rindex(b"\n", 0, cut) + 1
    run.log_path.write_bytes(whole)
    found.read_on()
    assert len(found.rows) == 4


def test_a_log_that_was_replaced_is_read_anew() -> None:
    run = made()
    found = followed()
    other = made("other", seed=2, epochs=2)
    other.log_path.replace(run.log_path)
    found.read_on()
    assert same_rows(found.rows, other.rows)


def test_a_damaged_log_is_shown_up_to_the_damage_and_the_line_is_named() -> None:
    run = made()
    lines = run.log_path.read_bytes().splitlines(keepends=True)
    bad = next(at for at, line in enumerate(lines) if b'"epoch":2' in line and b'"kind":"interaction"' in line)
    lines[bad] = lines[bad].replace(b'"accepted":', b'"acceptex":')
    run.log_path.write_bytes(b"".join(lines))
    found = followed()
    assert f"line {bad + 1}," in found.damage
    assert len(found.rows) == 2
    assert not found.is_complete


def test_a_log_of_a_newer_schema_is_refused_with_what_to_do() -> None:
    run = made()
    newer(run)
    with pytest.raises(MesocosmError, match="Read it with a newer Mesocosm"):
        followed()


def newer(run: Run) -> None:
    copy = run.path / "copy.jsonl"
    forge(run.log_path, copy, lambda record: record.update(schema=99) if record["kind"] == "header" else None)
    copy.replace(run.log_path)


def test_the_parquet_tables_tell_what_the_log_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    read_back(made(), parquet=True)
    line_by_line = followed()
    monkeypatch.setattr(following, "SUMMED_UP_FROM", 0)
    from_tables = followed()
    assert from_tables.from_tables
    assert not line_by_line.from_tables
    assert same_rows(from_tables.rows, line_by_line.rows)
    assert from_tables.agents == line_by_line.agents
    assert (from_tables.step, from_tables.end) == (line_by_line.step, line_by_line.end)


def test_a_large_log_is_followed_without_checking_every_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made()
    monkeypatch.setattr(following, "CHECKED_UP_TO", 1 << 16)
    monkeypatch.setattr(following, "READ_AT_ONCE", 100_000)
    found = followed()
    assert 0 < found.size < found.there
    assert found.is_behind
    for _ in range(100):
        found.read_on()
    assert same_rows(found.rows, run.rows)
    assert found.is_complete
    assert not found.checked
    first, _, rest = run.log_path.read_bytes().partition(b"\n")
    run.log_path.write_bytes(first.replace(b'"seed":1', b'"seed":2') + b"\n" + rest)
    assert "hash of the header does not match" in followed().damage


def test_tables_older_than_the_log_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = made()
    read_back(run, parquet=True)
    monkeypatch.setattr(following, "SUMMED_UP_FROM", 0)
    later = time.time_ns() + 10**9
    os.utime(run.log_path, ns=(later, later))
    assert not followed().from_tables


@pytest.mark.parametrize("level", ["columns", "epoch"])
def test_logs_of_other_levels_are_followed_too(level: str) -> None:
    made()
    made("other", level=level)
    full, other = followed(), followed("other")
    assert same_rows(full.rows, other.rows)
    assert other.agents == (full.agents if level == "columns" else {})
    assert other.frozen_until == (full.frozen_until if level == "columns" else {})


# --- single events


def records_of(name: str = "made") -> list[Event]:
    lines = (run_root() / name / "events.jsonl").read_bytes().splitlines()
    return [record for record in map(json.loads, lines) if "seq" in record]


def is_note(record: Event) -> bool:
    return record["kind"] in ("note", "input", "fired", "replayed")


@pytest.mark.parametrize("level", ["full", "columns"])
def test_every_event_is_found_by_its_number(level: str) -> None:
    made()
    made("other", level=level)
    events = events_of(followed("other").log_path, level, followed("other").size)
    wanted = [record for record in records_of() if not is_note(record)]
    assert len(wanted) > 1000
    for record in wanted[:: 7 if level == "full" else 101]:
        found = events.one(record["seq"])
        assert found is not None
        assert {name: found[name] for name in ("kind", "causes", "epoch")} == {
            name: record[name] for name in ("kind", "causes", "epoch")
        }
    assert events.one(10**9) is None


FILTERS: dict[str, tuple[Filter, Callable[[Event], bool]]] = {
    "everything": (Filter(), lambda e: e["kind"] != "agent_state"),
    "a kind": (Filter(kinds=("voted",)), lambda e: e["kind"] == "voted"),
    "an agent": (Filter(agent=3), lambda e: 3 in (e.get("agent"), e.get("initiator"), e.get("counterparty"))
                 and e["kind"] != "agent_state"),
    "a text": (Filter(text="PRICES"), lambda e: "prices" in str(e.get("content", e.get("prompt", "")))),
    "an epoch": (Filter(until_epoch=1), lambda e: e["epoch"] <= 1 and e["kind"] != "agent_state"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("level", ["full", "columns"])
def test_the_feed_has_the_newest_events_that_a_filter_lets_through(name: str, level: str) -> None:
    made()
    made("other", level=level)
    asked, holds = FILTERS[name]
    found = events_of(followed("other").log_path, level, followed("other").size).newest(asked, 50).events
    wanted = [record for record in records_of() if holds(record)]
    assert [(event["seq"], event["kind"]) for event in found if not event["note"]] == [
        (record["seq"], record["kind"]) for record in reversed(wanted) if not is_note(record)
    ][: sum(not event["note"] for event in found)]
    assert len(found) == min(50, len(wanted))


def test_causes_lead_back_to_the_first_and_forth_to_what_followed() -> None:
    made()
    by_seq = {record["seq"]: record for record in records_of() if not is_note(record)}
    events = events_of(followed().log_path, "full", followed().size)
    last = max(seq for seq, record in by_seq.items() if record["causes"])
    chain = [last]
    while by_seq[chain[-1]]["causes"]:
        chain.append(by_seq[chain[-1]]["causes"][0])
    assert len(chain) > 1
    assert [event["seq"] for event in causes_of(events, last)] == chain
    after = [seq for seq, record in by_seq.items() if record["causes"] == [chain[-1]]]
    assert [event["seq"] for event in events.led_to(chain[-1], 99)] == after


def test_causes_that_run_in_a_circle_come_to_an_end() -> None:
    class Circle:
        def one(self, seq: int) -> Event:
            return {"seq": seq, "kind": "voted", "causes": [seq + 1]}

    assert len(causes_of(Circle(), 3)) == 1  # type: ignore[arg-type]


def test_a_text_that_looks_like_a_record_is_not_taken_for_one() -> None:
    run = made()
    texts = iter(hostile_texts())
    forged = run.path / "forged.jsonl"
    forge(run.log_path, forged, lambda record: record.update(content=next(texts)) if "content" in record else None)
    forged.replace(run.log_path)
    found = followed()
    assert found.damage == ""
    frozen = LineEvents(found.log_path, found.size).newest(Filter(kinds=("frozen",)), 10_000).events
    assert {event["kind"] for event in frozen} == {"frozen"}
    assert len(frozen) == found.counts["frozen"]


def test_a_thousand_hostile_texts_are_shown_without_hidden_signs_and_in_bounds() -> None:
    for text in hostile_texts():
        shown = plain_words(text)
        assert len(shown) < 2500
        hidden = {sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") and sign != "\u200d"}
        assert not hidden


# --- pause, step, speed, end


@pytest.fixture
def scenario() -> Scenario:
    return load_scenario("status_game", ["simulation.epochs=8"])


@pytest.fixture
def whole(scenario: Scenario, tmp_path: Path) -> bytes:
    return mc.run(scenario, output=tmp_path / "whole").log_path.read_bytes()


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def epochs_logged(place: Openable) -> int:
    log = place.path / "events.jsonl"
    return log.read_bytes().count(b'"kind":"checkpoint"') if log.exists() else 0


@pytest.fixture
def begun(scenario: Scenario) -> Iterator[Callable[[Wish], Openable]]:
    """Begins runs in other processes, and sees to it that none outlives the test."""
    started: list[Openable] = []

    def begin(wish: Wish) -> Openable:
        started.append(open_place(launch.begin(scenario, wish)))
        return started[-1]

    yield begin
    for place in started:
        write_wish(place.path, Wish(stop=True))
        until(lambda: not launch.is_played_here(place.run_id))  # noqa: B023 (called at once)


@pytest.mark.slow
def test_a_run_paused_stepped_and_resumed_from_the_page_has_the_bytes_of_an_uninterrupted_one(
    begun: Callable[[Wish], Openable], whole: bytes
) -> None:
    place = begun(Wish(paused=True))
    until(lambda: read_pace(place.path).get("state") == "paused")
    log = place.path / "events.jsonl"
    assert log.read_bytes() == whole[: log.stat().st_size]  # what has happened is on the disk
    assert len(log.read_bytes().splitlines()) > 3
    size = log.stat().st_size
    time.sleep(0.4)
    assert log.stat().st_size == size  # and the simulation stands still
    for steps in (1, 2, 3):
        write_wish(place.path, Wish(paused=True, steps=steps))
        until(lambda: epochs_logged(place) == steps and read_pace(place.path).get("state") == "paused")  # noqa: B023
    time.sleep(0.2)
    assert epochs_logged(place) == 3
    write_wish(place.path, Wish())
    until(lambda: not launch.is_played_here(place.run_id))
    assert log.read_bytes() == whole
    assert mc.replay(place.path).complete
    assert (place.path / "interactions.parquet").is_file()
    assert json.loads((place.path / "manifest.json").read_bytes())["paused_at"]


@pytest.mark.slow
def test_a_run_whose_page_has_gone_is_cut_and_goes_on_to_the_same_bytes(
    scenario: Scenario, whole: bytes, begun: Callable[[Wish], Openable], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = begun(Wish(paused=True))
    until(lambda: read_pace(place.path).get("state") == "paused")
    with pytest.raises(UsageError, match="being played already"):
        launch.go_on(place, Wish())
    write_wish(place.path, Wish(stop=True))
    until(lambda: not launch.is_played_here(place.run_id))

    cut = run_root() / "cut"
    cut.mkdir()
    for name in ("scenario.yaml", "manifest.json"):
        (cut / name).write_bytes((place.path / name).read_bytes())
    write_wish(cut, Wish())
    parent, asked = os.getppid(), iter([False] * 40)
    monkeypatch.setattr(os, "getppid", lambda: parent if next(asked, True) is False else parent + 1)
    with pytest.raises(PageGone, match="--resume"):
        play.play(cut, parent)
    monkeypatch.undo()
    monkeypatch.setenv("MESOCOSM_RUNS", str(cut.parent))
    held = (cut / "events.jsonl").read_bytes()
    assert 0 < len(held) < len(whole)
    assert whole.startswith(held)
    launch.go_on(open_place("cut"), Wish())
    until(lambda: not launch.is_played_here("cut"))
    assert launch.complaint(open_place("cut")) == ""
    assert (cut / "events.jsonl").read_bytes() == whole


@pytest.mark.slow
def test_a_player_ends_when_the_process_of_the_page_does(whole: bytes) -> None:
    code = (
        "import sys, time\n"
        "from mesocosm.config.load import load_scenario\n"
        "from mesocosm.dashboard import launch, pace, places\n"
        "run_id = launch.begin(load_scenario('status_game', ['simulation.epochs=8']), pace.Wish(paused=True))\n"
        "place = places.open_place(run_id)\n"
        "while pace.read_pace(place.path).get('state') != 'paused': time.sleep(0.02)\n"
        "print(run_id)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    place = open_place(done.stdout.strip())
    player = int(read_pace(place.path)["pid"])
    until(lambda: not Path(f"/proc/{player}").exists() and not launch.is_being_written(place))
    held = (place.path / "events.jsonl").read_bytes()
    assert whole.startswith(held)
    assert followed(place.run_id).end is None


@pytest.mark.slow
def test_a_run_ended_from_the_page_has_a_whole_log_that_says_so(
    begun: Callable[[Wish], Openable],
) -> None:
    place = begun(Wish(epochs_per_s=2.0))
    until(lambda: epochs_logged(place) >= 1)
    assert launch.is_being_written(place)
    write_wish(place.path, Wish(stop=True))
    until(lambda: not launch.is_played_here(place.run_id))
    found = followed(place.run_id)
    assert found.end is not None
    assert found.end.reason == pace.ENDED
    assert not launch.is_being_written(place)
    assert load_run(place.path).reason == pace.ENDED


def paced(folder: Path, wish: Wish, **more: Any) -> Pace:
    folder.mkdir(exist_ok=True)
    write_wish(folder, wish)
    asked: dict[str, Any] = {"known": 0, "may_stop": True, "is_alone": lambda: False} | more
    return Pace(folder, **asked)


def test_a_scenario_without_a_kill_switch_is_not_ended(tmp_path: Path) -> None:
    assert paced(tmp_path, Wish(stop=True)).stop() == pace.ENDED
    assert paced(tmp_path, Wish(stop=True), may_stop=False).stop() is None


def test_what_was_played_before_a_cut_is_not_dwelt_on(tmp_path: Path) -> None:
    held = paced(tmp_path, Wish(paused=True, epochs_per_s=0.01), known=2)
    assert not held.hold()
    began = time.monotonic()
    held.epoch_done(0, {})
    held.epoch_done(1, {})
    assert time.monotonic() - began < 1.0
    assert held.hold()


def test_speed_holds_back_each_epoch_and_a_faster_one_takes_effect_at_once(tmp_path: Path) -> None:
    slow = paced(tmp_path, Wish(epochs_per_s=5.0))
    began = time.monotonic()
    slow.epoch_done(0, {})
    assert 0.19 <= time.monotonic() - began < 2.0
    write_wish(tmp_path, Wish())
    began = time.monotonic()
    slow.epoch_done(1, {})
    slow.epoch_done(2, {})
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"paused": "yes", "steps": 1.5, "stop": 1, "x": {}}', "\x00"])
def test_a_wish_that_cannot_be_read_leaves_the_run_alone(text: str, tmp_path: Path) -> None:
    (tmp_path / pace.CONTROL).write_text(text)
    assert pace.read_wish(tmp_path) == Wish()


def test_no_more_than_a_few_runs_are_played_at_once(monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    monkeypatch.setattr(launch, "AT_ONCE", 0)
    with pytest.raises(UsageError, match="already"):
        launch.begin(scenario, Wish())
    assert not list(run_root().glob("*"))


def test_what_a_failed_player_said_is_kept(monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    broken = scenario.model_copy(update={"agents": ()})
    place = open_place(launch.begin(broken, Wish()))
    until(lambda: not launch.is_played_here(place.run_id))
    assert "agents" in launch.complaint(place)
