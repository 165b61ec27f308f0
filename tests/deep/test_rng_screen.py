"""A statistical screen of the keyed draws over the keys the model really uses: purposes, steps, agents, seeds.

Keys are counters that differ in one bit, the hardest case for a hash. Every test below asks for a p-value or a
z-score over millions of draws; the draws are fixed, so a screen that passes once passes always.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from mesocosm import rng
from mesocosm.rng import Purpose

pytestmark = pytest.mark.deep

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
SEEDS, TIMES, AGENTS = 6, 250, 200
PURPOSES = [int(purpose) for purpose in Purpose] + [rng.lever_purpose(f"lever_{n}") for n in range(4)]
AXES = {"seed": 0, "purpose": 1, "time": 2, "agent": 3}
TOP_BIT, SECOND_BIT = np.uint64(1 << 63), np.uint64(1 << 62)
LOWEST_P = 1e-7  # several hundred p-values are looked at; the smallest of them should be near 1e-3


def cube(first_seed: int = 0) -> U64:
    """Bits for every key of a (seed, purpose, time, agent) box, six million in all."""
    seed, agent = np.arange(first_seed, first_seed + SEEDS, dtype=np.uint64), np.arange(AGENTS)
    block = np.empty((SEEDS, len(PURPOSES), TIMES, AGENTS), dtype=np.uint64)
    for p, purpose in enumerate(PURPOSES):
        for t in range(TIMES):
            block[:, p, t] = rng.bits(rng.block_key(seed, purpose, t)[:, None], agent[None, :])
    return block


@pytest.fixture(scope="module")
def drawn() -> U64:
    return cube()


def along(block: U64, axis: str) -> U64:
    """All draws in one line, neighbours being neighbours along an axis of the key."""
    return np.moveaxis(block, AXES[axis], -1).reshape(-1)


def evenness(cell: NDArray[np.int64], cells: int) -> float:
    return float(stats.chisquare(np.bincount(cell.reshape(-1), minlength=cells)).pvalue)


def passes(p_value: float) -> bool:
    return LOWEST_P < p_value < 1 - LOWEST_P


def test_every_run_of_bits_is_uniform(drawn: U64) -> None:
    for shift in range(0, 57, 4):
        cell = (drawn >> np.uint64(shift) & np.uint64(255)).astype(np.int64)
        assert passes(evenness(cell, 256)), shift
    assert passes(evenness((drawn >> np.uint64(48)).astype(np.int64), 2**16))
    assert passes(evenness((drawn & np.uint64(0xFFFF)).astype(np.int64), 2**16))


def test_every_bit_is_fair_at_every_place_of_the_key(drawn: U64) -> None:
    for axis in AXES.values():
        others = tuple(other for other in range(4) if other != axis)
        n = drawn.size / drawn.shape[axis]
        for bit in range(64):
            ones = (drawn >> np.uint64(bit) & np.uint64(1)).sum(axis=others, dtype=np.int64)
            z = (ones - n / 2) / np.sqrt(n / 4)
            assert np.abs(z).max() < 6, (axis, bit)


@pytest.mark.parametrize("axis", sorted(AXES))
@pytest.mark.parametrize("lag", [1, 2, 3, 4])
def test_draws_at_a_distance_along_the_key_are_unrelated(drawn: U64, axis: str, lag: int) -> None:
    line = np.moveaxis(drawn, AXES[axis], 0)
    here, there = line[:-lag].reshape(-1), line[lag:].reshape(-1)
    x, y = rng.unit(here) - 0.5, rng.unit(there) - 0.5
    assert abs((x * y).mean() * 12 * np.sqrt(x.size)) < 6
    for shift in (60, 32, 0):
        pair = (here >> np.uint64(shift) & np.uint64(15)) * np.uint64(16) + (there >> np.uint64(shift) & np.uint64(15))
        assert passes(evenness(pair.astype(np.int64), 256)), shift
    # the exclusive or of the two must itself be random in every bit
    both = here ^ there
    ones = np.array([int((both >> np.uint64(bit) & np.uint64(1)).sum(dtype=np.int64)) for bit in range(64)])
    assert np.abs((ones - both.size / 2) / np.sqrt(both.size / 4)).max() < 6


@pytest.mark.parametrize("axis", sorted(AXES))
def test_triples_fill_the_cube_evenly(drawn: U64, axis: str) -> None:
    line = along(drawn, axis)
    top = (line[: line.size // 3 * 3] >> np.uint64(60)).astype(np.int64).reshape(-1, 3)
    assert passes(evenness(top @ np.array([256, 16, 1]), 4096))


@pytest.mark.parametrize("axis", sorted(AXES))
@pytest.mark.parametrize("shift", [40, 20, 0])
def test_birthday_spacings_repeat_as_often_as_chance_has_it(drawn: U64, axis: str, shift: int) -> None:
    """512 birthdays in a year of 2**24 days: the number of repeated spacings is nearly Poisson.

    Its mean is 512**3 / 2**26 = 2 to first order; the next order matters with so many samples.
    """
    days, year_bits = 512, 24
    year = 2.0**year_bits
    mean = math.comb(days - 1, 2) * days / (2 * year) - math.comb(days - 1, 3) * days * (days - 1) / (3 * year**2)
    line = along(drawn, axis)
    line = line[: line.size // days * days].reshape(-1, days)
    day = np.sort((line >> np.uint64(shift) & np.uint64((1 << year_bits) - 1)).astype(np.int64), axis=1)
    spacing = np.sort(np.diff(day, axis=1), axis=1)
    repeats = (np.diff(spacing, axis=1) == 0).sum(axis=1)
    z = (repeats.sum() - mean * repeats.size) / np.sqrt(mean * repeats.size)
    assert abs(z) < 6
    edges = np.arange(9)
    seen = np.bincount(np.clip(repeats, edges[0], edges[-1]) - edges[0], minlength=edges.size)
    chance = stats.poisson.pmf(edges, mean)
    chance[0], chance[-1] = stats.poisson.cdf(edges[0], mean), stats.poisson.sf(edges[-1] - 1, mean)
    assert passes(float(stats.chisquare(seen, chance / chance.sum() * repeats.size).pvalue))


@pytest.mark.parametrize("axis", sorted(AXES))
def test_runs_up_are_as_long_as_chance_has_it(drawn: U64, axis: str) -> None:
    """Whether a draw is below its neighbour, three pairs in a row, follows the 24 orders of four numbers."""
    line = along(drawn, axis)
    four = line[: line.size // 4 * 4].reshape(-1, 4)
    order = np.argsort(four, axis=1, kind="stable") @ np.array([64, 16, 4, 1])
    seen = np.unique(order, return_counts=True)[1]
    assert seen.size == 24
    assert passes(float(stats.chisquare(seen).pvalue))


@pytest.mark.parametrize("axis", sorted(AXES))
def test_the_number_of_ones_is_binomial_and_unrelated_to_the_neighbours(drawn: U64, axis: str) -> None:
    line = along(drawn, axis)
    ones = np.bitwise_count(line).astype(np.int64)
    low, high = 20, 44
    seen = np.bincount(np.clip(ones, low, high) - low, minlength=high - low + 1)
    chance = stats.binom.pmf(np.arange(low, high + 1), 64, 0.5)
    chance[0], chance[-1] = stats.binom.cdf(low, 64, 0.5), stats.binom.sf(high - 1, 64, 0.5)
    assert passes(float(stats.chisquare(seen, chance / chance.sum() * ones.size).pvalue))
    centred = (ones - 32) / 4.0
    assert abs((centred[:-1] * centred[1:]).mean() * np.sqrt(ones.size)) < 6


@pytest.mark.parametrize("axis", sorted(AXES))
def test_matrices_of_neighbouring_draws_have_the_ranks_of_random_ones(drawn: U64, axis: str) -> None:
    """The rank over GF(2) of 64 words of 64 bits is 64, 63 or less with probabilities .2888, .5776 and .1336."""
    count = 20_000
    rows = along(drawn, axis)[: count * 64].reshape(count, 64).copy()
    rank = np.zeros(count, dtype=np.int64)
    matrix = np.arange(count)
    used: NDArray[np.bool_] = np.zeros((count, 64), dtype=np.bool_)
    for bit in range(64):
        has = (rows >> np.uint64(bit) & np.uint64(1)).astype(np.bool_)
        free = has & ~used
        found: NDArray[np.bool_] = np.asarray(free.any(axis=1))
        pivot = free.argmax(axis=1)
        used[matrix[found], pivot[found]] = True
        rank += found
        clear: NDArray[np.bool_] = has & found.reshape(-1, 1)
        clear[matrix, pivot] = False
        rows ^= np.where(clear, rows[matrix, pivot][:, None], np.uint64(0))
    seen = [int((rank == 64).sum()), int((rank == 63).sum()), int((rank < 63).sum())]
    chance = np.array([0.2887880951, 0.5775761902, 0.1336357147])
    assert passes(float(stats.chisquare(seen, chance * count).pvalue))


def flipped(part: str, bit: int) -> tuple[U64, U64]:
    """Draws of many keys, and of the same keys with one bit of one part turned over."""
    agent = np.arange(400)
    seeds = np.arange(50, dtype=np.uint64)
    turned = 1 << bit

    def ask(seed: U64, purpose: int, time: int, agents: NDArray[np.int64]) -> U64:
        return rng.bits(rng.block_key(seed, purpose, time)[:, None], agents[None, :]).reshape(-1)

    plain = ask(seeds, 6, 30, agent)
    if part == "seed":
        return plain, ask(seeds ^ np.uint64(turned), 6, 30, agent)
    if part == "purpose":
        return plain, ask(seeds, 6 ^ turned, 30, agent)
    if part == "time":
        return plain, ask(seeds, 6, 30 ^ turned, agent)
    return plain, ask(seeds, 6, 30, agent ^ turned)


@pytest.mark.parametrize(("part", "bits"), [("seed", 64), ("purpose", 64), ("time", 40), ("agent", 40)])
def test_turning_one_bit_of_the_key_turns_half_the_bits_of_the_draw(part: str, bits: int) -> None:
    worst = 0.0
    for bit in range(bits):
        one, other = flipped(part, bit)
        turned = one ^ other
        each = np.array([int((turned >> np.uint64(out) & np.uint64(1)).sum(dtype=np.int64)) for out in range(64)])
        worst = max(worst, float(np.abs((each - turned.size / 2) / np.sqrt(turned.size / 4)).max()))
    assert worst < 6.5, worst


def test_neighbouring_seeds_give_unrelated_experiments() -> None:
    """Means over a whole replicate, seed by seed, spread as means of independent numbers do."""
    agent, seeds = np.arange(100), np.arange(3000, dtype=np.uint64)
    total: F64 = np.zeros(seeds.size)
    for time in range(20):
        total += rng.uniform(rng.block_key(seeds, Purpose.OUTCOME, time)[:, None], agent[None, :]).sum(axis=1)
    z = (total - 1000.0) / np.sqrt(2000 / 12)
    assert passes(float(stats.kstest(z, "norm").pvalue))
    assert abs(float((z[:-1] * z[1:]).mean()) * np.sqrt(seeds.size)) < 6


def test_no_two_bases_meet_and_no_draw_repeats_more_than_chance_has_it(drawn: U64) -> None:
    seeds = np.arange(2000, dtype=np.uint64)
    bases = np.concatenate([rng.block_key(seeds, p, t) for p in PURPOSES for t in range(100)])
    assert np.unique(bases).size == bases.size
    assert np.unique(drawn).size == drawn.size
    half = np.sort(drawn.reshape(-1) >> np.uint64(24))
    expected = drawn.size * (drawn.size - 1) / 2 / 2**40
    met = int((half[1:] == half[:-1]).sum())
    assert abs(met - expected) < 6 * np.sqrt(expected)


@pytest.mark.parametrize(
    "weaken",
    [lambda word: word & ~SECOND_BIT, lambda word: word & ~TOP_BIT | word << np.uint64(63), np.sort],
    ids=["a stuck bit", "two bits alike", "sorted"],
)
def test_the_screen_itself_finds_a_generator_that_is_not_random(drawn: U64, weaken: Callable[[U64], U64]) -> None:
    weak = weaken(drawn[0, 0].reshape(-1)).reshape(-1)
    top = (weak >> np.uint64(60)).astype(np.int64)
    pair = top[:-1] * 16 + top[1:]
    alike = ((weak ^ (weak << np.uint64(63))) >> np.uint64(63)).astype(np.int64)
    assert not all(passes(p) for p in (evenness(pair, 256), evenness(alike, 2), evenness(top, 16)))
