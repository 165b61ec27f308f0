"""Does it match theory? Closed forms held against runs of bundled scenarios, number by number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from mesocosm.analysis.evidence import Case, measure_claims
from mesocosm.analysis.governance_cases import GOVERNANCE_CASES
from mesocosm.analysis.identity_cases import IDENTITY_CASES
from mesocosm.analysis.information_cases import INFORMATION_CASES
from mesocosm.analysis.market_cases import MARKET_CASES
from mesocosm.analysis.society_cases import SOCIETY_CASES
from mesocosm.analysis.trade_cases import TRADE_CASES
from mesocosm.config.load import load_scenario
from mesocosm.config.study_schema import FIRST_REPORTING_SEED
from mesocosm.errors import UsageError, nearest

SEEDS, SEEDS_LEAST = 400, 30
ERRORS_MOST = 4.0  # of a normal variable: chance alone goes beyond it once in 16,000 lines
EXACT = 1e-9

#: what the closed forms of the field contain and this engine cannot express, with the reason
NOT_EXPRESSED = {
    "a dealer who quotes": """Prices come from a menu that is fixed for a run. The Bayesian price is checked where the
        engine has it, in what agents learn of each other (price_path); the price of a sale to the dealer is measured
        and not paid (glosten_milgrom).""",
    "orders of any size": """A deal is made or not, so Kyle's insider cannot choose an amount and his later auctions
        cannot be played. The moments of one auction are checked on the score (kyle).""",
    "qualities in between": """An outcome is +1 or -1. Goodhart's regression of one normal variable on another
        is replaced by its binary counterpart (regressional_goodhart).""",
    "a price that moves": """Prices do not move within a run. Akerlof's fall of the price is checked one step
        at a time, from each price to the next (lemons).""",
    "other shapes of p": """Pigou's row for p ~ Beta(2, 2) needs one more model of noise.""",
    "a taste for risk": """Agents weigh expected payoffs, so Becker's risk-averse offenders do not exist here.""",
    "certified quality": """Sellers cannot disclose, so the unravelling of Grossman and Milgrom has no place.""",
    "contagion, commons": """No bundled scenario plays them, so nothing is asked about their closed forms.""",
    "a given matrix of trust": """EigenTrust's vector belongs to a matrix that is written down; here trust is learned.
        The vector of science notes 3.7 is a doctest of measures.eigentrust, and clique mass is checked in runs
        (eigentrust).""",
    "inspectors who choose": """Audits are drawn with a fixed chance and not by somebody who weighs their cost, so the
        mixed equilibrium of inspection has no place, nor has a sample of fixed size (hypergeometric detection).""",
    "queues": """A moderator looks at so many deals a step and at none of the others later, so there is no queue whose
        waiting times M/M/1 would give.""",
    "auctions of what is worth the same to all": """Costs are private, so nobody can be cursed by winning; there are no
        reserve prices but the poster's offer (procurement).""",
}


@cache
def errors_most(n_seeds: int) -> float:
    """How many standard errors a line may be off: as many as chance exceeds as seldom as a normal variable exceeds 4.

    An error that is itself measured on few seeds is often too small, which Student's t allows for.

    Example
        >>> round(errors_most(30), 2), round(errors_most(400), 2)
        (4.67, 4.04)
    """
    import scipy.stats

    return float(scipy.stats.t.isf(scipy.stats.norm.sf(ERRORS_MOST), n_seeds - 1)) if n_seeds > 1 else math.nan


@dataclass(frozen=True)
class Finding:
    """One line: what theory expects, what runs show, and how far apart they are in standard errors."""

    case: str
    what: str
    expected: float
    measured: float
    error: float
    n_seeds: int

    @property
    def is_exact(self) -> bool:
        """Whether every seed gave the same number, so that no error is allowed."""
        return self.error == 0.0

    @property
    def z(self) -> float:
        """Distance in standard errors; 0 or infinite where there is no error."""
        if self.is_exact:
            return 0.0 if self.good else math.inf
        return (self.measured - self.expected) / self.error

    @property
    def good(self) -> bool:
        """Whether they agree: within `errors_most` standard errors, or to nine digits where there is no error."""
        allowed = EXACT * max(1.0, abs(self.expected)) if self.is_exact else errors_most(self.n_seeds) * self.error
        return abs(self.measured - self.expected) <= allowed


