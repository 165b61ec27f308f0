"""What every policy, lever and metric owes the engine: one battery that each registered name goes through."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_checks import check_books
from mesocosm import registry
from mesocosm.agents.policies.honest import Honest
from mesocosm.api import ACTIONS, VISIBLE, Enact, Lever, Policy, Proposals, View
from mesocosm.config.load import scenario_from_dict, scenario_to_dict
from mesocosm.config.schema import Scenario
from mesocosm.engine import bargain, decide, foretell, govern, loop, observe
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.log.read import Log, read_log
from mesocosm.log.write import LogSet, LogWriter
from mesocosm.runner.drive import Outcome, Plan, drive
from mesocosm.runner.replay import compare_metrics
from mesocosm.runner.runner import header_of
from scenario_strategy import effort, lever_parameters
from trajectory import Played, play, scenario

POLICIES = [entry.name for entry in registry.entries("policy") if not entry.target.external]
LEVERS = registry.names("lever")
METRICS = registry.names("metric")
MIX = {"honest": 3, "opportunistic": 3, "deceptive": 2, "adversarial": 2}
SPLITTERS = [{"type": name, "count": count, "identities": 3} for name, count in MIX.items()]  # levers on identities
HIDDEN = ("v", "effort", "disguise", "type", "code", "is_good", "outcome", "ledger", "balance", "world", "batch")
ACCOUNTS = re.compile(r"nothing|(\w+(, \w+)* -> \w+(; )?)+")


def of(kind: str, name: str) -> Any:
    return registry.find(kind, name).target


class Recorder:
    """Keeps what a policy was shown and what it decided, with every array it was shown made read-only."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, str, View, Any]] = []

    def __call__(self, policy: Any, question: str, view: View) -> Any:
        freeze(view)
        decided = getattr(type(policy), question)(policy, view)
        self.seen.append((policy, question, view, decided))
        return decided


def freeze(view: View) -> None:
    """Make everything in a view read-only, so that a policy that writes to it fails."""
    for value in arrays_of(view):
        value.setflags(write=False)


def arrays_of(view: View) -> list[Any]:
    """Every array that a view leads to."""
    found: list[Any] = []
    waiting: list[Any] = list(vars(view).values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, np.ndarray):
            found.append(value)
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            waiting.extend(vars(value).values())
    return found


def watched(monkeypatch: pytest.MonkeyPatch, each: Scenario) -> Recorder:
    """Play a scenario and record every question put to every policy."""
    record = Recorder()

    class Watched:
        def __init__(self, policy: Policy) -> None:
            self.policy = policy

        def __getattr__(self, name: str) -> Any:
            if name in ("act", "propose", "accept"):
                return lambda view: record(self.policy, name, view)
            return getattr(self.policy, name)

    bound = vars(decide)["aligned"]
    monkeypatch.setattr(decide, "aligned", lambda player, row: Watched(bound(player, row)))
    play([each])
    return record


def part_of(value: Any, k: int, rows: Any) -> Any:
    """Some rows of everything in a view that is one value per row."""
    if isinstance(value, np.ndarray):
        return value[..., rows] if value.shape[-1:] == (k,) else value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return value  # the menus
    if isinstance(value, list | tuple):
        return type(value)(part_of(item, k, rows) for item in value)
    if hasattr(value, "__dict__"):
        kind: Any = type(value)
        copy = kind.__new__(kind)
        copy.__dict__.update({name: part_of(item, k, rows) for name, item in vars(value).items()})
        return copy
    return value


def rows_of(decided: Any, rows: Any) -> list[list[Any]]:
    """Decisions of some rows, as plain values."""
    columns = decided if isinstance(decided, tuple) else (decided,)
    return [np.asarray(column)[rows].tolist() for column in columns]


