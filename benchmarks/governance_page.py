"""Writes the tables of the bundled studies of governance into docs/governance.md, between their marks.

    .venv/bin/python -m benchmarks.governance_page [STUDY ...]

Results are kept under build/studies, so that a second time plays only what is missing. What is not between marks is
left as it is: read the tables, then mend the words above them.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from mesocosm.analysis.study import sweep
from mesocosm.analysis.study_record import save_study

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "governance.md"
STUDIES = ("governance_mvp", "breaker_surface", "governance_honest")


def begin_of(study: str) -> str:
    """The mark before a study's tables."""
    return f"<!-- {study} -->\n"


def end_of(study: str) -> str:
    """The mark after a study's tables."""
    return f"<!-- end of {study} -->\n"


def tables_of(study: str, folder: Path) -> str:
    """Play a study into a folder and give its tables as Markdown, headings one level lower."""
    save_study(sweep(study, output=folder), folder)
    page = (folder / "study.md").read_text(encoding="utf-8")
    lines = page[: page.index("## Intervals")].splitlines()[1:]
    digest = sha256((folder / "study.json").read_bytes()).hexdigest()[:16]
    made = f"`mesocosm sweep {study}`, SHA-256 of study.json {digest}."
    return "\n".join([made, *(f"#{line}" if line.startswith("#") else line for line in lines)]).rstrip() + "\n"


def main(studies: list[str]) -> None:
    """Replace what is between the marks of each study, and the date."""
    for study in studies or STUDIES:
        found = tables_of(study, ROOT / "build" / "studies" / study)
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(begin_of(study))
        old, _, after = rest.partition(end_of(study))
        dated = f"Made on {datetime.now(UTC):%Y-%m-%d} by {found}"
        if old.partition(" by ")[2].strip() == found.strip():
            print(f"{study}: as published")
            continue
        PAGE.write_text(before + begin_of(study) + dated + end_of(study) + after, encoding="utf-8")
        print(f"{study}: published; read it")


if __name__ == "__main__":
    main(sys.argv[1:])
