"""``mesocosm doctor``: this machine looked over, and its numbers compared with ours."""

from __future__ import annotations

from typing import Annotated

import typer

from mesocosm.cli.arguments import AsJson
from mesocosm.cli.screen import NOT_VERIFIED, paint, say, say_json, say_whole, wrapped
from mesocosm.runner.doctor import examine, update_golden

FAILED = 1
INDENT = 18


def doctor_command(
    as_json: AsJson = False,
    renew: Annotated[bool, typer.Option("--update-golden", hidden=True)] = False,
) -> int:
    """Look this machine over: Python, packages, where runs go, and whether its numbers are our numbers."""
    if renew:
        path = update_golden()
        if as_json:
            say_json({"written": str(path)})
        else:
            say_whole("written", str(path))
        return 0
    found = []
    for checkup in examine():
        found.append(checkup)
        if not as_json:
            word = paint("ok  ", "green") if checkup.good else paint("bad ", "red")
            lines = wrapped(checkup.found, f"xxxx{checkup.name}".ljust(INDENT), INDENT)
            say(f"{word}{lines[0][4:]}")
            for line in lines[1:]:
                say(line)
    ours = all(checkup.good for checkup in found if checkup.decides_numbers)
    fit = all(checkup.good for checkup in found)
    if as_json:
        say_json({"fit": fit, "numbers_are_ours": ours, "checks": [vars(checkup) for checkup in found]})
    else:
        _conclude(ours, fit)
    return NOT_VERIFIED if not ours else 0 if fit else FAILED


def _conclude(ours: bool, fit: bool) -> None:
    say()
    if not ours:
        text = "Your numbers are not our numbers: results from this machine cannot be compared with published ones."
        for line in wrapped(f"{text} Please report this, with what is printed above."):
            say(paint(line, "red"))
    else:
        say("Your numbers are our numbers." + ("" if fit else " But see what is bad above."))
