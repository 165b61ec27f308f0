"""Keyed randomness: the published generator, the same draw however it is asked for, and uniform, unrelated draws."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from mesocosm import exact, rng
from mesocosm.rng import Purpose

WORD = 2**64 - 1
U64 = NDArray[np.uint64]
WORDS = st.integers(0, WORD)
#: SplitMix64's first outputs from seed 1234567, as published with its reference implementation
PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]

FROZEN_BITS = [1735251813083353336, 10566435905681712341, 15811987430227443017]
FROZEN_LEVER = 13688871609133223419


def splitmix(seed: int, number: int) -> int:
    """Output `number`, from 1, of the SplitMix64 stream of a seed, one integer at a time."""
    z = (seed + number * 0x9E3779B97F4A7C15) & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def draws(seeds: int = 4, purposes: int = 4, times: int = 40, agents: int = 250) -> U64:
    """Bits of a block of keys next to each other, with one axis per part of the key."""
    seed, agent = np.arange(seeds, dtype=np.uint64), np.arange(agents)
    return np.stack(
        [
            np.stack([rng.bits(rng.block_key(seed, p + 1, t)[:, None], agent[None, :]) for t in range(times)], axis=1)
            for p in range(purposes)
        ],
        axis=1,
    )


# --- the generator


def test_the_published_outputs_are_reproduced() -> None:
    assert [splitmix(1234567, n) for n in range(1, 6)] == PUBLISHED
    assert rng.bits(1234567, np.arange(5)).tolist() == PUBLISHED


@given(WORDS, st.sampled_from(Purpose) | st.integers(2**63, WORD), st.integers(-5, 2**40), st.integers(0, 2**40))
def test_a_draw_is_the_nested_splitmix_of_its_key(seed: int, purpose: int, time: int, agent: int) -> None:
    stream = splitmix(splitmix(splitmix(seed, 1), purpose + 1), time + 1)
    base = rng.block_key(np.array([seed], dtype=np.uint64), purpose, time)
    assert base.tolist() == [stream]
    assert rng.bits(base, np.array([agent])).tolist() == [splitmix(stream, agent + 1)]


def test_these_draws_never_change() -> None:
    base = rng.block_key(np.array([42], dtype=np.uint64), Purpose.OUTCOME, 17)
    assert rng.bits(base, np.arange(3)).tolist() == FROZEN_BITS
    assert rng.lever_purpose("transaction_tax") == FROZEN_LEVER


def test_no_purpose_is_ever_renumbered() -> None:
    settled = {
        "ACT": 1,
        "READ": 2,
        "CANDIDATE": 3,
        "DIFFICULTY": 4,
        "SECOND": 5,
        "OUTCOME": 6,
        "PROGRESS": 7,
        "ENGAGEMENT": 8,
        "COUNTS": 9,
        "SCREEN": 10,
        "DISCOVERY": 11,
        "ORDER": 12,
        "DEPART": 13,
        "TASK": 14,
        "VERDICT": 15,
        "LEVER": 16,
    }
    assert {name: Purpose[name].value for name in settled} == settled
    assert len({purpose.value for purpose in Purpose}) == len(Purpose.__members__)


def test_a_lever_has_purposes_of_its_own() -> None:
    levers = [rng.lever_purpose(f"lever_{n}", channel) for n in range(300) for channel in range(3)]
    assert len(set(levers)) == 900
    assert not set(levers) & {int(purpose) for purpose in Purpose}
    assert all(2**63 <= purpose <= WORD for purpose in levers)
    assert rng.lever_purpose("a", 11) != rng.lever_purpose("a1", 1)


def test_another_process_draws_the_same_whatever_its_hash_seed() -> None:
    code = (
        "import json; import numpy as np; from mesocosm import rng;"
        "key = rng.block_key(np.array([7], dtype=np.uint64), rng.lever_purpose('random_audit', 2), 5);"
        "print(json.dumps(rng.bits(key, np.arange(4)).tolist()))"
    )
    environment = dict(os.environ, PYTHONHASHSEED="123", PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    key = rng.block_key(np.array([7], dtype=np.uint64), rng.lever_purpose("random_audit", 2), 5)
    assert json.loads(done.stdout) == rng.bits(key, np.arange(4)).tolist()


# --- a draw depends on its key alone


@given(st.data())
def test_other_agents_do_not_matter(data: Any) -> None:
    base = rng.block_key(np.array([3], dtype=np.uint64), Purpose.READ, 9)
    everyone = rng.bits(base, np.arange(200))
    chosen = np.array(data.draw(st.lists(st.integers(0, 199), max_size=40)), dtype=np.int64)
    np.testing.assert_array_equal(rng.bits(base, chosen), everyone[chosen])


def test_the_size_of_the_block_does_not_matter() -> None:
    base = rng.block_key(np.array([3], dtype=np.uint64), Purpose.READ, 9)
    whole = rng.bits(base, np.arange(70_000))
    for size in (1, 1000, 16_384, 16_385, 50_000):
        np.testing.assert_array_equal(rng.bits(base, np.arange(size)), whole[:size])
        np.testing.assert_array_equal(rng.bits(base, np.arange(70_000 - size, 70_000)), whole[-size:])
    np.testing.assert_array_equal(rng.bits(base, np.arange(70_000)[::3]), whole[::3])


def test_other_replicates_do_not_matter() -> None:
    seeds = np.array([11, 5, 2**63 + 9, 0], dtype=np.uint64)
    together = rng.block_key(seeds, Purpose.ACT, 4)
    alone = [int(rng.block_key(seeds[k : k + 1], Purpose.ACT, 4)[0]) for k in range(4)]
    assert together.tolist() == alone
    replicate = np.array([0, 0, 1, 2, 2, 2, 3])
    agent = np.array([0, 1, 0, 0, 1, 2, 0])
    rows = rng.bits(together[replicate], agent)
    assert rows.tolist() == [splitmix(alone[r], a + 1) for r, a in zip(replicate.tolist(), agent.tolist(), strict=True)]


def test_one_base_serves_all_agents_and_shapes_broadcast() -> None:
    bases, agent = np.array([1, 2], dtype=np.uint64), np.arange(3)
    table = rng.bits(bases[:, None], agent[None, :])
    assert table.shape == (2, 3)
    np.testing.assert_array_equal(table[1], rng.bits(2, agent))
    np.testing.assert_array_equal(table[:, 2], rng.bits(bases, 2))
    assert rng.bits(5, np.empty(0, dtype=np.int64)).shape == (0,)
    assert rng.block_key(np.empty(0, dtype=np.uint64), Purpose.ACT, 0).shape == (0,)
    assert float(rng.uniform(5, 0)) == float(rng.unit(rng.bits(5, 0))) == rng.uniform(5, np.arange(1)).tolist()[0]


def test_the_arguments_are_left_as_they_were() -> None:
    seed, agent = np.arange(4, dtype=np.uint64), np.arange(4)
    base = rng.block_key(seed, Purpose.ACT, 1)
    drawn = rng.bits(base, agent)
    for array in (seed, agent, base, drawn):
        array.flags.writeable = False
    rng.block_key(seed, Purpose.ACT, 2)
    rng.uniform(base, agent)
    rng.unit(drawn)
    rng.thirds(drawn)
    rng.pick(rng.halves(drawn)[1], np.arange(1, 5))
    assert seed.tolist() == agent.tolist() == [0, 1, 2, 3]


# --- what is made of the bits


@given(WORDS)
def test_a_uniform_number_is_the_middle_of_its_cell_and_never_0_or_1(word: int) -> None:
    number = float(rng.unit(np.array([word], dtype=np.uint64))[0])
    assert 0.0 < number < 1.0
    assert number == (2 * (word >> 12) + 1) / 2**53
    assert 1.0 - (1.0 - number) == number


@given(WORDS)
def test_thirds_share_out_the_bits(word: int) -> None:
    parts = [float(part[0]) for part in rng.thirds(np.array([word], dtype=np.uint64))]
    assert parts == [(2 * (word >> shift & (1 << 21) - 1) + 1) / 2**22 for shift in (43, 22, 1)]


@given(WORDS, st.integers(1, 2**31 - 1))
def test_a_pick_scales_a_half_into_its_range(word: int, n: int) -> None:
    high, low = rng.halves(np.array([word], dtype=np.uint64))
    assert int(high[0]) << 32 | int(low[0]) == word
    chosen = rng.pick(high, n)
    assert chosen.dtype == np.int64
    assert chosen.tolist() == [(word >> 32) * n >> 32]
    assert 0 <= int(chosen[0]) < n


def test_a_pick_takes_one_range_per_row() -> None:
    high, _ = rng.halves(rng.bits(1, np.arange(1000)))
    n = np.arange(1, 1001)
    assert rng.pick(high, n).tolist() == [int(h) * k >> 32 for h, k in zip(high.tolist(), n.tolist(), strict=True)]


# --- chance; the draws are fixed, so a pass is a pass for ever (the heavy screen is in tests/deep)


def evenness(cell: NDArray[Any], cells: int) -> float:
    """P-value of the chi-square test that every cell is equally likely."""
    return float(stats.chisquare(exact.count_by(cell.reshape(-1).astype(np.int64), cells)).pvalue)


@pytest.mark.parametrize("shift", [0, 8, 16, 24, 32, 40, 48, 56])
def test_every_byte_is_uniform(shift: int) -> None:
    assert 1e-4 < evenness(draws() >> np.uint64(shift) & np.uint64(255), 256) < 1 - 1e-4


def test_uniform_numbers_have_the_moments_of_the_uniform_distribution() -> None:
    number = rng.unit(draws().reshape(-1))
    assert abs(number.mean() - 0.5) < 4 * (1 / 12 / number.size) ** 0.5
    assert abs(number.var() - 1 / 12) < 4 * (1 / 180 / number.size) ** 0.5
    assert stats.kstest(number, "uniform").pvalue > 1e-4


@pytest.mark.parametrize(("axis", "name"), [(0, "seed"), (1, "purpose"), (2, "time"), (3, "agent")])
def test_draws_of_neighbouring_keys_are_unrelated(axis: int, name: str) -> None:
    number = rng.unit(draws().reshape(-1)).reshape(4, 4, 40, 250)
    one = np.moveaxis(number, axis, 0)[:-1].reshape(-1)
    next_one = np.moveaxis(number, axis, 0)[1:].reshape(-1)
    assert abs(np.corrcoef(one, next_one)[0, 1]) < 4 / one.size**0.5, name
    pair = np.floor(one * 16) * 16 + np.floor(next_one * 16)
    assert evenness(pair, 256) > 1e-4, name


def test_thirds_and_halves_are_unrelated_to_each_other() -> None:
    drawn = draws().reshape(-1)
    first, second, third = rng.thirds(drawn)
    assert evenness(np.floor(first * 8) * 64 + np.floor(second * 8) * 8 + np.floor(third * 8), 512) > 1e-4
    high, low = rng.halves(drawn)
    assert evenness(rng.pick(high, 20) * 20 + rng.pick(low, 20), 400) > 1e-4


def test_no_two_blocks_share_a_base() -> None:
    seeds = np.arange(50, dtype=np.uint64)
    bases = np.concatenate([rng.block_key(seeds, p, t) for p in Purpose for t in range(200)])
    assert np.unique(bases).size == bases.size
