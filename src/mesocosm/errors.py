"""The one tree of errors a user can meet; every message says what, where and what to do."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType


class MesocosmError(Exception):
    """Any failure that is explained to the user in one message, without a traceback."""

    exit_code = 1


@dataclass(frozen=True)
class Mistake:
    """One thing wrong in a file: where it is, which key, what is wrong and what to do."""

    key: str
    message: str
    path: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column} " if self.line else (f"{self.path} " if self.path else "")
        return f"{place}{self.key}: {self.message}" if self.key else f"{place}{self.message}"


class ConfigError(MesocosmError):
    """A scenario, study or override that cannot be run as asked; carries every mistake found."""

    exit_code = 2

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class UsageError(MesocosmError):
    """A command or call that asks for something that does not exist or does not fit."""

    exit_code = 2


class LogDamaged(MesocosmError):
    """A log whose bytes do not match their hashes, or that is cut or malformed."""

    exit_code = 3

    def __init__(self, path: str, line: int, offset: int, why: str) -> None:
        self.path, self.line, self.offset, self.why = path, line, offset, why
        super().__init__(f"{path}:{line} (byte {offset}): {why}")


class ReplayDiffers(MesocosmError):
    """A re-simulation or recomputation that does not match the log; names the first difference."""

    exit_code = 3

    def __init__(self, where: str, field: str, expected: object, found: object) -> None:
        self.where, self.field, self.expected, self.found = where, field, expected, found
        super().__init__(f"{where}: {field} differs: the log says {expected!r}, the replay gives {found!r}")


class InvariantBroken(MesocosmError):
    """A rule of the model that must hold and does not: a defect in Mesocosm or in a plugin."""


def check(condition: bool, name: str, /, **facts: object) -> None:
    """Stop the run if an invariant of the model does not hold (kept under ``python -O``).

    Raises   InvariantBroken naming the invariant and the facts given.
    Example
        >>> check(1 + 1 == 2, "arithmetic")
    """
    if not condition:
        told = ", ".join(f"{key}={value!r}" for key, value in facts.items())
        raise InvariantBroken(f"invariant broken: {name} ({told})" if told else f"invariant broken: {name}")


LISTED_MOST = 24  # known words that a message lists


def nearest(word: str, known: Iterable[str]) -> str:
    """Say "Did you mean x?" for the known word nearest to a misspelt one, or list what is known.

    Example
        >>> nearest("transaction_taxx", ["transaction_tax", "sham"])
        'Did you mean transaction_tax?'
    """
    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]}?"
    more = f" and {len(options) - LISTED_MOST} more" if len(options) > LISTED_MOST else ""
    shown = ", ".join(options[:LISTED_MOST]) + more
    return f"Known: {shown}." if options else "Nothing of that kind is known."


@dataclass(frozen=True)
class Blame:
    """Turns whatever fails in the code of a policy, lever or metric into one message that says whose, and when.

    Example
        >>> try:
        ...     with Blame("lever bribe", "cost", "epoch 0, step 3"):
        ...         1 / 0
        ... except MesocosmError as error:
        ...     print(str(error)[:54])
        lever bribe: cost() failed in epoch 0, step 3: ZeroDiv
    """

    owner: str
    method: str
    when: str

    def __enter__(self) -> Blame:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not isinstance(error, Exception | SystemExit) or isinstance(error, MesocosmError):
            return
        where = traceback.extract_tb(at)[-1]
        raise MesocosmError(
            f"{self.owner}: {self.method}() failed in {self.when}: {type(error).__name__}: {error} "
            f"({where.filename}:{where.lineno}). Mend it and run again."
        ) from error
