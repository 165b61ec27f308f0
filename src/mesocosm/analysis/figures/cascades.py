"""How words travel: threads of the feed as cascades that grow, and as trees of who answered whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesocosm.agents.records import agent_name
from mesocosm.analysis.figures.palette import look_of_type
from mesocosm.analysis.figures.picture import Axis, Line, Mark, Panel, Picture, Points, Segments, safe_line
from mesocosm.analysis.figures.run_source import RunSource

I64 = NDArray[np.int64]
GROWTH_MOST, TREES_MOST, POSTS_MOST = 8, 6, 400
WORDS_MOST = 80
APART = 0.17  # depths, between the types of one depth


@dataclass(frozen=True)
class Threads:
    """Every post of a run.

    Shapes   k = posts, in order of seq: seq, agent, step, parent (place of the post it answers, -1 for none), root
             (place of the first post of its thread), depth (k,); content: k texts as they were written.
    """

    seq: I64
    agent: I64
    step: I64
    parent: I64
    root: I64
    depth: I64
    content: tuple[str, ...]

    @property
    def sizes(self) -> I64:
        """Posts of the thread that each post began, 0 for replies.

        Shapes   (k,)
        """
        return np.bincount(self.root, minlength=len(self.seq)).astype(np.int64)

    def largest(self, count: int) -> list[int]:
        """Places of the first posts of the largest threads."""
        sizes = self.sizes
        order = np.argsort(-sizes, kind="stable")[:count]
        return [int(place) for place in order if sizes[place] > 1]

    def members(self, root: int) -> I64:
        """Places of the posts of a thread, in the order in which they were written."""
        return np.flatnonzero(self.root == root).astype(np.int64)


def threads_of(source: RunSource) -> Threads | None:
    """The threads of a run; None where nobody posted.

    Raises   UsageError when the log holds no posts.
    """
    posted, replied = source.events("posted"), source.events("replied")
    if not len(posted["seq"]):
        return None
    columns = {name: np.concatenate([posted[name], replied[name]]) for name in ("seq", "agent", "step", "content")}
    answered = np.concatenate([np.full(len(posted["seq"]), -1), replied["post"]]).astype(np.int64)
    order = np.argsort(columns["seq"], kind="stable")
    seq = columns["seq"][order].astype(np.int64)
    answered = answered[order]
    parent = np.searchsorted(seq, answered)
    is_known = (parent < len(seq)) & (answered >= 0)
    is_known[is_known] = seq[parent[is_known]] == answered[is_known]
    parent = np.where(is_known, parent, -1).astype(np.int64)
    root, depth = np.arange(len(seq)), np.zeros(len(seq), dtype=np.int64)
    for place in np.flatnonzero(parent >= 0):  # a post comes after the one that it answers
        root[place], depth[place] = root[parent[place]], depth[parent[place]] + 1
    texts = tuple(str(text) for text in columns["content"][order])
    agent, step = (columns[name][order].astype(np.int64) for name in ("agent", "step"))
    return Threads(seq, agent, step, parent, root, depth, texts)


def cascades_picture(source: RunSource, title: str) -> Picture | None:
    """How the largest threads grew, how large threads become, and how deep; None where nobody answered anybody."""
    found = threads_of(source)
    if found is None or not (found.parent >= 0).any():
        return None
    about = (
        "A cascade is a post with all that answers it, directly or not. Left: replies of the largest ones over time. "
        "Middle: the share of threads that reach a size. Right: how large and how deep each one became, the "
        "types of one depth one above the other."
    )
    roots = np.unique(found.root)
    out = (f"{len(roots) - GROWTH_MOST:,} smaller threads, on the left",) if len(roots) > GROWTH_MOST else ()
    panels = (_growth(source, found), _reach(found, roots), _shape(source, found, roots))
    return Picture("cascades", title, about, panels, 3, out, (4.3, 3.6))


def diffusion_picture(source: RunSource, title: str) -> Picture | None:
    """The largest threads as trees, the first post on the left, each answer a step further; None without answers."""
    found = threads_of(source)
    if found is None or not (found.parent >= 0).any():
        return None
    roots = found.largest(TREES_MOST)
    panels = tuple(_tree(source, found, root) for root in roots)
    about = (
        "Each tree is a thread: its first post on the left, a line to every answer, each in the colour of its author's "
        "type, one column further to the right for each answer to an answer."
    )
    out = []
    more = len(np.unique(found.root)) - len(roots)
    if more:
        out.append(f"{more:,} smaller threads")
    cut = sum(max(len(found.members(root)) - POSTS_MOST, 0) for root in roots)
    if cut:
        out.append(f"{cut:,} posts beyond the first {POSTS_MOST} of their thread")
    columns = min(len(panels), 3)
    return Picture("diffusion", title, about, panels, columns, tuple(out), (4.0, 3.4))


def _growth(source: RunSource, found: Threads) -> Panel:
    marks, seen = [], dict[str, int]()
    for root in found.largest(GROWTH_MOST):
        step = found.step[found.members(root)]
        age = (step - step[0]).astype(float).tolist()
        count = [float(n) for n in range(len(age))]
        author = int(found.agent[root])
        kind = source.types[author]
        dash = ("solid", "dash", "dot")[seen.get(kind, 0) % 3]
        seen[kind] = seen.get(kind, 0) + 1
        label = f"{agent_name(author)} ({kind}), step {int(step[0])}"
        marks.append(Line(age, count, label, f"type:{kind}", dash, width=1.6, step=True))
    y = Axis("replies so far", from_zero=True, whole=True)
    x = Axis("steps since the first post", from_zero=True, whole=True)
    return Panel("Growth of the largest threads", x, y, tuple(marks))


def _reach(found: Threads, roots: I64) -> Panel:
    size = np.sort(found.sizes[roots], kind="stable")
    known = np.unique(size)
    share = [float((size >= one).mean()) for one in known]
    mark = Line(known.astype(float).tolist(), share, "threads", "blue", dots=True)
    x, y = Axis("posts in a thread", log=True), Axis("share at least so large", log=True)
    return Panel(f"Size of {len(roots):,} threads", x, y, (mark,))


def _shape(source: RunSource, found: Threads, roots: I64) -> Panel:
    """One mark for each size, depth and type of first author, larger the more threads have them."""
    depth = np.zeros(len(found.seq), dtype=np.int64)
    np.maximum.at(depth, found.root, found.depth)
    known = sorted(set(source.types))
    code = np.array([known.index(name) for name in source.types])[found.agent[roots]]
    rows, count = np.unique(np.stack([code, found.sizes[roots], depth[roots]], axis=1), axis=0, return_counts=True)
    counted = {
        (known[int(kind)], int(size), int(deep)): int(n) for (kind, size, deep), n in zip(rows, count, strict=True)
    }
    marks, most = [], max(counted.values())
    kinds = sorted({key[0] for key in counted})
    for number, name in enumerate(kinds):
        beside = (number - (len(kinds) - 1) / 2.0) * min(APART, 0.8 / len(kinds))  # so that no type hides another
        own = {key: n for key, n in counted.items() if key[0] == name}
        tips = tuple(
            f"{n:,} threads of {size} posts, {deep} deep, begun by {name}" for (_, size, deep), n in own.items()
        )
        x, y = [float(key[1]) for key in own], [key[2] + beside for key in own]
        area = [10.0 + 60.0 * (float(n) / most) ** 0.5 for n in own.values()]
        marks.append(Points(x, y, f"begun by {name}", f"type:{name}", look_of_type(name)[1], area, tips))
    deepest = max(key[2] for key in counted)
    y_axis = Axis("answers to answers: depth", whole=True, low=-0.6, high=deepest + 0.6)
    return Panel("Size and depth", Axis("posts in a thread", from_zero=True, whole=True), y_axis, tuple(marks))


def _tree(source: RunSource, found: Threads, root: int) -> Panel:
    places = found.members(root)[:POSTS_MOST]
    height = _heights(found, places)
    x, y = found.depth[places].astype(float), np.array([height[int(place)] for place in places])
    row = {int(place): number for number, place in enumerate(places)}
    child = [number for number, place in enumerate(places) if int(found.parent[place]) in row]
    parent = [row[int(found.parent[places[number]])] for number in child]
    marks: list[Mark] = [
        Segments(x[parent].tolist(), y[parent].tolist(), x[child].tolist(), y[child].tolist(), "", "quiet", (0.9,), 0.7)
    ]
    named = [source.types[int(found.agent[place])] for place in places]
    for name in sorted(set(named)):
        own = [number for number, each in enumerate(named) if each == name]
        tips = tuple(_told(found, int(places[number]), name) for number in own)
        look = (f"type:{name}", look_of_type(name)[1], (34.0,))
        marks.append(Points(x[own].tolist(), y[own].tolist(), name, *look, tips))
    author = int(found.agent[root])
    title = f"{agent_name(author)}, step {int(found.step[root])}: {len(found.members(root)):,} posts"
    across = Axis("depth: answers to answers", low=-0.25, high=float(max(x.max(), 1.0)) + 0.25, whole=True)
    return Panel(title, across, Axis("", shown=False), tuple(marks))


def _told(found: Threads, place: int, name: str) -> str:
    who = agent_name(int(found.agent[place]))
    return f"{who} ({name}), step {int(found.step[place])}: {safe_line(found.content[place], WORDS_MOST)}"


def _heights(found: Threads, places: Sequence[int] | I64) -> dict[int, float]:
    """Where each post stands across its depth: leaves one below another, a parent in the middle of its answers."""
    answers: dict[int, list[int]] = {}
    kept = {int(place) for place in places}
    for place in places:
        parent = int(found.parent[place])
        if parent in kept:
            answers.setdefault(parent, []).append(int(place))
    height: dict[int, float] = {}
    leaves = 0
    waiting = [(int(places[0]), False)]
    while waiting:
        place, is_back = waiting.pop()
        own = answers.get(place, [])
        if not own:
            height[place] = -float(leaves)
            leaves += 1
        elif is_back:
            height[place] = (height[own[0]] + height[own[-1]]) / 2.0
        else:
            waiting.append((place, True))
            waiting += [(answer, False) for answer in reversed(own)]
    return height
