"""What runs show, seed by seed: the arms of a comparison played on the same seeds, with metrics and columns kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesocosm.api import DecisionRequest
from mesocosm.config.schema import Scenario
from mesocosm.env.economy import Structure, structure_of
from mesocosm.env.events import EventBatch
from mesocosm.errors import UsageError
from mesocosm.runner.runner import run_batch

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
SEEDS_AT_ONCE = 250  # so that many seeds need no more memory than these
#: columns of interactions that even a run without a full log hands over
LIGHT = frozenset(
    {"initiator", "counterparty", "accepted", "v", "p", "surplus_true", "externality_true", "pi_a_true", "pi_b_true",
     "audited"}
)  # fmt: skip


class Witness:
    """Sits where a driver of agents would, answers nothing, and notes what happened.

    Params   columns: of interactions to keep.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._noted: dict[str, list[Any]] = {name: [] for name in ("replicate", "step", *columns)}
        self._state: EventBatch | None = None

    def decide(self, request: DecisionRequest) -> Any:
        """Nobody is here to decide. Raises: UsageError."""
        raise UsageError(f"agents of type {request.policy!r} decide outside the engine, and nobody is asked here.")

    def observe(self, batch: EventBatch) -> None:
        """Note the columns of interactions, and the agents' latest state."""
        if batch.kind == "agent_state":
            self._state = batch
        elif batch.kind == "interaction" and self._columns:
            self._noted["replicate"].append(batch.replicate)
            self._noted["step"].append(np.full(len(batch), batch.step))
            for name in self._columns:
                self._noted[name].append(np.asarray(batch.column[name]))

    def deals(self) -> dict[str, NDArray[Any]]:
        """The interactions noted, in the order in which they happened."""
        nothing = np.zeros(0, dtype=np.int64)
        return {name: np.concatenate(parts) if parts else nothing for name, parts in self._noted.items()}

    def agents(self) -> dict[str, NDArray[Any]]:
        """The agents' state at the end."""
        state = self._state
        if state is None:
            raise UsageError("the run ended before its first epoch did, so there is nothing to see.")
        return {"replicate": state.replicate, **{name: np.asarray(values) for name, values in state.column.items()}}


@dataclass(frozen=True)
class Seen:
    """One arm as it was seen, seed by seed.

    Shapes   S = seeds; k = interactions of all seeds; m = agents of all seeds. Columns have a `replicate`, the place
             of the seed.
    """

    rows: list[dict[str, Any]]  # (S,) metrics of the last epoch
    deal: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # (k,) columns of interactions
    agent: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # (m,) columns of agents at the end

    def metric(self, name: str) -> F64:
        """A metric by seed, (S,)."""
        return np.array([row[name] for row in self.rows], dtype=np.float64)

    def total(self, value: Any, where: Mask | None = None) -> F64:
        """Sum by seed of something each interaction has, (S,); over some of them if a mask is given."""
        return self._sum(self.deal["replicate"], value, where)

    def mean(self, value: Any, where: Mask | None = None) -> F64:
        """Mean by seed of something each interaction has, (S,); NaN for a seed without any."""
        return _over(self.total(value, where), self.total(1.0, where))

    def agent_mean(self, value: Any) -> F64:
        """Mean by seed of something each agent has at the end, (S,)."""
        replicate = self.agent["replicate"]
        return _over(self._sum(replicate, value, None), self._sum(replicate, 1.0, None))

    def _sum(self, replicate: NDArray[Any], value: Any, where: Mask | None) -> F64:
        whole = np.broadcast_to(np.asarray(value, dtype=np.float64), replicate.shape)
        if where is not None:
            replicate, whole = replicate[where], whole[where]
        return np.bincount(replicate, weights=whole, minlength=len(self.rows)).astype(np.float64)


Arms = Mapping[str, Seen]
Measured = F64 | tuple[F64, F64]  # one number per seed, or the two sides of a ratio of sums


def metric_of(arm: str, name: str, per: str = "") -> Callable[[Arms], F64]:
    """What measures a metric of an arm, or one metric per unit of another."""
    if not per:
        return lambda arms: arms[arm].metric(name)
    return lambda arms: arms[arm].metric(name) / arms[arm].metric(per)


def difference(one: Callable[[Arms], F64], other: Callable[[Arms], F64]) -> Callable[[Arms], F64]:
    """What measures one thing less another, seed by seed, so that luck they share drops out."""
    return lambda arms: one(arms) - other(arms)


@dataclass(frozen=True)
class Claim:
    """One number that theory gives and runs show.

    Params   what: in plain words; expected: by theory; measured: takes it, seed by seed, from what was seen.
    """

    what: str
    expected: float
    measured: Callable[[Arms], Measured]


