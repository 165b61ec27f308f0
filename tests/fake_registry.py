"""Policies and levers made up for the tests of `config`, so that these do not depend on the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar
from unittest import mock

from mesocosm import registry
from mesocosm.registry import param


@dataclass(frozen=True)
class Plain:
    """Does what it is told."""


@dataclass(frozen=True)
class Careful:
    """Looks twice.

    Its second look can be tuned.
    """

    patience_span: float = param(0.5, about="How long it waits", unit="steps", ge=0, le=10)
    mood: str = param("calm", about="How it feels.", choices=("calm", "wary"))


@dataclass(frozen=True)
class Tax:
    """Both sides pay."""

    rate: float = param(0.1, about="Share of the transfer.", ge=0, le=1)
    short_forms: ClassVar[dict[str, str]] = {"transaction_tax_rate": "rate"}
    neutral: ClassVar[dict[str, object]] = {"rate": 0.0}


@dataclass(frozen=True)
class Decay:
    """Standing fades."""

    decay: float = param(0.9, about="What is kept.", ge=0, le=1)
    short_forms: ClassVar[dict[str, str]] = {"reputation_decay": "decay"}
    neutral: ClassVar[dict[str, object]] = {"decay": 1.0}


@dataclass(frozen=True)
class Cap:
    """So many and no more."""

    max_actions: int | None = param(10, about="Most actions.", unit="actions per epoch", ge=0, le=1000)
    short_forms: ClassVar[dict[str, str]] = {"bandwidth_cap": "max_actions"}
    neutral: ClassVar[dict[str, object]] = {"max_actions": None}


@dataclass(frozen=True)
class Audit:
    """Looks at some deals."""

    probability: float = param(0.2, about="Chance of a look.", ge=0, le=1)
    penalty: float = param(3.0, about="The fine.", unit="credits", ge=0, le=100)
    reads: str = param("outcome", about="What is looked at.", choices=("outcome", "proxy"))
    tiers: tuple[float, ...] = param((0.1, 0.2), about="Steps of the fine.")
    short_forms: ClassVar[dict[str, str]] = {"audit_probability": "probability", "audit_penalty": "penalty"}
    neutral: ClassVar[dict[str, object]] = {"probability": 0.0, "penalty": 0.0}

    def __post_init__(self) -> None:
        if list(self.tiers) != sorted(self.tiers):
            raise ValueError("tiers must rise")


@dataclass(frozen=True)
class Sham:
    """Does nothing at all."""


POLICIES = {"honest": Careful, "opportunistic": Plain, "deceptive": Plain, "adversarial": Plain}
LEVERS = {"transaction_tax": Tax, "reputation_decay": Decay, "bandwidth_cap": Cap, "random_audit": Audit, "sham": Sham}
METRICS = ("toxicity_rate", "toxicity_true", "conditional_loss_initiator", "quality_gap", "influence_gini")


@contextmanager
def only_fakes() -> Iterator[None]:
    """Within this block the registry knows the policies, levers and metrics of this file and nothing else."""
    found = {*registry.OPEN_SETS.values(), registry.ENTRY_POINT_GROUP}
    with (
        mock.patch.object(registry, "_entries", {kind: {} for kind in registry.KINDS}),
        mock.patch.object(registry, "_discovered", found),
    ):
        for name, policy in POLICIES.items():
            registry.policy(name)(policy)
        for name, lever in LEVERS.items():
            registry.lever(name)(lever)
        for name in METRICS:
            registry.metric(name, unit="1", better="lower")(Plain)
        yield
