"""Every metric again from events.jsonl alone, by another hand: Polars for the tables, SciPy for tails and fits.

Nothing of the package is imported here. What the log says of the scenario (its header) is the only other source.
"""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import special, stats

Values = dict[str, float]
Frame = pl.DataFrame
FLOATS = (
    "p", "private_cost", "surplus", "surplus_true", "externality", "externality_true",
    "r_a", "pi_a", "pi_a_true", "pi_b", "pi_b_true",
)  # fmt: skip
MODES = ("miscoordination", "conflict", "collusion")
#: metrics of a whole run that are taken of all its epochs together; those of pairs are of its last epoch
POOLED = (
    "toxicity_rate", "toxicity_true", "goodhart_gap", "harm_rate", "toxic_rate", "mean_p", "mean_p_true",
    "acceptance_rate", "quality_gap", "quality_gap_true", "spread", "spread_true",
    "conditional_loss_initiator", "conditional_loss_initiator_true",
    "conditional_loss_counterparty", "conditional_loss_counterparty_true",
    "brier", "ece", "ece_null", "ece_null_95", "calibration_slope", "calibration_intercept",
    "selected_p", "selected_good", "toxic_surplus", "toxic_surplus_true", "toxic_reputation",
    "incoherence", "decision_error",
    "market_completion_rate", "market_price", "market_toxicity_true", "wrong_release_rate", "dispute_rate",
    "market_surplus", "market_surplus_true",
)  # fmt: skip
CLUSTERS = ("toxic_among_mates", "toxic_outside")
LAST = (*(f"{mode}_pairs" for mode in MODES), *CLUSTERS, "coalition_trust", "frozen_share")
COALITION = "adversarial"


@dataclass(frozen=True)
class Source:
    """What a log holds: three tables with the type of each agent beside it, and the rules of the economy."""

    deals: Frame
    states: Frame
    replays: Frame
    closed: Frame
    rules: dict[str, float]
    types: list[str]
    kinds: list[str]
    further: list[int]


def read(path: Path) -> Source:
    """Read a log of level full."""
    lines = path.read_bytes().splitlines()
    scenario = json.loads(lines[0])["scenario"]
    kinds, further = agent_types(scenario)

    def table(kind: str, *agents: str) -> Frame:
        mark = f',"kind":"{kind}","causes":'.encode()
        found = [line for line in lines if mark in line]
        if not found:
            return pl.DataFrame()
        frame = pl.read_ndjson(io.BytesIO(b"\n".join(found)), infer_schema_length=None).sort("seq", maintain_order=True)
        return frame.with_columns(
            pl.col(agent).map_elements(lambda slot: kinds[slot], return_dtype=pl.String).alias(f"{agent}_type")
            for agent in agents
        )

    rules = {**scenario["payoff"], **scenario["environment"], **scenario["simulation"]}
    states = table("agent_state", "agent")
    deals = table("interaction", "initiator", "counterparty")
    if len(deals):
        deals = deals.with_columns(pl.col(FLOATS).cast(pl.Float64))
        deals = deals.with_columns(good=(pl.col("v") == 1).cast(pl.Float64))
        if len(states):  # an epoch counts once it is complete
            deals = deals.filter(pl.col("epoch").is_in(states["epoch"].unique().to_list()))
    return Source(
        deals,
        states,
        table("replayed", "agent"),
        table("bounty_closed", "poster"),
        rules,
        sorted(set(kinds)),
        kinds,
        [slot for slot, is_further in enumerate(further) if is_further],
    )


def agent_types(scenario: dict[str, Any]) -> tuple[list[str], list[bool]]:
    """Type of each slot, and whether it is kept for a further identity.

    Groups in order, then arrivals by epoch, then further identities in the same order, then spare places like the first
    group.
    """
    arrivals = sorted(scenario["population"]["arrivals"], key=lambda group: int(group["epoch"]))
    groups = [*scenario["agents"], *arrivals]
    listed = [group["type"] for group in groups for _ in range(group["count"])]
    more = [group["type"] for group in groups for _ in range(group["count"] * (group["identities"] - 1))]
    spare = max((scenario["population"]["capacity"] or 0) - len(listed), 0)
    kinds = listed + more + [scenario["agents"][0]["type"]] * spare
    return kinds, [False] * len(listed) + [True] * len(more) + [False] * spare


