"""Keyed randomness: every draw is a pure function of (seed, purpose, time, agent), with no stream to advance.

A key is hashed by nesting SplitMix64 streams: the seed's stream is read at the purpose, that number's stream at
the time, and that number's stream at the agent. So a draw does not depend on which other agents, purposes,
replicates or workers exist, and switching a lever on leaves all other draws as they were.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

_BLOCK = 16_384  # elements per pass, so that intermediates stay in the second-level cache
_WORD = 2**64 - 1
_GAMMA = 0x9E3779B97F4A7C15
_STEP = np.uint64(_GAMMA)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_ONE_BITS = np.uint64(0x3FF0000000000000)  # 1.0; a fraction in the low 52 bits reads as 1 + fraction
_LOW_HALF = np.uint64(0xFFFFFFFF)
_TOP_21 = np.uint64(((1 << 21) - 1) << 31)  # the 21 highest of the 52 fraction bits


class Purpose(IntEnum):
    """What a draw is for; published results depend on these numbers, so none is ever changed or used again."""

    ACT = 1
    READ = 2
    CANDIDATE = 3
    DIFFICULTY = 4
    SECOND = 5
    OUTCOME = 6
    PROGRESS = 7
    ENGAGEMENT = 8
    COUNTS = 9
    SCREEN = 10
    DISCOVERY = 11
    ORDER = 12
    DEPART = 13
    TASK = 14
    VERDICT = 15
    LEVER = 16
    OUTSIDE_PROPOSAL = 17
    OUTSIDE_ANSWER = 18
    REPLAYED_LOOK = 19
    PROPOSAL = 20
    ANSWER = 21
    REPLAYED_ANSWER = 22
    MESSAGE = 23
    NEED = 31
    INVITE = 32
    WORK_COST = 33
    WORK = 34
    PANEL = 35
    APPEAL = 36
    INSPECT = 37
    RESAMPLE = 101  # from 101 on: what analysis draws, once the runs are over
    FLIP = 102


def lever_purpose(name: str, channel: int = 0) -> int:
    """Give a lever draws of its own, from its name; a lever with several kinds of draw numbers its channels.

    Returns  A 64-bit purpose with the top bit set, so that it never meets one of `Purpose`.
    Example
        >>> lever_purpose("random_audit") != lever_purpose("random_audit", 1)
        True
    """
    digest = hashlib.blake2b(f"{name}\x00{channel}".encode(), digest_size=8, person=b"mesocosm-lever").digest()
    return int.from_bytes(digest, "little") | 1 << 63


def _mix(z: U64, spare: U64) -> None:
    """Scramble z in place by the SplitMix64 output function."""
    for shift, factor in ((30, _MIX_A), (27, _MIX_B)):
        np.right_shift(z, shift, out=spare)
        np.bitwise_xor(z, spare, out=z)
        np.multiply(z, factor, out=z)
    np.right_shift(z, 31, out=spare)
    np.bitwise_xor(z, spare, out=z)


def _block_word(word: int, purpose: int, time: int) -> int:
    """The base of one replicate, in whole numbers."""
    for place in (0, int(purpose), int(time)):
        word = word + (place + 1) * _GAMMA & _WORD
        for shift, factor in ((30, int(_MIX_A)), (27, int(_MIX_B))):
            word = (word ^ word >> shift) * factor & _WORD
        word ^= word >> 31
    return word


def block_key(seed: Any, purpose: int, time: int) -> U64:
    """Hash (seed, purpose, time) into one base per replicate, from which the agents of that block draw.

    Params   seed: unsigned 64-bit, one per replicate; purpose: a `Purpose` or `lever_purpose`; time: any integer.
    Shapes   seed (R,) -> (R,)
    Example
        >>> block_key(np.array([7], dtype=np.uint64), Purpose.OUTCOME, 3).shape
        (1,)
    """
    base = np.array(seed, dtype=np.uint64, ndmin=1)
    if base.size == 1:  # one number is faster without arrays
        return np.array([_block_word(int(base.flat[0]), purpose, time)], dtype=np.uint64).reshape(base.shape)
    spare = np.empty_like(base)
    for place in (0, purpose, time):
        np.add(base, np.uint64((int(place) + 1) * _GAMMA & _WORD), out=base)
        _mix(base, spare)
    return base


def bits(base: Any, agent: Any) -> U64:
    """Draw 64 random bits for each agent: output number agent + 1 of the SplitMix64 stream seeded with its base.

    Params   base: from `block_key`, one per row or one for all; agent: agent ids (or any counter) from 0.
    Shapes   base (k,) or scalar, agent (k,) -> (k,)
    Source   Steele, Lea and Flood (2014), SplitMix; the mixing constants are Stafford's variant 13.
    Example
        >>> [int(number) for number in bits(1234567, np.arange(2))]
        [6457827717110365317, 3203168211198807973]
    """
    counter = np.asarray(agent, dtype=np.int64, order="C").view(np.uint64)
    start = np.asarray(base, dtype=np.uint64)
    shape = np.broadcast_shapes(start.shape, counter.shape)
    if counter.shape != shape:
        counter = np.ascontiguousarray(np.broadcast_to(counter, shape))
    if start.size > 1:
        start = np.ascontiguousarray(np.broadcast_to(start, shape))
    counter, start = counter.reshape(-1), start.reshape(-1)
    out = np.empty(counter.size, dtype=np.uint64)
    spare = np.empty(min(_BLOCK, counter.size), dtype=np.uint64)
    for first in range(0, counter.size, _BLOCK):
        z = out[first : first + _BLOCK]
        np.add(counter[first : first + _BLOCK], np.uint64(1), out=z)
        np.multiply(z, _STEP, out=z)
        np.add(z, start[first : first + _BLOCK] if start.size > 1 else start, out=z)
        _mix(z, spare[: z.size])
    return out.reshape(shape)


def _fraction(mantissa: U64, half_step: float) -> F64:
    """Read 52 fraction bits as a number in [0, 1) and add half a step; mantissa is overwritten."""
    np.bitwise_or(mantissa, _ONE_BITS, out=mantissa)
    number = mantissa.view(np.float64)
    np.subtract(number, 1.0 - half_step, out=number)  # exact
    return number


def unit(drawn: U64) -> F64:
    """Turn 64 random bits into a uniform number strictly between 0 and 1: (top 52 bits + 1/2) / 2**52, exact.

    With 53 bits the added half would be rounded, and the highest draw would be 1.

    Example
        >>> unit(np.array([0, 2**64 - 1], dtype=np.uint64)).tolist() == [2.0**-53, 1 - 2.0**-53]
        True
    """
    return _fraction(np.asarray(np.right_shift(drawn, 12)), 2.0**-53)


def uniform(base: Any, agent: Any) -> F64:
    """Draw one uniform number strictly between 0 and 1 for each agent.

    Shapes   base (k,) or scalar, agent (k,) -> (k,)
    """
    drawn = bits(base, agent)
    return _fraction(np.right_shift(drawn, 12, out=drawn), 2.0**-53)


def thirds(drawn: U64) -> tuple[F64, F64, F64]:
    """Split 64 random bits into three independent uniform numbers, each (21 bits + 1/2) / 2**21.

    Shapes   (k,) -> three of (k,)
    """
    first, second, third = np.right_shift(drawn, 12), np.left_shift(drawn, 9), np.left_shift(drawn, 30)
    for part in (first, second, third):
        np.bitwise_and(part, _TOP_21, out=part)
    return _fraction(first, 2.0**-22), _fraction(second, 2.0**-22), _fraction(third, 2.0**-22)


def halves(drawn: U64) -> tuple[U64, U64]:
    """Split 64 random bits into two independent 32-bit integers, high half first.

    Shapes   (k,) -> two of (k,)
    """
    return np.right_shift(drawn, 32), np.bitwise_and(drawn, _LOW_HALF)


def pick(half: U64, n: Any) -> I64:
    """Pick an index in [0, n) from a 32-bit random integer; no index is favoured by more than n / 2**32.

    Params   half: from `halves`; n: at least 1 and below 2**31, one per row or one for all.
    Example
        >>> pick(np.array([0, 2**32 - 1], dtype=np.uint64), 10).tolist()
        [0, 9]
    """
    scaled = np.multiply(half, np.asarray(n, dtype=np.int64).view(np.uint64))
    return np.right_shift(scaled, 32, out=scaled).view(np.int64)