@dataclass(frozen=True, repr=False)
class Validation:
    """All lines, and what they rest on."""

    findings: tuple[Finding, ...]
    seeds: int
    first_seed: int

    @property
    def good(self) -> bool:
        """Whether every line agrees with theory."""
        return all(finding.good for finding in self.findings)

    @property
    def off(self) -> tuple[Finding, ...]:
        """The lines that do not."""
        return tuple(finding for finding in self.findings if not finding.good)

    def __repr__(self) -> str:
        agree = len(self.findings) - len(self.off)
        return f"Validation({agree} of {len(self.findings)} lines agree with theory, {self.seeds} seeds)"

    @cached_property
    def lines(self) -> Any:
        """The lines as a Polars frame."""
        import polars as pl

        return pl.DataFrame([line_of(finding) for finding in self.findings])


def line_of(finding: Finding) -> dict[str, Any]:
    """A finding as plain values."""
    return {**vars(finding), "z": finding.z, "exact": finding.is_exact, "good": finding.good}


def validation_cases() -> dict[str, Case]:
    """Every case by the name of its scenario."""
    builders = (*MARKET_CASES, *INFORMATION_CASES, *SOCIETY_CASES, *IDENTITY_CASES, *GOVERNANCE_CASES, *TRADE_CASES)
    return {case.scenario: case for case in (build() for build in builders)}


def examine_case(case: Case, seeds: Sequence[int]) -> tuple[Finding, ...]:
    """Play the arms of a case on some seeds and hold every claim against what was seen."""
    scenarios = {arm: load_scenario(case.scenario, overrides) for arm, overrides in case.arms.items()}
    found = measure_claims(scenarios, case.claims, seeds, case.columns)
    return tuple(
        Finding(case.scenario, claim.what, claim.expected, estimate.value, estimate.error, estimate.n_seeds)
        for claim, estimate in zip(case.claims, found, strict=True)
    )


def chosen_cases(names: str | Sequence[str] = ()) -> list[Case]:
    """The cases named, each once, or all.

    Raises   UsageError for a name that is not a case, with the nearest right one.
    """
    known = validation_cases()
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no closed form {name!r}. {nearest(name, known)}")
    return [known[name] for name in dict.fromkeys(wanted) or known]


def fixed_seeds(seeds: int, first_seed: int = FIRST_REPORTING_SEED) -> range:
    """The seeds that a validation rests on: the same ones every time.

    Raises   UsageError for fewer than make a standard error worth its name.
    """
    if seeds < SEEDS_LEAST:
        raise UsageError(f"{seeds} seeds are too few: a standard error needs {SEEDS_LEAST} at least.")
    return range(first_seed, first_seed + seeds)


def validate(
    names: str | Sequence[str] = (), *, seeds: int = SEEDS, first_seed: int = FIRST_REPORTING_SEED
) -> Validation:
    """Hold closed forms against runs of the bundled scenarios, seed by seed.

    Params   names: of cases, by their scenarios; all if none are named. seeds: how many, from first_seed up.
    Returns  every line: expected, measured, standard error over seeds.
    Raises   UsageError for an unknown case, or too few seeds.
    """
    found = [finding for part in each_case(names, fixed_seeds(seeds, first_seed)) for finding in part[1]]
    return Validation(tuple(found), seeds, first_seed)


def each_case(names: str | Sequence[str], seeds: Sequence[int]) -> Iterator[tuple[Case, tuple[Finding, ...]]]:
    """The cases one by one, as they are done."""
    for case in chosen_cases(names):
        yield case, examine_case(case, seeds)
