"""The circuit breaker: how often it trips, what a trip leads to, and how agents answer to that."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from event_checks import check_books
from mesocosm.analysis.stopping_forms import sum_run, window_trip
from mesocosm.api import Enact
from mesocosm.config.schema import Scenario
from mesocosm.engine.batch import open_batch
from mesocosm.engine.govern import open_stack
from mesocosm.measures.cusum import cusum, drift, least_false_run, likelihood_step, tipping_signal
from mesocosm.measures.windows import window_mean
from scenario_strategy import IS_DEEP
from trajectory import Event, play, scenario

MIX = {"honest": 5, "opportunistic": 4, "deceptive": 3, "adversarial": 3}
LONG = {"epochs": 4, "steps_per_epoch": 12}
TIERS = ("throttle", "agent", "cluster", "halt", "rising")
RULES = ("window", "cusum")
EAGER: dict[str, Any] = {"threshold": 0.25, "window": 6, "limit": 2.0, "cluster_deals": 2}


def under(*, agents: Any = None, simulation: Any = None, adaptation: str = "learning", **block: Any) -> Scenario:
    """A mixed society under an eager breaker."""
    return scenario(
        agents or MIX,
        governance={"circuit_breaker": EAGER | block},
        simulation=simulation or LONG,
        adaptation=adaptation,
    )


# --- how often it trips


@pytest.mark.parametrize(
    ("window", "threshold", "rate", "chance"),
    [(20, 0.5, 0.2, 5.6e-4), (20, 0.5, 0.6, 0.755), (10, 0.5, 0.2, 6.4e-3), (10, 0.5, 0.6, 0.633),
     (20, 0.6, 0.3, 1.3e-3), (20, 0.6, 0.7, 0.772), (50, 0.5, 0.3, 9.3e-4), (50, 0.5, 0.6, 0.902)],
)  # fmt: skip
def test_a_window_trips_as_often_as_the_tail_of_a_binomial_says(
    window: int, threshold: float, rate: float, chance: float
) -> None:
    """The table of the science notes, 3.14, and as many tosses as it takes to see it."""
    exact = window_trip(window, threshold, rate)
    assert exact == pytest.approx(chance, rel=0.02)
    n = 2_000_000 // window if exact > 0.01 else 20_000_000 // window
    tosses = (np.random.default_rng(window).random((n, window)) < rate).astype(np.float64)
    seen = float((window_mean(tosses) > threshold).mean())
    assert abs(seen - exact) <= 4.0 * math.sqrt(exact * (1.0 - exact) / n)


def alarms(limit: float, rate: float, runs: int, signal: str = "tosses") -> np.ndarray[Any, Any]:
    """How many signals the model's own sum takes to reach a limit, run by run."""
    rng = np.random.default_rng(int(100 * limit + 10 * rate))
    total, length = np.zeros(runs), np.zeros(runs, dtype=np.int64)
    left = np.arange(runs)
    for n in range(1, 20_000):
        if signal == "tosses":
            x = (rng.random(len(left)) < rate).astype(np.float64)
        else:  # numbers between 0 and 1 with that mean
            x = rng.beta(2.0 * rate, 2.0 * (1.0 - rate), len(left))
        total[left] = cusum(total[left], likelihood_step(x, 0.2, 0.5))
        done = total[left] >= limit
        length[left[done]] = n
        left = left[~done]
        if len(left) == 0:
            return length
    raise AssertionError("some sums never reached the limit")


@pytest.mark.parametrize(
    ("limit", "rate", "told", "exact"),
    [(3.0, 0.2, 164, 160.49), (3.0, 0.5, 11.8, 11.716), (4.0, 0.2, 433, 432.56), (4.0, 0.5, 15.4, 15.763),
     (5.0, 0.5, 20.6, 20.675)],
)  # fmt: skip
def test_a_sum_runs_as_long_as_an_exact_chain_says(limit: float, rate: float, told: float, exact: float) -> None:
    """The science notes simulated these runs (told); the chain is exact, and the model's own sum agrees with it."""
    run = sum_run(limit, 0.2, 0.5, rate, 400)
    assert run.forever == pytest.approx(exact, rel=1e-4)
    assert run.forever == pytest.approx(told, rel=0.03)
    length = alarms(limit, rate, 20_000 if IS_DEEP else 4_000)
    assert abs(length.mean() - exact) <= 4.0 * length.std(ddof=1) / math.sqrt(len(length))


@pytest.mark.parametrize("limit", [1.0, 2.0, 3.0, 4.0, 5.0])
def test_a_false_alarm_is_as_rare_as_the_bound_says(limit: float) -> None:
    bound = float(least_false_run(limit))
    assert sum_run(limit, 0.2, 0.5, 0.2, 200).forever >= bound == pytest.approx(math.exp(limit))


