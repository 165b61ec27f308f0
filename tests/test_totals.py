"""What metrics may ask of an epoch beyond sums, and how their values over a whole run come about."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_up import (
    TYPES,
    Table,
    batch_of,
    every_metric,
    make_bounties,
    make_epoch,
    make_replays,
    make_roster,
    tally_of,
    totals_of,
)
from mesocosm import exact, registry
from mesocosm.engine.loop import simulate
from mesocosm.env.events import DETAIL_FIELDS, EVENT_FIELDS, EventBatch
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.measures.dyads import Dyads
from mesocosm.metrics.evaluate import evaluate_by_type, evaluate_metrics, needs_of
from mesocosm.metrics.tally import BLOCK, Tally
from mesocosm.metrics.totals import EpochTotals, Totals, decision_statistic, statistic
from mesocosm.metrics.whole import WholeRun, at_replicate
from mesocosm.runner.drive import Plan, drive
from slow_metrics import ECONOMY, slow
from trajectory import scenario

pytestmark = pytest.mark.usefixtures("registries_as_they_were")


def declare(name: str, function: Any, **facts: Any) -> None:
    registry.metric(name, unit="x", better="neither", **facts)(function)


def one_epoch(name: str, deal: Table, agent: Table, roster: Any) -> EpochTotals:
    return totals_of([(deal, agent)], [roster], names=[name])


# --- single proposals


def test_a_metric_can_ask_for_every_single_proposal_in_the_order_in_which_they_happened() -> None:
    declare("first_p", lambda totals: _first(totals, "p"))
    deal, agent = make_epoch(3, 6, 50)
    roster = make_roster(3, 6)
    totals = one_epoch("first_p", deal, agent, roster)
    assert totals.each("p").tolist() == deal["p"].tolist()
    assert totals.each_replicate.tolist() == [0] * 50
    for code, agent_type in enumerate(TYPES):
        mine = roster[deal["initiator"]] == code
        assert totals.only(agent_type).each("p").tolist() == deal["p"][mine].tolist()
        assert len(totals.only(agent_type).each_replicate) == mine.sum()


def _first(totals: EpochTotals, name: str) -> Any:
    value = np.full(totals.n_replicates, np.nan)
    value[totals.each_replicate[::-1]] = totals.each(name)[::-1]
    return value


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(2, 9), st.integers(0, 40)), min_size=1, max_size=4))
def test_single_proposals_of_a_replicate_are_the_same_in_any_company(shapes: Any) -> None:
    epochs = [make_epoch(*shape) for shape in shapes]
    rosters = [make_roster(seed, n_agents) for seed, n_agents, _ in shapes]
    together = totals_of(epochs, rosters, names=["ece"])
    for r, (deal, _) in enumerate(epochs):
        mine = together.each_replicate == r
        assert together.each("p")[mine].tolist() == deal["p"].tolist()
        assert together.each("good")[mine].tolist() == (deal["v"] > 0).tolist()


def test_raw_columns_do_not_depend_on_how_rows_are_cut_into_batches() -> None:
    deal, agent = make_epoch(5, 40, 2 * BLOCK + 17)
    tally = tally_of([make_roster(5, 40)], ["ece"])
    tally.add(batch_of("interaction", [deal]))
    totals = tally.epoch(batch_of("agent_state", [agent]))
    assert totals.each("p").tobytes() == deal["p"].tobytes()


def test_nothing_is_kept_that_no_metric_asked_for() -> None:
    totals = totals_of([make_epoch(1, 5, 30)], [make_roster(1, 5)], names=["toxicity_rate"])
    for ask in (totals.each, totals.dyads, totals.decisions, totals.agent, totals.agent_before, totals.moments):
        with pytest.raises(UsageError, match="was kept for the metrics of this run"):
            ask("p" if ask != totals.moments else "pi_a")
    assert totals.each_replicate.tolist() == []


# --- dyads


def slow_dyads(deals: list[Table], where: Any) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for deal in deals:
        for a, b, yes in zip(deal["initiator"], deal["counterparty"], where(deal), strict=True):
            if yes:
                found[int(a), int(b)] = found.get((int(a), int(b)), 0) + 1
    return found


def as_counts(table: Dyads, group: int) -> dict[tuple[int, int], int]:
    mine = table.group == group
    return dict(
        zip(zip(table.a[mine].tolist(), table.b[mine].tolist(), strict=True), table.n[mine].tolist(), strict=True)
    )


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(2, 9)), min_size=1, max_size=4),
    st.lists(st.integers(0, 40), min_size=1, max_size=3),
)
def test_dyads_are_counted_from_the_start_of_the_run_for_each_replicate_alone(shapes: Any, sizes: Any) -> None:
    declare("bad_pairs", lambda totals: exact.count_by(totals.dyads("bad").group, totals.n_replicates).astype(float))
    tally = tally_of([make_roster(seed, n_agents) for seed, n_agents in shapes], ["bad_pairs"])
    past: list[list[Table]] = [[] for _ in shapes]
    for epoch, size in enumerate(sizes):
        made = [make_epoch(seed + epoch, n_agents, size) for seed, n_agents in shapes]
        for turn in range(7):
            tally.add(batch_of("interaction", [deal for deal, _ in made], epoch, turn))
        totals = tally.epoch(batch_of("agent_state", [agent for _, agent in made], epoch))
        found = totals.dyads("bad")
        for r, (deal, _) in enumerate(made):
            past[r].append(deal)
            assert as_counts(found, r) == slow_dyads(past[r], lambda deal: deal["v"] < 0)
        keys = list(zip(found.group.tolist(), found.a.tolist(), found.b.tolist(), strict=True))
        assert keys == sorted(set(keys)), "sorted, and every pair once"
        assert found.n_agents.tolist() == [n_agents for _, n_agents in shapes]
        assert totals.only("honest").dyads("bad") is found, "always of the whole population"


def test_whose_agents_are_whose_is_told_by_slot() -> None:
    epochs, rosters = [make_epoch(k, 5, 9) for k in range(2)], [np.array([0, 1, 2, 1, 0]), np.array([2, 2, 1, 0, 0])]
    totals = totals_of(epochs, rosters)
    replicate, slot = np.repeat([0, 1], 5), np.tile(np.arange(5), 2)
    for code, agent_type in enumerate(TYPES):
        expected = (np.concatenate(rosters) == code).tolist()
        assert totals.only(agent_type).is_chosen(replicate, slot).tolist() == expected
    assert totals.is_chosen(replicate, slot).all()
    assert not totals.only("nobody").is_chosen(replicate, slot).any()


def test_what_metrics_share_is_made_once_an_epoch() -> None:
    made: list[int] = []

    def shared(totals: EpochTotals) -> Any:
        return totals.shared("x", make)

    def make() -> Any:
        made.append(1)
        return np.zeros(1)

    declare("one", shared)
    declare("other", shared)
    totals = totals_of([make_epoch(1, 5, 30)], [make_roster(1, 5)], names=["one", "other"])
    made.clear()
    evaluate_metrics(totals, ["one", "other"])
    evaluate_by_type(totals, ["one", "other"])
    assert made == [1]


# --- agents before


def test_an_agent_s_earlier_state_is_that_of_the_epoch_before_and_missing_for_a_newcomer() -> None:
    tally = tally_of([make_roster(1, 3)], ["income"])
    first: Table = {"agent": np.arange(2), "active": np.array([True, True]), "balance": np.array([90.0, 120.0])}
    second: Table = {"agent": np.arange(3), "active": np.array([True, False, True])}
    second["balance"] = np.array([95.0, 0.0, 101.0])
    first["deposits"], second["deposits"] = np.zeros(2), np.array([0.0, 0.0, 2.0])
    one, two = (tally.epoch(batch_of("agent_state", [table], epoch)) for epoch, table in enumerate((first, second)))
    assert np.isnan(one.agent_before("balance")).all()
    np.testing.assert_array_equal(two.agent_before("balance"), [90.0, np.nan])
    assert evaluate_metrics(one, ["income"])["income"].tolist() == [(90.0 - 100.0 + 120.0 - 100.0) / 2]
    assert evaluate_metrics(two, ["income"])["income"].tolist() == [(95.0 - 90.0 + 103.0 - 100.0) / 2]


# --- decisions


def test_replayed_decisions_are_added_up_by_the_type_that_took_them() -> None:
    @decision_statistic("wholly")
    def unanimous(column: Any) -> Any:
        return column["yes"] == column["of"]

    declare("unanimous", lambda totals: totals.decisions("wholly") / totals.n_decisions, over="pool")
    shapes = [(1, 5, 40), (2, 7, 30)]
    rosters = [make_roster(seed, n) for seed, n, _ in shapes]
    replays = [make_replays(*shape) for shape in shapes]
    totals = totals_of([make_epoch(*shape) for shape in shapes], rosters, ["unanimous"], replays)
    for r, (table, roster) in enumerate(zip(replays, rosters, strict=True)):
        whole = table["yes"] == table["of"]
        assert totals.decisions("wholly")[r] == whole.sum()
        assert totals.n_decisions[r] == len(whole)
        for code, agent_type in enumerate(TYPES):
            mine = roster[table["agent"]] == code
            part = totals.only(agent_type)
            assert (part.decisions("wholly")[r], part.n_decisions[r]) == (whole[mine].sum(), mine.sum())


def test_replays_that_no_metric_asked_for_are_passed_over() -> None:
    tally = tally_of([make_roster(1, 5)], ["proposals"])
    tally.add(batch_of("replayed", [make_replays(1, 5, 4)]))
    assert tally.epoch(batch_of("agent_state", [make_epoch(1, 5, 3)[1]])).n_decisions.tolist() == [0]


def test_a_statistic_of_decisions_may_not_take_the_name_of_a_column_or_of_another() -> None:
    with pytest.raises(UsageError, match="column"):
        decision_statistic("yes")(lambda column: column["yes"])
    with pytest.raises(UsageError, match=r"mesocosm\.metrics\.incoherence"):
        decision_statistic("variance")(lambda column: column["v"])
    declare("faulty", lambda totals: totals.decisions("varience"))
    with pytest.raises(UsageError, match="variance"):
        needs_of(["faulty"])


# --- detail


def test_the_fields_of_detail_are_those_that_the_engine_leaves_out() -> None:
    given_by = {}
    for detail in (False, True):
        for item in simulate([scenario(simulation={"epochs": 1})], [1], detail):
            if isinstance(item, EventBatch) and item.kind == "interaction":
                given_by[detail] = set(item.column)
    assert given_by[True] == set(EVENT_FIELDS["interaction"])
    assert given_by[True] - given_by[False] == DETAIL_FIELDS


def test_a_metric_that_reads_detail_gets_it_at_every_level_of_the_log() -> None:
    @statistic("toil")
    def toil(column: Any) -> Any:
        return column["effort"] * column["difficulty"]

    declare("mean_toil", lambda totals: totals.moments("toil").mean, over="pool")
    each = scenario(simulation={"epochs": 2})
    assert needs_of(["mean_toil"]).detail
    assert not Plan([each], [1], "epoch", names=("toxicity_rate",)).detail
    thin, full = (drive(Plan([each], [1], level, names=("mean_toil",))) for level in ("epoch", "full"))
    assert thin.rows == full.rows
    assert thin.whole == full.whole
    assert thin.states == full.states
    assert thin.rows[0][0]["mean_toil"] > 0


def test_a_column_that_is_not_there_is_said_in_words() -> None:
    declare("effort", lambda totals: totals.moments("effort").mean)
    deal, _ = make_epoch(1, 3, 4)
    with pytest.raises(UsageError, match=r"'effort', which is missing here\. The engine works it out only with detail"):
        tally_of([make_roster(1, 3)], ["effort"]).add(batch_of("interaction", [deal]))


def test_a_statistic_that_reads_an_unknown_column_is_refused_before_the_run() -> None:
    statistic("typing_error")(lambda column: column["surpluss"])
    statistic("fickle")(lambda column: column["pi_a"] if column["p"].max() > 0.5 else column["p"])
    statistic("broken")(lambda column: column["p"] @ [])
    for name in ("typing_error", "fickle", "broken"):
        declare(f"mean_{name}", lambda totals, name=name: totals.moments(name).mean)
    with pytest.raises(UsageError, match=r"Did you mean surplus\?"):
        tally_of([make_roster(1, 3)], ["mean_typing_error"])
    with pytest.raises(MesocosmError, match="a trial on one row of zeros"):
        tally_of([make_roster(1, 3)], ["mean_broken"])
    deal, _ = make_epoch(1, 3, 9)
    with pytest.raises(UsageError, match="'pi_a', but not of every row"):
        tally_of([make_roster(1, 3)], ["mean_fickle"]).add(batch_of("interaction", [deal]))


# --- whole runs


def run_of(names: list[str], shapes: list[list[tuple[int, int, int]]], by_type: bool = True) -> tuple[Any, list[Any]]:
    """A made-up run: for each epoch the (seed, agents, deals) of every replicate."""
    rosters = [make_roster(seed, n_agents) for seed, n_agents, _ in shapes[0]]
    tally, whole, epochs = tally_of(rosters, names), WholeRun(names, names if by_type else ()), []
    for epoch, each in enumerate(shapes):
        made = [make_epoch(*shape) for shape in each]
        tally.add(batch_of("interaction", [deal for deal, _ in made], epoch))
        tally.add(batch_of("replayed", [make_replays(*shape) for shape in each], epoch))
        tally.add(batch_of("bounty_closed", [make_bounties(*shape) for shape in each], epoch))
        totals = tally.epoch(batch_of("agent_state", [agent for _, agent in made], epoch))
        values = evaluate_metrics(totals, names)
        whole.add(totals, values)
        epochs.append((totals, values))
    return whole, epochs


SHAPES = [[(epoch * 7 + r, 6 + r, (0, 40, 60)[(epoch + r) % 3]) for r in range(3)] for epoch in range(4)]


def test_a_mean_is_over_the_epochs_in_which_the_metric_is_defined() -> None:
    names = ["private_welfare", "participation", "toxicity_rate"]
    declare("toxicity_by_epoch", lambda totals: evaluate_metrics(totals, ["toxicity_rate"])["toxicity_rate"])
    whole, epochs = run_of([*names, "toxicity_by_epoch"], SHAPES)
    found = whole.run_values()
    for name in ("private_welfare", "participation", "toxicity_by_epoch"):
        table = np.array([values[name] for _, values in epochs])
        np.testing.assert_allclose(found[name], np.nanmean(table, axis=0), rtol=1e-14)
    assert np.isnan([values["toxicity_by_epoch"] for _, values in epochs]).any()


def test_what_is_pooled_is_taken_of_all_epochs_as_if_they_were_one() -> None:
    pooled = [name for name in every_metric() if registry.find("metric", name).facts["over"] == "pool"]
    assert {"toxicity_rate", "ece", "calibration_slope", "incoherence", "spread_true"} <= set(pooled)
    shapes = [[shape[0]] for shape in SHAPES[1:]]
    whole, _ = run_of(pooled, shapes)
    found = at_replicate(whole.run_values(), 0)
    made = [make_epoch(*each[0]) for each in shapes]
    deal = {name: np.concatenate([np.asarray(one[name]) for one, _ in made]) for name in made[0][0] if name != "turn"}
    decided, closed = (
        {name: np.concatenate([one[name] for one in tables]) for name in tables[0]}
        for tables in ([make(*each[0]) for each in shapes] for make in (make_replays, make_bounties))
    )
    expected = slow(deal, made[-1][1], decided, closed)
    for name, value in found.items():
        near = 1e-7 if name.startswith("calibration_") else 1e-11
        assert value == pytest.approx(expected[name], abs=near, rel=near, nan_ok=True), name


def test_the_last_epoch_speaks_for_what_is_cumulative() -> None:
    names = ["collusion_pairs", "conflict_pairs", "miscoordination_pairs"]
    whole, epochs = run_of(names, SHAPES)
    for name, value in whole.run_values().items():
        np.testing.assert_array_equal(value, epochs[-1][1][name])


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_a_run_is_summed_up_the_same_in_any_company_and_type_by_type(seed: int, n_epochs: int) -> None:
    shapes = [[(seed + 10 * epoch + r, 4 + r, 25 * r) for r in range(3)] for epoch in range(n_epochs)]
    names = every_metric()
    whole, epochs = run_of(names, shapes)
    together, by_type = whole.run_values(), whole.run_values_by_type()
    assert sorted(by_type) == sorted(TYPES)
    for r in range(3):
        alone, _ = run_of(names, [[each[r]] for each in shapes])
        for name, value in alone.run_values().items():
            assert value.tobytes() == together[name][r : r + 1].tobytes(), name
        for agent_type, values in alone.run_values_by_type().items():
            for name, value in values.items():
                assert value.tobytes() == by_type[agent_type][name][r : r + 1].tobytes(), (agent_type, name)
    parts = [evaluate_by_type(totals, ["income"]) for totals, _ in epochs]
    for agent_type in TYPES:
        table = np.array([part[agent_type]["income"] for part in parts])
        known = ~np.isnan(table).all(axis=0)
        np.testing.assert_allclose(by_type[agent_type]["income"][known], np.nanmean(table[:, known], axis=0))


def test_summing_up_by_type_is_done_only_when_asked() -> None:
    assert run_of(["proposals"], SHAPES, by_type=False)[0].run_values_by_type() == {}


def test_a_run_without_an_epoch_has_no_value() -> None:
    whole = WholeRun(every_metric(), every_metric())
    assert all(math.isnan(value) for value in at_replicate(whole.run_values(), 0).values())
    assert whole.run_values_by_type() == {}


def test_a_pooled_metric_may_not_read_what_belongs_to_a_single_epoch() -> None:
    declare("pooled_votes", lambda totals: totals.agent("votes_received"), over="pool")
    declare("pooled_pairs", lambda totals: totals.dyads("bad"), over="pool")
    declare("pooled_failure", lambda totals: totals.nothing(), over="pool")
    for name in ("pooled_votes", "pooled_pairs"):
        declare(name, _zeros_after(registry.find("metric", name).target), over="pool")
        with pytest.raises(UsageError, match=f"metric '{name}' is declared with over='pool', but it reads agents"):
            Tally([name], roster=[make_roster(1, 3)], types=TYPES, economy=ECONOMY)
    with pytest.raises(MesocosmError, match="no attribute 'nothing'"):
        needs_of(["pooled_failure"])


def _zeros_after(ask: Any) -> Any:
    def value(totals: Totals) -> Any:
        ask(totals)
        return np.zeros(totals.n_replicates)

    return value


def test_a_way_to_sum_up_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"Did you mean pool\?"):
        declare("misspelt", lambda totals: totals.proposals, over="pol")


def test_a_driven_batch_ends_with_its_values_over_the_whole_run() -> None:
    cast = [scenario({"honest": 3, "adversarial": 2 + k}, simulation={"epochs": 3}) for k in range(2)]
    names = ("toxicity_true", "private_welfare", "collusion_pairs", "proposals")
    outcome = drive(Plan(cast, [1, 2], "epoch", names=names, by_type=True))
    assert [list(each) for each in outcome.whole] == [list(names)] * 2
    for rows, whole, by_type in zip(outcome.rows, outcome.whole, outcome.whole_by_type, strict=True):
        assert whole["private_welfare"] == pytest.approx(sum(row["private_welfare"] for row in rows) / 3)
        assert whole["collusion_pairs"] == rows[-1]["collusion_pairs"]
        assert whole["proposals"] == pytest.approx(sum(each["proposals"] for each in by_type.values()))
    assert drive(Plan(cast, [1, 2], "epoch", names=names)).whole_by_type == [{}, {}]
