"""The tests are shut in: no network, runs in a folder of their own."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


def test_a_test_cannot_reach_the_network() -> None:
    with socket.socket() as outside, pytest.raises(AssertionError, match="do not use the network"):
        outside.connect(("192.0.2.1", 80))
    with pytest.raises(AssertionError, match="do not use the network"):
        socket.create_connection(("example.org", 80), timeout=1)


def test_a_test_can_reach_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_runs_go_to_an_empty_folder_outside_the_checkout(checkout: Path) -> None:
    runs = Path(os.environ["MESOCOSM_RUNS"])
    assert list(runs.iterdir()) == []
    assert not runs.is_relative_to(checkout)
