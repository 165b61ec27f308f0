"""The dashboard opens what lies under the run root and nothing else, and answers nobody but this machine."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mesocosm as mc
from dashboard_server import Served, served
from hostile_texts import hostile_ids
from mesocosm.cli.main import main
from mesocosm.dashboard import places, serve
from mesocosm.dashboard.following import Following
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.runner.directory import run_root

_opened: list[str] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _opened is not None and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | bytes):
        _opened.append(os.fsdecode(arguments[0]))


sys.addaudithook(_note)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Every file and directory that is opened while the test runs."""
    global _opened
    _opened = []
    yield _opened
    _opened = None


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A real run that is not under the run root, and links and files under it that lead there."""
    run = mc.run("baseline", seed=1, epochs=1, output=tmp_path / "outside" / "elsewhere").path
    root = run_root()
    mc.run("baseline", seed=2, epochs=1, output=root / "inside")
    (root / "link_to_run").symlink_to(run)
    (root / "link_to_file").symlink_to(run / "events.jsonl")
    (root / "lone_file").write_text("{}")
    return run


def test_a_thousand_hostile_ids_open_no_file_outside_the_run_root(elsewhere: Path, opened: list[str]) -> None:
    ids = hostile_ids(str(elsewhere), elsewhere.name)
    assert len(set(ids)) > 900
    for name in [*ids, *([None, 3, ["inside"], b"inside", Path("inside")])]:
        for kind in ("run", "study"):
            with pytest.raises(UsageError, match="under the run root"):
                places.open_place(name, kind)
    root = run_root().resolve()
    out = {path for path in opened if not Path(path).resolve().is_relative_to(root)}
    assert not out
    assert places.open_place("inside").run_id == "inside"  # and what is there can be opened


def test_the_watch_on_opened_files_sees_them(elsewhere: Path, opened: list[str]) -> None:
    (elsewhere / "events.jsonl").read_bytes()
    assert str(elsewhere / "events.jsonl") in opened


def test_a_link_inside_a_run_directory_is_not_followed(elsewhere: Path, opened: list[str]) -> None:
    inside = run_root() / "inside"
    for name in ("events.jsonl", "manifest.json"):
        shutil.copytree(inside, run_root() / f"linked_{name}")
        (run_root() / f"linked_{name}" / name).unlink()
        (run_root() / f"linked_{name}" / name).symlink_to(elsewhere / name)
    opened.clear()
    with pytest.raises(MesocosmError, match="not a plain file"):
        Following(places.open_place("linked_events.jsonl")).read_on()
    with pytest.raises(UsageError):
        places.open_place("linked_manifest.json")
    with pytest.raises(MesocosmError, match="not a plain file"):
        places.refuse_links(places.open_place("linked_events.jsonl"))
    assert not [path for path in opened if "elsewhere" in Path(path).resolve().parts]


def test_a_pipe_in_place_of_a_log_does_not_hang_the_page(elsewhere: Path) -> None:
    piped = run_root() / "piped"
    shutil.copytree(run_root() / "inside", piped)
    (piped / "events.jsonl").unlink()
    os.mkfifo(piped / "events.jsonl")
    with pytest.raises(MesocosmError, match="not a plain file"):
        Following(places.open_place("piped")).read_on()


def test_the_list_has_runs_only_and_the_newest_first(elsewhere: Path) -> None:
    os.utime(run_root() / "inside" / "manifest.json", (1, 1))
    mc.run("baseline", seed=3, epochs=1, output=run_root() / "later")
    assert [place.run_id for place in places.places("run")] == ["later", "inside"]
    assert places.open_place("latest").run_id == "later"


def test_the_command_takes_ids_and_paths_under_the_run_root(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert places.id_of("inside") == "inside"
    assert places.id_of(str(run_root() / "inside")) == "inside"
    for name in (str(elsewhere), "..", "nobody"):
        assert main(["dashboard", name]) == 2
        assert "MESOCOSM_RUNS" in capsys.readouterr().err


def test_without_its_libraries_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["dashboard"]) == 2
    assert "pip install 'mesocosm[dashboard]'" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is taken"):
            serve.free_port(port)


# --- a server that is up


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served") / "runs"
    root.mkdir()
    with served(root) as found:
        yield found


def listening(port: int) -> set[str]:
    """Local addresses at which something listens on a port, as the kernel writes them."""
    found = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.is_file() else ():
            words = line.split()
            if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                found.add(words[1].rpartition(":")[0])
    return found


def own_addresses() -> list[str]:
    """Addresses of this machine other than loopback; asking for a route sends nothing."""
    code = (
        "import socket\n"
        "for family, far in ((socket.AF_INET, '192.0.2.1'), (socket.AF_INET6, '2001:db8::1')):\n"
        "    try:\n"
        "        with socket.socket(family, socket.SOCK_DGRAM) as probe:\n"
        "            probe.connect((far, 9)); print(probe.getsockname()[0])\n"
        "    except OSError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.split() if not line.startswith(("127.", "::1"))]


def test_a_connection_from_another_interface_is_refused(up: Served) -> None:
    code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()"
    words = [sys.executable, "-c", code]
    assert subprocess.run([*words, "127.0.0.1", str(up.port)]).returncode == 0
    for address in own_addresses():
        done = subprocess.run([*words, address, str(up.port)], capture_output=True, text=True)
        assert done.returncode != 0, f"{address} was let in"
        assert "ConnectionRefused" in done.stderr
    if Path("/proc/net/tcp").is_file():
        assert listening(up.port) == {"0100007F"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 101),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
    ],
)
def test_a_page_of_another_site_cannot_speak_to_the_dashboard(up: Served, headers: dict[str, str], status: int) -> None:
    asked = {
        "Host": f"127.0.0.1:{up.port}", "Origin": f"http://127.0.0.1:{up.port}", "Upgrade": "websocket",
        "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "bWVzb2Nvc20gZGFzaGJvYQ==",
    }  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=10)
    connection.putrequest("GET", "/_stcore/stream", skip_host=True)
    for name, value in (asked | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == status
    connection.close()


def test_the_server_keeps_to_itself() -> None:
    words = serve.server_command(8501, "")
    assert "--server.address=127.0.0.1" in words
    assert "--browser.gatherUsageStats=false" in words
    assert "--server.headless=true" in words
