"""The tables of a study with several outcomes on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from mesocosm.analysis.displacement import is_measured
from mesocosm.analysis.outcomes import findings_of
from mesocosm.analysis.study import StudyResults
from mesocosm.analysis.study_tables import LEGEND, harm_tables, outcome_rows, robustness_rows
from mesocosm.cli.screen import columns, paint, say, wrapped


def say_outcomes(found: StudyResults) -> None:
    """Every arm on every outcome, setting by setting; whether that holds elsewhere; where the harm went."""
    findings = findings_of(found)
    for line in wrapped(f"Changes on every outcome. {LEGEND}"):
        say(line)
    for setting in found.settings:
        _say_table(outcome_rows(found, findings, setting, is_narrow=True))
    elsewhere = robustness_rows(found, findings)
    if elsewhere:
        _say_table(elsewhere)
    if is_measured(found):
        say()
        for line in wrapped("Where the harm went: bad deals an epoch; + clearly more, - clearly fewer."):
            say(line)
        for setting, tables in harm_tables(found):
            if setting:
                say()
                say(paint(f"in {setting}", "bold"))
            for rows in tables:
                _say_table(rows)


def _say_table(rows: Sequence[Sequence[str]]) -> None:
    say()
    for number, line in enumerate(columns(rows)):
        say(paint(line, "bold") if number == 0 else line)
