"""A sweep written in Python: a scenario, some keys with values to try, and every combination of them played.

Example
    >>> sweep = ParameterSweep("baseline", seeds=2, epochs=1)
    >>> sweep.add_variation("governance.transaction_tax.rate", [0.0, 0.1])
    >>> sweep.add_variation("payoff.theta", [0.4, 0.6])
    >>> len(sweep.generate_scenarios())
    4
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mesocosm.analysis.comparison import listed_words
from mesocosm.analysis.study import StudyResults, sweep
from mesocosm.config.load import load_scenario
from mesocosm.config.overrides import set_twice
from mesocosm.config.schema import Scenario
from mesocosm.config.study import Design, study_from_dict
from mesocosm.config.wording import shown_value
from mesocosm.errors import UsageError
from mesocosm.runner.cells import content_hash
from mesocosm.runner.table import Share


class ParameterSweep:
    """Every combination of some values, each compared with the scenario as it is, over paired seeds.

    Source   Plan 2.3, Parameter Sweep
    """

    def __init__(
        self,
        base_scenario: str | Path | Scenario,
        *,
        seeds: int = 30,
        epochs: int | None = None,
        primary: str = "toxicity_true",
        smallest_effect: float = 0.01,
        metrics: str | Sequence[str] = (),
        controls: bool = True,
        name: str = "",
    ) -> None:
        """Begin with a scenario.

        Params   seeds: how many, from 1000 on; primary: the metric on which verdicts are given; smallest_effect: the
                 least change of it that would matter; metrics: further ones; controls: run sham, redraw and oracle too;
                 name: of the study, and so of its directory; by default sweep_ and the scenario's, with eight digits
                 of what a loaded scenario plays, so that scenarios changed in Python keep directories apart.
        Raises   ConfigError with every mistake of the scenario; UsageError for metrics that are no names.
        """
        self.base = base_scenario if isinstance(base_scenario, Scenario) else load_scenario(base_scenario)
        self.variations: list[dict[str, Any]] = []
        self._asked: dict[str, Any] = {
            "study_id": name or _name_of(self.base, isinstance(base_scenario, Scenario)),
            "base": self.base.scenario_id,
            "epochs": epochs,
            "primary": primary,
            "smallest_effect": smallest_effect,
            "metrics": listed_words(metrics, "metrics"),
            "controls": controls,
            "seeds": seeds,
        }

    def add_variation(self, param_path: str, values: Sequence[Any]) -> None:
        """Vary a key, as in "governance.transaction_tax.rate", over some values.

        Raises   UsageError when the key, or what holds it, is varied already, or the values are no list; ConfigError
                 for a key that does not exist and values that cannot be.
        """
        if not isinstance(param_path, str):
            raise UsageError(f"a key is text, as in payoff.theta, and {shown_value(param_path)} was given.")
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            raise UsageError(f"{param_path}: give a list of values, as in [0.1, 0.2]; {shown_value(values)} was given.")
        known = [variation["param_path"] for variation in self.variations]
        for _, other in set_twice([*known, param_path]):
            raise UsageError(f"{other if other == param_path else f'{param_path} with {other}'} is varied already; "
                             "give all its values at once.")  # fmt: skip
        wanted = list(values)
        study_from_dict(self._asked | {"axes": {param_path: wanted}}, self.base)
        self.variations.append({"param_path": param_path, "values": wanted})

    @property
    def design(self) -> Design:
        """The sweep as a study.

        Raises   ConfigError with every key and value that cannot be; UsageError when nothing is varied.
        """
        if not self.variations:
            raise UsageError('nothing varies yet: add_variation("governance.transaction_tax.rate", [0.05, 0.1]).')
        axes = {variation["param_path"]: variation["values"] for variation in self.variations}
        return study_from_dict(self._asked | {"axes": axes}, self.base)

    def generate_scenarios(self) -> list[Scenario]:
        """The scenario of every combination.

        Raises   as `design`.
        """
        design = self.design
        return [design.scenarios[next(iter(design.settings)), arm] for arm in design.arms]

    def run_sweep(
        self,
        n_workers: int = 4,
        *,
        executor: str = "local",
        output: str | Path | None = None,
        progress: Share | None = None,
    ) -> StudyResults:
        """Play every combination that has not been played yet, and read all of them.

        Params   n_workers: processes; executor: local or ray; output: directory, else study_NAME under the run root.
        Raises   as `design`; MesocosmError when a run fails or the disk refuses.
        """
        return sweep(self.design, workers=n_workers, executor=executor, output=output, progress=progress)


def _name_of(base: Scenario, is_loaded: bool) -> str:
    told = f"sweep_{base.scenario_id}"
    return f"{told[:55]}_{content_hash(base)[:8]}" if is_loaded else told[:64]
