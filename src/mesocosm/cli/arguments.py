"""The arguments of a command: read by typer from the signature of a function, refused in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mesocosm.errors import UsageError, nearest

#: the options that several commands share
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.", show_default=False)]
Plugins = Annotated[
    list[str],
    typer.Option(
        "--plugin", metavar="FILE", help="Load policies, levers or metrics from a Python file.", show_default=False
    ),
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", "--override", metavar="PATH=VALUE", help="Change a value: governance.transaction_tax.rate=0.1",
        show_default=False,
    ),
]  # fmt: skip

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
#: the error that every refusal of the parser is one of, wherever typer keeps it
_REFUSAL: type[Exception] = typer.BadParameter.__mro__[2]


def invoke(function: Callable[..., Any], program: str, words: list[str]) -> int:
    """Read the words of a command line and call its function with them.

    Returns  the exit code.
    Raises   UsageError for words that the command does not know, with the nearest right one.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(context_settings=_CONTEXT)(function)
    command: Any = typer.main.get_command(app)
    try:
        with command.make_context(program, words) as context:
            return int(command.invoke(context) or 0)
    except typer.Exit as leave:
        return int(leave.exit_code)
    except _REFUSAL as refusal:
        raise UsageError(f"{_reason(refusal, command)} See `{program} --help`.") from None


def _reason(refusal: Any, command: Any) -> str:
    """What the parser objects to, in our words where it is an unknown option."""
    said = str(refusal.format_message()).strip().replace("\n", " ")
    unknown = getattr(refusal, "option_name", None)
    if unknown is not None and re.match("no such option", said, re.IGNORECASE):
        known = [name for item in command.params for name in (*item.opts, *item.secondary_opts) if name[:1] == "-"]
        return f"unknown option {unknown}. {nearest(unknown, known)}"
    invalid = re.match(r"Invalid value for '?(.+?)'?: (.*)", said)
    if invalid and "integer" in invalid.group(2).lower():
        return f"{invalid.group(1)} takes a whole number."
    extra = re.match(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", said)
    if extra:
        return f"there is no place for {extra.group(1)!r}."
    return said if said.endswith((".", "?")) else f"{said}."
