"""Starting the page's server: on this machine only, without telemetry, and for browsers of this machine only."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys

from mesocosm.errors import UsageError

APP = "mesocosm.dashboard.app"
ADDRESS = "127.0.0.1"
PORTS = range(8501, 8600)
INSTALL = "The dashboard needs Streamlit and Plotly: pip install 'mesocosm[dashboard]'"


def refuse_if_missing() -> None:
    """Say what to install where the dashboard's libraries are missing.

    Raises   UsageError when they are.
    """
    if any(importlib.util.find_spec(name) is None for name in ("streamlit", "plotly")):
        raise UsageError(INSTALL)


def free_port(asked: int = 0) -> int:
    """A port on which nothing listens yet: the one asked for, or the first free one.

    Raises   UsageError when the one asked for is taken, or all are.
    """
    for port in [asked] if asked else PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                continue
            return port
    raise UsageError(f"port {asked} is taken; choose another --port." if asked else "no port is free; name a --port.")


def server_command(port: int, run_id: str) -> list[str]:
    """The command that serves the page.

    Params   run_id: the run to open first; empty for the last one.
    """
    spec = importlib.util.find_spec(APP)
    if spec is None or spec.origin is None:
        raise UsageError(f"{APP} is missing: install Mesocosm again.")
    settings = {
        "server.address": ADDRESS,
        "server.port": port,
        "server.headless": "true",
        "server.showEmailPrompt": "false",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
        "server.enableStaticServing": "false",
        "server.enableAgentApi": "false",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": 1,
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": ADDRESS,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.disableDataExport": "true",  # a spreadsheet would run what some cells say; see `mesocosm export`
        "client.showErrorLinks": "false",
        "global.developmentMode": "false",
        "runner.magicEnabled": "false",
        "logger.level": "warning",
        "theme.light.primaryColor": "#0072b2",
        "theme.dark.primaryColor": "#4aa8e8",
    }
    hosts = [f"--server.allowedHosts={name}" for name in (ADDRESS, "localhost")]  # else a foreign name may lead here
    flags = [*(f"--{name}={value}" for name, value in settings.items()), *hosts]
    return [sys.executable, "-m", "streamlit", "run", spec.origin, *flags, "--", *([run_id] if run_id else [])]


def become(command: list[str]) -> None:
    """Turn this process into the server, so that whoever stops one stops the other; it talks to standard error only."""
    sys.stdout.flush()
    os.dup2(2, 1)
    os.execv(command[0], command)  # noqa: S606 (our own interpreter, arguments as a list)
