from mesocosm.agents.contract import Agent, agent
from mesocosm.analysis.comparison import compare
from mesocosm.analysis.divergence import diff
from mesocosm.analysis.figures.draw import figure
from mesocosm.analysis.parameter_sweep import ParameterSweep
from mesocosm.analysis.study import sweep
from mesocosm.analysis.validation import validate
from mesocosm.config.load import load_scenario
from mesocosm.config.schema import Scenario
from mesocosm.registry import lever, metric, param, policy
from mesocosm.runner.branch import branch
from mesocosm.runner.replay import replay
from mesocosm.runner.runner import load_run, run

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

__version__: str
