"""What the dashboard may open: directories directly under the run root, by id, and plain files inside them.

An id comes from an address bar, so it is taken for hostile: it must look like an id, name a real directory (no link)
directly under the run root, and whatever is read there must be a plain file (no link, pipe or device).
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from mesocosm.analysis.comparison_record import RECORD as COMPARISON
from mesocosm.analysis.study_record import RECORD, RUNS
from mesocosm.errors import MesocosmError, UsageError
from mesocosm.log.files import EVENTS, explain
from mesocosm.runner.directory import LATEST, MANIFEST, RUN_ID, SCENARIO, run_root

#: kind -> the plain files that such a directory has
MARKS = {"run": (MANIFEST,), "study": (RECORD, RUNS), "comparison": (COMPARISON,)}


@dataclass(frozen=True)
class Openable:
    """A directory under the run root that the dashboard may open.

    Params   kind: run, study or comparison; changed: when its manifest or record was last written, in ns.
    """

    run_id: str
    path: Path
    kind: str
    changed: int


def places(kind: str) -> list[Openable]:
    """The runs, the studies or the comparisons under the run root, the one last written to first.

    Params   kind: run, study or comparison.
    """
    try:
        entries = sorted(item.name for item in run_root().iterdir())
    except OSError:
        return []
    found = [place for name in entries if (place := _place(name, kind)) is not None]
    return sorted(found, key=lambda place: (place.changed, place.run_id), reverse=True)


def _place(name: str, kind: str) -> Openable | None:
    folder = _folder(name)
    if folder is None:
        return None
    marks = MARKS[kind]
    times = [_plain_file(folder / mark) for mark in marks]
    if any(time is None for time in times):
        return None
    return Openable(name, folder, kind, max(time for time in times if time is not None))


def _folder(name: str) -> Path | None:
    """The real directory of that name directly under the run root."""
    if not RUN_ID.fullmatch(name):
        return None
    path = run_root() / name
    try:
        return path if stat.S_ISDIR(path.lstat().st_mode) else None
    except (OSError, ValueError):
        return None


def _plain_file(path: Path) -> int | None:
    """When a plain file was last written, in ns; None when it is not one."""
    try:
        facts = path.lstat()
    except (OSError, ValueError):
        return None
    return facts.st_mtime_ns if stat.S_ISREG(facts.st_mode) else None


def open_place(name: object, kind: str = "run") -> Openable:
    """The run, study or comparison of an id, or the last one written to for `latest`.

    Raises   UsageError when there is none under the run root, whatever else the name may stand for.
    """
    known = places(kind) if name == LATEST else []
    if known:
        return known[0]
    found = _place(name, kind) if isinstance(name, str) and len(name) <= 128 else None
    if found is None:
        raise UsageError(f"there is no {kind} of this id under the run root. Choose one from the list.")
    return found


def is_fresh(place: Openable) -> bool:
    """Whether there is a manifest and a scenario but no log yet: the run is about to begin."""
    return _plain_file(place.path / EVENTS) is None and _plain_file(place.path / SCENARIO) is not None


def file_of(folder: Path, *parts: str) -> Path:
    """A plain file inside a run directory.

    Raises   MesocosmError when it is not there, or is a link, or lies behind one.
    """
    path = folder
    for part in parts:
        path = path / part
        try:
            mode = path.lstat().st_mode
        except OSError as error:
            raise explain(path, "open this file", error) from error
        if not (stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and part != parts[-1])):
            raise MesocosmError(f"{path.name}: this is not a plain file of the run, so it is not opened.")
    return path


def has_file(folder: Path, *parts: str) -> bool:
    """Whether a run directory has such a plain file."""
    try:
        file_of(folder, *parts)
    except MesocosmError:
        return False
    return True


def refuse_links(place: Openable) -> None:
    """Refuse a run that holds anything but plain files and directories, before code that follows links reads it.

    Raises   MesocosmError naming what is something else.
    """
    folders = [place.path]
    while folders:
        for item in sorted(folders.pop().iterdir()):
            mode = item.lstat().st_mode
            if stat.S_ISDIR(mode):
                folders.append(item)
            elif not stat.S_ISREG(mode):
                raise MesocosmError(f"{item.name}: this is not a plain file of the run, so the run is not read.")


def id_of(argument: str) -> str:
    """The id meant by what stands on the command line: an id, `latest`, or the path of a run under the run root.

    Raises   UsageError for a path that leads elsewhere.
    """
    try:
        given = Path(argument).resolve()
        if given.parent == run_root().resolve() and _place(given.name, "run") is not None:
            return given.name
    except (OSError, ValueError):
        pass
    try:
        return open_place(argument).run_id
    except UsageError as error:
        raise UsageError(
            f"{argument!r} is no run under {run_root()}. The dashboard opens runs under the run root only: "
            "set MESOCOSM_RUNS to the folder that holds the run, or give its id."
        ) from error
