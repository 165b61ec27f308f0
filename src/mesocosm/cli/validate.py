"""``mesocosm validate``: closed forms held against runs, number by number, with standard errors."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from mesocosm.analysis.evidence import Case
from mesocosm.analysis.validation import (
    NOT_EXPRESSED,
    SEEDS,
    Finding,
    Validation,
    chosen_cases,
    errors_most,
    examine_case,
    fixed_seeds,
    line_of,
)
from mesocosm.cli.arguments import AsJson
from mesocosm.cli.progress import NameLine
from mesocosm.cli.screen import NOT_VERIFIED, paint, say, say_json, say_whole, table, width, wrapped
from mesocosm.config.study_schema import FIRST_REPORTING_SEED

#: heading and width of each column of numbers
COLUMNS = {"expected": 9, "measured": 9, "SE": 8, "z": 6, "": 4}
NUMBERS = sum(COLUMNS.values())
BEYOND = 2.0
CHANCE_BEYOND = math.erfc(BEYOND / math.sqrt(2.0))


def validate_command(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Closed forms; all if none is named.")] = [],  # noqa: B006
    *,
    seeds: Annotated[int, typer.Option(metavar="N", help=f"How many seeds, from {FIRST_REPORTING_SEED} up.")] = SEEDS,
    as_json: AsJson = False,
) -> int:
    """Does it match theory? Hold closed forms against runs: expected, measured, standard error over seeds, z.

    Lines agree within four standard errors, a little more on few seeds. `mesocosm show NAME` prints the scenario behind
    each closed form.
    """
    began = time.perf_counter()
    cases, used = chosen_cases(names), fixed_seeds(seeds)
    if not as_json:
        for line in wrapped(
            f"Closed forms against runs: {seeds:,} seeds from {FIRST_REPORTING_SEED}, standard errors over seeds."
        ):
            say(line)
    found: list[Finding] = []
    with NameLine(plain=as_json) as announce:
        for place, case in enumerate(cases, start=1):
            announce(f"{case.scenario}, {place} of {len(cases)} ...")
            part = examine_case(case, used)
            announce.wipe()
            found += part
            if not as_json:
                _show_case(case, part)
    whole = Validation(tuple(found), seeds, FIRST_REPORTING_SEED)
    if as_json:
        facts = {
            "good": whole.good,
            "seeds": seeds,
            "first_seed": FIRST_REPORTING_SEED,
            "errors_most": errors_most(seeds),
        }
        say_json({**facts, "lines": [line_of(finding) for finding in found], "not_expressed": _reasons()})
    else:
        _conclude(whole, time.perf_counter() - began, all_of_them=not names)
    return 0 if whole.good else NOT_VERIFIED


def _show_case(case: Case, findings: Sequence[Finding]) -> None:
    """A heading, the theory, and a line for every number."""
    heads = "".join(head.rjust(span) for head, span in COLUMNS.items()).rstrip()
    room = max(width() - NUMBERS, 0)
    say()
    if room > len(case.scenario):
        say(paint(case.scenario.ljust(room), "bold") + paint(heads, "dim"))
    else:
        say(paint(case.scenario, "bold"))
        say(" " * room + paint(heads, "dim"))
    for line in wrapped(case.theory, "  ", 2):
        say(paint(line, "dim"))
    for finding in findings:
        for line in finding_lines(finding, room):
            say(line)


def finding_lines(finding: Finding, room: int) -> list[str]:
    """What is compared and its numbers, in one line where there is room for both.

    Params   room: columns for the words.
    """
    error = "exact" if finding.is_exact else rounded(finding.error)
    z = "" if finding.is_exact else f"{round(finding.z, 1) + 0.0:.1f}"
    values = (f"{finding.expected:.4f}", f"{finding.measured:.4f}", error, z)
    numbers = "".join(value.rjust(span) for value, span in zip(values, list(COLUMNS.values())[:4], strict=True))
    numbers += paint("  ok", "green") if finding.good else paint(" OFF", "red")
    if len(finding.what) + 2 < room:
        return [f"  {finding.what}".ljust(room) + numbers]
    return [*wrapped(finding.what, "  ", 2), " " * room + numbers]


def rounded(error: float) -> str:
    """A standard error with two digits that count.

    Example
        >>> rounded(0.00731), rounded(0.0000622), rounded(0.5)
        ('0.0073', '0.00006', '0.5000')
    """
    return f"{error:.4f}" if error >= 0.001 or math.isnan(error) else f"{error:.5f}"


def _conclude(whole: Validation, seconds: float, all_of_them: bool) -> None:
    """How many agree, which do not, and what was not asked."""
    say()
    if whole.off:
        _complain(whole)
    else:
        for line in wrapped(_agreement(whole, seconds)):
            say(paint(line, "green"))
    if all_of_them:
        say()
        say(paint("Not checked, because this model cannot express it:", "bold"))
        for line in table([[f"  {what}", why] for what, why in _reasons().items()], span_most=30):
            say(line)


def _complain(whole: Validation) -> None:
    """The lines that are off, and how to tell luck from error."""
    n, off = len(whole.findings), whole.off
    are = "is" if len(off) == 1 else "are"
    most = errors_most(whole.seeds)
    for line in wrapped(f"{len(off)} of {n} lines {are} more than {most:.2f} standard errors from theory:"):
        say(paint(line, "red"))
    for finding in off:
        for line in wrapped(f"{finding.case}: {finding.what}, {_told(finding)}", "  ", 4):
            say(line)
    names = list(dict.fromkeys(finding.case for finding in off))
    for line in wrapped("More seeds tell bad luck from an error in the model or the formula:"):
        say(line)
    say_whole("  next", f"mesocosm validate {' '.join(names)} --seeds {whole.seeds * 10}")


def _told(finding: Finding) -> str:
    """Both numbers of a line that is off."""
    numbers = f"expected {finding.expected:.5g}, measured {finding.measured:.5g}"
    if math.isnan(finding.measured):
        return f"expected {finding.expected:.5g}, but there was nothing to measure"
    return f"{numbers} in every seed" if finding.is_exact else f"{numbers}, z {finding.z:.1f}"


def _agreement(whole: Validation, seconds: float) -> str:
    """That all lines agree, and whether they scatter as much as chance makes them."""
    n = len(whole.findings)
    drawn = [abs(finding.z) for finding in whole.findings if not finding.is_exact]
    exact = f", {n - len(drawn)} of them exactly" if len(drawn) < n else ""
    far = sum(z > BEYOND for z in drawn)
    lie = "1 lies" if far == 1 else f"{far or 'none'} lie{'' if far else 's'}"
    return (
        f"All {n} lines agree with theory ({seconds:.0f} s){exact}. Of the {len(drawn)} with a standard error {lie} "
        f"more than {BEYOND:g} of them off, where chance alone puts {CHANCE_BEYOND * len(drawn):.1f} on average."
    )


def _reasons() -> dict[str, str]:
    return {what: " ".join(why.split()) for what, why in NOT_EXPRESSED.items()}
