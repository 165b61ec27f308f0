"""Mesocosm: a sandbox economy of many agents, and the levers that might govern it.

The public names are found on first use, so that ``import mesocosm`` costs next to nothing:

    import mesocosm as mc
    run = mc.run("baseline", seed=42)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: public name -> the module that defines it
_HOME = {
    "Agent": "mesocosm.agents.contract",
    "ParameterSweep": "mesocosm.analysis.parameter_sweep",
    "Scenario": "mesocosm.config.schema",
    "agent": "mesocosm.agents.contract",
    "branch": "mesocosm.runner.branch",
    "compare": "mesocosm.analysis.comparison",
    "diff": "mesocosm.analysis.divergence",
    "figure": "mesocosm.analysis.figures.draw",
    "lever": "mesocosm.registry",
    "load_run": "mesocosm.runner.runner",
    "load_scenario": "mesocosm.config.load",
    "metric": "mesocosm.registry",
    "param": "mesocosm.registry",
    "policy": "mesocosm.registry",
    "replay": "mesocosm.runner.replay",
    "run": "mesocosm.runner.runner",
    "sweep": "mesocosm.analysis.study",
    "validate": "mesocosm.analysis.validation",
}

__all__ = [
    "Agent",
    "ParameterSweep",
    "Scenario",
    "__version__",
    "agent",
    "branch",
    "compare",
    "diff",
    "figure",
    "lever",
    "load_run",
    "load_scenario",
    "metric",
    "param",
    "policy",
    "replay",
    "run",
    "sweep",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
