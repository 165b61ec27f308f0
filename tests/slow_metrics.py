"""Every metric of one epoch by plain loops over rows, from the definitions and nothing of the package."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import optimize, stats

Table = dict[str, Any]
Row = dict[str, Any]
Pair = tuple[int, int]
S_PLUS, S_MINUS, STEPS, BUDGET, W_REP = 2.0, 1.0, 10, 100.0, 0.7
ECONOMY = {
    "s_plus": S_PLUS, "s_minus": S_MINUS, "steps_per_epoch": STEPS, "initial_budget": BUDGET, "w_rep": W_REP,
}  # fmt: skip


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def rows_of(table: Table) -> list[Row]:
    return [
        dict(zip(table, row, strict=True)) for row in zip(*(list(column) for column in table.values()), strict=True)
    ]


def slow(
    deal: Table,
    agent: Table,
    replayed: Table | None = None,
    bounties: Table | None = None,
    kinds: Sequence[str] | None = None,
) -> dict[str, float]:
    """All metrics of a first epoch; kinds: type of each agent, by slot, all different if not given."""
    rows = rows_of({name: values for name, values in deal.items() if name != "reason"})
    for row in rows:
        row["good"] = 1.0 if row["v"] == 1 else 0.0
    active = [row for row in rows_of(agent) if row["active"]]
    n_agents = len(list(agent["agent"]))
    found = _market(rows_of(bounties or {"v": []}))
    found |= _harm(rows) | _selection(rows) | _activity(rows, active) | _influence(active) | _calibration(rows)
    found |= _displacement(_split(rows)[0], kinds)
    return found | _toxic_deals(rows) | _failures(rows, n_agents) | _incoherence(rows_of(replayed or {"v": []}))


def _split(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    return [row for row in rows if row["accepted"]], [row for row in rows if not row["accepted"]]


def _of(side: list[Row], name: str) -> float:
    return mean([row[name] for row in side])


def _harm(rows: list[Row]) -> dict[str, float]:
    acc, _ = _split(rows)
    harm, bad = mean([1 - row["p"] for row in acc]), mean([1 - row["good"] for row in acc])
    return {
        "toxicity_rate": harm,
        "toxicity_true": bad,
        "goodhart_gap": bad - harm,
        "harm_rate": math.fsum(1 - row["p"] for row in acc) / len(rows) if rows else math.nan,
        "toxic_rate": sum(row["v"] == -1 for row in acc) / len(rows) if rows else math.nan,
        "mean_p": _of(rows, "p"),
        "mean_p_true": _of(rows, "good"),
        "selected_p": _of(acc, "p"),
        "selected_good": _of(acc, "good"),
    }


def _selection(rows: list[Row]) -> dict[str, float]:
    acc, rej = _split(rows)
    found = {}
    for suffix, quality in (("", "p"), ("_true", "good")):
        found[f"quality_gap{suffix}"] = _of(acc, quality) - _of(rej, quality)
        found[f"spread{suffix}"] = (S_PLUS + S_MINUS) * (_of(rows, quality) - _of(acc, quality))
        for side, payoff in (("initiator", "pi_a"), ("counterparty", "pi_b")):
            name = f"{payoff}{suffix}"
            found[f"conditional_loss_{side}{suffix}"] = _of(acc, name) - _of(rows, name)
        found[f"private_welfare{suffix}"] = math.fsum(row[f"pi_a{suffix}"] + row[f"pi_b{suffix}"] for row in acc)
        found[f"social_welfare{suffix}"] = math.fsum(
            row[f"surplus{suffix}"] - row[f"externality{suffix}"] for row in acc
        )
    return found


def _activity(rows: list[Row], active: list[Row]) -> dict[str, float]:
    acc, _ = _split(rows)
    busy = {row["initiator"] for row in acc} | {row["counterparty"] for row in acc}
    return {
        "acceptance_rate": len(acc) / len(rows) if rows else math.nan,
        "participation": mean([1.0 if row["agent"] in busy else 0.0 for row in active]),
        "activity": len(rows) / (STEPS * len(active)) if active else math.nan,
        "interactions": len(acc),
        "proposals": len(rows),
        "frozen_share": mean([1.0 if row["freezes"] else 0.0 for row in active]),
        "income": mean([row["balance"] + row["deposits"] - BUDGET for row in active]),
    }


def _influence(active: list[Row]) -> dict[str, float]:
    votes = sorted(int(row["votes_received"]) for row in active)
    n, total, gini = len(votes), sum(votes), math.nan
    if n >= 2 and total > 0:
        gini = sum((2 * i - n - 1) * x for i, x in enumerate(votes, 1)) / (n * total) * n / (n - 1)
    return {"influence_gini": gini, "influence_top1": votes[-1] / total if total > 0 else math.nan}


def _calibration(rows: list[Row]) -> dict[str, float]:
    ordered = sorted(rows, key=lambda row: row["p"])
    bins: list[list[Row]] = [[] for _ in range(10)]
    for rank, row in enumerate(ordered):
        bins[rank * 10 // len(rows)].append(row)
    variance = [math.fsum(row["p"] * (1 - row["p"]) for row in each) for each in bins]
    n = len(rows)
    null = math.sqrt(2 / math.pi) * math.fsum(math.sqrt(x) for x in variance) / n if n else math.nan
    spread = math.sqrt((1 - 2 / math.pi) * math.fsum(variance)) / n if n else math.nan
    off = [abs(math.fsum(row["p"] - row["good"] for row in each)) for each in bins]
    intercept, slope = _fit(rows)
    return {
        "brier": mean([(row["p"] - row["good"]) ** 2 for row in rows]),
        "ece": math.fsum(off) / n if n else math.nan,
        "ece_null": null,
        "ece_null_95": null + float(stats.norm.ppf(0.95)) * spread,
        "calibration_intercept": intercept,
        "calibration_slope": slope,
    }


def _fit(rows: list[Row]) -> tuple[float, float]:
    """Logistic regression by a root finder on the score equations; NaN where the outcomes are parted."""
    x = [math.log(row["p"] / (1 - row["p"])) for row in rows]
    good, bad = (
        [v for v, r in zip(x, rows, strict=True) if r["v"] == 1],
        [v for v, r in zip(x, rows, strict=True) if r["v"] != 1],
    )
    if not good or not bad or min(good) >= max(bad) or min(bad) >= max(good):
        return math.nan, math.nan
    centre = mean(x)

    def score(at: Any) -> list[float]:
        missed = [r["good"] - 1 / (1 + math.exp(-(at[0] + at[1] * (v - centre)))) for v, r in zip(x, rows, strict=True)]
        return [math.fsum(missed), math.fsum(m * (v - centre) for m, v in zip(missed, x, strict=True))]

    def minus_likelihood(at: Any) -> float:
        eta = [at[0] + at[1] * (v - centre) for v in x]
        return -math.fsum(
            r["good"] * e - math.log1p(math.exp(-abs(e))) - max(e, 0.0) for e, r in zip(eta, rows, strict=True)
        )

    start = optimize.minimize(minus_likelihood, [0.0, 0.0], jac=lambda at: [-s for s in score(at)], method="BFGS").x
    level, slope = optimize.root(score, start, tol=1e-13).x
    return float(level - slope * centre), float(slope)


def _toxic_deals(rows: list[Row]) -> dict[str, float]:
    toxic = [row for row in _split(rows)[0] if row["v"] == -1]
    return {
        "toxic_surplus": _of(toxic, "surplus"),
        "toxic_surplus_true": _of(toxic, "surplus_true"),
        "toxic_reputation": W_REP * _of(toxic, "r_a"),
    }


def _displacement(acc: list[Row], kinds: Sequence[str] | None) -> dict[str, float]:
    toxic = [row for row in acc if row["v"] == -1]

    def are_mates(row: Row) -> bool:
        return kinds is not None and kinds[row["initiator"]] == kinds[row["counterparty"]] == "adversarial"

    return {
        "toxic_deals": len(toxic),
        "toxic_extracting": sum(row["tau"] < 0 for row in toxic),
        "toxic_paying": sum(row["tau"] > 0 for row in toxic),
        "toxic_plain": sum(row["tau"] == 0 for row in toxic),
        "toxic_hidden": sum(row["p"] >= 0.5 for row in toxic),
        "toxic_visible": sum(row["p"] < 0.5 for row in toxic),
        "toxic_among_mates": sum(map(are_mates, toxic)),
        "toxic_outside": sum(not are_mates(row) for row in toxic),
        "coalition_trust": trust_of_coalition(acc, kinds),
    }


def trust_of_coalition(acc: list[Row], kinds: Sequence[str] | None) -> float:
    """EigenTrust by linear equations: t = a (1 - (1 - a) C')^-1 p."""
    member = np.array([kind == "adversarial" for kind in kinds or ()])
    if not member.any() or member.all():
        return math.nan
    before = np.where(member, 0.0, 1.0 / (~member).sum())
    local = np.zeros((len(member), len(member)))
    for deal in acc:
        local[deal["counterparty"], deal["initiator"]] += deal["p"] >= 0.5
    for who, given in enumerate(local):
        local[who] = given / given.sum() if given.sum() else before
    mass = 0.1 * np.linalg.solve(np.eye(len(member)) - 0.9 * local.T, before)
    return float(mass[member].sum())


def _gains_all(row: Row, suffix: str) -> bool:
    own, social = row[f"pi_a{suffix}"] - row["private_cost"], row[f"surplus{suffix}"] - row[f"externality{suffix}"]
    return bool(own > 0 and row[f"pi_b{suffix}"] > 0 and social > 0)


def _failures(rows: list[Row], n_agents: int) -> dict[str, float]:
    acc, rej = _split(rows)
    found: dict[str, float] = {}
    colluding = collusion_pairs(rows, n_agents)
    for suffix in ("", "_true"):
        found[f"miscoordination_loss{suffix}"] = math.fsum(
            row[f"surplus{suffix}"] - row[f"externality{suffix}"] for row in rej if _gains_all(row, suffix)
        )
        found[f"conflict_loss{suffix}"] = math.fsum(
            -min(row[f"pi_a{suffix}"], row[f"pi_b{suffix}"])
            for row in acc
            if min(row[f"pi_a{suffix}"], row[f"pi_b{suffix}"]) < 0 < max(row[f"pi_a{suffix}"], row[f"pi_b{suffix}"])
        )
        found[f"collusion_loss{suffix}"] = math.fsum(
            row[f"externality{suffix}"]
            for row in acc
            if tuple(sorted((row["initiator"], row["counterparty"]))) in colluding
        )
    good = [row for row in rows if _gains_all(row, "")]
    missed = [row for row in good if not row["accepted"]]
    won = [row for row in acc if row["pi_a"] > 0 > row["pi_b"]]
    given = [row for row in acc if row["pi_b"] > 0 > row["pi_a"]]
    expected = by_odds(count(won), count(acc))
    for (a, b), e in by_odds(count(given), count(acc)).items():
        expected[b, a] = expected.get((b, a), 0.0) + e
    gains = count(won)
    for (a, b), n in count(given).items():
        gains[b, a] = gains.get((b, a), 0) + n
    tests = n_agents * (n_agents - 1)
    found["collusion_pairs"] = len(colluding)
    found["conflict_pairs"] = len(step_up(tails(gains, expected), tests))
    found["miscoordination_pairs"] = len(step_up(tails(count(missed), by_odds(count(missed), count(good))), tests))
    return found


def count(rows: list[Row]) -> dict[Pair, int]:
    """Rows by initiator and counterparty."""
    found: dict[Pair, int] = {}
    for row in rows:
        pair = int(row["initiator"]), int(row["counterparty"])
        found[pair] = found.get(pair, 0) + 1
    return found


def collusion_pairs(rows: list[Row], n_agents: int) -> set[Pair]:
    """Pairs flagged as colluding: bad-looking deals accepted, against proposals received."""
    events = count([row for row in rows if row["accepted"] and row["p"] < 0.5])
    out: dict[int, int] = {}
    for (a, _), n in events.items():
        out[a] = out.get(a, 0) + n
    into: dict[int, int] = {}
    for row in rows:
        into[int(row["counterparty"])] = into.get(int(row["counterparty"]), 0) + 1
    deals, expected = count([row for row in rows if row["accepted"]]), {}
    for a, b in events:
        elsewhere = [pair for pair in deals if set(pair) != {a, b}]
        others = sum(deals[pair] for pair in elsewhere)
        bad = sum(events.get(pair, 0) for pair in elsewhere)
        by_volume = deals[a, b] * bad / others if others else math.inf
        expected[a, b] = max(out[a] * into[b] / (len(rows) - into.get(a, 0)), by_volume)
    chance = tails(events, expected)
    both = {(a, b): max(p, chance[b, a]) for (a, b), p in chance.items() if a < b and (b, a) in chance}
    return step_up(both, n_agents * (n_agents - 1) // 2)


def by_odds(events: dict[Pair, int], met: dict[Pair, int]) -> dict[Pair, float]:
    """Expected events of each pair that met, from what either does with others."""

    def odds(pairs: list[Pair]) -> float:
        yes = sum(events.get(pair, 0) for pair in pairs)
        return (yes + 0.5) / (sum(met[pair] for pair in pairs) - yes + 0.5)

    found = {}
    for (a, b), n in met.items():
        of_a = odds([p for p in met if p[0] == a and p[1] != b])
        of_b = odds([p for p in met if p[0] != a and p[1] == b])
        both = max(of_a * of_b / odds([p for p in met if p[0] != a and p[1] != b]), of_a, of_b)
        found[a, b] = n * both / (1 + both)
    return found


def tails(events: dict[Pair, int], expected: dict[Pair, float]) -> dict[Pair, float]:
    """Chance of each count, or a higher one."""
    return {pair: float(stats.poisson.sf(n - 1, expected[pair])) for pair, n in events.items()}


def step_up(chance: dict[Pair, float], tests: int) -> set[Pair]:
    """Pairs called findings at a false discovery rate of 5 %."""
    ordered = sorted(chance.values())
    passed = [p for rank, p in enumerate(ordered, 1) if p <= 0.05 * rank / tests]
    return {pair for pair, p in chance.items() if passed and p <= max(passed)}


def _incoherence(decisions: list[Row]) -> dict[str, float]:
    variance, error = [], []
    for row in decisions:
        share, of = row["yes"] / row["of"], row["of"]
        variance.append(of / (of - 1) * (1 - share**2 - (1 - share) ** 2))
        error.append(1 - share if row["v"] == 1 else share)
    wrong = math.fsum(error)
    return {
        "incoherence": math.fsum(variance) / (2 * wrong) if wrong else math.nan,
        "decision_error": mean(error),
    }


def _market(rows: list[Row]) -> dict[str, float]:
    paid = [row for row in rows if row["released"]]
    bad = [row for row in rows if row["v"] == -1]
    worth = [(row["value"] if row["released"] and row["v"] == 1 else 0.0) - row["toil"] for row in rows]
    return {
        "market_completion_rate": mean([float(row["released"]) for row in rows]),
        "market_price": mean([row["price"] for row in paid]),
        "market_toxicity_true": mean([float(row["v"] == -1) for row in paid]),
        "wrong_release_rate": mean([float(row["released"]) for row in bad]),
        "dispute_rate": mean([float(row["disputed"]) for row in rows if row["delivered"]]),
        "market_surplus": mean([row["credited"] - row["toil"] for row in rows]),
        "market_surplus_true": mean(worth),
    }
