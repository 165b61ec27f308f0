"""Logs that were cut or changed: what is recovered, what is detected and where."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from events_to_log import batch_of, header, write_log
from mesocosm.env.events import ANNOTATIONS
from mesocosm.errors import LogDamaged, MesocosmError
from mesocosm.log.canonical import TAIL, Chain, encode, kind_of
from mesocosm.log.integrity import recover, verify_log
from mesocosm.log.read import read_log
from mesocosm.log.write import LogWriter


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole logs of several sizes, never changed by a test."""
    folder = tmp_path_factory.mktemp("logs")
    write_log(folder / "large.jsonl", turns=6, most=5)
    write_log(folder / "middle.jsonl", epochs=2, turns=3, most=5)
    write_log(folder / "small.jsonl", epochs=1, turns=1, most=2)
    write_log(folder / "other.jsonl", epochs=2, turns=3, most=5, head=header(seed=43))
    return folder


def test_a_cut_log_recovers_its_complete_records_at_every_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    seqs = [0]
    with LogWriter(tmp_path, header(), durable=False) as writer:
        for step in range(60):  # short records, so that every one of the cuts can be tried
            for kind in ("voted", "note", "task_failed"):
                writer.write(batch_of(rng, kind, [int(rng.integers(1, 3))], seqs, (0, step, 0)))
            if step % 20 == 19:
                writer.checkpoint(step // 20, "ab" * 32, {"gap": float("nan")})
    path = tmp_path / "events.jsonl"
    ends = [0, *(index + 1 for index, byte in enumerate(path.read_bytes()) if byte == 10)][:201]
    kept = 200
    for cut in range(ends[kept], -1, -1):
        os.truncate(path, cut)
        kept -= cut < ends[kept]
        found = recover(path)
        assert (found.n_records, found.good_bytes, found.complete, found.cut) == (kept, ends[kept], False, True)
        assert (found.header is not None) == (kept > 0)


def test_a_log_with_every_kind_recovers_at_many_cuts(logs: Path, tmp_path: Path) -> None:
    whole = (logs / "large.jsonl").read_bytes()
    path = tmp_path / "events.jsonl"
    for cut in np.random.default_rng(7).integers(0, len(whole), 100).tolist():
        path.write_bytes(whole[:cut])
        found = recover(path)
        assert found.n_records == whole[:cut].count(b"\n")
        assert found.good_bytes == whole.rfind(b"\n", 0, cut) + 1


def test_a_cut_log_is_reported_as_incomplete_not_as_damaged(logs: Path, tmp_path: Path) -> None:
    whole = (logs / "small.jsonl").read_bytes()
    for cut in range(0, len(whole), 5):
        (tmp_path / "events.jsonl").write_bytes(whole[:cut])
        told = verify_log(tmp_path)
        assert not told.complete
        assert told.lines == whole[:cut].count(b"\n")
        if told.lines:
            assert sum(1 for _ in read_log(tmp_path).records()) == told.lines


def test_every_flipped_byte_of_a_log_is_detected_and_located(logs: Path, tmp_path: Path) -> None:
    whole = bytearray((logs / "small.jsonl").read_bytes())
    assert whole.count(b"\n") >= 30
    path = tmp_path / "events.jsonl"
    rng = np.random.default_rng(0)
    line = 1
    for place in range(len(whole)):
        flipped = whole.copy()
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(LogDamaged) as damage:
            verify_log(path)
        assert damage.value.line == line
        line += whole[place] == 10


def test_random_flips_in_a_larger_log_are_detected(logs: Path, tmp_path: Path) -> None:
    whole = bytearray((logs / "large.jsonl").read_bytes())
    path = tmp_path / "events.jsonl"
    rng = np.random.default_rng(1)
    for place in rng.integers(0, len(whole), 300).tolist():
        flipped = whole.copy()
        flipped[place] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        with pytest.raises(LogDamaged):
            verify_log(path)


def refused_at(path: Path, lines: list[bytes]) -> int:
    path.write_bytes(b"".join(lines))
    with pytest.raises(LogDamaged) as damage:
        verify_log(path)
    return damage.value.line


def test_every_deleted_line_but_the_last_is_detected(logs: Path, tmp_path: Path) -> None:
    whole = lines_of(logs / "middle.jsonl")
    for at in range(len(whole) - 1):
        line = refused_at(tmp_path / "events.jsonl", whole[:at] + whole[at + 1 :])
        if kind_of(whole[at]) not in ANNOTATIONS | {"checkpoint"}:
            assert line == at + 1
        else:  # found at the next line that binds all bytes before it, at the latest the next checkpoint or the end
            bound = next(
                n for n in range(at + 1, len(whole)) if whole[n].startswith((b'{"kind":"check', b'{"kind":"end'))
            )
            assert at + 1 <= line <= bound


def test_every_repeated_line_is_detected_where_it_stands(logs: Path, tmp_path: Path) -> None:
    whole = lines_of(logs / "middle.jsonl")
    for at in range(len(whole)):
        assert refused_at(tmp_path / "events.jsonl", whole[: at + 1] + whole[at:]) == at + 2


def test_swapped_lines_are_detected(logs: Path, tmp_path: Path) -> None:
    whole = lines_of(logs / "middle.jsonl")
    rng = np.random.default_rng(2)
    pairs = [(at, at + 1) for at in range(len(whole) - 1)]
    pairs += [tuple(sorted(rng.choice(len(whole), 2, replace=False).tolist())) for _ in range(60)]
    for one, other in pairs:
        changed = list(whole)
        changed[one], changed[other] = changed[other], changed[one]
        assert refused_at(tmp_path / "events.jsonl", changed) >= one + 1


def test_lines_from_another_log_are_detected(logs: Path, tmp_path: Path) -> None:
    whole, other = lines_of(logs / "middle.jsonl"), lines_of(logs / "other.jsonl")
    assert len(whole) == len(other)
    for at in [1, 2, 20, 60, len(whole) - 1]:  # the other log has the same trajectory under another header
        refused_at(tmp_path / "events.jsonl", whole[:at] + other[at:])
    assert refused_at(tmp_path / "events.jsonl", [*whole, b"more\n"]) == len(whole) + 1
    assert refused_at(tmp_path / "events.jsonl", [*whole, b"more"]) == len(whole) + 1


def test_a_record_after_the_end_is_refused_even_with_a_good_hash(logs: Path, tmp_path: Path) -> None:
    whole = lines_of(logs / "small.jsonl")
    note = next(line for line in whole if b'"kind":"note"' in line)[:-TAIL]
    h = hashlib.sha256(b"".join(whole) + note).hexdigest()[:16].encode()
    assert refused_at(tmp_path / "events.jsonl", [*whole, note + b',"h":"' + h + b'"}\n']) == len(whole) + 1


def test_every_flipped_byte_of_a_shard_is_detected(tmp_path: Path) -> None:
    write_log(tmp_path, "columns", epochs=1, turns=1)
    rng = np.random.default_rng(3)
    shards = sorted((tmp_path / "shards").iterdir())
    assert len(shards) > 20
    for shard in shards:
        data = shard.read_bytes()
        for place in rng.integers(0, len(data), 3).tolist():
            changed = bytearray(data)
            changed[place] ^= 1 << int(rng.integers(8))
            shard.write_bytes(changed)
            with pytest.raises(LogDamaged, match=shard.name):
                verify_log(tmp_path)
        shard.write_bytes(data)
    shards[0].unlink()
    with pytest.raises(LogDamaged, match="cannot be read"):
        verify_log(tmp_path)


def test_every_flipped_byte_of_a_columns_log_is_detected(tmp_path: Path) -> None:
    write_log(tmp_path, "columns", epochs=1, turns=1, most=1)
    path = tmp_path / "events.jsonl"
    whole = path.read_bytes()
    rng = np.random.default_rng(4)
    for place in [*range(30), *rng.integers(0, len(whole), 250).tolist(), *range(len(whole) - 30, len(whole))]:
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(LogDamaged):
            verify_log(path)


def test_a_log_of_a_newer_schema_asks_for_a_newer_version(tmp_path: Path) -> None:
    newer = msgspec.structs.replace(header(), schema=2)
    (tmp_path / "events.jsonl").write_bytes(Chain().add_bound(encode(newer)))
    check: list[Callable[[Path], object]] = [verify_log, read_log, recover]
    for reader in check:
        with pytest.raises(MesocosmError, match=r"schema 2 .* reads up to 1\. Read it with a newer Mesocosm"):
            reader(tmp_path)


@pytest.mark.parametrize("text", [b"hello\n", b"{}\n", b'{"kind":"end"}\n', b"\x00" * 50 + b"\n", b"\n", b"[1]\n"])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "events.jsonl").write_bytes(text)
    with pytest.raises(LogDamaged):
        verify_log(tmp_path)


def test_a_missing_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(MesocosmError, match=r"events\.jsonl: cannot read the log"):
        verify_log(tmp_path)