@dataclass(frozen=True)
class Case:
    """A bundled scenario, the arms in which it is played, and what theory claims of them.

    Params   scenario: its name; theory: what is held against it, with its source; arms: overrides by name of arm;
             columns: of interactions that the claims read beside metrics.
    """

    scenario: str
    theory: str
    arms: Mapping[str, Mapping[str, Any]]
    claims: Sequence[Claim]
    columns: Sequence[str] = ()


class Estimate(NamedTuple):
    """A mean over seeds with its standard error, and how many seeds it rests on."""

    value: float
    error: float
    n_seeds: int


def mean_over_seeds(value: F64) -> Estimate:
    """Mean and standard error of one number per seed; seeds in which it is undefined (NaN) are left out.

    Source   science notes 5.14: the unit of replication is the seed.
    Example
        >>> mean_over_seeds(np.array([1.0, 2.0, 3.0]))
        Estimate(value=2.0, error=0.5773502691896258, n_seeds=3)
    """
    known = value[np.isfinite(value)]
    n = len(known)
    if n < 2:
        return Estimate(math.nan, math.nan, n)
    if (known == known[0]).all():
        return Estimate(float(known[0]), 0.0, n)
    return Estimate(float(known.mean()), float(known.std(ddof=1)) / math.sqrt(n), n)


def ratio_over_seeds(part: F64, whole: F64) -> Estimate:
    """A ratio of sums over seeds and its standard error, by the delta method with seeds as clusters.

    Source   science notes 5.1 (b).
    Example
        >>> ratio_over_seeds(np.array([1.0, 3.0]), np.array([2.0, 6.0]))
        Estimate(value=0.5, error=0.0, n_seeds=2)
    """
    n = len(part)
    if n < 2 or whole.sum() == 0.0:
        return Estimate(math.nan, math.nan, n)
    value = float(part.sum() / whole.sum())
    residual = part - value * whole
    return Estimate(value, float(np.sqrt((residual**2).sum() / (n * (n - 1)))) / abs(float(whole.mean())), n)


def measure_claims(
    scenarios: Mapping[str, Scenario], claims: Sequence[Claim], seeds: Sequence[int], columns: Sequence[str] = ()
) -> list[Estimate]:
    """Play every arm on the same seeds and estimate what each claim is about, over seeds.

    Params   scenarios: by arm; columns: of interactions that the claims read.
    """
    stretches = [seeds[start : start + SEEDS_AT_ONCE] for start in range(0, len(seeds), SEEDS_AT_ONCE)]
    measured: list[list[Measured]] = [[] for _ in claims]
    for some in stretches:
        seen = play_arms(scenarios, some, columns)
        for found, claim in zip(measured, claims, strict=True):
            found.append(claim.measured(seen))
    return [_estimated(found) for found in measured]


def _estimated(parts: list[Measured]) -> Estimate:
    """One estimate from what was measured on several stretches of seeds."""
    if isinstance(parts[0], tuple):
        return ratio_over_seeds(*(np.concatenate([part[side] for part in parts]) for side in (0, 1)))
    return mean_over_seeds(np.concatenate([np.asarray(part) for part in parts]))


def play_arms(arms: Mapping[str, Scenario], seeds: Sequence[int], columns: Sequence[str] = ()) -> dict[str, Seen]:
    """Play every arm on the same seeds, arms of one structure in one table, and keep what was seen of each.

    Params   columns: of interactions to keep, by the names of EVENT_FIELDS["interaction"].
    """
    alike: dict[Structure, list[str]] = {}
    for name, scenario in arms.items():
        alike.setdefault(structure_of(scenario), []).append(name)
    seen: dict[str, Seen] = {}
    for names in alike.values():
        seen |= zip(names, _play([arms[name] for name in names], seeds, columns), strict=True)
    return seen


def _play(scenarios: list[Scenario], seeds: Sequence[int], columns: Sequence[str]) -> list[Seen]:
    """One table of some arms on some seeds."""
    n = len(seeds)
    witness = Witness(columns)
    level = "epoch" if LIGHT.issuperset(columns) else "full"
    spread = [scenario for scenario in scenarios for _ in seeds]
    outcome = run_batch(spread, list(seeds) * len(scenarios), level=level, decider=witness)
    deals, agents = witness.deals(), witness.agents()
    return [
        Seen(
            [rows[-1] for rows in outcome.rows[arm * n : (arm + 1) * n]],
            _part(deals, arm * n, n),
            _part(agents, arm * n, n),
        )
        for arm in range(len(scenarios))
    ]


def _part(table: dict[str, NDArray[Any]], first: int, n: int) -> dict[str, NDArray[Any]]:
    """Rows of n replicates from the first on, which become 0 to n - 1."""
    chosen = (table["replicate"] >= first) & (table["replicate"] < first + n)
    part = {name: column[chosen] for name, column in table.items()}
    return part | {"replicate": part["replicate"].astype(np.int64) - first}


def _over(part: F64, whole: F64) -> F64:
    divided: F64 = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole != 0.0)
    return divided