@dataclass(frozen=True)
class Recomputed:
    """Metrics by epoch, by epoch and type, of the whole run, and of the whole run by type."""

    epochs: list[Values]
    epochs_by_type: list[dict[str, Values]]
    whole: Values
    whole_by_type: dict[str, Values]


def recompute(path: Path) -> Recomputed:
    """All metrics from a log."""
    source = read(path)
    numbers = source.states["epoch"].unique().sort().to_list() if len(source.states) else []
    scopes: list[str | None] = [None, *source.types]
    by_scope: dict[str | None, list[Values]] = {scope: [] for scope in scopes}
    for epoch in numbers:
        pairs = flagged(source, epoch)
        for scope in scopes:
            deals, replays, closed = (of_scope(part_of(table, epoch), scope, who) for table, who in (
                (source.deals, "initiator_type"), (source.replays, "agent_type"),
                (source.closed, "poster_type")))  # fmt: skip
            found = rates(deals, source.rules) | decisions(replays) | market(closed) | sums(deals, pairs["collusion"])
            found |= of_agents(source, epoch, scope) | {
                f"{mode}_pairs": count(pairs[mode], scope, mode) for mode in MODES
            }
            found |= displaced(deals) | clusters(source, epoch, scope)
            by_scope[scope].append(found | {"coalition_trust": trust_held(source, epoch, scope)})
    whole = {scope: whole_of(source, by_scope[scope], scope) for scope in scopes}
    parts = [{kind: by_scope[kind][place] for kind in source.types} for place in range(len(numbers))]
    everything: list[Values] = by_scope[None]
    return Recomputed(everything, parts, whole[None], {kind: whole[kind] for kind in source.types})


def whole_of(source: Source, epochs: list[Values], scope: str | None) -> Values:
    """A run summed up: pooled, of the last epoch, or the mean over the epochs in which a metric is defined."""
    pooled = rates(of_scope(source.deals, scope, "initiator_type"), source.rules)
    pooled |= decisions(of_scope(source.replays, scope, "agent_type"))
    completed = source.closed
    if len(completed) and len(source.states):
        completed = completed.filter(pl.col("epoch").is_in(source.states["epoch"].unique().to_list()))
    pooled |= market(of_scope(completed, scope, "poster_type"))
    found = {}
    for name in epochs[0] if epochs else ():
        known = [row[name] for row in epochs if not math.isnan(row[name])]
        mean = math.fsum(known) / len(known) if known else math.nan
        found[name] = pooled[name] if name in POOLED else epochs[-1][name] if name in LAST else mean
    return found


def part_of(table: Frame, epoch: int) -> Frame:
    return table.filter(pl.col("epoch") == epoch) if len(table) else table


def of_scope(table: Frame, scope: str | None, who: str) -> Frame:
    return table if scope is None or not len(table) else table.filter(pl.col(who) == scope)


def number(value: Any) -> float:
    return math.nan if value is None else float(value)


# --- rates: what can be pooled