def test_every_unit_of_the_limit_delays_a_true_alarm_by_one_over_the_drift() -> None:
    early, late = (sum_run(limit, 0.2, 0.5, 0.5, 200).forever for limit in (3.0, 7.0))
    assert (late - early) / 4.0 == pytest.approx(1.0 / float(drift(0.2, 0.5)), rel=0.05)


def test_the_bound_holds_for_signals_between_0_and_1_too() -> None:
    length = alarms(2.0, 0.2, 4_000, "shares")
    assert length.mean() >= math.exp(2.0)


def test_the_steps_are_log_likelihood_ratios_and_their_mean_turns_at_the_tipping_signal() -> None:
    assert likelihood_step([1.0, 0.0], 0.2, 0.5) == pytest.approx([math.log(0.5 / 0.2), math.log(0.5 / 0.8)])
    tipping = float(tipping_signal(0.2, 0.5))
    assert float(likelihood_step(tipping, 0.2, 0.5)) == pytest.approx(0.0, abs=1e-12)
    assert 0.2 < tipping < 0.5
    kl = 0.5 * math.log(0.5 / 0.2) + 0.5 * math.log(0.5 / 0.8)
    assert float(drift(0.2, 0.5)) == pytest.approx(kl)


@pytest.mark.parametrize("rates", [(0.5, 0.5), (0.6, 0.2)])
def test_where_the_bad_rate_is_not_above_the_good_one_nothing_adds_up(rates: tuple[float, float]) -> None:
    assert likelihood_step([0.0, 0.5, 1.0], *rates).tolist() == [0.0, 0.0, 0.0]
    assert float(tipping_signal(*rates)) == 1.0
    block: dict[str, Any] = {"rule": "cusum", "good_rate": rates[0], "bad_rate": rates[1], "limit": 0.1}
    assert not play([under(**block)]).events("frozen")


# --- the two rules, worked out again from the log


def statistics(events: list[Event], rule: str, block: dict[str, Any]) -> list[tuple[int, int, float]]:
    """(step, agent, statistic) of every trip, from the deals alone."""
    past: dict[int, list[float]] = {}
    total: dict[int, float] = {}
    found = []
    for deal in events:
        if deal["kind"] != "interaction" or not deal["accepted"]:
            continue
        a, x = deal["initiator"], 1.0 - deal["p"]
        if rule == "window":
            kept = past[a] = [*past.get(a, []), x][-block["window"] :]
            statistic = sum(kept) / len(kept)
            trips = len(kept) == block["window"] and statistic > block["threshold"]
        else:
            step = x * math.log(0.5 / 0.2) + (1.0 - x) * math.log(0.5 / 0.8)
            statistic = total[a] = max(0.0, total.get(a, 0.0) + step)
            trips = statistic >= block["limit"]
        if trips:
            past[a], total[a] = [], 0.0
            found.append((deal["step"], a, statistic))
    return found


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("window", [4, 10, 14])
def test_trips_are_those_that_the_log_gives_reason_for(rule: str, window: int) -> None:
    played = play([under(rule=rule, window=window)])
    expected = statistics(played.events(), rule, EAGER | {"window": window})
    found = [(event["step"], event["agent"], event["statistic"]) for event in played.events("frozen")]
    assert len(found) > 3
    assert [trip[:2] for trip in found] == [trip[:2] for trip in expected]
    assert [trip[2] for trip in found] == pytest.approx([trip[2] for trip in expected])


def test_a_longer_window_enacted_in_mid_run_is_filled_before_it_trips() -> None:
    def longer(tick: Any) -> list[Enact] | None:
        return [Enact("circuit_breaker", "window", 18)] if (tick.step, tick.turn) == (12, 1) else None

    played = play([under(window=6)], orders=longer)
    since = dict.fromkeys(range(15), 6)
    own: Counter[int] = Counter()
    for event in played.events("interaction", "frozen"):
        if event["kind"] == "interaction":
            own[event["initiator"]] += event["accepted"]
        elif event["step"] > 12:
            assert own[event["agent"]] >= 18 - since[event["agent"]]
            since[event["agent"]] = own[event["agent"]] = 0
        else:
            own[event["agent"]] = 0


@pytest.mark.parametrize("rule", RULES)
def test_a_threshold_of_1_never_trips_and_leaves_no_trace(rule: str) -> None:
    bare = play([scenario(MIX, simulation=LONG)])
    assert play([under(threshold=1.0, rule=rule, tier="rising")]).hash() == bare.hash()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("tier", TIERS)