def mixture(name: str) -> Scenario:
    """A policy among all others, with something to decide in every role."""
    agents = [{"type": name, "count": 2, "role": role} for role in ("planner", "worker", "verifier", "moderator")]
    agents += [{"type": other, "count": count, "role": "poster"} for other, count in MIX.items()]
    return scenario(agents, simulation={"epochs": 2, "steps_per_epoch": 6}, tasks={"per_epoch": 2})


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_leaves_its_view_alone_and_decides_within_the_menus(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = watched(monkeypatch, mixture(name))
    mine = [entry for entry in record.seen if isinstance(entry[0], of("policy", name))]
    assert {question for _, question, _, _ in mine} == {"act", "propose", "accept"}
    for _, question, view, decided in mine:
        k = len(view)
        if question == "accept":
            assert decided.dtype == np.bool_
            assert decided.shape == (k,)
            continue
        assert all(column.shape == (k,) and np.isfinite(column).all() for column in decided)
        if isinstance(decided, Proposals):
            made = decided.choice >= 0
            assert np.isin(decided.choice, (-1, 0, 1)).all()
            for level, menu in zip(decided[1:], view.menu[:3], strict=True):
                assert ((level[made] >= 0) & (level[made] < len(menu))).all()
        else:
            assert ((decided.kind >= 0) & (decided.kind < len(ACTIONS))).all()
            assert np.isin(decided.value, (-1, 1)).all()


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_decides_the_same_for_some_rows_as_for_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = watched(monkeypatch, mixture(name))
    compared = 0
    for policy, question, view, decided in record.seen:
        k = len(view)
        if k < 2 or not isinstance(policy, of("policy", name)):
            continue
        for rows in (np.array([k - 1]), np.arange(0, k, 2)):
            some = part_of(view, k, rows)
            again = getattr(policy, question)(some)
            assert rows_of(again, slice(None)) == rows_of(decided, rows)
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_decides_the_same_when_it_is_asked_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for policy, question, view, decided in watched(monkeypatch, mixture(name)).seen:
        assert rows_of(getattr(policy, question)(view), slice(None)) == rows_of(decided, slice(None))


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_sees_only_what_it_lists_and_never_what_is_hidden(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = of("policy", name)
    assert set(target.sees) <= {column for offered in VISIBLE.values() for column in offered}
    record = watched(monkeypatch, mixture(name))
    always = {"agent", "step", "epoch", "rule", "menu", "look", "question", "learning", "foresight"}
    for policy, question, view, _ in record.seen:
        assert view.learning.shape == (len(view),)
        assert set(vars(view)) <= always | set(VISIBLE[question])
        if isinstance(policy, target):
            assert set(vars(view)) <= always | set(target.sees)
        for hidden in HIDDEN:
            with pytest.raises(AttributeError, match="cannot see"):
                getattr(view, hidden)


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_alone_in_a_world_plays_the_same_twice_and_in_a_batch(name: str) -> None:
    each, other = scenario({name: 4}), scenario(MIX)
    assert play([each]).hash() == play([each]).hash() == play([other, each]).hash(1)


def views_of(monkeypatch: pytest.MonkeyPatch, change: Any) -> list[bytes]:
    """Bytes of all that is shown of the proposals of one turn, after the world's hidden columns were changed."""
    shown: list[bytes] = []
    real = observe.answer_source

    def source(batch: Any, deal: Deals, chosen: Any) -> dict[str, Any]:
        change(batch, deal)
        told = real(batch, deal, chosen)
        for value in told.values():
            column = value() if callable(value) else value
            shown.append(np.ascontiguousarray(column).tobytes())
        raise StopAsyncIteration  # one look is enough

    with monkeypatch.context() as patch:
        patch.setattr(bargain, "answer_source", source)
        with pytest.raises((StopAsyncIteration, RuntimeError)):
            play([scenario({"opportunistic": 3, "deceptive": 3, "honest": 3})])
    return shown


def _swap_types(batch: Any, deal: Deals) -> None:
    batch.world.code[:] = batch.world.code[::-1].copy()


def _swap_conduct(batch: Any, deal: Deals) -> None:
    deal.is_good = ~deal.is_good
    deal.effort, deal.disguise, deal.level = 1.0 - deal.effort, 1.0 - deal.disguise, 2 - deal.level


@pytest.mark.parametrize("change", [_swap_types, _swap_conduct], ids=["types", "outcome, effort and disguise"])
def test_what_is_hidden_does_not_show_in_what_a_counterparty_is_told(
    change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = views_of(monkeypatch, lambda batch, deal: None)
    assert plain
    assert views_of(monkeypatch, change) == plain


def test_the_threshold_of_honest_agents_moves_what_they_accept() -> None:
    def accepted(threshold: float) -> int:
        group = {"type": "honest", "count": 4, "params": {"threshold": threshold}}
        deals = play([scenario([group, {"type": "adversarial", "count": 2}])]).events("interaction")
        return sum(deal["accepted"] and deal["counterparty"] < 4 for deal in deals)

    assert accepted(-1.0) > accepted(0.0) > accepted(0.6)
    assert Honest.__dataclass_fields__["threshold"].metadata["ge"] == -1.0


@pytest.mark.parametrize(("kind", "name"), [("policy", n) for n in POLICIES] + [("lever", n) for n in LEVERS])
def test_what_is_registered_is_a_frozen_dataclass_that_explains_itself(kind: str, name: str) -> None:
    target = of(kind, name)
    assert is_dataclass(of(kind, name))
    assert vars(target)["__dataclass_params__"].frozen
    text = target.__doc__ or ""
    assert text.strip().splitlines()[0].endswith(".")
    if registry.params(target):
        assert "Params" in text
        for item in registry.params(target):
            assert item.name in text
            assert item.metadata["about"]
    if name != "sham":
        assert "Source" in text
    if kind == "lever":
        assert ("Moves" in text) == (target.moves != "nothing")


@pytest.mark.parametrize("name", LEVERS)
def test_a_lever_names_its_own_fields_and_the_accounts_it_moves(name: str) -> None:
    target = of("lever", name)
    own = {item.name for item in fields(target)}
    assert issubclass(target, Lever)
    assert set(target.neutral) <= own
    assert target.neutral
    assert set(target.short_forms.values()) <= own
    assert ACCOUNTS.fullmatch(target.moves)


@pytest.mark.parametrize("name", LEVERS)
@given(data=st.data())
@effort(5, 500)
def test_a_lever_charges_nothing_below_zero_and_moves_money_only_as_declared(name: str, data: Any) -> None:
    target = of("lever", name)
    block = data.draw(lever_parameters(target))
    each = scenario(MIX, governance={name: block}, simulation={"epochs": 2, "steps_per_epoch": 6})
    played = play([each])
    for deal in played.events("interaction"):
        assert deal["c_a"] >= 0
        assert deal["c_b"] >= 0
    check_books(played.events(), each)
    if "treasury" not in target.moves:
        assert {event["treasury"] for event in played.events("epoch_completed")} == {0.0}


@pytest.mark.parametrize("name", LEVERS)
def test_a_lever_alone_does_the_same_as_in_a_batch_and_its_order_in_the_file_does_not_matter(name: str) -> None:
    each = scenario(MIX, governance={name: {}})
    bare = scenario(MIX)
    assert play([each]).hash() == play([bare, each]).hash(1)
    assert play([bare]).hash() == play([bare, each]).hash(0)
    everything = scenario_to_dict(each) | {"governance": {lever: {} for lever in LEVERS}}
    backwards = scenario_to_dict(each) | {"governance": {lever: {} for lever in reversed(LEVERS)}}
    assert play([scenario_from_dict(everything)]).hash() == play([scenario_from_dict(backwards)]).hash()


@pytest.mark.parametrize("name", [name for name in LEVERS if name != "sham"])
def test_a_lever_in_force_changes_something_and_can_be_enacted_from_neutral(name: str) -> None:
    target = of("lever", name)
    strong: dict[str, Any] = {"bandwidth_cap": {"max_actions": 1}, "circuit_breaker": {"threshold": 0.05}}
    strong |= {"reputation_decay": {"decay": 0.1}, "transaction_tax": {"rate": 0.5}, "oracle": {"reach": 1.0}}
    strong |= {"identity_cost": {"price": 1e6}, "sybil_cap": {"max_identities": 1}, "probation": {"epochs": 5}}
    strong |= {"redraw": {"stream": 1}, "externality_internalisation": {"rho_b": 2.0}}
    strong |= {"staking": {"amount": 200.0}, "bonds": {"amount": 30.0}, "message_tax": {"price": 0.5}}
    strong |= {"transparency_ledger": {"coverage": 1.0}, "moderator_agent": {"reach": 1.0}}
    strong |= {"vote_normalisation": {"max_weight": 0.1}}
    strong |= {"collusion_penalty": {"level": 1.0}}
    block = strong.get(name, {"probability": 1.0})
    agents: Any = SPLITTERS if name in ("identity_cost", "sybil_cap", "probation") else MIX
    each = scenario(agents, governance={name: dict(target.neutral)}, simulation={"epochs": 3})
    parameter, value = next(iter(block.items()))

    def enact(tick: Any) -> list[Enact] | None:
        return [Enact(name, parameter, value)] if (tick.step, tick.turn) == (0, 1) else None

    def outcomes(played: Played) -> list[Any]:
        return [event | {"seq": 0} for event in played.events("interaction", "agent_state")]

    assert outcomes(play([each])) != outcomes(play([each], orders=enact))


METRIC_CAST = [scenario({"honest": 2 + k, "opportunistic": 1, "adversarial": 2}) for k in range(3)]


@dataclass(frozen=True)
class Measured:
    """A batch driven with every metric: its outcome, and the log and scenario of each replicate."""

    outcome: Outcome
    logs: list[Log]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    places = [tmp_path_factory.mktemp("measured") for _ in METRIC_CAST]
    plan = Plan(METRIC_CAST, [7, 8, 9], "full", names=tuple(METRICS), by_type=True)
    heads = [header_of(each, seed, tuple(METRICS)) for each, seed in zip(METRIC_CAST, plan.seeds, strict=True)]
    with LogSet([LogWriter(place, head) for place, head in zip(places, heads, strict=True)]) as logs:
        outcome = drive(plan, logs)
    return Measured(outcome, [read_log(place) for place in places])


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_declares_what_one_must_know(name: str) -> None:
    entry = registry.find("metric", name)
    assert entry.facts["better"] in ("lower", "higher", "neither")
    assert entry.facts["over"] in registry.OVER
    assert entry.facts["unit"]
    assert entry.facts["twin"] is None or registry.find("metric", entry.facts["twin"]).facts["unit"]
    assert entry.target.__doc__
    assert "Returns" in entry.target.__doc__


def foretold(name: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any, Ahead]]:
    """What a lever was asked to foresee in a run of learning agents: the lever, its bench and the deals ahead."""
    asked: list[tuple[Any, Any, Ahead]] = []
    real = foretell._ahead

    def ahead(*words: Any) -> Ahead:
        made = real(*words)
        batch = words[0]
        seat = next(seat for seat in open_seats if seat.batch is batch)
        asked.append((seat.at(made.replicate), seat, made))
        return made

    open_seats: list[Any] = []
    opened = govern.open_stack

    def open_stack(*words: Any) -> Any:
        stack = opened(*words)
        open_seats.extend(seat for seat in stack.seats if seat.name == name)
        return stack

    with monkeypatch.context() as patch:
        patch.setattr(foretell, "_ahead", ahead)
        patch.setattr(loop, "open_stack", open_stack)
        play([scenario(MIX, governance={name: {}}, simulation={"epochs": 2, "steps_per_epoch": 6})])
    return asked


def columns_of(told: Foresight) -> dict[str, Any]:
    """Everything that was foretold, as columns by name; numbers and columns alike."""
    found: dict[str, Any] = {}
    for item in fields(told):
        value = getattr(told, item.name)
        if value is None:
            continue
        for number, part in enumerate(value if isinstance(value, list) else [value]):
            for place, column in enumerate(part if isinstance(part, tuple) else [part]):
                found[f"{item.name} {number} {place}"] = column
    return found


def some_of(ahead: Ahead, rows: Any) -> Ahead:
    """The same question about some of the rows."""
    part = {item.name: getattr(ahead, item.name) for item in fields(ahead)}
    for column, value in part.items():
        if isinstance(value, np.ndarray) and value.shape == (len(ahead),):
            part[column] = value[rows]
    part["rule"] = part_of(ahead.rule, len(ahead), rows)
    return Ahead(**part)


FORESEEING = [name for name in LEVERS if of("lever", name).foresee is not Lever.foresee]


@pytest.mark.parametrize("name", FORESEEING)
def test_what_a_lever_foretells_is_finite_the_same_for_some_rows_and_made_from_what_agents_may_know(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = foretold(name, monkeypatch)
    assert len(asked) > 10
    for lever, bench, ahead in asked[:: max(1, len(asked) // 10)]:
        for hidden in ("is_good", "outcome", "effort", "disguise", "v", "code", "type", "world"):
            assert not hasattr(ahead, hidden)
        for item in fields(ahead):
            if isinstance(getattr(ahead, item.name), np.ndarray):
                getattr(ahead, item.name).setflags(write=False)
        told, again = (lever.foresee(bench, ahead) for _ in range(2))
        rows = np.arange(0, len(ahead), 2)
        some = lever.foresee(bench, some_of(ahead, rows))
        for column, value in columns_of(told).items():
            assert np.isfinite(value).all(), column
            assert np.array_equal(value, columns_of(again)[column])
            whole = np.broadcast_to(np.asarray(value), len(ahead))
            assert np.array_equal(whole[rows], np.broadcast_to(np.asarray(columns_of(some)[column]), len(rows)))
        for pass_good in (told.pass_good, told.pass_taking, *(told.pass_bad or ())):
            assert pass_good is None or ((np.asarray(pass_good) >= 0.0) & (np.asarray(pass_good) <= 1.0)).all()


@pytest.mark.parametrize("name", FORESEEING)
def test_a_lever_at_neutral_foretells_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = of("lever", name)
    for _, bench, ahead in foretold(name, monkeypatch)[:5]:
        lever = object.__new__(target)
        lever.__dict__.update({item.name: item.default for item in registry.params(target)} | target.neutral)
        told = lever.foresee(bench, ahead)
        assert not np.any(told.fine_good)
        assert not np.any(told.fine_bad or 0.0)
        assert not np.any(told.reveal)
        assert not np.any(told.sanction)
        assert told.pass_good is None or np.all(told.pass_good == 1.0)
        assert told.pass_taking is None or np.all(told.pass_taking == 1.0)
        assert all(np.all(passed == 1.0) for passed in told.pass_bad or ())
        assert all(np.all(above >= 1.0) for above, _ in told.halts)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_gives_one_number_per_replicate_the_same_for_any_company(name: str, measured: Measured) -> None:
    for replicate, each in enumerate(METRIC_CAST):
        alone = drive(Plan([each], [7 + replicate], "epoch", names=(name,), by_type=True))
        assert [row[name] for row in alone.rows[0]] == pytest.approx(
            [row[name] for row in measured.outcome.rows[replicate]], abs=0, rel=0, nan_ok=True
        )
        assert alone.whole[0][name] == pytest.approx(measured.outcome.whole[replicate][name], abs=0, rel=0, nan_ok=True)
        for agent_type, whole in measured.outcome.whole_by_type[replicate].items():
            mine = alone.whole_by_type[0][agent_type][name]
            assert mine == pytest.approx(whole[name], abs=0, rel=0, nan_ok=True), agent_type


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_finite_or_undefined_with_a_flag_that_says_why(name: str, measured: Measured) -> None:
    for rows, flags in zip(measured.outcome.rows, measured.outcome.flags, strict=True):
        for row in rows:
            told = [flag for flag in flags if f"in epoch {row['epoch']}" in flag and re.search(rf"\b{name}\b", flag)]
            assert math.isfinite(row[name]) or math.isnan(row[name])
            assert bool(told) == math.isnan(row[name])
            assert all(" in epoch " in flag and ", so " in flag for flag in told)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_from_the_log_has_the_bits_of_the_live_one(name: str, measured: Measured) -> None:
    for replicate, log in enumerate(measured.logs):
        assert compare_metrics(log, METRIC_CAST[replicate], [name]) == len(measured.outcome.rows[replicate])
