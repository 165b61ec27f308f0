"""``mesocosm dashboard``: runs and studies in a browser of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from mesocosm.cli.arguments import AsJson
from mesocosm.cli.screen import say, say_json
from mesocosm.dashboard.places import id_of
from mesocosm.dashboard.serve import ADDRESS, become, free_port, refuse_if_missing, server_command
from mesocosm.runner.directory import run_root


def dashboard_command(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="A run under the run root: id, path, or `latest`.")] = "",
    port: Annotated[int, typer.Option(metavar="N", help="Port on 127.0.0.1.", show_default="the first free one")] = 0,
    as_json: AsJson = False,
) -> int:
    """Open the dashboard: watch, start, pause and compare runs in a browser of this machine; Ctrl-C ends it."""
    refuse_if_missing()
    run_id = id_of(run) if run else ""
    chosen = free_port(port)
    address = f"http://{ADDRESS}:{chosen}/"
    command = server_command(chosen, run_id)
    if as_json:
        say_json({"address": address, "run_root": str(run_root()), "run": run_id or None})
    else:
        say(f"The dashboard is at {address} (this machine only; runs under {run_root()}). Ctrl-C ends it.")
    become(command)
    return 1  # not reached: the server has taken this process over
