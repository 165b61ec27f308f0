"""exp, log, sigmoid, logit, normal quantile and Poisson table, from operations that round in one way only."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mesocosm.errors import check

F64 = NDArray[np.float64]
Real = TypeVar("Real", float, F64)
Block = Callable[[F64, F64, F64], None]

_BLOCK = 16_384  # elements per pass, so that intermediates stay in the second-level cache
_NAN = float("nan")


def _coarse(value: Decimal, bits: int) -> tuple[float, float]:
    """Split a value into a multiple of 2**-bits and the rest, so that products with small integers are exact."""
    scale = Decimal(1 << bits)
    high = (value * scale).to_integral_value(ROUND_FLOOR) / scale
    return float(high), float(value - high)


def _exp_tables(steps: int) -> tuple[F64, F64]:
    """2**(j/steps) for j = 0 .. steps - 1, steps a power of two: correctly rounded, and what the rounding left."""
    root = Decimal(2)
    for _ in range(steps.bit_length() - 1):
        root = root.sqrt()
    powers = [Decimal(1)]
    while len(powers) < steps:
        powers.append(powers[-1] * root)
    rounded = [float(power) for power in powers]
    rest = [float(power - Decimal(near)) for power, near in zip(powers, rounded, strict=True)]
    return np.array(rounded), np.array(rest)


def _log_tables(steps: int) -> tuple[F64, F64]:
    """High and low parts of log(1 + j/steps) for j = 0 .. steps."""
    parts = [_coarse((1 + Decimal(j) / steps).ln(), _LOG_BITS) for j in range(steps + 1)]
    return np.array([high for high, _ in parts]), np.array([low for _, low in parts])


_EXP_STEPS, _EXP_SHIFT = 512, 9
_LOG_STEPS, _LOG_SHIFT, _LOG_BITS = 256, 44, 42
with localcontext(Context(prec=40)):
    _LN2 = Decimal(2).ln()
    _EXP_SCALE = float(_EXP_STEPS / _LN2)
    _EXP_HIGH, _EXP_LOW = _coarse(_LN2 / _EXP_STEPS, 41)
    _EXP_TABLE, _EXP_REST = _exp_tables(_EXP_STEPS)
    _LN2_HIGH, _LN2_LOW = _coarse(_LN2, _LOG_BITS)
    _LOG_HIGH, _LOG_LOW = _log_tables(_LOG_STEPS)

_ROUNDER = 1.5 * 2.0**52  # adding it rounds to an integer, which then sits in the low bits
_ONE_BITS = np.int64(0x3FF0000000000000)
_FRACTION_BITS = np.int64(0x000FFFFFFFFFFFFF)
_COUNT_BITS = np.int64(0x4330000000000000)  # 2**52: an integer below 2**52 in its low bits reads as 2**52 + integer


def _in_blocks(kernel: Block, x: Real, scratch_rows: int) -> Real:
    """Apply a kernel(x, out, scratch) to cache-sized blocks of x; a scalar in gives a scalar out."""
    given: Any = np.asarray(x, dtype=np.float64)
    flat = np.ascontiguousarray(given).reshape(-1)
    out: Any = np.empty_like(flat)
    scratch = np.empty((scratch_rows, min(_BLOCK, flat.size)))
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        kernel(block, out[start : start + _BLOCK], scratch[:, : block.size])
    shaped: Real = out.reshape(given.shape)[()]
    return shaped


def _exp_parts(x: F64, out: F64, scratch: F64) -> None:
    """Write exp(x) / 2**n to out and leave n*512 + j in the low bits of scratch[0]; x between -746 and 710."""
    rounded, r, t, rest = scratch[0], scratch[1], scratch[2], scratch[3]
    np.multiply(x, _EXP_SCALE, out=rounded)
    np.add(rounded, _ROUNDER, out=rounded)
    np.subtract(rounded, _ROUNDER, out=t)
    np.multiply(t, _EXP_HIGH, out=r)  # exact
    np.subtract(x, r, out=r)  # exact
    np.multiply(t, _EXP_LOW, out=t)
    np.subtract(r, t, out=r)
    index = t.view(np.int64)
    np.bitwise_and(rounded.view(np.int64), _EXP_STEPS - 1, out=index)
    np.take(_EXP_TABLE, index, out=out, mode="clip")
    np.take(_EXP_REST, index, out=rest, mode="clip")
    np.multiply(r, 1 / 24, out=t)
    for coefficient in (1 / 6, 0.5, 1.0):
        np.add(t, coefficient, out=t)
        np.multiply(t, r, out=t)
    np.multiply(t, out, out=t)
    np.add(t, rest, out=t)
    np.add(out, t, out=out)


def _exp_block(x: F64, out: F64, scratch: F64) -> None:
    if not (x.min() >= -708.0 and x.max() <= 709.0):
        out[:] = _exp_edge(x, scratch)
        return
    _exp_parts(x, out, scratch)
    power = scratch[0].view(np.int64)
    np.right_shift(power, _EXP_SHIFT, out=power)
    np.left_shift(power, 52, out=power)
    bits = out.view(np.int64)
    np.add(bits, power, out=bits)


def _exp_edge(x: F64, scratch: F64) -> F64:
    """exp for a block where some results overflow, are subnormal, or are not numbers: scale in two halves."""
    out = np.empty_like(x)
    _exp_parts(np.minimum(np.maximum(x, -746.0), 710.0), out, scratch)
    power = (scratch[0].view(np.int64) >> _EXP_SHIFT) << 52 >> 52
    half = power >> 1
    with np.errstate(over="ignore", under="ignore"):
        out *= ((half + 1023) << 52).view(np.float64)
        out *= ((power - half + 1023) << 52).view(np.float64)
    out[np.isnan(x)] = _NAN
    return out


def exp(x: Real) -> Real:
    """Raise e to the power x, within 1 unit in the last place; 0 below -745.2, inf above 709.8, silently.

    Example
        >>> float(exp(1.0))
        2.718281828459045
    """
    return _in_blocks(_exp_block, x, 4)


def _log_block(x: F64, out: F64, scratch: F64) -> None:
    """Reduce x to 2**e c (1 + t) with c = 1 + j/256, and sum e log 2 + log c + log(1 + t)."""
    if not (x.min() >= 2.0**-1022 and x.max() < np.inf):
        out[:] = _log_edge(x)
        return
    exponent, c, t, high, low = scratch
    bits, c_bits, j = x.view(np.int64), c.view(np.int64), low.view(np.int64)
    np.right_shift(bits, 52, out=exponent.view(np.int64))
    np.bitwise_or(exponent.view(np.int64), _COUNT_BITS, out=exponent.view(np.int64))
    np.subtract(exponent, 2.0**52 + 1023, out=exponent)
    np.bitwise_and(bits, _FRACTION_BITS, out=c_bits)
    np.bitwise_or(c_bits, _ONE_BITS, out=t.view(np.int64))
    np.add(c_bits, 1 << (_LOG_SHIFT - 1), out=c_bits)
    np.right_shift(c_bits, _LOG_SHIFT, out=j)
    np.take(_LOG_HIGH, j, out=high, mode="clip")
    np.take(_LOG_LOW, j, out=out, mode="clip")
    np.left_shift(j, _LOG_SHIFT, out=c_bits)
    np.add(c_bits, _ONE_BITS, out=c_bits)
    np.subtract(t, c, out=t)  # exact
    np.divide(t, c, out=t)
    np.multiply(exponent, _LN2_HIGH, out=c)  # exact
    np.add(high, c, out=high)  # exact
    np.multiply(exponent, _LN2_LOW, out=low)
    np.add(low, out, out=low)
    np.multiply(t, -1 / 6, out=out)
    for coefficient in (1 / 5, -1 / 4, 1 / 3, -1 / 2):
        np.add(out, coefficient, out=out)
        np.multiply(out, t, out=out)
    np.multiply(out, t, out=out)
    np.add(low, out, out=low)
    np.add(high, t, out=out)
    np.subtract(high, out, out=high)  # the rounding error of high + t is (high - out) + t
    np.add(high, t, out=high)
    np.add(low, high, out=low)
    np.add(out, low, out=out)


def _log_edge(x: F64) -> F64:
    """log for a block where some x is not a positive normal number; a subnormal is scaled up first."""
    usable = (x > 0) & (x < np.inf)
    tiny = usable & (x < 2.0**-1022)
    safe = np.where(usable, x, 1.0)
    safe[tiny] *= 2.0**54
    out = np.empty_like(x)
    _log_block(safe, out, np.empty((5, x.size)))
    out = np.where(tiny, (out - 54 * _LN2_HIGH) - 54 * _LN2_LOW, out)
    out[x == 0] = -np.inf
    out[x == np.inf] = np.inf
    out[~(x >= 0)] = _NAN
    return out


def log(x: Real) -> Real:
    """Take the natural logarithm, within 1 unit in the last place; -inf at 0, NaN below, silently.

    Example
        >>> float(log(10.0))
        2.302585092994046
    """
    return _in_blocks(_log_block, x, 5)


def _sigmoid_block(x: F64, out: F64, scratch: F64) -> None:
    np.negative(x, out=scratch[4])
    _exp_block(scratch[4], out, scratch)
    np.add(out, 1.0, out=out)
    np.divide(1.0, out, out=out)


def sigmoid(x: Real) -> Real:
    """Turn log odds into a probability, 1/(1 + exp(-x)), accurate relative to the result on both sides.

    Example
        >>> float(sigmoid(0.0)), float(sigmoid(-800.0)), float(sigmoid(800.0))
        (0.5, 0.0, 1.0)
    """
    return _in_blocks(_sigmoid_block, x, 5)


def logit(p: Real) -> Real:
    """Turn a probability into log odds, log(p/(1 - p)), to about 2e-16 absolute or relative; infinite at 0 and 1.

    Example
        >>> float(logit(0.5)), float(logit(0.0))
        (0.0, -inf)
    """
    given = np.asarray(p, dtype=np.float64)
    with np.errstate(divide="ignore"):
        odds: Any = given / (1.0 - given)
    result: Real = log(odds)
    return result


# Coefficients of the three rational approximations of PPND16, highest power first.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_SHOULDER = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], r: F64, out: F64, spare: F64) -> None:
    """Write the quotient of two polynomials of r to out."""
    for powers, total in zip(coefficients, (out, spare), strict=True):
        np.multiply(r, powers[0], out=total)
        for coefficient in powers[1:-1]:
            np.add(total, coefficient, out=total)
            np.multiply(total, r, out=total)
        np.add(total, powers[-1], out=total)
    np.divide(out, spare, out=out)


def _quantile_block(u: F64, out: F64, scratch: F64) -> None:
    q, r, spare = scratch[0], scratch[1], scratch[2]
    np.subtract(u, 0.5, out=q)
    np.multiply(q, q, out=r)
    np.subtract(0.180625, r, out=r)
    tail = np.flatnonzero(r < 0.0)
    _ratio(_CENTRE, r, out, spare)
    np.multiply(out, q, out=out)
    if tail.size:
        out[tail] = _quantile_tail(u[tail])


def _quantile_tail(u: F64) -> F64:
    r = np.minimum(u, 1.0 - u)
    size, spare = np.empty_like(r), np.empty_like(r)
    _log_block(r, size, np.empty((5, r.size)))
    np.negative(size, out=size)
    np.sqrt(size, out=r)
    far = np.flatnonzero(r > 5.0)
    _ratio(_SHOULDER, r - 1.6, size, spare)
    if far.size:
        deep = np.empty(far.size)
        _ratio(_FAR, r[far] - 5.0, deep, np.empty(far.size))
        size[far] = deep
    return np.where(u < 0.5, -size, size)


def normal_quantile(u: Real) -> Real:
    """Turn uniform numbers in (0, 1) into standard normal ones by the inverse of the normal distribution function.

    Params   u: strictly between 0 and 1; what lies outside has no meaning and is not looked for.
    Returns  The quantile to about 16 digits; q(1 - u) is exactly -q(u) where 1 - u is exact.
    Source   Wichura (1988), Algorithm AS 241, PPND16.
    Example
        >>> float(normal_quantile(0.5)), round(float(normal_quantile(0.975)), 12)
        (0.0, 1.95996398454)
    """
    return _in_blocks(_quantile_block, u, 3)


def poisson_cdf(rate: float, n_max: int) -> F64:
    """Tabulate the probability that a Poisson count is at most n, for n = 0 .. n_max.

    Params   rate: mean count, from 0 to 700.
    Shapes   (n_max + 1,)
    Example
        >>> poisson_cdf(0.0, 2).tolist()
        [1.0, 1.0, 1.0]
    """
    check(0.0 <= rate <= 700.0, "a Poisson rate lies between 0 and 700", rate=rate)
    term = total = float(exp(-float(rate)))
    table = [total]
    for n in range(1, n_max + 1):
        term = term * rate / n
        total = min(total + term, 1.0)
        table.append(total)
    return np.array(table)
