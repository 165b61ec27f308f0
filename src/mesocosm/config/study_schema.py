"""What a study may say: arms, axes, settings, seeds, and what was expected before the first run."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from mesocosm.config.section import Items, Section, broken_rule, knob, plain_text

FIRST_REPORTING_SEED = 1000  # seeds below 100 are for tuning, from here on for reporting
TUNING_SEEDS = 100
ARMS_MAX = 1_000
_DIGITS = 12  # so that 1 - 0.95 is 0.05
BCA_SEEDS_LEAST = 30  # below, a bootstrap interval is too short: the t interval covers better
#: names that the arms of every study have anyway
RESERVED = ("base", "sham", "redraw", "oracle")

#: what a study sets in every run by itself -> why no arm, axis or setting may
SET_HERE = {"simulation.seed": "a study sets the seeds itself: see seeds, as in seeds: {reporting: 100}"}
NO_EPOCH = "no epoch, nothing to compare: a run needs at least one"
NO_RANGE = "a range is the least and the greatest value, as in [0.3, 0.7]"

Changes = dict[str, Any]  # path as after --set -> value
Direction = Literal["falls", "rises", "unchanged", "either"]
OUTCOMES_MAX = 12


def is_range(ends: Any) -> bool:
    """Whether these are two numbers, the smaller one first."""
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        return False
    low, high = ends
    return all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends) and low < high


class Seeds(Section):
    """How many seeds, and what for: choosing constants (tuning, 0 to 99) or publishing (reporting, from 1000 on)."""

    reporting: int | None = knob(None, "How many seeds to report on.", "seeds", ge=2, le=100_000)
    tuning: int | None = knob(
        None, "How many seeds, from 0 on, to choose constants on.", "seeds", ge=2, le=TUNING_SEEDS
    )
    first: int = knob(FIRST_REPORTING_SEED, "First reporting seed.", ge=FIRST_REPORTING_SEED, le=2**62)

    @model_validator(mode="after")
    def _one_purpose(self) -> Self:
        if (self.reporting is None) == (self.tuning is None):
            raise broken_rule("", "say either reporting: 100 or tuning: 20, so that no seed serves both")
        return self

    @property
    def chosen(self) -> range:
        """The seeds themselves."""
        if self.tuning is not None:
            return range(self.tuning)
        return range(self.first, self.first + int(self.reporting or 0))

    @property
    def purpose(self) -> str:
        """Tuning or reporting."""
        return "tuning" if self.tuning is not None else "reporting"


class OutcomePlan(Section):
    """A further question put to the same runs, with what would matter and what was expected of every arm."""

    metric: str = Field(description="What is measured; see `mesocosm list metrics`.")
    agents: str | None = knob(None, "Type of the agents whose part it is; null for all.", max_length=60)
    smallest_effect: float = Field(description="Smallest change that would matter, in the metric's unit.", gt=0,
                                   le=1e12)  # fmt: skip
    expect: Direction = knob("either", "Which way it was expected to move.")
    expect_of: dict[str, Direction] = Field(
        default_factory=dict, description="What was expected of single arms instead.", max_length=ARMS_MAX
    )


class RobustnessPlan(Section):
    """Over which economies a finding has to hold: a Latin hypercube of the model's assumed constants."""

    samples: int = knob(40, "How many economies to draw.", "economies", ge=8, le=10_000)
    seeds: int = knob(5, "How many paired seeds in each economy, others in each.", "seeds", ge=2, le=TUNING_SEEDS)
    arms: Annotated[tuple[str, ...], Items] = knob((), "Arms to try; empty for all.")
    luck: int = knob(0, "Seed of the hypercube.", ge=0, le=2**32 - 1)
    ranges: dict[str, Annotated[tuple[float, float], Items]] = Field(
        description="Constants to vary, each with its least and greatest value.", min_length=1, max_length=100
    )

    @field_validator("ranges", mode="before")
    @classmethod
    def _two_ends(cls, value: Any) -> Any:
        for path, ends in value.items() if isinstance(value, dict) else ():
            if not is_range(ends):
                raise broken_rule(path, NO_RANGE)
        return value


class Study(Section):
    """One question put to many runs: what is compared with what, on which seeds, and what would count as an answer."""

    study_id: str = Field(
        description="Name of the study: small letters, digits, _ and -.", pattern=r"^[a-z0-9_-]{1,64}$"
    )
    question: str = knob("", "What the study is to find out.", max_length=10_000)
    base: str = Field(description="Scenario that every run starts from: a name, or a file beside the study.")
    set: Changes = Field(default_factory=dict, description="Changes that hold in every run.")
    epochs: int | None = knob(None, "Length of each run; null for as long as the scenario says.", "epochs", ge=1,
                              le=1_000_000)  # fmt: skip
    arms: dict[str, Changes] = Field(
        default_factory=dict, description="Named changes, each compared with the base.", max_length=ARMS_MAX
    )
    axes: dict[str, Annotated[tuple[Any, ...], Items]] = Field(
        default_factory=dict, description="Values of some keys; every combination is one more arm.", max_length=8
    )
    settings: dict[str, Changes] = Field(
        default_factory=dict, description="Named worlds; in each of them every arm is compared with the base.",
        max_length=ARMS_MAX,
    )  # fmt: skip
    controls: bool = knob(True, "Whether sham, redraw and oracle run beside the arms.")
    primary: str = Field(description="The one metric on which the question is decided.")
    smallest_effect: float = Field(
        description="Smallest change of the primary metric that would matter, in its unit.", gt=0, le=1e12
    )
    expect: Direction = knob("either", "Which way the primary metric was expected to move.")
    expect_of: dict[str, Direction] = Field(
        default_factory=dict, description="What was expected of single arms instead.", max_length=ARMS_MAX
    )
    expect_in: Annotated[tuple[str, ...], Items] = knob((), "Settings that expectations are about; empty for all.")
    outcomes: dict[str, OutcomePlan] = Field(
        default_factory=dict, description="Further outcomes, judged with the primary one as one family.",
        max_length=OUTCOMES_MAX,
    )  # fmt: skip
    metrics: Annotated[tuple[str, ...], Items] = knob((), "Further metrics to report.", max_length=100)
    seeds: Seeds = Field(description="How many seeds, and what for.")
    confidence: float = knob(0.95, "Confidence of the intervals.", ge=0.5, le=0.9999)
    interval: Literal["t", "bca"] = knob("t", "Student's t, or BCa by drawing seeds again, from 30 seeds on.")
    power: float = knob(0.8, "Chance of finding the smallest effect that a pilot plans for.", ge=0.5, le=0.999)
    robustness: RobustnessPlan | None = knob(None, "Whether the findings hold in other economies, too.")

    _texts = field_validator("question")(plain_text)

    @field_validator("interval")
    @classmethod
    def _enough_for_bca(cls, value: str, info: ValidationInfo) -> str:
        seeds = info.data.get("seeds")
        if value == "bca" and seeds is not None and len(seeds.chosen) < BCA_SEEDS_LEAST:
            raise broken_rule("", f"bca needs at least {BCA_SEEDS_LEAST} seeds; with fewer it is too short")
        return value

    @property
    def alpha(self) -> float:
        """Chance of a false alarm that the study accepts."""
        return round(1.0 - self.confidence, _DIGITS)