def test_a_breaker_does_the_same_beside_one_with_a_longer_window(rule: str, tier: str) -> None:
    each = under(rule=rule, tier=tier)
    other = scenario({"honest": 3, "adversarial": 2}, governance={"circuit_breaker": {"window": 37}}, simulation=LONG)
    alone = play([each])
    assert alone.hash() == play([other, each]).hash(1)
    assert play([other]).hash() == play([other, each]).hash(0)
    check_books(alone.events(), each)


# --- tiers


def throttled_times(played: Any) -> dict[int, list[tuple[int, int]]]:
    """Steps at which each agent was throttled, and until when."""
    found: dict[int, list[tuple[int, int]]] = {}
    for event in played.events("throttled"):
        found.setdefault(event["agent"], []).append((event["step"], event["until_step"]))
    return found


@pytest.mark.parametrize("allowance", [0, 1, 4])
def test_a_throttled_agent_makes_no_more_proposals_in_an_epoch_than_it_may(allowance: int) -> None:
    played = play([under(tier="throttle", throttle=allowance, cool_down=20)])
    assert not played.events("frozen")
    times = throttled_times(played)
    assert len(times) > 3
    made: Counter[tuple[int, int]] = Counter()
    bound = 0
    for deal in played.events("interaction"):
        a, place = deal["initiator"], (deal["initiator"], deal["epoch"])
        held = any(step < deal["step"] < until for step, until in times.get(a, []))
        if held:
            bound += 1
            assert made[place] < allowance
        made[place] += 1
    assert (bound > 0) == (allowance > 0)
    answered = [d for d in played.events("interaction") if d["reason"] == "counterparty_frozen"]
    assert not answered, "who is throttled may still accept"


def trips_of(played: Any) -> dict[int, list[Event]]:
    """Freezes by the deal that led to them."""
    found: dict[int, list[Event]] = {}
    for event in played.events("frozen"):
        found.setdefault(event["causes"][0], []).append(event)
    return found


def test_a_cluster_is_the_agent_and_those_it_dealt_with_often() -> None:
    block: dict[str, Any] = {"tier": "cluster", "window": 8, "cluster_deals": 3}
    played = play([under(agents={"adversarial": 3, "deceptive": 3, "honest": 2}, **block)])
    deals = {deal["seq"]: deal for deal in played.events("interaction")}
    last: dict[int, list[int]] = {}
    spread = 0
    trips = trips_of(played)
    for seq, deal in deals.items():
        if not deal["accepted"]:
            continue
        a = deal["initiator"]
        last[a] = [*last.get(a, []), deal["counterparty"]][-8:]
        if seq in trips:
            often = {b for b, n in Counter(last[a]).items() if n >= 3}
            caught = {event["agent"] for event in trips[seq]}
            same = [event for events in trips.values() for event in events if event["step"] == deal["step"]]
            twice = {event["agent"] for event in same} - caught
            assert a in caught
            assert caught <= {a} | often
            assert often <= caught | twice, "each agent is frozen once in a step"
            spread += len(caught) > 1
            last[a] = []
    assert spread > 3


def test_a_halt_stops_everybody() -> None:
    played = play([under(tier="halt", cool_down=5)])
    stops = {event["step"]: event["until_step"] for event in played.events("frozen")}
    assert len(stops) > 1
    for step, until in stops.items():
        assert until == step + 6
        assert len({event["agent"] for event in played.events("frozen") if event["step"] == step}) == sum(MIX.values())
        assert not [deal for deal in played.events("interaction") if step < deal["step"] < until]


def test_a_halt_leaves_out_who_is_not_there() -> None:
    groups = [{"type": "adversarial", "count": 6}, {"type": "honest", "count": 2}]
    population = {"arrivals": [{"type": "honest", "count": 4, "epoch": 3}]}
    halts = {"circuit_breaker": EAGER | {"tier": "halt"}}
    played = play([scenario(groups, population=population, governance=halts, simulation=LONG)])
    assert {event["agent"] for event in played.events("frozen") if event["epoch"] < 3} == set(range(8))


def test_a_rising_breaker_throttles_then_freezes_then_freezes_the_cluster() -> None:
    block = {"tier": "rising", "cluster_deals": 1, "halt_share": 1.0, "cool_down": 2, "window": 4, "throttle": 50}
    played = play([under(simulation={"epochs": 6, "steps_per_epoch": 12}, adaptation="frozen", **block)])
    deals = {deal["seq"]: deal["initiator"] for deal in played.events("interaction")}
    reached: dict[int, list[tuple[str, int]]] = {}
    for event in played.events("throttled", "frozen"):
        seq = event["causes"][0]
        if deals[seq] == event["agent"]:
            reached.setdefault(event["agent"], []).append((event["kind"], seq))
    sizes: dict[int, list[int]] = {1: [], 2: []}
    trips = trips_of(played)
    for steps in reached.values():
        assert [kind for kind, _ in steps] == ["throttled", *["frozen"] * (len(steps) - 1)]
        for place, (_, seq) in enumerate(steps):
            if place:
                sizes[min(place, 2)].append(len(trips[seq]))
    assert set(sizes[1]) == {1}
    assert max(sizes[2]) > 1


