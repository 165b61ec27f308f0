"""Keyed draws and elementary functions for one number at a time.

Python's floats are IEEE doubles, so the same operations in the same order give the same bits as the engine's columns.
"""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Context, Decimal, localcontext

WORD = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15
MICRO = 1_000_000


def mix(z: int) -> int:
    """Scramble 64 bits: the output function of SplitMix64."""
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB & WORD
    return z ^ z >> 31


class Draws:
    """All chance of one replicate: each draw is a function of (seed, purpose, time, agent) and of nothing else."""

    def __init__(self, seed: int) -> None:
        self._origin = mix(seed + GAMMA & WORD)
        self._time = 0
        self._key: dict[int, int] = {}

    def at(self, time: int) -> None:
        """Move on to another moment."""
        self._time = time
        self._key = {}

    def bits(self, purpose: int, agent: int) -> int:
        """64 random bits."""
        key = self._key.get(purpose)
        if key is None:
            key = mix(self._origin + (purpose + 1) * GAMMA & WORD)
            key = self._key[purpose] = mix(key + (self._time + 1) * GAMMA & WORD)
        z = key + (agent + 1) * GAMMA & WORD
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & WORD
        z = (z ^ z >> 27) * 0x94D049BB133111EB & WORD
        return z ^ z >> 31

    def uniform(self, purpose: int, agent: int) -> float:
        """A number strictly between 0 and 1: (top 52 bits + 1/2) / 2**52."""
        return (self.bits(purpose, agent) >> 12 << 1 | 1) * 2.0**-53

    def thirds(self, purpose: int, agent: int) -> tuple[float, float, float]:
        """Three independent numbers between 0 and 1, of 21 bits each."""
        drawn, low = self.bits(purpose, agent), (1 << 21) - 1
        return (
            (drawn >> 43 << 1 | 1) * 2.0**-22,
            ((drawn >> 22 & low) << 1 | 1) * 2.0**-22,
            ((drawn >> 1 & low) << 1 | 1) * 2.0**-22,
        )

    def halves(self, purpose: int, agent: int) -> tuple[int, int]:
        """Two independent 32-bit integers."""
        drawn = self.bits(purpose, agent)
        return drawn >> 32, drawn & 0xFFFFFFFF


def micro(amount: float) -> int:
    """Credits in whole micro-credits, halves to the even one."""
    return round(amount * MICRO)


def _coarse(value: Decimal, bits: int) -> tuple[float, float]:
    scale = Decimal(1 << bits)
    high = (value * scale).to_integral_value(ROUND_FLOOR) / scale
    return float(high), float(value - high)


def _powers_of_two(steps: int) -> tuple[list[float], list[float]]:
    root = Decimal(2)
    for _ in range(steps.bit_length() - 1):
        root = root.sqrt()
    power, rounded, rest = Decimal(1), [], []
    for _ in range(steps):
        rounded.append(float(power))
        rest.append(float(power - Decimal(rounded[-1])))
        power *= root
    return rounded, rest


with localcontext(Context(prec=40)):
    _LN2 = Decimal(2).ln()
    _EXP_SCALE = float(512 / _LN2)
    _EXP_HIGH, _EXP_LOW = _coarse(_LN2 / 512, 41)
    _EXP_TABLE, _EXP_REST = _powers_of_two(512)
    _LN2_HIGH, _LN2_LOW = _coarse(_LN2, 42)
    _LOG_TABLE = [_coarse((1 + Decimal(j) / 256).ln(), 42) for j in range(257)]


def exp(x: float) -> float:
    """e to the power x: 2**n * 2**(j/512) * a short series in what is left."""
    if x != x:
        return x
    x = min(max(x, -746.0), 710.0)
    m = round(x * _EXP_SCALE)
    r = x - m * _EXP_HIGH - m * _EXP_LOW
    t = (((r * (1 / 24) + 1 / 6) * r + 0.5) * r + 1.0) * r
    near = _EXP_TABLE[m & 511]
    value = near + (t * near + _EXP_REST[m & 511])
    if x > 709.0:
        half = m >> 10
        return value * 2.0**half * 2.0 ** ((m >> 9) - half)
    return math.ldexp(value, m >> 9)


def log(x: float) -> float:
    """Natural logarithm: x = 2**e c (1 + t) with c = 1 + j/256."""
    if not 0.0 < x < math.inf:
        return -math.inf if x == 0.0 else x if x > 0.0 else math.nan
    if x < 2.0**-1022:
        return (log(x * 2.0**54) - 54 * _LN2_HIGH) - 54 * _LN2_LOW
    mantissa, exponent = math.frexp(x)
    mantissa, exponent = 2.0 * mantissa, exponent - 1
    j = int((mantissa - 1.0) * 256.0 + 0.5)
    c = 1.0 + j / 256.0
    t = (mantissa - c) / c
    high, low = _LOG_TABLE[j]
    high = high + exponent * _LN2_HIGH
    low = exponent * _LN2_LOW + low
    series = ((((t * (-1 / 6) + 1 / 5) * t - 1 / 4) * t + 1 / 3) * t - 1 / 2) * t * t
    low = low + series
    total = high + t
    return total + (low + ((high - total) + t))


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x)."""
    return 1.0 / (exp(-x) + 1.0)


def logit(p: float) -> float:
    """log(p / (1 - p))."""
    return log(p / (1.0 - p))


def poisson_cdf(rate: float, n_max: int) -> list[float]:
    """P(count <= n) for n = 0 .. n_max."""
    term = total = exp(-rate)
    table = [total]
    for n in range(1, n_max + 1):
        term = term * rate / n
        total = min(total + term, 1.0)
        table.append(total)
    return table


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


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], r: float) -> float:
    above, below = (_polynomial(powers, r) for powers in coefficients)
    return above / below


def _polynomial(powers: tuple[float, ...], r: float) -> float:
    total = r * powers[0]
    for coefficient in powers[1:-1]:
        total = (total + coefficient) * r
    return total + powers[-1]


def normal_quantile(u: float) -> float:
    """Standard normal number below which lies a share u.

    Source   Wichura (1988), Algorithm AS 241, PPND16.
    """
    q = u - 0.5
    r = 0.180625 - q * q
    if r >= 0.0:
        return _ratio(_CENTRE, r) * q
    r = math.sqrt(-log(min(u, 1.0 - u)))
    size = _ratio(_FAR, r - 5.0) if r > 5.0 else _ratio(_SHOULDER, r - 1.6)
    return -size if u < 0.5 else size
