"""Metrics of an epoch: against a slow loop, whatever the batch, and the same from a log as from memory."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
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
from mesocosm.errors import InvariantBroken, UsageError
from mesocosm.metrics.evaluate import (
    DEFAULT_METRICS,
    epoch_row,
    evaluate_by_type,
    evaluate_metrics,
    needs_of,
)
from mesocosm.metrics.from_log import epochs_from_columns
from mesocosm.metrics.reporters import report_epoch, sanity_flags, with_twins
from mesocosm.metrics.tally import BLOCK
from mesocosm.metrics.totals import EpochTotals, statistic
from slow_metrics import ECONOMY, slow

pytestmark = pytest.mark.usefixtures("registries_as_they_were")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(0, 90), st.sampled_from([0.0, 0.3, 0.8, 1.0]))
def test_every_metric_equals_a_slow_loop_over_its_rows(seed: Any, n_agents: Any, n_deals: Any, accept: Any) -> None:
    deal, agent = make_epoch(seed, n_agents, n_deals, accept)
    replays = make_replays(seed, n_agents, n_deals // 3)
    bounties = make_bounties(seed, n_agents, n_deals // 2)
    totals = totals_of([(deal, agent)], [make_roster(seed, n_agents)], replays=[replays], bounties=[bounties])
    found = epoch_row(0, evaluate_metrics(totals, every_metric()))
    expected = slow(deal, agent, replays, bounties, [TYPES[code] for code in make_roster(seed, n_agents)])
    assert set(expected) == set(every_metric())
    for name, value in expected.items():
        near = 1e-7 if name.startswith("calibration_") else 1e-11  # the reference finds its root no better
        assert found[name] == pytest.approx(value, abs=near, rel=near, nan_ok=True), name


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 9), st.integers(0, 40)), min_size=1, max_size=6))
def test_a_replicate_alone_has_the_bits_it_has_in_a_batch(shapes: Any) -> None:
    epochs = [make_epoch(*shape) for shape in shapes]
    rosters = [make_roster(seed, n_agents) for seed, n_agents, _ in shapes]
    economy = ECONOMY | {"s_plus": np.arange(2.0, 2 + len(shapes))}
    replays = [make_replays(seed, n_agents, n_deals) for seed, n_agents, n_deals in shapes]
    together = evaluate_metrics(totals_of(epochs, rosters, replays=replays, economy=economy), every_metric())
    for r, (epoch, roster) in enumerate(zip(epochs, rosters, strict=True)):
        # alone it knows fewer types, and under other codes
        used = [TYPES[code] for code in np.unique(roster)][::-1]
        codes = np.array([used.index(TYPES[code]) for code in roster])
        own = {**economy, "s_plus": 2.0 + r}
        single = totals_of([epoch], [codes], replays=[replays[r]], types=used, economy=own)
        alone = evaluate_metrics(single, every_metric())
        for name, value in alone.items():
            assert value.tobytes() == together[name][r : r + 1].tobytes(), name


def test_totals_do_not_depend_on_how_rows_are_cut_into_batches() -> None:
    n = 3 * BLOCK + 17
    deal, agent = make_epoch(5, 40, n)
    roster, names = make_roster(5, 40), every_metric()
    by_turn = evaluate_metrics(totals_of([(deal, agent)], [roster]), names)
    tally = tally_of([roster], names)
    tally.add(batch_of("interaction", [deal]))
    whole = evaluate_metrics(tally.epoch(batch_of("agent_state", [agent])), names)
    assert {name: value.tobytes() for name, value in whole.items()} == {k: v.tobytes() for k, v in by_turn.items()}


def log_of(
    epochs: list[tuple[Table, Table]], replays: list[Table] | None = None, bounties: list[Table] | None = None
) -> tuple[Table, Table, Table, Table]:
    """What a reader finds in the JSON lines of one replicate, columns of plain values, seq running through."""
    tables: list[Table] = [{"seq": [], "epoch": []} for _ in range(4)]
    nothing: list[Table] = [{}] * len(epochs)
    seq = 0
    for epoch, (deal, agent) in enumerate(epochs):
        parts = (deal, (replays or nothing)[epoch], (bounties or nothing)[epoch], agent)
        for table, kept in zip(parts, tables, strict=True):
            k = len(next(iter(table.values()), ()))
            kept["seq"] += range(seq, seq + k)
            kept["epoch"] += [epoch] * k
            seq += k
            for name, values in table.items():
                kept.setdefault(name, []).extend(np.asarray(values).tolist())
    deals, decisions, closed, states = json.loads(json.dumps(tables))
    return deals, states, decisions, closed


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 10), st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_metrics_from_a_log_have_the_bits_of_the_live_ones(seed: Any, n_agents: Any, sizes: Any) -> None:
    epochs = [make_epoch(seed + k, n_agents, size) for k, size in enumerate(sizes)]
    replays = [make_replays(seed + k, n_agents, size) for k, size in enumerate(sizes)]
    bounties = [make_bounties(seed + k, n_agents, size) for k, size in enumerate(sizes)]
    roster, names = make_roster(seed, n_agents), every_metric()
    tally, live = tally_of([roster], names), []
    for epoch, (deal, agent) in enumerate(epochs):
        for turn in range(7):
            tally.add(batch_of("interaction", [deal], epoch, turn))
        tally.add(batch_of("replayed", [replays[epoch]], epoch))
        tally.add(batch_of("bounty_closed", [bounties[epoch]], epoch))
        live.append(epoch_row(epoch, evaluate_metrics(tally.epoch(batch_of("agent_state", [agent], epoch)), names)))
    deals, states, decisions, closed = log_of(epochs, replays, bounties)
    options: Any = {"roster": roster, "types": TYPES, "economy": ECONOMY, "names": names}
    again = epochs_from_columns(deals, states, replayed=decisions, bounty_closed=closed, **options)
    assert [[float(x).hex() for x in row.values()] for row in again] == [
        [float(x).hex() for x in row.values()] for row in live
    ]


def test_rows_of_a_log_may_come_in_any_order() -> None:
    epochs = [make_epoch(k, 6, 30) for k in range(3)]
    roster = make_roster(0, 6)
    deals, states, *_ = log_of(epochs)
    shuffle = np.random.default_rng(1).permutation(len(deals["seq"]))
    mixed = {name: np.asarray(values)[shuffle] for name, values in deals.items()}
    options: Any = {"roster": roster, "types": TYPES, "economy": ECONOMY}
    assert epochs_from_columns(mixed, states, **options) == epochs_from_columns(deals, states, **options)


def test_interactions_of_a_cut_epoch_are_left_out() -> None:
    epochs = [make_epoch(k, 6, 30) for k in range(2)]
    deals, states, *_ = log_of(epochs)
    cut = {
        name: [x for x, epoch in zip(values, states["epoch"], strict=True) if epoch == 0]
        for name, values in states.items()
    }
    options: Any = {"roster": make_roster(0, 6), "types": TYPES, "economy": ECONOMY}
    assert epochs_from_columns(deals, cut, **options) == epochs_from_columns(deals, states, **options)[:1]
    assert epochs_from_columns({}, {}, **options) == []


def test_null_in_a_log_is_read_as_nan() -> None:
    deal, agent = make_epoch(1, 4, 12, accept=1.0)
    deals, states, *_ = log_of([(deal, agent)])
    deals["pi_a"][3] = None
    (row,) = epochs_from_columns(deals, states, roster=make_roster(1, 4), types=TYPES, economy=ECONOMY)
    assert math.isnan(row["private_welfare"])
    assert not math.isnan(row["toxicity_rate"])


def test_nothing_of_one_epoch_is_left_in_the_next_but_what_is_meant_to_last() -> None:
    roster, first, second = make_roster(2, 8), make_epoch(2, 8, 50), make_epoch(3, 8, 20)
    needs = {name: needs_of([name]) for name in every_metric()}
    lasting = {name for name, need in needs.items() if need.pairs or need.agent_before}
    assert lasting == {"income"} | {f"{mode}_pairs" for mode in ("miscoordination", "conflict", "collusion")} | {
        "collusion_loss",
        "collusion_loss_true",
        "toxic_among_mates",
        "toxic_outside",
        "coalition_trust",
    }
    names = [name for name in every_metric() if name not in lasting]
    tally = tally_of([roster], names)
    rows = []
    for deal, agent in (first, second):
        tally.add(batch_of("interaction", [deal]))
        rows.append(tally.epoch(batch_of("agent_state", [agent])))
    fresh = evaluate_metrics(totals_of([second], [roster], names=names), names)
    for name, value in evaluate_metrics(rows[1], names).items():
        assert value.tobytes() == fresh[name].tobytes(), name
    assert rows[0].proposals.tolist() == [50]  # handed out, not reused


def test_totals_by_type_add_up_to_the_whole() -> None:
    epochs, rosters = [make_epoch(k, 12, 200) for k in range(3)], [make_roster(k, 12) for k in range(3)]
    whole = totals_of(epochs, rosters)
    harm = ["toxic_deals", "toxic_extracting", "toxic_hidden", "toxic_among_mates", "toxic_outside"]
    parts = evaluate_by_type(whole, ["proposals", "interactions", "social_welfare", "private_welfare_true", *harm])
    for name, value in evaluate_metrics(whole, list(parts["honest"])).items():
        np.testing.assert_allclose(sum(part[name] for part in parts.values()), value, atol=1e-11)
    for r, (deal, _) in enumerate(epochs):
        by_honest = rosters[r][deal["initiator"]] == TYPES.index("honest")
        assert parts["honest"]["proposals"][r] == by_honest.sum()


def test_a_type_nobody_has_is_undefined_throughout() -> None:
    totals = totals_of([make_epoch(1, 5, 30)], [np.zeros(5, dtype=np.int64)])
    found = evaluate_metrics(totals.only("adversarial"), every_metric())
    assert found["proposals"].tolist() == [0]
    for name in ("toxicity_rate", "toxicity_true", "acceptance_rate", "spread", "participation", "influence_gini"):
        assert np.isnan(found[name]).all(), name


def test_every_bad_deal_went_one_way_and_not_another() -> None:
    whole = totals_of([make_epoch(7, 12, 300)], [make_roster(7, 12)])
    found = {name: value[0] for name, value in evaluate_metrics(whole, every_metric()).items()}
    total = found["toxic_deals"]
    assert total == found["toxic_rate"] * found["proposals"] > 20
    assert found["toxic_extracting"] + found["toxic_paying"] + found["toxic_plain"] == total
    assert found["toxic_hidden"] + found["toxic_visible"] == total
    assert found["toxic_among_mates"] + found["toxic_outside"] == total
    assert min(found[f"toxic_{way}"] for way in ("extracting", "paying", "plain", "hidden", "among_mates")) > 0


def test_an_epoch_without_proposals_is_undefined_and_not_zero() -> None:
    found = evaluate_metrics(totals_of([make_epoch(1, 5, 0)], [make_roster(1, 5)]), every_metric())
    defined = {name for name, value in found.items() if not np.isnan(value).any()}
    sums = {"private_welfare", "private_welfare_true", "social_welfare", "social_welfare_true"}
    failures = {f"{mode}_{what}" for mode in ("miscoordination", "conflict", "collusion") for what in ("loss", "pairs")}
    failures |= {f"{mode}_loss_true" for mode in ("miscoordination", "conflict", "collusion")}
    counts = {f"toxic_{channel}" for channel in ("deals", "extracting", "paying", "plain", "hidden", "visible")}
    assert defined == sums | failures | counts | {
        "toxic_among_mates",
        "toxic_outside",
        "coalition_trust",
        "frozen_share",
        "income",
        "interactions",
        "proposals",
        "activity",
        "participation",
        "influence_gini",
        "influence_top1",
    }


def test_agents_that_left_count_neither_for_influence_nor_for_participation() -> None:
    deal, agent = make_epoch(4, 3, 12, accept=1.0)
    deal["initiator"][:], deal["counterparty"][:] = 0, 1
    agent["active"], agent["votes_received"] = np.array([True, False, True]), np.array([1, 50, 3])
    found = evaluate_metrics(totals_of([(deal, agent)], [make_roster(4, 3)]), ["participation", "influence_gini"])
    assert found["participation"].tolist() == [0.5]
    assert found["influence_gini"].tolist() == [0.5]


def test_only_what_the_metrics_read_is_added_up() -> None:
    assert needs_of(["toxicity_rate"]).statistics == ("p",)
    assert needs_of(["influence_gini"]).agent_columns == ("votes_received",)
    assert set(needs_of(DEFAULT_METRICS).parameters) == {"s_plus", "s_minus"}
    usual = needs_of(DEFAULT_METRICS)
    assert not (usual.raw or usual.pairs or usual.decisions or usual.agent_before or usual.detail)
    totals = totals_of([make_epoch(1, 5, 30)], [make_roster(1, 5)], names=["toxicity_rate"])
    with pytest.raises(UsageError, match="pi_a"):
        evaluate_metrics(totals, ["private_welfare"])


def test_the_default_set_is_in_the_order_in_which_it_is_printed() -> None:
    assert list(evaluate_metrics(totals_of([make_epoch(1, 5, 30)], [make_roster(1, 5)]))) == list(DEFAULT_METRICS)
    assert DEFAULT_METRICS[:3] == ("toxicity_rate", "toxicity_true", "goodhart_gap")


def declare(name: str, function: Callable[[EpochTotals], Any]) -> None:
    registry.metric(name, unit="x", better="neither")(function)


def test_a_stranger_adds_a_statistic_and_a_metric_with_two_functions() -> None:
    @statistic("large_effort")
    def large(column: Any) -> Any:
        return column["pi_a"] > 0.5

    def share_large(totals: Any) -> Any:
        """Share of proposals with a large payoff."""
        return totals.moments("large_effort").mean

    declare("share_large", share_large)
    deal, agent = make_epoch(1, 5, 40)
    found = evaluate_metrics(totals_of([(deal, agent)], [make_roster(1, 5)], names=["share_large"]), ["share_large"])
    assert found["share_large"].tolist() == [(deal["pi_a"] > 0.5).sum() / 40]


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (lambda totals: totals.moments("surpluss").mean, "surplus"),
        (lambda totals: totals.agent("votes_recieved"), "votes_received"),
        (lambda totals: 0.5, "one number a replicate"),
    ],
)
def test_a_faulty_metric_is_refused_before_the_run_begins(function: Any, hint: Any) -> None:
    declare("faulty", function)
    with pytest.raises(UsageError, match=hint):
        tally_of([make_roster(1, 3)], ["faulty"])


def test_a_statistic_may_not_take_the_name_of_a_column_or_of_another() -> None:
    with pytest.raises(UsageError, match="column"):
        statistic("pi_a")(lambda column: column["pi_a"])
    with pytest.raises(UsageError, match=r"mesocosm\.metrics\.harm"):
        statistic("good")(lambda column: column["v"])


def test_what_a_tally_lacks_is_said_at_once() -> None:
    with pytest.raises(UsageError, match="toxicity_rate"):
        tally_of([make_roster(1, 3)], ["toxicity_rat"])
    with pytest.raises(UsageError, match="s_plus"):
        tally_of([make_roster(1, 3)], ["spread"], economy={})
    deal, _ = make_epoch(1, 3, 4)
    with pytest.raises(InvariantBroken, match="only these kinds"):
        tally_of([make_roster(1, 3)], ["proposals"]).add(batch_of("agent_state", [make_epoch(1, 3, 4)[1]]))
    with pytest.raises(InvariantBroken, match="state of its agents"):
        tally_of([make_roster(1, 3)], ["proposals"]).epoch(batch_of("interaction", [deal]))


def test_every_metric_says_its_unit_its_direction_and_its_twin() -> None:
    known = set(every_metric())
    for entry in registry.entries("metric"):
        if entry.name not in known:
            continue
        assert entry.summary.endswith("."), entry.name
        assert entry.facts["unit"], entry.name
        assert entry.facts["better"] in {"lower", "higher", "neither"}, entry.name
        assert entry.facts["twin"] is None or entry.facts["twin"] in known, entry.name


def test_the_report_puts_the_truth_beside_the_proxy() -> None:
    assert with_twins(["toxicity_rate", "toxicity_true"]) == ("toxicity_rate", "toxicity_true")
    deal, agent = make_epoch(6, 9, 80)
    totals, expected = totals_of([(deal, agent)], [make_roster(6, 9)]), slow(deal, agent)
    rows = {row["metric"]: row for row in report_epoch(totals)}
    assert "toxicity_true" not in rows
    for name, hard in (
        ("toxicity_rate", "toxicity_true"),
        ("spread", "spread_true"),
        ("quality_gap", "quality_gap_true"),
    ):
        row = rows[name]
        assert (row["soft"], row["hard"]) == pytest.approx((expected[name], expected[hard]))
        assert row["gap"] == row["hard"] - row["soft"]
    assert rows["toxicity_rate"]["gap"] == pytest.approx(expected["goodhart_gap"])
    assert rows["acceptance_rate"]["value"] == pytest.approx(expected["acceptance_rate"])
    assert rows["acceptance_rate"]["soft"] is None


def test_flags_say_why_a_number_is_missing() -> None:
    epochs = [make_epoch(1, 5, 30), make_epoch(2, 5, 0), make_epoch(3, 5, 30, 1.0), make_epoch(4, 5, 30, 0.0)]
    epochs[0][1]["active"][:] = True
    epochs[2][1]["votes_received"][:] = 0
    epochs[3][1]["active"][:] = True
    epochs[3][1]["votes_received"][0] = -1
    totals = totals_of(epochs, [make_roster(k, 5) for k in range(4)])
    told = {r: [row["text"] for row in sanity_flags(totals) if row["replicate"] == r] for r in range(4)}
    assert told[0] == []
    assert "nobody proposed in epoch 0" in told[1][0]
    assert told[2] == [
        "no rejections in epoch 0, so quality_gap is undefined",
        "nobody was voted for in epoch 0, so influence_gini is undefined",
    ]
    assert "nothing was accepted in epoch 0" in told[3][0]
    assert "negative" in told[3][1]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 12), st.integers(1, 4))
def test_every_undefined_metric_has_one_reason_and_every_reason_an_undefined_metric(
    seed: Any, accept: Any, n_deals: Any, n_agents: Any
) -> None:
    totals = totals_of([make_epoch(seed, n_agents, n_deals, accept)], [make_roster(seed, n_agents)])
    names = every_metric()
    values = evaluate_metrics(totals, names)
    undefined = {name for name, value in values.items() if np.isnan(value[0])}
    rows = sanity_flags(totals, names)
    assert sorted(name for row in rows for name in row["metrics"]) == sorted(undefined)
    assert all(" in epoch 0, so " in row["text"] for row in rows), "each is explained"


def reason_for(name: str, epoch: tuple[Table, Table], replays: list[Table] | None = None) -> str:
    """Why a metric is undefined."""
    totals = totals_of([epoch], [np.zeros(len(epoch[1]["agent"]), dtype=np.int64)], replays=replays)
    (row,) = sanity_flags(totals, [name])
    return str(row["text"]).partition(" in epoch")[0]


def test_a_reason_is_the_metric_s_own_where_proposals_have_nothing_to_do_with_it() -> None:
    deal, agent = make_epoch(3, 5, 30, 1.0)
    deal["v"][:] = 1
    agent["votes_received"][:] = 0
    refused = make_epoch(3, 5, 30, 0.0)
    assert reason_for("quality_gap", (deal, agent)) == "no rejections"
    assert reason_for("calibration_slope", (deal, agent)).startswith("the outcomes or the values of p were all alike")
    assert reason_for("toxic_surplus", (deal, agent)) == "no accepted interaction went wrong"
    assert reason_for("toxic_surplus", refused) == "nothing was accepted"
    assert reason_for("calibration_slope", make_epoch(3, 5, 0)) == "nobody proposed"
    assert reason_for("influence_gini", (make_epoch(3, 5, 0)[0], agent)) == "nobody was voted for"
    assert reason_for("incoherence", refused) == "no decision was replayed"
    sure = make_replays(1, 5, 4) | {"yes": np.full(4, 5), "of": np.full(4, 5), "v": np.ones(4, dtype=np.int64)}
    assert reason_for("incoherence", refused, [sure]).startswith("no replayed decision was ever wrong")
    nobody = make_epoch(3, 5, 30)
    nobody[1]["active"][:] = False
    assert reason_for("market_price", epoch := make_epoch(3, 5, 30)) == "no work was paid for"
    assert reason_for("market_surplus", epoch) == "no bounty was closed"
    assert reason_for("income", nobody) == "no agent was active"


def test_a_stranger_s_metric_is_explained_by_what_would_define_it_and_else_plainly() -> None:
    declare("p_of_the_accepted", lambda totals: raw_mean(totals, totals.each("accepted") > 0))
    declare("never", lambda totals: totals.proposals * np.nan)
    declare(
        "choosy", lambda totals: 1.0 / (totals.accepted - totals.accepted) if totals.proposals.max() != 31 else [1, 2]
    )
    epoch = make_epoch(3, 5, 30, 0.0)
    assert reason_for("p_of_the_accepted", epoch) == "nothing was accepted"
    totals = totals_of([epoch], [make_roster(3, 5)], names=["never", "choosy"])
    assert [row["text"] for row in sanity_flags(totals, ["never"])] == ["never is undefined in epoch 0"]
    assert sanity_flags(totals, ["choosy"]) == [], "infinite is not undefined"


def raw_mean(totals: EpochTotals, where: Any) -> Any:
    return exact.mean_by(totals.each_replicate, totals.each("p"), totals.n_replicates, where)


def test_identities_hold_for_the_metrics_of_a_large_run() -> None:
    deal, agent = make_epoch(9, 50, 200_000)
    deal["pi_a"] = 0.5 * (2.0 * deal["p"] - (1 - deal["p"]))
    found = epoch_row(0, evaluate_metrics(totals_of([(deal, agent)], [make_roster(9, 50)]), every_metric()))
    beta_q = (1 - found["acceptance_rate"]) * found["quality_gap"]
    assert found["toxicity_rate"] == pytest.approx(1 - found["mean_p"] - beta_q, abs=1e-12, rel=0)
    assert found["spread"] == pytest.approx(-3 * beta_q, abs=1e-12, rel=0)
    assert found["conditional_loss_initiator"] == pytest.approx(1.5 * beta_q, abs=1e-12, rel=0)
