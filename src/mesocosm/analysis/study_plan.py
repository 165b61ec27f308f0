"""Everything that a study will run, as cells of a sweep, and how it is played."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesocosm.analysis.comparison import COMPARED
from mesocosm.analysis.economies import Economy, draw_economies
from mesocosm.analysis.registration import expected_of, note, note_source, write_expected
from mesocosm.config.study import Design, dump_study
from mesocosm.config.study_schema import TUNING_SEEDS, Study
from mesocosm.errors import UsageError
from mesocosm.log.files import try_out, write_atomic
from mesocosm.metrics.evaluate import DEFAULT_METRICS
from mesocosm.metrics.reporters import with_twins
from mesocosm.runner import directory
from mesocosm.runner.cells import Cell, CellStore, name_cells
from mesocosm.runner.sweep import Played, in_shard, play_sweep
from mesocosm.runner.table import Share
from mesocosm.runner.worker import Asked

STUDY = "study.yaml"
#: what is kept by epoch for pictures, beside what is compared
PICTURED = ("participation", "conditional_loss_initiator", "influence_gini")


@dataclass(frozen=True)
class StudyPlan:
    """The cells of a study: by setting and arm, and by economy and arm, one name a seed."""

    design: Design
    asked: Asked
    cells: list[Cell]
    places: dict[tuple[str, str], list[str]]
    economies: list[Economy]
    economy_places: list[dict[str, list[str]]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the main runs."""
        return tuple(self.design.study.seeds.chosen)


def plan_study(design: Design, plugins: Sequence[str | Path] = ()) -> StudyPlan:
    """Spell out and name every run of a study; runs of a seed stand together, so that a shard has its share of all.

    Raises   ConfigError when its economies cannot be built.
    """
    study, seeds = design.study, design.study.seeds.chosen
    measured = [outcome.metric for outcome in study.outcomes.values()]
    followed = with_twins(dict.fromkeys([*COMPARED, study.primary, *measured, *study.metrics]))
    names = with_twins(dict.fromkeys([*followed, *DEFAULT_METRICS]))
    curves = with_twins(dict.fromkeys([*followed, *PICTURED]))
    asked = Asked(names, curves, tuple(map(str, plugins)))
    economies = draw_economies(design)
    main = [(key, scenario, seed) for seed in seeds for key, scenario in design.scenarios.items()]
    other = [
        ((number, arm), scenario, seed)
        for number, economy in enumerate(economies)
        for seed in seeds_elsewhere(study, number)
        for arm, scenario in economy.scenarios.items()
    ]
    cells = name_cells([(scenario, seed) for _, scenario, seed in [*main, *other]], asked.names, plugins)
    places: dict[tuple[str, str], list[str]] = {key: [] for key in design.scenarios}
    for (key, _, _), cell in zip(main, cells, strict=False):
        places[key].append(cell.name)
    economy_places: list[dict[str, list[str]]] = [{arm: [] for arm in economy.scenarios} for economy in economies]
    for ((number, arm), _, _), cell in zip(other, cells[len(main) :], strict=True):
        economy_places[number][arm].append(cell.name)
    return StudyPlan(design, asked, cells, places, economies, economy_places)


def seeds_elsewhere(study: Study, number: int) -> list[int]:
    """Seeds of one economy of the hypercube: others than those of any other economy, so that none shares its luck.

    Example
        >>> from mesocosm.config.study import load_study
        >>> seeds_elsewhere(load_study("adversarial_share").study, 2)
        [1008, 1009, 1010, 1011]
    """
    if study.robustness is None:
        return []
    count, first = study.robustness.seeds, study.seeds.chosen[0]
    wanted = range(first + number * count, first + (number + 1) * count)
    if study.seeds.purpose == "tuning":  # there are only so many; beyond them economies do share seeds
        return [seed % TUNING_SEEDS for seed in wanted]
    return list(wanted)


def study_folder(design: Design) -> Path:
    """Where a study's results are kept unless one says otherwise: always the same, so that it can go on."""
    return directory.run_root() / f"study_{design.study.study_id}"


def play_study(
    plan: StudyPlan,
    folder: Path,
    *,
    workers: int = 1,
    executor: str = "local",
    shard: tuple[int, int] | None = None,
    merge: Sequence[Path] = (),
    progress: Share | None = None,
) -> Played:
    """Play the cells of a study that are missing in its directory, or those of one shard of it.

    Params   shard: (i, n), to play every n-th cell only; merge: other sweeps to take finished cells from.
    Raises   UsageError for a shard or a directory that there cannot be; MesocosmError as `play_sweep`.
    """
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise UsageError(f"shard {shard[0]}/{shard[1]}: the first number counts from 1 to the second.")
    taken = _write_down(plan, folder, merge)
    cells = plan.cells if shard is None else in_shard(plan.cells, shard)
    began = directory.now()
    played = play_sweep(cells, plan.asked, folder, workers=workers, executor=executor, progress=progress)
    facts = {"session": began, "finished": directory.now(), "host": directory.host_facts(), "process": os.getpid()}
    where = {"shard": f"{shard[0]}/{shard[1]}" if shard else "", "merged": taken, "plugins": list(plan.asked.plugins)}
    note(folder, facts | where | {name: getattr(played, name) for name in played.__slots__})
    return played


def missing_cells(plan: StudyPlan, folder: Path) -> int:
    """How many cells of a study have not been played."""
    return len({cell.name for cell in plan.cells} - CellStore(folder).finished())


def _write_down(plan: StudyPlan, folder: Path, merge: Sequence[Path]) -> dict[str, int]:
    """Note what is expected, and where results come from, before any of them is taken; returns how many were."""
    try_out(folder)
    store, names = CellStore(folder), [cell.name for cell in plan.cells]
    here, taken = len(store.finished()), {}
    wanted = {other: store.missing_from(CellStore(other), names) for other in merge}
    for other, cells in wanted.items():
        if cells:
            note_source(folder, other, len(cells))
    write_atomic(folder / STUDY, dump_study(plan.design.study).encode(), shared=True)
    write_expected(folder, expected_of(plan.design, plan.asked.plugins), here + sum(map(len, wanted.values())))
    for other, cells in wanted.items():
        taken[str(other)] = store.take_from(CellStore(other), cells)
    return taken
