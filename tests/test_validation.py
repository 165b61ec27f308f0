"""Closed forms against runs: they agree, and a wrong formula on either side is noticed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

import mesocosm as mc
from mesocosm import exact
from mesocosm.agents.policies.dealer_market import InformedTrader
from mesocosm.analysis import evidence
from mesocosm.analysis.evidence import Arms, Case, Claim, mean_over_seeds, measure_claims, ratio_over_seeds
from mesocosm.analysis.validation import (
    Finding,
    Validation,
    errors_most,
    examine_case,
    fixed_seeds,
    validate,
    validation_cases,
)
from mesocosm.cli.main import main
from mesocosm.config.load import bundled_scenarios, load_scenario
from mesocosm.engine import bargain, identities, learn, rails, season, settle, social, trade
from mesocosm.env import bidding, leniency, panel
from mesocosm.errors import UsageError
from mesocosm.governance import circuit_breaker
from mesocosm.governance.circuit_breaker import CircuitBreaker
from mesocosm.governance.random_audit import RandomAudit
from mesocosm.metrics import coalition_trust
from trajectory import play

CASES = validation_cases()
FEW = 40
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def few_seeds(case: Case) -> tuple[Finding, ...]:
    return examine_case(case, fixed_seeds(FEW))


@cache
def intact(name: str) -> tuple[Finding, ...]:
    """What the engine shows as it is."""
    return few_seeds(CASES[name])


# --- theory and runs agree


@pytest.mark.parametrize("name", CASES)
def test_runs_agree_with_theory_within_four_standard_errors(name: str) -> None:
    found = intact(name)
    assert [line for line in found if not line.good] == []
    assert {line.n_seeds for line in found} == {FEW}


def test_every_closed_form_has_a_scenario_and_every_such_scenario_a_case() -> None:
    bundled = {name for name in bundled_scenarios() if load_scenario(name).motif == "closed_form"}
    assert bundled == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_nothing_binds_in_a_closed_form_but_what_its_theory_speaks_of(name: str) -> None:
    events = play([load_scenario(name)]).events("interaction", "refused")
    assert {event["reason"] for event in events if event["kind"] == "interaction"} <= {"accepted", "declined"}
    assert {event["rule"] for event in events if event["kind"] == "refused"} <= {"rate_limit"}
    if name != "price_path":  # where one proposal a step is the clock of the theory
        assert not any(event["kind"] == "refused" for event in events)


def test_every_claim_is_said_once_and_fits_the_screen() -> None:
    for case in CASES.values():
        said = [claim.what for claim in case.claims]
        assert len(set(said)) == len(said)
        assert max(map(len, said)) <= 42


# --- what is wrong is noticed


@pytest.mark.parametrize("name", CASES)
def test_a_formula_that_is_a_tenth_off_is_noticed(name: str) -> None:
    wrong = [replace(line, expected=1.1 * line.expected + 0.02) for line in intact(name)]
    assert sum(not line.good for line in wrong) >= len(wrong) // 2


def _times(module: Any, name: str, factor: float) -> Callable[[pytest.MonkeyPatch], None]:
    """Let a function of the engine give too much or too little."""
    real = getattr(module, name)
    return lambda patch: patch.setattr(module, name, lambda *given: real(*given) * factor)


def _blind_audit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RandomAudit, "foresee", lambda self, bench, ahead: None)


def _unlimited_liability(patch: pytest.MonkeyPatch) -> None:
    real = RandomAudit.foresee

    def foresee(self: RandomAudit, bench: Any, ahead: Any) -> Any:
        return real(self, bench, replace(ahead, balance=ahead.balance + 1e9))

    patch.setattr(RandomAudit, "foresee", foresee)


def _loud_scores(patch: pytest.MonkeyPatch) -> None:
    real = exact.normal_quantile
    patch.setattr(exact, "normal_quantile", lambda u: 1.1 * real(u))


def _stubborn(patch: pytest.MonkeyPatch) -> None:

    def slower(omega: Any, *given: Any) -> Any:
        return 0.9 * leniency.after_answer(omega, *given) + 0.1 * omega

    patch.setattr(learn, "after_answer", slower)


def _half_informed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(InformedTrader, "accept", lambda self, view: (view.odds > 1.0) & (view.agent % 2 == 0))


def _nervous_breaker(patch: pytest.MonkeyPatch) -> None:
    real = CircuitBreaker.on_settle
    patch.setattr(
        CircuitBreaker, "on_settle", lambda self, bench, deal: real(replace(self, threshold=0.5), bench, deal)
    )


def _lavish_bucket(patch: pytest.MonkeyPatch) -> None:
    real = rails.Rails.start_step

    def start(self: rails.Rails, batch: Any) -> None:
        real(self, batch)
        self.tokens += 0.1

    patch.setattr(rails.Rails, "start_step", start)


def _idle_voters(patch: pytest.MonkeyPatch) -> None:
    real = season._count_some

    def count(batch: Any, rows: slice, weight_of: Any, backs: Any, into: Any) -> None:
        real(batch, rows, weight_of * np.where(backs[batch.world.code], 0.5, 1.0), backs, into)

    patch.setattr(season, "_count_some", count)


def _own_bid_paid(patch: pytest.MonkeyPatch) -> None:
    """Pay the winner its own bid whatever the rule says."""
    real = bidding.awarded
    patch.setattr(trade, "awarded", lambda bidder, bid, offer, second: real(bidder, bid, offer, second * 0))


def _errs_together(patch: pytest.MonkeyPatch) -> None:
    """Let the first verifier speak for all in half of all cases."""
    real = panel.votes_of

    def fewer(right: Any, together: Any, own: Any, rule: Any) -> Any:
        return real(right, together - 0.5, own, rule)

    patch.setattr(trade, "votes_of", fewer)


def _half_charged(patch: pytest.MonkeyPatch) -> None:
    """Take half of what a message costs."""
    real = vars(social)["charge_messages"]
    patch.setattr(social, "charge_messages", lambda batch, stack, row, due: real(batch, stack, row, due // 2))


BROKEN: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "the joint bar": ("pigou", _times(bargain, "joint_bar", 1.1)),
    "the counterparty's bar": ("pigou", _times(bargain, "own_bar", 1.1)),
    "the initiator's bar": ("pigou", _times(bargain, "initiator_bar", 1.1)),
    "harm to others": ("pigou", _times(settle, "expected_externality", 1.1)),
    "the chance of a good outcome": ("adversary_threshold", _times(bargain, "outcome_chance", 0.9)),
    "what a surplus is worth": ("adversary_threshold", _times(settle, "expected_surplus", 1.1)),
    "what an audit announces": ("becker", _blind_audit),
    "limited liability": ("becker", _unlimited_liability),
    "the quality of what is sold": ("lemons", _times(bargain, "outcome_chance", 0.9)),
    "the counterparty's payoff": ("lemons", _times(settle, "counterparty_payoff", 1.3)),
    "noise in a score": ("regressional_goodhart", _loud_scores),
    "noise in an order flow": ("kyle", _loud_scores),
    "what the informed know": ("glosten_milgrom", _half_informed),
    "Bayes' rule after an answer": ("price_path", _stubborn),
    "how far a bid is shaded": ("procurement", _times(bidding, "equilibrium_bid", 0.9)),
    "what the others' bids are": ("procurement", _own_bid_paid),
    "how many verifiers are right": ("verifier_panel", _errs_together),
    "the breaker's threshold": ("bookkeeping", _nervous_breaker),
    "the mean of a window": ("breaker_window", _times(circuit_breaker, "window_mean", 1.1)),
    "the evidence in a signal": ("breaker_cusum", _times(circuit_breaker, "likelihood_step", 1.2)),
    "the refill of a bucket": ("bookkeeping", _lavish_bucket),
    "what an identity brings": ("sybil_stake", _times(identities, "accepted_proposals", 0.9)),
    "what a message costs": ("messages", _half_charged),
    "whom a society trusts": ("eigentrust", _times(coalition_trust, "eigentrust", 1.1)),
    "who casts ballots": ("sybil_stake", _idle_voters),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_formula_that_is_broken_in_the_engine_is_noticed(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, breaks = BROKEN[what]
    breaks(monkeypatch)
    assert any(not line.good for line in few_seeds(CASES[name]))


def test_every_case_has_a_break_that_it_notices() -> None:
    assert {name for name, _ in BROKEN.values()} == set(CASES)


# --- what an estimate is


def test_seeds_are_the_unit_of_replication_and_undefined_ones_are_left_out() -> None:
    found = mean_over_seeds(np.array([1.0, np.nan, 3.0, 5.0]))
    assert (found.value, found.n_seeds) == (3.0, 3)
    assert found.error == pytest.approx(2.0 / math.sqrt(3))


def test_a_number_that_every_seed_agrees_on_is_exact_and_must_be_the_expected_one() -> None:
    for value, good in ((0.1, True), (0.1 + 1e-6, False)):
        estimate = mean_over_seeds(np.full(7, value))
        line = Finding("case", "what", 0.1, *estimate)
        assert (line.is_exact, line.good, line.z) == (True, good, 0.0 if good else math.inf)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan, 2.0]])
def test_nothing_to_measure_is_never_agreement(values: list[float]) -> None:
    line = Finding("case", "what", 1.0, *mean_over_seeds(np.array(values)))
    assert not line.good
    assert math.isnan(line.z)


def test_the_error_of_a_ratio_is_that_of_leaving_out_one_seed_at_a_time() -> None:
    rng = np.random.default_rng(1)
    whole = rng.uniform(50, 150, 400)
    part = whole * rng.normal(0.5, 0.1, 400)
    left_out = (part.sum() - part) / (whole.sum() - whole)
    jackknife = math.sqrt(399 / 400 * ((left_out - left_out.mean()) ** 2).sum())
    found = ratio_over_seeds(part, whole)
    assert found.value == part.sum() / whole.sum()
    assert found.error == pytest.approx(jackknife, rel=0.02)


def test_many_seeds_are_played_in_stretches_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {name: intact(name) for name in ("kyle", "bookkeeping")}
    monkeypatch.setattr(evidence, "SEEDS_AT_ONCE", 17)
    for name, lines in whole.items():
        for one, other in zip(lines, few_seeds(CASES[name]), strict=True):
            assert (one.measured, one.error) == pytest.approx((other.measured, other.error), rel=1e-12)


def test_arms_share_their_luck_so_that_contrasts_are_sharp() -> None:
    error = {line.what: line.error for line in intact("pigou")}
    assert error["welfare, R 1 less R 0.75, same luck"] < 0.2 * error["welfare by the proxy, R 1"]


def test_agents_from_outside_cannot_take_part() -> None:
    with pytest.raises(UsageError, match="nobody is asked"):
        evidence.Witness(()).decide(type("Request", (), {"policy": "mine"})())


def test_claims_may_be_measured_from_any_run() -> None:
    def toxic(arms: Arms) -> Any:
        return arms["calm"].metric("toxicity_true")

    [found] = measure_claims(
        {"calm": load_scenario("baseline", {"simulation.epochs": 2})}, [Claim("", 0, toxic)], range(5)
    )
    assert 0.0 < found.value < 0.5
    assert found.error > 0.0


# --- from Python, and on the screen


def test_validation_is_a_function_of_the_package() -> None:
    found = mc.validate("kyle", seeds=30)
    assert found.good
    assert found.lines.columns == ["case", "what", "expected", "measured", "error", "n_seeds", "z", "exact", "good"]
    assert len(found.lines) == len(found.findings) == 9
    assert repr(found) == "Validation(9 of 9 lines agree with theory, 30 seeds)"


def test_other_seeds_give_other_numbers_and_the_same_seeds_the_same() -> None:
    first, again, other = (validate("kyle", seeds=30, first_seed=seed) for seed in (1000, 1000, 2000))
    assert first.findings == again.findings
    assert all(one.measured != two.measured for one, two in zip(first.findings, other.findings, strict=True))


def call(capsys: Captured, *words: str) -> tuple[int, str, str]:
    code = main(["validate", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_command_prints_every_line_and_ends_well(capsys: Captured) -> None:
    code, out, err = call(capsys, "becker", "kyle", "--seeds", str(FEW))
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert max(map(len, lines)) <= 80
    claims = len(CASES["becker"].claims) + len(CASES["kyle"].claims)
    assert sum(line.endswith(" ok") for line in lines) == claims
    assert f"All {claims} lines agree with theory" in out
    assert "OFF" not in out


def test_a_terminal_that_is_narrow_gets_the_numbers_below_the_words(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    _, out, _ = call(capsys, "kyle", "--seeds", "30")
    assert max(map(len, out.splitlines())) <= 40
    assert sum(line.endswith(" ok") for line in out.splitlines()) == 9


def test_a_line_that_is_off_is_named_and_the_exit_code_says_so(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    BROKEN["the joint bar"][1](monkeypatch)
    code, out, _ = call(capsys, "pigou", "--seeds", str(FEW))
    assert code == 3
    assert "OFF" in out
    assert "standard errors from theory" in out
    assert "pigou: share accepted, R 1, expected 0.4, measured" in " ".join(out.split())
    assert f"mesocosm validate pigou --seeds {FEW * 10}" in out
    assert max(map(len, out.splitlines())) <= 80
    code = main(["validate", "pigou", "--seeds", str(FEW), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["good"]) == (3, False)
    assert any(not line["good"] and line["z"] for line in told["lines"])


def test_a_case_that_is_stopped_leaves_no_half_line_on_the_terminal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("mesocosm.cli.progress.is_terminal", lambda stream: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("mesocosm.cli.validate.examine_case", stop)
    code, _, err = call(capsys, "kyle")
    assert code == 1
    assert "kyle, 1 of 1 ..." in err
    assert err.endswith("\r\x1b[Kstopped.\n")


def test_a_case_named_twice_is_played_once(capsys: Captured) -> None:
    _, out, _ = call(capsys, "kyle", "kyle", "--seeds", "30")
    assert "All 9 lines agree" in out
    assert len(validate(["kyle", "kyle"], seeds=30).findings) == 9


@pytest.mark.parametrize(("n", "most"), [(30, 4.67), (100, 4.18), (400, 4.04), (10**6, 4.0)])
def test_fewer_seeds_allow_more_errors_so_that_chance_is_as_rare(n: int, most: float) -> None:
    assert errors_most(n) == pytest.approx(most, abs=0.01)
    chance = 2.0 * scipy.stats.t.sf(errors_most(n), n - 1)
    assert chance == pytest.approx(1.0 / 15787, rel=1e-3)
    assert Finding("case", "what", 0.0, 0.99 * errors_most(n), 1.0, n).good
    assert not Finding("case", "what", 0.0, 1.01 * errors_most(n), 1.0, n).good


def test_a_machine_gets_every_number(capsys: Captured) -> None:
    code, out, _ = call(capsys, "becker", "--seeds", str(FEW), "--json")
    told = json.loads(out)
    assert (code, told["good"], told["seeds"], told["first_seed"]) == (0, True, FEW, 1000)
    line = told["lines"][0]
    assert line["z"] == pytest.approx((line["measured"] - line["expected"]) / line["error"])
    assert set(told["not_expressed"]) >= {"a dealer who quotes", "orders of any size"}


def test_what_cannot_be_expressed_is_said_where_everything_is_asked(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: CASES[name] for name in ("kyle",)}
    monkeypatch.setattr("mesocosm.analysis.validation.validation_cases", lambda: few)
    _, out, _ = call(capsys, "--seeds", "30")
    assert "Not checked, because this model cannot express it:" in out
    assert "a dealer who quotes" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [(["piguo"], "Did you mean pigou?"), (["kyle", "--seeds", "5"], "needs 30"), (["--seeds", "x"], "whole number")],
)
def test_a_slip_is_answered_in_words(words: list[str], said: str, capsys: Captured) -> None:
    code, out, err = call(capsys, *words)
    assert code == 2
    assert said in err
    assert out == ""


def test_closed_forms_are_listed_apart(capsys: Captured) -> None:
    assert main(["list", "scenarios"]) == 0
    before, _, after = capsys.readouterr().out.partition("closed forms")
    assert "baseline" in before
    assert all(name in after and name not in before for name in CASES)


def test_a_validation_without_lines_off_has_none_to_name() -> None:
    line = Finding("case", "what", 1.0, 1.0, 0.1, 30)
    assert Validation((line,), 30, 1000).off == ()
    assert not Validation((line, replace(line, measured=1.5)), 30, 1000).good


@pytest.mark.slow
def test_the_page_on_validation_shows_what_the_command_prints(checkout: Path, capsys: Captured) -> None:
    page = (checkout / "docs/validation.md").read_text(encoding="utf-8")
    shown = page.partition("## What it prints\n```\n")[2].partition("\n```")[0]
    code, out, _ = call(capsys)
    assert code == 0
    assert shown.split() == re.sub(r"\s\(\d+ s\)", "", out).split()