def test_a_rising_breaker_halts_all_where_too_many_are_frozen_at_once() -> None:
    def frozen_together(share: float) -> int:
        block = {"tier": "rising", "halt_share": share, "cluster_deals": 1000, "cool_down": 8, "window": 4}
        played = play([under(simulation={"epochs": 6, "steps_per_epoch": 12}, adaptation="frozen", **block)])
        return max(Counter(event["step"] for event in played.events("frozen")).values())

    assert frozen_together(0.1) == sum(MIX.values())
    assert frozen_together(1.0) < sum(MIX.values()) // 2


# --- what agents make of it

FINE = {"effort_menu": [0.0, 0.2, 0.4, 0.6, 0.8, 1.0], "disguise_menu": [0.0], "effort_cost": 1.5}


def expected_signals(rule: str | None, adaptation: str, threshold: float = 0.4) -> np.ndarray[Any, Any]:
    """1 - p that opportunists expect of the deals they propose, under a breaker or none."""
    block = {"threshold": threshold, "rule": rule, "good_rate": 0.3, "bad_rate": 0.5, "limit": 3.0, "cool_down": 60}
    each = scenario(
        {"opportunistic": 16}, conduct=FINE, adaptation=adaptation, simulation={"epochs": 4, "steps_per_epoch": 12},
        governance={"circuit_breaker": block} if rule else {}, adaptive={"belief": "public"},
    )  # fmt: skip
    table, rule_of = open_batch([each], [7]).table, each.conduct
    effort = np.array([deal["effort"] for deal in play([each]).events("interaction")])
    q = rule_of.q_low + (rule_of.q_high - rule_of.q_low) * effort
    signal: np.ndarray[Any, Any] = 1.0 - (q * table.expected_p[0] + (1.0 - q) * table.expected_p[1])
    return signal


@pytest.mark.parametrize("rule", RULES)
def test_learning_agents_stay_just_below_the_bar_and_frozen_ones_do_not(rule: str) -> None:
    bar = 0.4 if rule == "window" else float(tipping_signal(0.3, 0.5))

    def shares(*given: Any) -> tuple[float, float]:
        signal = expected_signals(*given)
        return float((signal > bar).mean()), float(((signal <= bar) & (signal > bar - 0.15)).mean())

    free, held = shares(None, "learning"), shares(rule, "learning")
    assert free[0] > 0.1
    assert held[0] < 0.2 * free[0], "fewer deals are expected to look worse than the bar"
    assert held[1] > free[1] + 0.5 * free[0], "more are expected to look just better"
    loose, bound = shares(None, "frozen"), shares(rule, "frozen")
    assert bound == pytest.approx(loose, abs=0.02)


def test_a_window_that_is_changed_in_mid_run_begins_anew_and_one_that_is_not_goes_on() -> None:
    each = scenario({"honest": 4}, governance={"circuit_breaker": {"threshold": 0.35, "window": 10}})
    batch = open_batch([each, each], [1, 2])
    stack = open_stack(batch, batch.scenarios)
    [seat] = stack.seats
    seat.column["ring"][:] = 0.9
    seat.column["place"][:] = 8
    stack.enact(batch, Enact("circuit_breaker", "window", 10, 0))  # as it is
    stack.enact(batch, Enact("circuit_breaker", "threshold", 0.4, 0))
    assert (seat.column["ring"] == 0.9).all()
    stack.enact(batch, Enact("circuit_breaker", "window", 5, 0))
    first = batch.world.replicate == 0
    assert np.isnan(seat.column["ring"][first]).all() and not seat.column["place"][first].any()
    assert (seat.column["ring"][~first] == 0.9).all() and (seat.column["place"][~first] == 8).all()
    # five deals since then are all that a trip needs, and none from before counts
    row = np.flatnonzero(first)[:1]
    for toxic in (0.1, 0.2, 0.3, 0.4, 0.5):
        lever = seat.at(batch.world.replicate[row])
        lever.note(seat, row, row + 1, np.array([toxic]))
    assert seat.at(batch.world.replicate[row]).judged(seat, row, np.array([0.5]))[0] == pytest.approx(0.3)
