"""``mesocosm new``: a scenario, study, policy, agent, lever or metric to start from, ready to run."""

from __future__ import annotations

import keyword
import re
import shlex
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from mesocosm import registry
from mesocosm.cli.arguments import AsJson
from mesocosm.cli.screen import say_json, say_whole
from mesocosm.config.load import bundled_scenarios
from mesocosm.config.study import bundled_studies
from mesocosm.errors import UsageError, nearest

TEMPLATES = Path(__file__).resolve().parent / "templates"
#: kind -> ending of its file, and the command that tries it out
KINDS = {
    "scenario": (".yaml", "mesocosm run {file}"),
    "study": (".yaml", "mesocosm sweep {file}"),
    "policy": (".py", "mesocosm run baseline --plugin {file} --set agents.3.type={name}"),
    "agent": (".py", "mesocosm run baseline --plugin {file} --set agents.3.type={name}"),
    "lever": (".py", "mesocosm run baseline --plugin {file} --set governance.{name}.rate=0.1"),
    "metric": (".py", "mesocosm run baseline --plugin {file} --set 'metrics_to_track=[{name}]'"),
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FILE_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")


def starter_command(
    kind: Annotated[str, typer.Argument(help="scenario, study, policy, agent, lever or metric.")],
    name: Annotated[str, typer.Argument(help="What it is to be called: small letters, digits and _.")],
    output: Annotated[str, typer.Option(metavar="FILE", help="Where to write.", show_default="NAME.py or .yaml")] = "",
    as_json: AsJson = False,
) -> int:
    """Start a scenario, study, policy, agent, lever or metric of your own, from one that runs as it is."""
    if kind not in KINDS:
        raise UsageError(f"cannot start a new {kind!r}. {nearest(kind, KINDS)}")
    ending, trial = KINDS[kind]
    _check_name(kind, name)
    path = Path(output or f"{name}{ending}")
    if path.suffix != ending:
        raise UsageError(f"{path}: the file of a {kind} ends in {ending}.")
    text = (TEMPLATES / f"{kind}{ending}.txt").read_text(encoding="utf-8")
    words = {"name": name, "Class": "".join(word.capitalize() for word in re.split("[_-]", name))}
    _write_anew(path, Template(text).substitute(words))
    command = trial.format(file=shlex.quote(str(path)), name=name)
    if as_json:
        say_json({"kind": kind, "name": name, "file": str(path), "next": command})
    else:
        say_whole("written", str(path))
        say_whole("next", command)
    return 0


def _check_name(kind: str, name: str) -> None:
    bundled = {"scenario": bundled_scenarios, "study": bundled_studies}
    form = _FILE_NAME if kind in bundled else _NAME
    if not form.fullmatch(name) or (kind not in bundled and keyword.iskeyword(name)):
        raise UsageError(f"{name!r} cannot be a name: use small letters, digits and _, as in my_{kind}.")
    taken = bundled[kind]() if kind in bundled else registry.names("policy" if kind == "agent" else kind)
    if name in taken:
        raise UsageError(f"there is a {kind} {name!r} already; choose another name.")


def _write_anew(path: Path, text: str) -> None:
    """Write a file that must not be there yet."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already and is left as it is. Choose another --output.") from None
