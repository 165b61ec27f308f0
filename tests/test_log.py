"""The log: canonical bytes, round trips, levels, replicates, resuming."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events_to_log import batch_of, happenings, header, totals, write_log, write_set
from mesocosm.env.events import ANNOTATIONS, EVENT_FIELDS, Checkpoint, EventBatch
from mesocosm.errors import InvariantBroken, LogDamaged, MesocosmError, ReplayDiffers, UsageError
from mesocosm.log import files
from mesocosm.log.canonical import EVENT_TYPES, TAIL, Chain, check_batch, encode, encode_batch
from mesocosm.log.compare import first_difference
from mesocosm.log.files import Sink, write_atomic
from mesocosm.log.integrity import recover, verify_log
from mesocosm.log.read import read_log
from mesocosm.log.write import LogWriter

FORMS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_infinity=False, width=64),
    "bool": st.booleans(),
    "str": st.text(),
    "ints": st.lists(st.integers(0, 2**63 - 1), max_size=4),
}


@st.composite
def batches(draw: st.DrawFn) -> EventBatch:
    """A batch of any kind with any values."""
    kind = draw(st.sampled_from(sorted(EVENT_FIELDS)))
    k = draw(st.integers(1, 4))
    column = {name: draw(st.lists(FORMS[form], min_size=k, max_size=k)) for name, form in EVENT_FIELDS[kind].items()}
    cause = np.array(draw(st.lists(st.integers(-1, 2**62), min_size=k, max_size=k)))
    seq = np.arange(k) if kind not in ANNOTATIONS else np.full(k, -1)
    return EventBatch(kind, draw(st.integers(0, 9)), 3, 1, np.zeros(k, dtype=np.int64), seq, column, cause)


def same(one: Any, other: Any) -> bool:
    """Whether two columns are equal, NaN with NaN and 0.0 apart from -0.0."""
    return [repr(plain(value)) for value in one] == [repr(plain(value)) for value in other]


def plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def causes_of(batch: EventBatch) -> list[int]:
    return [-1] * len(batch) if batch.cause is None else batch.cause.tolist()


@settings(max_examples=150, deadline=None)
@given(batches())
def test_an_event_survives_the_way_to_bytes_and_back(batch: EventBatch) -> None:
    check_batch(batch)
    bodies = encode_batch(batch, slice(0, len(batch)))
    for row, body in enumerate(bodies):
        event: Any = msgspec.json.decode(body + b"}", type=EVENT_TYPES[batch.kind])
        assert (event.seq, event.epoch, event.step, event.turn) == (batch.seq[row], batch.epoch, 3, 1)
        assert batch.cause is not None
        assert event.causes == ([batch.cause[row]] if batch.cause[row] >= 0 else [])
        for name in EVENT_FIELDS[batch.kind]:
            value = getattr(event, name)
            assert repr(float("nan") if value is None else value) == repr(batch.column[name][row])


def test_the_bytes_of_a_line_are_fixed() -> None:
    column = {"agent": [3], "post": [7], "content": ['né "x"\n'], "derived_from": [[1, 2]]}
    batch = EventBatch("replied", 1, 12, 0, np.array([0]), np.array([0]), column, np.array([4]))
    line = Chain().add_events(encode_batch(batch, slice(0, 1)))
    body = (
        '{"seq":0,"epoch":1,"step":12,"turn":0,"kind":"replied","causes":[4],"agent":3,"post":7,'
        '"content":"né \\"x\\"\\n","derived_from":[1,2]'
    ).encode()
    assert line[:-TAIL] == body
    start = hashlib.sha256(b"mesocosm trajectory 1").digest()
    h = hashlib.sha256(start + body).hexdigest()[:16]
    assert line[-TAIL:] == f',"h":"{h}"}}\n'.encode()


def test_records_written_as_dictionaries_have_sorted_keys_and_null_for_nan() -> None:
    body = encode({"b": np.float64("nan"), "a": np.int64(3), "c": [float("inf"), 1e22, 0.1]})
    assert body == b'{"a":3,"b":null,"c":[null,1e22,0.1]'


def test_text_that_is_not_unicode_is_refused_in_one_sentence(tmp_path: Path) -> None:
    column = {"agent": [3], "content": ["\ud800"], "derived_from": [[]]}
    batch = EventBatch("posted", 0, 0, 0, np.array([0]), np.array([0]), column)
    with LogWriter(tmp_path / "lines", header()) as writer, pytest.raises(MesocosmError, match="valid text"):
        writer.write(batch)
    with LogWriter(tmp_path / "tables", header("columns")) as writer:
        writer.write(batch)
        with pytest.raises(MesocosmError, match=r"posted\.content .* valid text"):
            writer.checkpoint(0, "00", {})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"agent": [1.5]}, "declared type"),
        ({"agent": [1, 2]}, "one value per event"),
        ({"surprise": [1]}, "surprise"),
    ],
)
def test_columns_that_do_not_fit_their_kind_stop_the_run(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    batch = EventBatch("flagged", 0, 0, 0, np.array([0]), np.array([0]), {"agent": [1], "post": [2]} | change)
    with LogWriter(tmp_path, header()) as writer, pytest.raises(InvariantBroken, match=told):
        writer.write(batch)


def test_a_gap_in_seq_stops_the_run(tmp_path: Path) -> None:
    batch = EventBatch("flagged", 0, 0, 0, np.array([0]), np.array([1]), {"agent": [1], "post": [2]})
    with LogWriter(tmp_path, header()) as writer, pytest.raises(InvariantBroken, match="seq has no gap"):
        writer.write(batch)


@pytest.mark.parametrize("level", ["full", "columns"])
def test_columns_come_back_as_they_were_written(tmp_path: Path, level: str) -> None:
    write_log(tmp_path, level, seed=1, most=8)
    tables = read_log(tmp_path).tables()
    run = [item for item in happenings(seed=1, most=8) if isinstance(item, EventBatch)]
    for kind, fields in EVENT_FIELDS.items():
        written = [batch for batch in run if batch.kind == kind]
        for name in fields:
            assert same(tables[kind][name], [value for batch in written for value in batch.column[name]])
        assert tables[kind]["step"].tolist() == [batch.step for batch in written for _ in range(len(batch))]
        assert tables[kind]["cause"].tolist() == [cause for batch in written for cause in causes_of(batch)]
    floats = [name for name, form in EVENT_FIELDS["interaction"].items() if form == "float"]
    assert any(np.isnan(tables["interaction"][name]).any() for name in floats), "a NaN was among what was written"


@pytest.mark.parametrize("level", ["full", "columns"])
def test_what_is_not_finite_comes_back_as_nan(tmp_path: Path, level: str) -> None:
    column = {"agent": [1, 2, 3, 4], "endowment": [float("inf"), float("-inf"), float("nan"), -0.0]}
    batch = EventBatch("arrived", 0, 0, 0, np.zeros(4, dtype=np.int64), np.arange(4), column)
    with LogWriter(tmp_path, header(level)) as writer:
        writer.write(batch)
        writer.checkpoint(0, "00", {})
    assert same(read_log(tmp_path).columns("arrived")["endowment"], [float("nan")] * 3 + [-0.0])


def test_a_reader_may_ask_for_a_few_fields(tmp_path: Path) -> None:
    write_log(tmp_path)
    log = read_log(tmp_path, trusted=True)
    few = log.columns("interaction", ["p", "v"])
    assert list(few) == ["seq", "epoch", "step", "turn", "cause", "p", "v"]
    assert same(few["p"], log.columns("interaction")["p"])
    with pytest.raises(UsageError, match="Did you mean surplus"):
        log.columns("interaction", ["surpluss"])
    with pytest.raises(UsageError, match="Did you mean voted"):
        log.columns("votd")


@pytest.mark.parametrize("level", ["full", "columns"])
def test_the_stream_of_a_log_is_the_run_in_order(tmp_path: Path, level: str) -> None:
    write_log(tmp_path, level, seed=5)
    seen: list[int] = []
    points = []
    for item in read_log(tmp_path).stream():
        if isinstance(item, EventBatch):
            seen += [] if item.is_annotation else item.seq.tolist()
            assert len({len(column) for column in item.column.values()} | {len(item)}) == 1
        else:
            points.append((item.epoch, len(seen), item.events))
    assert seen == list(range(len(seen)))
    assert len(points) == 2
    assert all(events == counted for _, counted, events in points)


@pytest.mark.parametrize("level", ["full", "columns", "epoch"])
def test_what_a_whole_log_says_of_itself(tmp_path: Path, level: str) -> None:
    writer = write_log(tmp_path, level)
    told, log = verify_log(tmp_path), read_log(tmp_path)
    assert (told.complete, told.reason, told.epochs) == (True, "finished", 2)
    assert told.trajectory == writer.trajectory
    assert log.is_complete
    assert log.end is not None
    assert log.end.events == told.events
    assert [point.totals["welfare"] for point in log.checkpoints] == [0.0, 1.0]
    assert log.checkpoints[0].totals["gap"] is None
    assert log.header == header(level)
    assert len(log.columns("input")["seq"]) > 0
    if level != "epoch":
        trajectory = [item for item in happenings() if isinstance(item, EventBatch) and not item.is_annotation]
        assert told.events == sum(len(batch) for batch in trajectory)
    assert next(log.records())["kind"] == "header"


@pytest.mark.parametrize("level", ["full", "columns", "epoch"])
def test_header_and_annotations_do_not_change_the_trajectory_but_events_do(tmp_path: Path, level: str) -> None:
    first = write_log(tmp_path / "a", level).trajectory
    assert write_log(tmp_path / "b", level, head=header(level, seed=7, note="other")).trajectory == first
    assert write_log(tmp_path / "c", level, without=ANNOTATIONS).trajectory == first
    if level != "epoch":
        assert write_log(tmp_path / "d", level, seed=1).trajectory != first


@pytest.mark.parametrize("level", ["full", "columns", "epoch"])
def test_the_same_run_gives_the_same_bytes(tmp_path: Path, level: str) -> None:
    write_log(tmp_path / "a", level)
    write_log(tmp_path / "b", level)
    assert (tmp_path / "a/events.jsonl").read_bytes() == (tmp_path / "b/events.jsonl").read_bytes()


@pytest.mark.parametrize("level", ["full", "columns", "epoch"])
def test_a_set_gives_each_replicate_the_log_it_would_have_alone(tmp_path: Path, level: str) -> None:
    paths = [tmp_path / f"r{row}" for row in range(3)]
    write_set(paths, level, seed=8, most=400)
    for row, path in enumerate(paths):
        alone = LogWriter(tmp_path / f"alone{row}", header(level, row))
        for item in happenings(seed=8, replicates=3, most=400):
            if isinstance(item, Checkpoint):
                alone.checkpoint(item.epoch, item.state_sha256[row], totals(item.epoch, row))
            else:
                start, stop = np.searchsorted(item.replicate, [row, row + 1]).tolist()
                alone.write(item, slice(start, stop))
        alone.end("finished", 2)
        assert (path / "events.jsonl").read_bytes() == (tmp_path / f"alone{row}/events.jsonl").read_bytes()


def test_a_set_of_logs_that_are_not_held_open_writes_the_same(tmp_path: Path) -> None:
    for name, held in (("a", True), ("b", False)):
        with LogWriter(tmp_path / name, header(), keep_open=held, durable=not held) as writer:
            for item in happenings():
                if isinstance(item, EventBatch):
                    writer.write(item)
    assert (tmp_path / "a/events.jsonl").read_bytes() == (tmp_path / "b/events.jsonl").read_bytes()


def test_a_durable_log_is_on_the_disk_after_every_batch(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, header(), durable=True)
    batch = batch_of(np.random.default_rng(0), "voted", [2], [0], (0, 0, 0))
    writer.write(batch)
    assert recover(tmp_path).n_records == 3
    writer.close()


@pytest.mark.parametrize("level", ["full", "columns", "epoch"])
def test_a_run_resumed_at_any_cut_ends_in_the_same_bytes(tmp_path: Path, level: str) -> None:
    write_log(tmp_path, level, seed=2)
    path = tmp_path / "events.jsonl"
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for cut in [0, 1, 20, len(whole) - 1, len(whole), *rng.integers(0, len(whole), 40).tolist()]:
        path.write_bytes(whole[:cut])
        write_log(tmp_path, level, mode="resume", seed=2)
        assert path.read_bytes() == whole
    assert verify_log(tmp_path).complete


def test_a_resumed_run_writes_lost_shards_again(tmp_path: Path) -> None:
    write_log(tmp_path, "columns")
    whole = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for path in whole:
        if path.name.startswith("epoch_000001"):
            path.unlink()
    log = tmp_path / "events.jsonl"
    log.write_bytes(log.read_bytes()[: recover(tmp_path).good_bytes])
    write_log(tmp_path, "columns", mode="resume")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == whole


def test_another_run_is_refused_with_line_and_field_and_leaves_the_log_alone(tmp_path: Path) -> None:
    write_log(tmp_path, seed=2)
    path = tmp_path / "events.jsonl"
    cut = path.read_bytes()[:5000]
    path.write_bytes(cut)
    with pytest.raises(ReplayDiffers) as other_scenario:
        write_log(tmp_path, mode="resume", head=header(steps=4), seed=2)
    assert (other_scenario.value.field, other_scenario.value.expected, other_scenario.value.found) == (
        "scenario.steps",
        3,
        4,
    )
    first, second, arrival = [item for item in happenings(seed=2) if isinstance(item, EventBatch)][:3]
    arrival.column["endowment"] = np.asarray(arrival.column["endowment"]) + 1
    writer = LogWriter(tmp_path, header(), mode="resume")
    for batch in (first, second, arrival):
        writer.write(batch)
    with pytest.raises(ReplayDiffers) as other_event:
        writer.close()
    assert other_event.value.field == "endowment"
    assert f"event {arrival.seq[0]} (arrived" in other_event.value.where
    assert path.read_bytes() == cut


def test_a_simulation_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path)
    with (
        pytest.raises(ReplayDiffers, match="simulation_started"),
        LogWriter(tmp_path, header(), mode="compare") as writer,
    ):
        writer.end("finished", 0)


@pytest.mark.parametrize("level", ["full", "columns", "epoch"])
def test_comparing_writes_nothing(tmp_path: Path, level: str) -> None:
    write_log(tmp_path, level)
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-100])
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in tmp_path.rglob("*") if file.is_file()}
    write_log(tmp_path, level, mode="compare")
    assert {
        file: (file.stat().st_mtime_ns, file.read_bytes()) for file in tmp_path.rglob("*") if file.is_file()
    } == before


def test_a_log_is_never_written_over(tmp_path: Path) -> None:
    write_log(tmp_path / "run_001.jsonl")
    with pytest.raises(MesocosmError, match="a log already"):
        LogWriter(tmp_path / "run_001.jsonl", header())
    with pytest.raises(MesocosmError, match="no log here"):
        LogWriter(tmp_path / "absent", header(), mode="compare")


def test_a_changed_log_is_not_resumed(tmp_path: Path) -> None:
    write_log(tmp_path)
    path = tmp_path / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"kind":"voted"', b'"kind":"vated"', 1))
    with pytest.raises(LogDamaged):
        LogWriter(tmp_path, header(), mode="resume")
    with pytest.raises(LogDamaged):
        read_log(tmp_path)


def test_a_full_device_is_told_with_the_path() -> None:
    sink = Sink(Path("/dev/full"))
    with pytest.raises(MesocosmError, match=r"/dev/full: cannot write the log: No space left.*resume"):
        sink.put(b"x" * 10, sync=True)
    with pytest.raises(MesocosmError, match="failed before"):
        sink.put(b"y", sync=True)
    sink.close()


@pytest.mark.parametrize("level", ["full", "columns"])
def test_whichever_write_fails_the_log_stays_readable_and_resumes(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(tmp_path / "whole", level, epochs=1, turns=1)
    whole = (tmp_path / "whole/events.jsonl").read_bytes()
    real = files._write_all
    left = 0

    def failing(file: Any, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            real(file, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file, data)

    monkeypatch.setattr(files, "_write_all", failing)
    for failure in range(1, 200):
        left, run = failure, tmp_path / f"run{failure}"
        said = ""
        try:
            write_log(run, level, epochs=1, turns=1)
        except MesocosmError as error:
            said = str(error)
        if not said:
            break
        assert "No space left" in said
        assert recover(run).cut
        assert whole.startswith((run / "events.jsonl").read_bytes()[: recover(run).good_bytes])
        assert not list(run.rglob("*.partial"))
        write_log(run, level, mode="resume", epochs=1, turns=1)
        assert (run / "events.jsonl").read_bytes() == whole
    assert 2 < failure < 199, "in the end no write failed, and the log was whole"


def test_a_whole_file_is_replaced_or_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "deep/manifest.json"
    write_atomic(target, b"one")
    write_atomic(target, b"two")

    def full(file: Any, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_write_all", full)
    with pytest.raises(MesocosmError, match=r"manifest\.json: cannot write this file: No space left"):
        write_atomic(target, b"three")
    assert target.read_bytes() == b"two"
    assert [path.name for path in target.parent.iterdir()] == ["manifest.json"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MesocosmError, match="cannot open the log"):
        LogWriter(tmp_path / "file" / "run.jsonl", header())


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        (b'{"kind":"end","a":1}', b'{"kind":"end","a":1.0}', ("end", "a", 1, 1.0)),
        (b'{"kind":"end","a":{"b":[1,2]}}', b'{"kind":"end","a":{"b":[1,3]}}', ("end", "a.b[1]", 2, 3)),
        (b'{"kind":"end","a":1}', b'{"kind":"end"}', ("end", "a", 1, "nothing")),
        (b'{"kind":"end"}', b'{"kind":"checkpoint"}', ("end", "kind", "end", "checkpoint")),
        (b'{"kind":"end"}', b'{"kind":"end"}', None),
    ],
)
def test_the_first_difference_of_two_lines_is_named(expected: bytes, found: bytes, told: Any) -> None:
    assert first_difference(expected, found) == told


def test_a_path_that_is_not_there_is_said_once() -> None:
    told = str(files.explain("a/b", "write this file", OSError(errno.ENOENT, os.strerror(errno.ENOENT))))
    assert told == "a/b: cannot write this file: No such file or directory. Check the path."