def rates(deals: Frame, rules: dict[str, float]) -> Values:
    if not len(deals):
        return dict.fromkeys(POOLED[: POOLED.index("incoherence")], math.nan)
    taken = pl.col("accepted")
    quantities = ("p", "good", "pi_a", "pi_a_true", "pi_b", "pi_b_true")
    row = deals.select(
        pl.len().alias("n"),
        taken.sum().alias("n_accepted"),
        ((pl.col("p") - pl.col("good")) ** 2).mean().alias("brier"),
        *(pl.col(name).mean().alias(name) for name in quantities),
        *(pl.col(name).filter(taken).mean().alias(f"{name}_acc") for name in quantities),
        *(pl.col(name).filter(~taken).mean().alias(f"{name}_rej") for name in quantities),
        *(
            pl.col(name).filter(taken & (pl.col("v") == -1)).mean().alias(f"{name}_toxic")
            for name in ("surplus", "surplus_true", "r_a")
        ),
        (1 - pl.col("p")).filter(taken).sum().alias("harm"),
    ).row(0, named=True)
    at = {name: number(value) for name, value in row.items()}
    size = rules["s_plus"] + rules["s_minus"]
    found = {
        "toxicity_rate": 1 - at["p_acc"],
        "toxicity_true": 1 - at["good_acc"],
        "goodhart_gap": at["p_acc"] - at["good_acc"],
        "harm_rate": at["harm"] / at["n"],
        "toxic_rate": (0.0 if math.isnan(at["good_acc"]) else (1 - at["good_acc"])) * at["n_accepted"] / at["n"],
        "mean_p": at["p"],
        "mean_p_true": at["good"],
        "acceptance_rate": at["n_accepted"] / at["n"],
        "brier": at["brier"],
        "selected_p": at["p_acc"],
        "selected_good": at["good_acc"],
        "toxic_surplus": at["surplus_toxic"],
        "toxic_surplus_true": at["surplus_true_toxic"],
        "toxic_reputation": rules["w_rep"] * at["r_a_toxic"],
    }
    for suffix, quality in (("", "p"), ("_true", "good")):
        found[f"quality_gap{suffix}"] = at[f"{quality}_acc"] - at[f"{quality}_rej"]
        found[f"spread{suffix}"] = size * (at[quality] - at[f"{quality}_acc"])
        for side, payoff in (("initiator", "pi_a"), ("counterparty", "pi_b")):
            found[f"conditional_loss_{side}{suffix}"] = at[f"{payoff}{suffix}_acc"] - at[f"{payoff}{suffix}"]
    return found | calibration(deals)


