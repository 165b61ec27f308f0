"""A moderator who reads the traces of proposals: it has only so much time, comes late, and errs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mesocosm import exact
from mesocosm.api import I64, Bench, Lever, Mask
from mesocosm.env.economy import take
from mesocosm.env.foresight import Ahead, Foresight
from mesocosm.env.interaction import Deals
from mesocosm.registry import lever, param

LONGEST_DELAY = 50  # steps
NEVER = -1
LOTTERY, ERROR, REACH = range(3)  # channels of draws


@lever("moderator_agent")
@dataclass(frozen=True)
class ModeratorAgent(Lever):
    """A moderator reads traces and flags what looks bad, v_hat < 0: it refuses such proposals, or suspends afterwards.

    Without a delay it reviews proposals before they reach the counterparty, and refuses flagged ones by chance. With a
    delay it reviews accepted deals, which stand, and the initiator of a flagged one is suspended by that chance, so
    many steps later: it neither proposes nor accepts. It reviews at most `capacity` in a step, drawn by lot among those
    of a turn (where agents act one after the other: the first ones), and misjudges each with chance `error`, either
    way. Every review is a `moderated` event.
    Params   reach: chance that a flag is acted upon, a probability; neutral at 0. error: chance of misjudging, a
             probability. capacity: reviews per step, >= 0. delay: steps until it acts, 0 to 50. suspension: steps
             that a suspension lasts, >= 1.
    Source   design section 2 (a moderator refuses v_hat < 0 with chance .5); plan 2.2; science notes 3.1.4 (escalation
             to review).
    """

    phase: ClassVar[int] = 6
    neutral: ClassVar[dict[str, float]] = {"reach": 0.0}
    short_forms: ClassVar[dict[str, str]] = {"moderator_reach": "reach"}

    reach: float = param(0.5, about="chance that a flag is acted upon", unit="probability", ge=0.0, le=1.0)
    error: float = param(0.0, about="chance that a review misjudges", unit="probability", ge=0.0, le=1.0)
    capacity: int = param(10, about="reviews per step", unit="reviews", ge=0, le=1_000_000_000)
    delay: int = param(0, about="steps until it acts; 0 for at once", unit="steps", ge=0, le=LONGEST_DELAY)
    suspension: int = param(10, about="steps a suspension lasts", unit="steps", ge=1, le=1_000_000)

    def columns(self, n_rows: int, n_replicates: int) -> dict[str, Any]:
        """Reviews of this step; by agent what it brought before the moderator and how much of it was reviewed, what
        became of its proposal of this turn, and the deal for which it is suspended, by the step when that begins.
        """
        return {
            "reviews": np.zeros(n_replicates, dtype=np.int64),
            "brought": np.zeros(n_rows, dtype=np.int64),
            "reviewed": np.zeros(n_rows, dtype=np.int64),
            "verdict": np.zeros((n_rows, 3), dtype=np.bool_),  # reviewed, flagged, acted upon
            "to_come": np.full((n_rows, LONGEST_DELAY + 1), NEVER, dtype=np.int64),
        }

    def on_step(self, bench: Bench) -> None:
        """Suspend whose time has come, and begin to count reviews anew."""
        bench.column["reviews"][:] = 0
        due = bench.column["to_come"][:, bench.step % (LONGEST_DELAY + 1)]
        row = np.flatnonzero((due != NEVER) & bench.active)
        cause = due[row]
        due[:] = NEVER
        if len(row) == 0:
            return
        until = np.broadcast_to(bench.step + np.asarray(self.suspension), len(bench.active))[row].astype(np.int64)
        bench.freeze(row, until)
        columns = {"until_step": bench.frozen_until[row], "statistic": np.full(len(row), np.nan)}
        bench.emit("frozen", row, columns, cause)

    def admit(self, bench: Bench, deal: Deals) -> Mask:
        """Without a delay, review proposals and refuse flagged ones."""
        at_once = np.broadcast_to((np.asarray(self.delay) == 0) & (np.asarray(self.reach) > 0.0), len(deal))
        bench.column["verdict"][deal.row_a] = False
        self._review(bench, deal, np.flatnonzero(at_once))
        allowed: Mask = ~bench.column["verdict"][deal.row_a, 2]
        return allowed

    def on_settle(self, bench: Bench, deal: Deals) -> None:
        """With a delay, review accepted deals; log every review, and note who is to be suspended for what."""
        late = np.broadcast_to((np.asarray(self.delay) > 0) & (np.asarray(self.reach) > 0.0), len(deal))
        self._review(bench, deal, np.flatnonzero(late & deal.accepted))
        reviewed, flagged, acted = bench.column["verdict"][deal.row_a].T
        seen = np.flatnonzero(reviewed)
        columns = {"interaction": deal.seq[seen], "flagged": flagged[seen], "acted": acted[seen]}
        bench.emit("moderated", deal.row_a[seen], columns, deal.seq[seen])
        hit = np.flatnonzero(acted & late)
        start = (bench.step + take(self.delay, hit)) % (LONGEST_DELAY + 1)
        bench.column["to_come"][deal.row_a[hit], start] = deal.seq[hit]

    def _review(self, bench: Bench, deal: Deals, place: I64) -> None:
        """Review as many of the deals at some places as there is time for, drawn by lot."""
        if len(place) == 0:
            return
        row, replicate = deal.row_a[place], deal.replicate[place]
        bench.column["brought"][row] += 1
        order = exact.order_by(replicate, bench.draw(row, LOTTERY))
        rank = np.empty(len(place), dtype=np.int64)
        rank[order] = exact.rank_within(replicate[order])
        chosen = bench.column["reviews"][replicate] + rank < take(self.capacity, place)
        bench.column["reviews"] += exact.count_by(replicate[chosen], len(bench.column["reviews"]))
        place, row = place[chosen], row[chosen]
        errs = bench.draw(row, ERROR) < take(self.error, place)
        flagged = (deal.traces.v_hat[place] < 0.0) != errs
        acted = flagged & (bench.draw(row, REACH) < take(self.reach, place))
        bench.column["reviewed"][row] += 1
        bench.column["verdict"][row] = np.stack([np.ones(len(row), dtype=np.bool_), flagged, acted], axis=1)

    def foresee(self, bench: Bench, ahead: Ahead) -> Foresight:
        """A flag that is acted upon stops the proposal or, with a delay, costs a suspension of running payoffs.

        The chance of a review is capacity over the number of agents, who propose about once a step each, corrected by
        what the agent brought before the moderator and how much of it was reviewed; of a flag, how often v_hat < 0
        after such an outcome, errors included.
        """
        announced = np.minimum(np.asarray(self.capacity) / (ahead.others + 1), 1.0)
        met, of = (bench.column[name][ahead.row_a] for name in ("reviewed", "brought"))
        hit = np.asarray(self.reach) * ahead.believed(announced, met, of)
        good, *bad = (
            hit * (suspect * (1.0 - np.asarray(self.error)) + (1.0 - suspect) * np.asarray(self.error))
            for suspect in (ahead.look.suspect_good, *ahead.look.suspect_bad)
        )
        late = np.asarray(self.delay) > 0
        lost = np.where(late, self.suspension * ahead.payoff, 0.0)
        told = Foresight(fine_good=lost * good, fine_bad=[lost * chance for chance in bad])
        told.pass_good = np.where(late, 1.0, 1.0 - good)
        told.pass_bad = [np.where(late, 1.0, 1.0 - chance) for chance in bad]
        return told
