"""Synthetic events of every kind for the tests of the log: small, varied, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mesocosm.env.events import ANNOTATIONS, EVENT_FIELDS, Checkpoint, EventBatch
from mesocosm.log.canonical import Header
from mesocosm.log.write import LogSet, LogWriter, Mode

TEXTS = ["", "hello", 'a "quoted" \\ line\nbreak', "naïve – 模型 🜁", "\u2028\x00\x7f", '"kind":"end"}']


def header(level: str = "full", seed: int = 42, **scenario: Any) -> Header:
    return Header(model="1.0", level=level, seed=seed, scenario={"name": "made up", "steps": 3, **scenario})


def values(rng: np.random.Generator, form: str, k: int) -> Any:
    if form == "int":
        return rng.integers(-5, 1 << 40, k)
    if form == "float":
        column = np.where(
            rng.random(k) < 0.3, rng.integers(0, 3, k) * 0.5, rng.normal(size=k) * 10.0 ** rng.integers(-8, 9, k)
        )
        column[rng.random(k) < 0.15] = np.nan
        return column
    if form == "bool":
        return rng.random(k) < 0.5
    if form == "str":
        return [TEXTS[index] for index in rng.integers(0, len(TEXTS), k)]
    return [rng.integers(0, 99, rng.integers(0, 4)).tolist() for _ in range(k)]


def batch_of(
    rng: np.random.Generator, kind: str, sizes: list[int], seqs: list[int], place: tuple[int, int, int]
) -> EventBatch:
    """A batch with so many rows for each replicate; counts seqs on."""
    seq: list[int] = []
    for replicate, size in enumerate(sizes):
        if kind in ANNOTATIONS:
            seq += [seqs[replicate] - 1] * size
        else:
            seq += range(seqs[replicate], seqs[replicate] + size)
            seqs[replicate] += size
    k = len(seq)
    column = {name: values(rng, form, k) for name, form in EVENT_FIELDS[kind].items()}
    cause = np.where(rng.random(k) < 0.5, -1, rng.integers(0, 50, k)) if rng.random() < 0.8 else None
    replicate_of = np.repeat(np.arange(len(sizes)), sizes)
    return EventBatch(kind, *place, replicate_of, np.array(seq, dtype=np.int64), column, cause)


def happenings(
    seed: int = 0,
    replicates: int = 1,
    epochs: int = 2,
    turns: int = 4,
    most: int = 3,
    without: frozenset[str] = frozenset(),
) -> Iterator[EventBatch | Checkpoint]:
    """A run of made-up events: every kind at least once an epoch, checkpoints, something after the last of them.

    `without` leaves kinds of annotation out and changes nothing else.
    """
    rng = np.random.default_rng(seed)
    seqs = [0] * replicates
    for epoch in range(epochs):
        for turn in range(turns):
            kinds = list(EVENT_FIELDS) if turn == 0 else list(rng.permutation(list(EVENT_FIELDS))[:5])
            for kind in kinds:
                sizes = rng.integers(1 if turn == 0 else 0, most + 1, replicates).tolist()
                batch = batch_of(rng, str(kind), sizes, seqs, (epoch, epoch * turns + turn, 0))
                if kind not in without:
                    yield batch
        yield Checkpoint(
            epoch, (epoch + 1) * turns, [f"{epoch:02x}{replicate:02x}" * 16 for replicate in range(replicates)]
        )
    yield batch_of(rng, "simulation_ended", [1] * replicates, seqs, (epochs, epochs * turns, 0))


def totals(epoch: int, replicate: int) -> dict[str, Any]:
    return {"welfare": np.float64(epoch + replicate / 3), "gap": float("nan"), "accepted": np.int64(epoch)}


def write_log(
    path: Path, level: str = "full", mode: Mode = "create", head: Header | None = None, **facts: Any
) -> LogWriter:
    """Write (or reproduce) the log of one made-up run, alone."""
    writer = LogWriter(path, head or header(level), mode=mode)
    with writer:
        epochs = 0
        for item in happenings(**facts):
            if isinstance(item, Checkpoint):
                writer.checkpoint(item.epoch, item.state_sha256[0], totals(item.epoch, 0))
                epochs += 1
            else:
                writer.write(item)
        writer.end("finished", epochs)
    return writer


def write_set(paths: list[Path], level: str = "full", **facts: Any) -> LogSet:
    """Write the logs of many made-up replicates that share one table."""
    logs = LogSet([LogWriter(path, header(level, seed)) for seed, path in enumerate(paths)])
    epochs = 0
    with logs:
        for item in happenings(replicates=len(paths), **facts):
            if isinstance(item, Checkpoint):
                logs.checkpoint(item, [totals(item.epoch, replicate) for replicate in range(len(paths))])
                epochs += 1
            else:
                logs.write(item)
        logs.end("finished", epochs)
    return logs