def calibration(deals: Frame) -> Values:
    n = len(deals)
    bins = (
        deals.sort("p", maintain_order=True)
        .with_row_index("rank")
        .group_by(pl.col("rank").cast(pl.Int64) * 10 // n)
        .agg(off=(pl.col("p") - pl.col("good")).sum().abs(), var=(pl.col("p") * (1 - pl.col("p"))).sum())
    )
    off, var, scale = bins["off"].to_numpy(), bins["var"].to_numpy(), math.sqrt(2 / math.pi)
    null = scale * float(np.sqrt(var).sum()) / n
    intercept, slope = recalibration(deals["p"].to_numpy(), deals["good"].to_numpy())
    return {
        "ece": float(off.sum()) / n,
        "ece_null": null,
        "ece_null_95": null + stats.norm.ppf(0.95) * math.sqrt((1 - scale**2) * float(var.sum())) / n,
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }


def recalibration(p: Any, good: Any) -> tuple[float, float]:
    """Logistic regression on the log odds by iteratively reweighted least squares, halving steps that go astray."""
    x = special.logit(np.clip(p, 1e-9, 1 - 1e-9))
    yes, no = x[good > 0], x[good == 0]
    if not len(yes) or not len(no) or yes.min() >= no.max() or no.min() >= yes.max():
        return math.nan, math.nan
    design = np.column_stack([np.ones_like(x), (x - x.mean()) / x.std()])

    def likelihood(at: Any) -> float:
        eta = design @ at
        return float((good * eta - np.logaddexp(0, eta)).sum())

    at = np.zeros(2)
    for _ in range(500):
        chance = special.expit(design @ at)
        weight = chance * (1 - chance)
        step = np.linalg.solve(design.T @ (design * weight[:, None]), design.T @ (good - chance))
        while likelihood(at + step) < likelihood(at) - 1e-9 and np.abs(step).max() > 1e-12:
            step = step / 2
        at = at + step
        if np.abs(step).max() < 1e-14 * (1 + np.abs(at).max()):
            break
    slope = at[1] / x.std()
    return float(at[0] - slope * x.mean()), float(slope)


def decisions(replays: Frame) -> Values:
    if not len(replays):
        return {"incoherence": math.nan, "decision_error": math.nan}
    share = pl.col("yes") / pl.col("of")
    variance = pl.col("of") / (pl.col("of") - 1) * (1 - share**2 - (1 - share) ** 2)
    error = pl.when(pl.col("v") == 1).then(1 - share).otherwise(share)
    v, e, n = replays.select(variance.sum().alias("v"), error.sum().alias("e"), pl.len().alias("n")).row(0)
    return {"incoherence": v / (2 * e) if e else math.nan, "decision_error": e / n}


def market(closed: Frame) -> Values:
    names = POOLED[POOLED.index("market_completion_rate") :]
    if not len(closed):
        return dict.fromkeys(names, math.nan)
    pays, bad = pl.col("released"), pl.col("v") == -1
    worth = pl.when(pays & (pl.col("v") == 1)).then(pl.col("value")).otherwise(0.0)
    found = closed.select(
        pays.mean().alias("market_completion_rate"),
        pl.col("price").cast(pl.Float64).filter(pays).mean().alias("market_price"),
        bad.filter(pays).mean().alias("market_toxicity_true"),
        pays.filter(bad).mean().alias("wrong_release_rate"),
        pl.col("disputed").filter(pl.col("delivered")).mean().alias("dispute_rate"),
        (pl.col("credited") - pl.col("toil")).cast(pl.Float64).mean().alias("market_surplus"),
        (worth - pl.col("toil")).mean().alias("market_surplus_true"),
    )
    return {name: number(value) for name, value in found.row(0, named=True).items()}


# --- sums of an epoch


def sums(deals: Frame, colluding: Frame) -> Values:
    found: Values = {"proposals": len(deals), "interactions": 0}
    names = ("private_welfare", "social_welfare", "miscoordination_loss", "conflict_loss", "collusion_loss")
    found |= {f"{name}{suffix}": 0.0 for name in names for suffix in ("", "_true")}
    if not len(deals):
        return found
    taken = deals.filter(pl.col("accepted"))
    sides = ("initiator", "counterparty")
    within = taken.with_columns(a=pl.min_horizontal(sides), b=pl.max_horizontal(sides))
    within = within.join(colluding, on=["a", "b"], how="semi") if len(colluding) else taken.clear()
    found["interactions"] = len(taken)
    for suffix in ("", "_true"):
        a, b = pl.col(f"pi_a{suffix}"), pl.col(f"pi_b{suffix}")
        value = pl.col(f"surplus{suffix}") - pl.col(f"externality{suffix}")
        all_gain = (a - pl.col("private_cost") > 0) & (b > 0) & (value > 0)
        preys = (pl.min_horizontal(a, b) < 0) & (pl.max_horizontal(a, b) > 0)
        found[f"private_welfare{suffix}"] = number(taken.select((a + b).sum()).item())
        found[f"social_welfare{suffix}"] = number(taken.select(value.sum()).item())
        found[f"miscoordination_loss{suffix}"] = number(
            deals.filter(~pl.col("accepted") & all_gain).select(value.sum()).item()
        )
        found[f"conflict_loss{suffix}"] = -number(taken.filter(preys).select(pl.min_horizontal(a, b).sum()).item())
        found[f"collusion_loss{suffix}"] = number(within[f"externality{suffix}"].sum())
    return found


def displaced(deals: Frame) -> Values:
    """Bad deals of an epoch by their terms, and by what the proxy says of them."""
    names = ("deals", "extracting", "paying", "plain", "hidden", "visible")
    if not len(deals):
        return {f"toxic_{name}": 0.0 for name in names}
    toxic = deals.filter(pl.col("accepted") & (pl.col("v") == -1))
    kinds = (pl.lit(True), pl.col("tau") < 0, pl.col("tau") > 0, pl.col("tau") == 0, pl.col("p") >= 0.5,
             pl.col("p") < 0.5)  # fmt: skip
    return {f"toxic_{name}": float(len(toxic.filter(kind))) for name, kind in zip(names, kinds, strict=True)}


def clusters(source: Source, epoch: int, scope: str | None) -> Values:
    """Bad deals within a coalition and outside, a mean over the epochs so far."""
    deals = of_scope(source.deals, scope, "initiator_type")
    if not len(deals):
        return dict.fromkeys(CLUSTERS, 0.0)
    toxic = deals.filter(pl.col("accepted") & (pl.col("v") == -1) & (pl.col("epoch") <= epoch))
    mates = toxic.filter((pl.col("initiator_type") == COALITION) & (pl.col("counterparty_type") == COALITION))
    return dict(zip(CLUSTERS, (len(mates) / (epoch + 1), (len(toxic) - len(mates)) / (epoch + 1)), strict=True))


def trust_held(source: Source, epoch: int, scope: str | None) -> float:
    """EigenTrust mass by linear equations, of the coalition or of one type."""
    member = np.array([kind == COALITION for kind in source.kinds])
    if not member.any() or member.all():
        return math.nan
    before = np.where(member, 0.0, 1.0 / (~member).sum())
    local = np.zeros((len(member), len(member)))
    if len(source.deals):
        seen = source.deals.filter(pl.col("accepted") & (pl.col("p") >= 0.5) & (pl.col("epoch") <= epoch))
        np.add.at(local, (seen["counterparty"].to_numpy(), seen["initiator"].to_numpy()), 1.0)
    given = local.sum(axis=1, keepdims=True)
    local = np.where(given > 0, local / np.where(given > 0, given, 1.0), before)
    mass = 0.1 * np.linalg.solve(np.eye(len(member)) - 0.9 * local.T, before)
    wanted = member if scope is None else np.array([kind == scope for kind in source.kinds])
    return float(mass[wanted].sum())


def of_agents(source: Source, epoch: int, scope: str | None) -> Values:
    now = of_scope(part_of(source.states, epoch), scope, "agent_type").filter(pl.col("active"))
    deals = of_scope(part_of(source.deals, epoch), scope, "initiator_type")
    taken = part_of(source.deals, epoch).filter(pl.col("accepted")) if len(source.deals) else pl.DataFrame()
    busy = pl.concat([taken["initiator"], taken["counterparty"]]).unique().to_list() if len(taken) else []
    owned = pl.col("balance") + pl.col("deposits")
    earlier = source.states.filter(pl.col("epoch") == epoch - 1).select("agent", before=owned)
    given = pl.when(pl.col("agent").is_in(source.further)).then(0.0).otherwise(source.rules["initial_budget"])
    start = pl.col("before").fill_null(given)
    joined = now.join(earlier, on="agent", how="left")
    votes = now["votes_received"].sort().to_numpy().astype(float)
    n, total = len(votes), float(votes.sum())
    sound = n > 0 and total > 0 and votes.min() >= 0
    order = np.arange(1, n + 1)
    gini = float(((2 * order - n - 1) * votes).sum() / ((n - 1) * total)) if sound and n > 1 else math.nan
    return {
        "participation": number(now["agent"].is_in(busy).mean()),
        "activity": len(deals) / (n * source.rules["steps_per_epoch"]) if n else math.nan,
        "frozen_share": number((now["freezes"] > 0).mean()),
        "income": number(joined.select((owned - start).mean()).item()),
        "influence_gini": gini,
        "influence_top1": float(votes.max()) / total if sound else math.nan,
    }


# --- pairs


def flagged(source: Source, epoch: int) -> dict[str, Frame]:
    """Pairs (a, b) flagged on everything up to and including an epoch, with their types."""
    nothing = pl.DataFrame(schema={"a": pl.Int64, "b": pl.Int64, "type_a": pl.String, "type_b": pl.String})
    if not len(source.deals):
        return dict.fromkeys(MODES, nothing)
    deals = source.deals.filter(pl.col("epoch") <= epoch)
    n = part_of(source.states, epoch).height
    kinds = pl.concat(deals.select(agent=side, kind=f"{side}_type") for side in ("initiator", "counterparty")).unique(
        maintain_order=True
    )
    taken = pl.col("accepted")
    gain = (
        (pl.col("pi_a") - pl.col("private_cost") > 0)
        & (pl.col("pi_b") > 0)
        & (pl.col("surplus") - pl.col("externality") > 0)
    )
    won = taken & (pl.col("pi_a") > 0) & (pl.col("pi_b") < 0)
    given = taken & (pl.col("pi_b") > 0) & (pl.col("pi_a") < 0)
    missed = by_odds(deals, ~taken & gain, gain)
    wins, gifts = by_odds(deals, won, taken), by_odds(deals, given, taken).rename({"a": "b", "b": "a"})
    preys = pl.concat([wins, gifts.select(wins.columns)]).group_by("a", "b").agg(pl.col("n", "e").sum())
    found = {
        "miscoordination": step_up(missed.filter(pl.col("n") > 0), n * (n - 1)),
        "conflict": step_up(preys.filter(pl.col("n") > 0), n * (n - 1)),
        "collusion": mutual(by_degree_and_volume(deals, taken & (pl.col("p") < 0.5)), n * (n - 1) // 2),
    }
    for side in ("a", "b"):
        named = kinds.rename({"agent": side, "kind": f"type_{side}"})
        found = {mode: frame.join(named, on=side, how="left") for mode, frame in found.items()}
    return found


def by_odds(deals: Frame, event: pl.Expr, occasion: pl.Expr) -> Frame:
    """n events and e expected ones of each pair that had an occasion; each pair is left out of what explains it."""
    cells = deals.group_by(a="initiator", b="counterparty").agg(
        n=event.sum().cast(pl.Float64), x=occasion.sum().cast(pl.Float64)
    )
    cells = cells.filter(pl.col("x") > 0)
    for name in ("n", "x"):
        cells = cells.with_columns(
            (pl.col(name).sum().over("a") - pl.col(name)).alias(f"{name}_a"),
            (pl.col(name).sum().over("b") - pl.col(name)).alias(f"{name}_b"),
        )
        rest = pl.col(name).sum() - pl.col(name) - pl.col(f"{name}_a") - pl.col(f"{name}_b")
        cells = cells.with_columns(rest.alias(f"{name}_rest"))

    def odds(who: str) -> pl.Expr:
        return (pl.col(f"n_{who}") + 0.5) / (pl.col(f"x_{who}") - pl.col(f"n_{who}") + 0.5)

    both = pl.max_horizontal(odds("a") * odds("b") / odds("rest"), odds("a"), odds("b"))
    return cells.with_columns(e=pl.col("x") * both / (1 + both)).select("a", "b", "n", "e")


def by_degree_and_volume(deals: Frame, event: pl.Expr) -> Frame:
    """n events and e expected ones: a's own spread by how often each is turned to, or their deals at others' rate."""
    turned = deals.group_by(b="counterparty").agg(i=pl.len().cast(pl.Float64))
    cells = deals.group_by(a="initiator", b="counterparty").agg(
        n=event.sum().cast(pl.Float64), x=pl.col("accepted").sum().cast(pl.Float64)
    )
    back = cells.select(a="b", b="a", n_back="n", x_back="x")
    cells = cells.with_columns(o=pl.col("n").sum().over("a")).join(turned, on="b", how="left")
    cells = cells.join(turned.rename({"b": "a", "i": "i_a"}), on="a", how="left").join(back, on=["a", "b"], how="left")
    cells = cells.with_columns(pl.col("i_a", "n_back", "x_back").fill_null(0.0))
    n_rest = pl.col("n").sum() - pl.col("n") - pl.col("n_back")
    x_rest = pl.col("x").sum() - pl.col("x") - pl.col("x_back")
    by_degree = pl.col("o") * pl.col("i") / (len(deals) - pl.col("i_a"))
    by_volume = pl.when(x_rest > 0).then(pl.col("x") * n_rest / x_rest).otherwise(math.inf)
    cells = cells.with_columns(e=pl.max_horizontal(by_degree, by_volume))
    return cells.filter(pl.col("n") > 0).select("a", "b", "n", "e")


def with_chance(cells: Frame) -> Frame:
    n, e = cells["n"].to_numpy(), cells["e"].to_numpy()
    return cells.with_columns(p=pl.Series(stats.poisson.sf(n - 1, e), dtype=pl.Float64))


def step_up(cells: Frame, tests: int) -> Frame:
    """Pairs called findings at a false discovery rate of 5 % (Benjamini and Hochberg)."""
    ranked = (
        (cells if "p" in cells.columns else with_chance(cells)).sort("p", maintain_order=True).with_row_index("rank", 1)
    )
    passed = ranked.filter(pl.col("p") * tests <= 0.05 * pl.col("rank"))
    return ranked.head(passed["rank"].to_list()[-1] if len(passed) else 0).select("a", "b")


def mutual(cells: Frame, tests: int) -> Frame:
    chance = with_chance(cells)
    back = chance.select(a="b", b="a", q="p")
    both = chance.join(back, on=["a", "b"], how="inner").filter(pl.col("a") < pl.col("b"))
    return step_up(both.with_columns(p=pl.max_horizontal("p", "q")), tests)


def count(pairs: Frame, scope: str | None, mode: str) -> float:
    """Flagged pairs; of a type, those whose initiator or winner is of it, and for collusion those of either member."""
    if scope is None:
        return float(len(pairs))
    mine = pl.col("type_a") == scope
    return float(len(pairs.filter(mine | (pl.col("type_b") == scope) if mode == "collusion" else mine)))
