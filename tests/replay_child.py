"""Run as a program: plays the scenarios of a JSON file and prints the hash of each trajectory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mesocosm.config.load import scenario_from_dict
from trajectory import play

if __name__ == "__main__":
    for mapping in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        print(play([scenario_from_dict(mapping)]).hash(), flush=True)
