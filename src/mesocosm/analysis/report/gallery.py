"""All pictures of a run or a study on a page, and why others are not there."""

from __future__ import annotations

from collections.abc import Iterator

from mesocosm.analysis.figures.kinds import KINDS, OVERVIEW, kinds_of, maybe_picture
from mesocosm.analysis.figures.run_source import RunSource
from mesocosm.analysis.report.inline_svg import picture_markup
from mesocosm.analysis.report.markup import Child, Markup, tag
from mesocosm.analysis.study import StudyResults
from mesocosm.errors import UsageError


def gallery_of(source: RunSource | StudyResults) -> Iterator[Child]:
    """Every kind of picture that there is data for, the overview aside, whose parts all have their own."""
    drawn, left = list[Markup](), list[str]()
    for kind in kinds_of(source):
        if kind == OVERVIEW:
            continue
        try:
            picture = maybe_picture(kind, source, kind)
        except UsageError as error:
            left.append(f"{kind}: {error}")
            continue
        if picture is None:
            left.append(f"{kind}: to have it, {KINDS[kind][1]}.")
        else:
            drawn.append(picture_markup(picture, KINDS[kind][0]))
    yield tag("div", *drawn, class_="gallery")
    if left:
        yield tag("p", "Not shown: ", " ".join(left), class_="about")
