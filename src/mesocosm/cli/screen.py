"""What is put on the screen: plain lines that fit the width, colour only where it is wanted, JSON for machines."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from mesocosm.errors import ConfigError, MesocosmError

NOT_VERIFIED = 3
WIDTH_LEAST, WIDTH_MOST = 40, 120
_BARS = "▁▂▃▄▅▆▇█"
_BARS_ASCII = "_.-=+*#@"
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}

NAME_LEAST = 12  # characters that a shortened name keeps


def width() -> int:
    """Columns there are to write in: those of the terminal, or 80."""
    return max(WIDTH_LEAST, min(shutil.get_terminal_size((80, 24)).columns, WIDTH_MOST))


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at this stream now."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """Colour a text if the stream is a terminal that wants colour (NO_COLOR and TERM=dumb say it does not)."""
    if not is_terminal(stream or sys.stdout) or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def prepare_streams() -> None:
    """Make sure that neither a character that the terminal cannot show nor a closed stream ever ends a run."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (None: closed by the caller)
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def say(text: str = "") -> None:
    """Print a line; when the reader has gone (`| head`), go on in silence."""
    _write(sys.stdout, f"{text}\n")


def tell(text: str = "") -> None:
    """Print a line beside the result: progress, notes, errors."""
    _write(sys.stderr, f"{text}\n")


def tell_wrapped(text: str) -> None:
    """Print a paragraph beside the result."""
    for line in wrapped(text):
        tell(line)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
    except OSError:
        _silence(stream)  # or Python would try once more at its end, and fail with a code of its own
        raise


def _silence(stream: TextIO) -> None:
    """Let everything written from now on, and at exit, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say_json(value: Any) -> None:
    """Print a value as JSON; NaN is null."""
    say(json.dumps(plain_json(value), indent=2, ensure_ascii=False))


def plain_json(value: Any) -> Any:
    """The same value with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def wrapped(text: str, label: str = "", indent: int = 0) -> list[str]:
    """A paragraph in lines that fit, with a label before the first and the rest aligned behind it."""
    lines = textwrap.wrap(
        text, width=width(), initial_indent=label.ljust(indent), subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return lines or [label]


def say_entry(label: str, text: str, indent: int = 12) -> None:
    """Print a labelled paragraph."""
    lines = wrapped(text, label, indent)
    say(paint(lines[0][:indent], "bold") + lines[0][indent:])
    for line in lines[1:]:
        say(line)


def say_whole(label: str, text: str, indent: int = 12) -> None:
    """Print a labelled path or command in one piece, however long, so that it can be copied."""
    say(paint(label.ljust(indent), "bold") + text)


def table(rows: Sequence[Sequence[str]], gap: int = 2, span_most: int = 24) -> list[str]:
    """Left-aligned columns; the last one wraps, and begins on a line of its own behind a cell that is too long."""
    if not rows:
        return []
    spans = [min(span_most, max(len(row[place]) for row in rows)) for place in range(len(rows[0]) - 1)]
    indent = sum(spans) + gap * len(spans)
    lines: list[str] = []
    for row in rows:
        head = "".join(cell.ljust(span) + " " * gap for cell, span in zip(row[:-1], spans, strict=True))
        if any(len(cell) > span for cell, span in zip(row[:-1], spans, strict=True)):
            lines.append(head.rstrip())
            head = ""
        lines += [line.rstrip() for line in wrapped(row[-1], head, indent)]
    return lines


def columns(rows: Sequence[Sequence[str]], *, words_last: bool = False, spare: Sequence[int] = ()) -> list[str]:
    """Numbers in columns: the first left-aligned, the others right-aligned; what is too wide for the screen is cut.

    Params   words_last: whether the last column is words and left-aligned; spare: columns to leave out, in this order,
             if the screen is too narrow; after that, what stands in the first column is shortened.
    """
    spans = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    beyond = sum(spans) + 2 * (len(spans) - 1) - width()
    if beyond > 0 and spare:
        dropped, *others = spare
        kept = [[cell for place, cell in enumerate(row) if place != dropped] for row in rows]
        return columns(kept, words_last=words_last, spare=[place - (place > dropped) for place in others])
    first = max(spans[0] - max(beyond, 0), min(spans[0], NAME_LEAST))
    lines = []
    for row in rows:
        name = row[0] if len(row[0]) <= first else f"{row[0][: first - 3]}..."
        numbers = [cell.rjust(span) for cell, span in zip(row[1:], spans[1:], strict=True)]
        if words_last:
            numbers[-1] = row[-1]
        lines.append("  ".join([name.ljust(first), *numbers]).rstrip())
    return lines


def sparkline(values: Iterable[float], top: float, count: int = 40) -> str:
    """Values from 0 to `top` as one row of bars, a space where undefined; long rows are thinned out evenly."""
    shown = list(values)
    if len(shown) > count:
        shown = [shown[place * (len(shown) - 1) // (count - 1)] for place in range(count)]
    bars = _BARS if _can_show(_BARS) else _BARS_ASCII
    last = len(bars) - 1
    return "".join(
        " " if math.isnan(value) else bars[round(min(max(value, 0.0) / top, 1.0) * last) if top > 0 else 0]
        for value in shown
    )


def dash() -> str:
    """The sign for a value that is undefined."""
    return "–" if _can_show("–") else "-"


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def explain_failure(error: MesocosmError, as_json: bool) -> int:
    """Print what went wrong, for a person or a machine, and return the exit code."""
    if as_json:
        say_json({"error": type(error).__name__, "message": str(error), "exit_code": error.exit_code} | _details(error))
    elif isinstance(error, ConfigError) and (len(error.mistakes) > 1 or error.mistakes[0].line):
        for mistake in error.mistakes:
            tell(str(mistake))
        count = len(error.mistakes)
        tell(f"{paint('error:', 'red', sys.stderr)} {count} mistake{'s' * (count != 1)} to mend; nothing was run.")
    else:
        label = "not verified:" if error.exit_code == NOT_VERIFIED else "error:"
        text = f"{label} {str(error).strip() or type(error).__name__}"
        lines = wrapped(text) if is_terminal(sys.stderr) and "\n" not in text else text.splitlines()
        tell(paint(label, "red", sys.stderr) + lines[0][len(label) :])
        for line in lines[1:]:
            tell(line)
    return error.exit_code


def _details(error: MesocosmError) -> dict[str, Any]:
    if isinstance(error, ConfigError):
        return {"mistakes": [vars(mistake) for mistake in error.mistakes]}
    return {name: value for name, value in vars(error).items() if isinstance(value, str | int | float | bool | None)}
