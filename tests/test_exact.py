"""The arithmetic of `mesocosm.exact`: accurate, the same on every processor, the same wherever an element stands."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mesocosm import exact, rng
from mesocosm.errors import InvariantBroken

F64 = NDArray[np.float64]
CPU = importlib.import_module("numpy._core._multiarray_umath")
DRAWN = rng.uniform(20260101, np.arange(60_000))
WIDE = (DRAWN - 0.5) * 1400.0
NEAR = (DRAWN - 0.5) * 8.0
POSITIVE = exact.exp(WIDE)
EDGES = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e308, -1e308, 5e-324, 709.9, -709.9, -745.1, 1.0, 0.5])
ELEMENTWISE: dict[str, Callable[[Any], Any]] = {
    "exp": exact.exp,
    "log": exact.log,
    "sigmoid": exact.sigmoid,
    "logit": exact.logit,
    "normal_quantile": exact.normal_quantile,
}


def error_in_ulps(found: float, wanted: Decimal) -> float:
    """Distance from the true value, in units in the last place of the nearest float."""
    return abs(float((Decimal(found) - wanted) / Decimal(math.ulp(float(wanted)))))


def normal_cdf(x: Decimal, digits: int) -> Decimal:
    """P(Z <= x) by its series at 0, all of whose terms have one sign."""
    with localcontext() as context:
        context.prec = digits
        pi = Decimal(0)  # arctan 1/2 + arctan 1/3 = pi/4
        for k in range(2 * digits):
            power = 2 * k + 1
            pi += (4 if k % 2 == 0 else -4) * (Decimal(2) ** -power + Decimal(3) ** -power) / power
        term = total = x
        k = 1
        while abs(term) > Decimal(10) ** -digits:
            term *= x * x / (2 * k + 1)
            total += term
            k += 1
        return Decimal("0.5") + (-x * x / 2).exp() / (2 * pi).sqrt() * total


# --- accuracy


@given(st.floats(-708.0, 709.7))
def test_exp_is_within_one_unit_in_the_last_place(x: float) -> None:
    with localcontext() as context:
        context.prec = 40
        assert error_in_ulps(float(exact.exp(x)), Decimal(x).exp()) <= 0.6


@given(st.floats(min_value=0.0, exclude_min=True, allow_infinity=False) | st.floats(0.9, 1.1))
def test_log_is_within_one_unit_in_the_last_place(x: float) -> None:
    with localcontext() as context:
        context.prec = 40
        assert error_in_ulps(float(exact.log(x)), Decimal(x).ln()) <= 0.9


@given(st.floats(-700.0, 700.0) | st.floats(-4.0, 4.0))
def test_sigmoid_is_accurate_on_both_sides(x: float) -> None:
    with localcontext() as context:
        context.prec = 400
        assert error_in_ulps(float(exact.sigmoid(x)), 1 / (1 + (-Decimal(x)).exp())) <= 2.0


@given(st.floats(1e-300, 1.0, exclude_max=True))
def test_logit_is_accurate(p: float) -> None:
    with localcontext() as context:
        context.prec = 40
        wanted = (Decimal(p) / (1 - Decimal(p))).ln()
        assert abs(float(Decimal(float(exact.logit(p))) - wanted)) <= 2.5e-16 * max(1.0, abs(float(wanted)))


def test_exp_and_log_hold_their_accuracy_over_a_dense_sample() -> None:
    with localcontext() as context:
        context.prec = 40
        x = np.concatenate([NEAR[:1500], WIDE[:500]])
        pairs = zip(x.tolist(), exact.exp(x).tolist(), strict=True)
        assert max(error_in_ulps(y, Decimal(a).exp()) for a, y in pairs) < 0.6
        x = np.concatenate([1.0 + NEAR[:1000] / 500.0, POSITIVE[:1000]])
        pairs = zip(x.tolist(), exact.log(x).tolist(), strict=True)
        assert max(error_in_ulps(y, Decimal(a).ln()) for a, y in pairs) < 0.9


@pytest.mark.parametrize(
    "u", [0.5, 0.4999, 0.3, 0.0751, 0.0749, 0.02, 1e-4, 1e-8, 1e-10, 1.5e-11, 1.3e-11, 1e-15, 2.0**-53, 1e-40]
)
def test_normal_quantile_inverts_the_normal_distribution_to_sixteen_digits(u: float) -> None:
    x = float(exact.normal_quantile(u))
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    gap = normal_cdf(Decimal(x), 60 + int(x * x)) - Decimal(u)
    assert abs(float(gap) / density) <= 4e-16 * max(abs(x), 0.01)


def test_normal_quantile_is_exactly_odd() -> None:
    np.testing.assert_array_equal(exact.normal_quantile(1.0 - DRAWN), -exact.normal_quantile(DRAWN))
    assert float(exact.normal_quantile(0.5)) == 0.0


def test_normal_quantile_never_falls_as_its_argument_rises_by_a_step_that_matters() -> None:
    u = (np.arange(40_000) + 0.5) / 40_000
    assert (np.diff(exact.normal_quantile(u)) > 0).all()


def test_normal_quantile_is_finite_over_all_that_can_be_drawn() -> None:
    ends = rng.unit(np.array([0, 2**64 - 1], dtype=np.uint64))
    low, high = exact.normal_quantile(ends).tolist()
    assert -8.3 < low < -8.2
    assert low == -high


# --- the edges


def test_exp_overflows_to_infinity_and_fades_to_zero_without_a_warning() -> None:
    x = np.array([709.782712893384, 709.7827128933841, 1e308, np.inf, -745.13, -745.2, -1e308, -np.inf])
    top, over, far, infinite, tiny, under, below, nothing = exact.exp(x).tolist()
    assert 1.797e308 < top < math.inf
    assert (over, far, infinite) == (math.inf, math.inf, math.inf)
    assert (tiny, under, below, nothing) == (5e-324, 0.0, 0.0, 0.0)
    assert math.isnan(float(exact.exp(math.nan)))
    assert exact.exp(np.array([0.0, -0.0])).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("x", [-708.5, -720.25, -744.0])
def test_exp_is_right_where_its_result_is_subnormal(x: float) -> None:
    with localcontext() as context:
        context.prec = 40
        assert abs(Decimal(float(exact.exp(x))) - Decimal(x).exp()) <= Decimal("0.51") * Decimal("5e-324")


def test_log_of_what_has_no_logarithm_is_told_without_a_warning() -> None:
    assert exact.log(np.array([0.0, -0.0, np.inf])).tolist() == [-math.inf, -math.inf, math.inf]
    assert np.isnan(exact.log(np.array([-1.0, -np.inf, np.nan, -5e-324]))).all()
    assert float(exact.log(1.0)) == 0.0


def test_sigmoid_and_logit_reach_their_limits() -> None:
    assert exact.sigmoid(np.array([-np.inf, -1000.0, 0.0, 1000.0, np.inf])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert exact.logit(np.array([0.0, 0.5, 1.0])).tolist() == [-math.inf, 0.0, math.inf]
    assert np.isnan(exact.logit(np.array([-0.5, 1.5, np.nan]))).all()


# --- an element's result depends on that element alone


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_an_element_has_the_same_bits_wherever_it_stands(name: str) -> None:
    function = ELEMENTWISE[name]
    x = DRAWN if name in {"logit", "normal_quantile"} else WIDE
    whole = function(x)
    alone = np.array([float(function(float(a))) for a in x[::997]])
    np.testing.assert_array_equal(whole[::997].view(np.int64), alone.view(np.int64))
    turn = exact.order_by(rng.bits(3, np.arange(x.size)))
    np.testing.assert_array_equal(function(x[turn]).view(np.int64), whole[turn].view(np.int64))
    np.testing.assert_array_equal(function(x[5:20_011:3]).view(np.int64), whole[5:20_011:3].view(np.int64))
    np.testing.assert_array_equal(function(x.reshape(200, 300)).view(np.int64), whole.reshape(200, 300).view(np.int64))


@pytest.mark.parametrize("name", ["exp", "log", "sigmoid"])
def test_an_extreme_neighbour_changes_nothing(name: str) -> None:
    function = ELEMENTWISE[name]
    x = np.abs(NEAR) + 1e-9
    mixed = function(np.concatenate([EDGES, x]))
    np.testing.assert_array_equal(mixed[EDGES.size :].view(np.int64), function(x).view(np.int64))
    alone = np.array([float(function(float(a))) for a in EDGES])
    np.testing.assert_array_equal(mixed[: EDGES.size], alone)


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_a_scalar_gives_a_scalar_and_an_empty_array_an_empty_one(name: str) -> None:
    function = ELEMENTWISE[name]
    assert isinstance(function(0.25), np.float64)
    assert function(np.empty(0)).shape == (0,)
    assert function(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_the_argument_is_left_as_it_was(name: str) -> None:
    x = DRAWN.copy()
    x.flags.writeable = False
    ELEMENTWISE[name](x)
    np.testing.assert_array_equal(x, DRAWN)


# --- the same bits on every processor


def fingerprints() -> dict[str, str]:
    """SHA-256 of the results of every function over the same arguments."""
    group = (rng.bits(9, np.arange(DRAWN.size)) >> np.uint64(54)).astype(np.int64)
    results: dict[str, Any] = {
        "exp": [exact.exp(WIDE), exact.exp(NEAR), exact.exp(EDGES)],
        "log": [exact.log(POSITIVE), exact.log(DRAWN), exact.log(EDGES)],
        "sigmoid": [exact.sigmoid(WIDE), exact.sigmoid(NEAR), exact.sigmoid(EDGES)],
        "logit": [exact.logit(DRAWN), exact.logit(np.array([0.0, 1.0, 2.0]))],
        "normal_quantile": [exact.normal_quantile(DRAWN), exact.normal_quantile(DRAWN / 1e12)],
        "poisson_cdf": [exact.poisson_cdf(rate, 40) for rate in (0.0, 0.2, 2.5, 30.0)],
        "sum_by": [exact.sum_by(group, WIDE, 1024)],
        "count_by": [exact.count_by(group, 1024, where=WIDE > 0)],
        "sum_by_int": [exact.sum_by_int(group, exact.micro(WIDE), 1024)],
        "mean_by": [exact.mean_by(group, WIDE, 1030, where=WIDE > 0)],
        "micro": [exact.micro(WIDE)],
        "credits": [exact.credits(exact.micro(WIDE))],
        "order_by": [exact.order_by(group, np.floor(NEAR)), exact.order_by(NEAR), exact.order_by(group << 20)],
        "rank_within": [exact.rank_within(group), exact.rank_within(np.floor(NEAR))],
        "largest_first": [exact.largest_first(rng.bits(4, np.arange(50_000)).view(np.int64).reshape(250, 200), 9)],
        "block_key": [rng.block_key(np.arange(100), rng.Purpose.ACT, 7)],
        "bits": [rng.bits(1234567, np.arange(50_000))],
        "unit": [DRAWN],
        "thirds": list(rng.thirds(rng.bits(5, np.arange(50_000)))),
        "pick": [rng.pick(rng.halves(rng.bits(5, np.arange(50_000)))[0], 17)],
    }
    return {
        name: hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
        for name, parts in results.items()
    }


def test_the_bits_do_not_depend_on_the_processor() -> None:
    optional = [name for name in CPU.__cpu_dispatch__ if CPU.__cpu_features__.get(name)]
    if not optional:
        pytest.skip("this processor has nothing that NumPy could do without")
    environment = dict(os.environ, NPY_DISABLE_CPU_FEATURES=" ".join(optional))
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plain = json.loads(done.stdout)
    assert not [name for name in optional if plain["features"][name]]
    assert plain["fingerprints"] == fingerprints()


def test_every_function_has_a_fingerprint() -> None:
    assert set(exact.__all__) - {"MICRO"} <= set(fingerprints())


# --- the Poisson table


@given(st.floats(0.0, 60.0), st.integers(0, 60))
@settings(max_examples=30)
def test_the_poisson_table_holds_cumulative_probabilities(rate: float, n_max: int) -> None:
    table = exact.poisson_cdf(rate, n_max)
    with localcontext() as context:
        context.prec = 40
        term = total = (-Decimal(rate)).exp()
        for n in range(n_max + 1):
            assert abs(float(total) - table[n]) <= 1e-15
            term = term * Decimal(rate) / (n + 1)
            total += term
    assert table.shape == (n_max + 1,)
    assert (np.diff(table) >= 0).all()
    assert table[-1] <= 1.0


@pytest.mark.parametrize("rate", [-0.1, 701.0, math.nan])
def test_a_poisson_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(InvariantBroken, match="Poisson rate"):
        exact.poisson_cdf(rate, 3)


# --- money


@given(st.floats(-9e9, 9e9))
def test_credits_round_to_the_nearest_micro_credit_halves_to_even(x: float) -> None:
    assert int(exact.micro(x)) == round(x * 1e6)


@given(st.lists(st.integers(-(2**50), 2**50)))
def test_micro_credits_survive_the_way_to_credits_and_back(amounts: list[int]) -> None:
    m = np.array(amounts, dtype=np.int64)
    assert exact.micro(exact.credits(m)).tolist() == amounts


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 1e10])
def test_an_amount_that_is_no_money_is_refused(x: float) -> None:
    with pytest.raises(InvariantBroken, match="credits"):
        exact.micro(np.array([1.0, x]))


# --- by group

ROWS = st.lists(st.tuples(st.integers(0, 5), st.floats(-1e6, 1e6)), max_size=60)


@given(ROWS)
def test_a_group_sums_its_own_rows_in_their_order(rows: list[tuple[int, float]]) -> None:
    group, value = np.array([g for g, _ in rows], dtype=np.int64), np.array([x for _, x in rows], dtype=np.float64)
    total = [0.0] * 7
    for g, x in rows:
        total[g] += x
    assert exact.sum_by(group, value, 7).tolist() == total
    counted = [sum(g == k for g, _ in rows) for k in range(7)]
    assert exact.count_by(group, 7).tolist() == counted
    mean = [total[k] / counted[k] if counted[k] else math.nan for k in range(7)]
    np.testing.assert_array_equal(exact.mean_by(group, value, 7), mean)
    positive = value > 0
    assert exact.count_by(group, 7, where=positive).tolist() == exact.count_by(group[positive], 7).tolist()
    np.testing.assert_array_equal(
        exact.mean_by(group, value, 7, where=positive), exact.mean_by(group[positive], value[positive], 7)
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**57), 2**57)), max_size=50))
def test_integers_sum_exactly_however_large(rows: list[tuple[int, int]]) -> None:
    group, value = np.array([g for g, _ in rows], dtype=np.int64), np.array([x for _, x in rows], dtype=np.int64)
    assert exact.sum_by_int(group, value, 4).tolist() == [sum(x for g, x in rows if g == k) for k in range(4)]


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_group_that_does_not_exist_is_refused(wrong: int) -> None:
    group, ones = np.array([0, wrong]), np.ones(2, dtype=np.int64)
    for total in (
        lambda: exact.sum_by(group, ones, 3),
        lambda: exact.count_by(group, 3),
        lambda: exact.sum_by_int(group, ones, 3),
        lambda: exact.mean_by(group, ones, 3),
    ):
        with pytest.raises((InvariantBroken, ValueError, IndexError)):
            total()


# --- orders


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 2**40), st.sampled_from([-0.5, 0.0, 1.5])), max_size=80))
def test_rows_are_ordered_by_the_first_key_then_the_next_then_as_they_stood(rows: list[tuple[int, int, float]]) -> None:
    keys = [np.array([row[k] for row in rows], dtype=kind) for k, kind in enumerate((np.int64, np.int64, np.float64))]
    assert exact.order_by(*keys).tolist() == sorted(range(len(rows)), key=rows.__getitem__)


@pytest.mark.parametrize("top", [2, 2**16 - 1, 2**16, 2**31, 2**32 - 1, 2**32, 2**38, 2**60])
def test_an_order_of_integers_is_the_stable_one_whatever_their_size(top: int) -> None:
    key = rng.pick(rng.halves(rng.bits(8, np.arange(3000)))[0], 700) * (top // 700 + 1) % (top + 1)
    key[5] = top
    assert exact.order_by(key).tolist() == sorted(range(3000), key=key.tolist().__getitem__)


@given(st.lists(st.sampled_from([0, 1, 7, 70_000, 2**40, -5]), max_size=60))
def test_a_row_is_numbered_within_its_own_group(groups: list[int]) -> None:
    seen: dict[int, int] = {}
    wanted = []
    for g in groups:
        wanted.append(seen.get(g, 0))
        seen[g] = wanted[-1] + 1
    assert exact.rank_within(np.array(groups, dtype=np.int64)).tolist() == wanted


@given(st.integers(0, 5), st.integers(1, 40), st.integers(1, 40))
def test_the_largest_of_each_row_come_in_falling_order(rows: int, width: int, k: int) -> None:
    key = rng.bits(rows * 100 + width, np.arange(rows * width)).view(np.int64).reshape(rows, width)
    wanted = [sorted(row, reverse=True)[:k] for row in key.tolist()]
    assert exact.largest_first(key, k).tolist() == wanted


if __name__ == "__main__":
    print(json.dumps({"features": CPU.__cpu_features__, "fingerprints": fingerprints()}))
