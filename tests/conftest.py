"""What every test stands on: its own runs directory, no network, plain text, and Hypothesis profiles."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    print_blob=True,
)
settings.register_profile("deep", settings.get_profile("ci"), derandomize=False, max_examples=5000)
IS_DEEP = bool(os.environ.get("MESOCOSM_DEEP"))
settings.load_profile("deep" if IS_DEEP else "ci")

LOOPBACK = ("127.", "::1", "localhost")


class NetworkUsed(AssertionError):
    """A test reached for the network."""


def _guard(real: Callable[..., Any]) -> Callable[..., Any]:
    def connect(self: socket.socket, *args: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(args[-1][0]).startswith(LOOPBACK):
            raise NetworkUsed(f"tests do not use the network: {args[-1]!r}")
        return real(self, *args)

    return connect


def _guard_names(real: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None and not str(host).startswith(LOOPBACK):
            raise NetworkUsed(f"tests do not use the network: {host!r}")
        return real(host, *args, **kwargs)

    return getaddrinfo


@pytest.fixture(autouse=True)
def _enclosure(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Shut every test in: runs go to a folder of its own, sockets reach this machine only, output is plain."""
    monkeypatch.setenv("MESOCOSM_RUNS", str(tmp_path_factory.mktemp("runs")))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, _guard(getattr(socket.socket, name)))
    monkeypatch.setattr(socket, "getaddrinfo", _guard_names(socket.getaddrinfo))


@pytest.fixture
def registries_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test registers is gone after it."""
    from mesocosm import registry
    from mesocosm.metrics import totals

    registry.discover()
    for kind in registry.KINDS:
        monkeypatch.setitem(registry._entries, kind, dict(registry._entries[kind]))
    for name in ("_statistics", "_decision_statistics"):
        monkeypatch.setattr(totals, name, dict(getattr(totals, name)))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Folder of the source checkout that the tests belong to."""
    return Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the deep tests, by mark or by folder, to `make deep`."""
    folder = Path(__file__).resolve().parent / "deep"
    deep = [item for item in items if item.get_closest_marker("deep") or item.path.is_relative_to(folder)]
    if deep and not IS_DEEP:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if item not in deep]
