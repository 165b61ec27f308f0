"""Plays blocks of a sweep's cells on a Ray cluster: the one that RAY_ADDRESS names, or a local one started for it."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from mesocosm.errors import MesocosmError, UsageError
from mesocosm.runner.cells import Cell, CellStore
from mesocosm.runner.worker import Asked, play_task


def play_on_ray(
    blocks: Sequence[Sequence[Cell]], asked: Asked, store: CellStore, workers: int, tell: Callable[[int, float], None]
) -> None:
    """Play all blocks on Ray; finished cells come back here and are written by this process.

    Params   workers: blocks at a time, and cores of a local cluster if one has to be started.
    Raises   UsageError when Ray is not installed; MesocosmError when a cell cannot be played.
    """
    ray = _ray()
    started = not ray.is_initialized()
    if started:
        _connect(ray, workers)
    try:
        play = ray.remote(num_cpus=1, max_retries=3)(_play)
        waiting = list(enumerate(blocks))
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and len(running) < workers:
                number, block = waiting.pop(0)
                running[play.remote(asked.task(block))] = number
            for finished in ray.wait(list(running), num_returns=1)[0]:
                _keep(ray, finished, store)
                tell(running.pop(finished), 1.0)
    finally:
        if started:
            ray.shutdown()


def _ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UsageError(
            "--executor ray needs Ray, which is not installed here: pip install 'mesocosm[ray]'. "
            "The local executor needs nothing: --workers N."
        ) from error


def _connect(ray: Any, workers: int) -> None:
    """Join the cluster that RAY_ADDRESS names, or start a local one."""
    quiet = {"include_dashboard": False, "configure_logging": True, "logging_level": logging.ERROR}
    try:
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(num_cpus=workers, log_to_driver=False, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise MesocosmError(f"Ray cannot be reached: {error}") from error


def _play(task: dict[str, Any]) -> list[tuple[str, bytes]] | tuple[str, int]:
    """A block on some machine of the cluster: its cells, or what is wrong with them and the exit code for that."""
    try:
        return list(play_task(task))
    except MesocosmError as error:
        return str(error), error.exit_code


def _keep(ray: Any, finished: Any, store: CellStore) -> None:
    try:
        found = ray.get(finished)
    except ray.exceptions.RayError as error:
        raise MesocosmError(f"a worker of the Ray cluster failed: {error}") from error
    if isinstance(found, tuple):
        failure = MesocosmError(found[0])
        failure.exit_code = found[1]
        raise failure
    for name, data in found:
        store.write(name, data)
