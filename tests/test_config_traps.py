"""Nothing wrong with a scenario file passes, and every mistake is told at its place with the right key."""

from __future__ import annotations

import contextlib
import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from fake_registry import only_fakes
from mesocosm.config import yaml_source
from mesocosm.config.load import parse_scenario, scenario_from_dict, scenario_text, scenario_to_dict
from mesocosm.config.outline import edit_distance, governance_keys, single_keys, subtree
from mesocosm.config.schema import Scenario
from mesocosm.config.yaml_source import KeyPath, read_yaml, resolve_scalar
from mesocosm.errors import ConfigError, Mistake


@pytest.fixture(scope="module", autouse=True)
def _fakes() -> Iterator[None]:
    with only_fakes():
        yield


HEAD = "scenario_id: t\nagents: [{type: honest, count: 1}]\n"  # what is wrong begins in line 3


def mistakes_of(text: str | bytes) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_scenario(text, "mine.yaml")
    return caught.value.mistakes


# what the file says after HEAD, and where and what its first mistake is
TRAPS = {
    # keys
    "unknown key": ("colour: red\n", 3, 1, "colour: unknown key. Known here: scenario_id"),
    "misspelt section": ("simulaton: {}\n", 3, 1, "Did you mean simulation?"),
    "misspelt key": ("simulation:\n  epoch: 3\n", 4, 3, "simulation.epoch: unknown key. Did you mean epochs?"),
    "key in the wrong case": ("simulation:\n  Epochs: 3\n", 4, 3, "Did you mean epochs?"),
    "key with a hyphen": ("simulation:\n  steps-per-epoch: 3\n", 4, 3, "Did you mean steps_per_epoch?"),
    "key at the wrong level": ("epochs: 3\n", 3, 1, "epochs: unknown key. It belongs under simulation."),
    "key in the wrong section": (
        "payoff:\n  q_low: .1\n",
        4,
        3,
        "payoff.q_low: unknown key. It belongs under conduct.",
    ),
    "misspelt key at the wrong level": ("stepsper_epoch: 3\n", 3, 1, "steps_per_epoch, which belongs under simulation"),
    "section inside another": ("simulation:\n  payoff: {}\n", 4, 3, "It belongs at the top level."),
    "duplicate section": ("log: {}\nlog: {}\n", 4, 1, "log: duplicate key; it is already set in line 3"),
    "duplicate key": (
        "feed:\n  alpha: 1\n  alpha: 1\n",
        5,
        3,
        "feed.alpha: duplicate key; it is already set in line 4",
    ),
    "duplicate key in braces": ("feed: {alpha: 1, 'alpha': 1}\n", 3, 18, "feed.alpha: duplicate key"),
    "missing keys of a group": ("population: {arrivals: [{type: honest}]}\n", 3, 25, "count: is missing"),
    "list as key": ("? [a]\n: 1\n", 3, 3, "a key must be a word"),
    "empty key": ("'': 1\n", 3, 1, "unknown key"),
    "number as key": ("3: 1\n", 3, 1, "3: unknown key"),
    # types
    "text for a whole number": ("simulation:\n  epochs: many\n", 4, 11, "'many' is text, expected a whole number"),
    "quoted number": ("simulation: {epochs: '3'}\n", 3, 22, "'3' is text, expected a whole number; write 3 without"),
    "quoted fraction": ("payoff: {h: '.5'}\n", 3, 13, "'.5' is text, expected a number; write it without quotes"),
    "fraction for a whole number": ("simulation: {epochs: 2.5}\n", 3, 22, "got 2.5, expected a whole number"),
    "whole number with a point": ("simulation: {epochs: 1e3}\n", 3, 22, "expected a whole number; write 1000"),
    "time of day": ("simulation:\n  epochs: 12:30:45\n", 4, 11, "'12:30:45' is text, expected a whole number"),
    "date": ("simulation: {seed: 2024-01-01}\n", 3, 20, "'2024-01-01' is text"),
    "no for false": ("simulation:\n  phases: {feed: no}\n", 4, 18, "'no' is text, expected true or false; write false"),
    "Yes for true": (
        "safety: {kill_switch_enabled: Yes}\n",
        3,
        31,
        "'Yes' is text, expected true or false; write true",
    ),
    "no for a number": ("payoff: {h: no}\n", 3, 13, "'no' is text, expected a number"),
    "one for true": ("safety: {kill_switch_enabled: 1}\n", 3, 31, "got 1, expected true or false"),
    "true for a number": ("payoff: {h: true}\n", 3, 13, "got true, expected a number"),
    "true for a count": ("tasks: {per_epoch: true}\n", 3, 20, "got true, expected a whole number"),
    "number for text": ("motif: 3\n", 3, 8, "motif: got 3, expected text; put it in quotes"),
    "underscores": ("simulation: {epochs: 1_000}\n", 3, 22, "'1_000' is text, expected a whole number; write 1000"),
    "decimal comma": ("payoff:\n  h: 1,5\n", 4, 6, "'1,5' is text, expected a number; write 1.5"),
    "per cent": ("payoff: {theta: 50%}\n", 3, 17, "'50%' is text, expected a number; write 0.5"),
    "nothing for a number": ("payoff:\n  h:\n", 4, 5, "nothing is given, expected a number; remove the line"),
    "nothing for a section": ("payoff:\n", 3, 8, "payoff: nothing is given, expected a block of keys"),
    "list for a section": ("payoff: [1]\n", 3, 9, "payoff: got a list of 1, expected a block of keys"),
    "text for a section": ("log: full\n", 3, 6, "log: 'full' is text, expected a block of keys"),
    "section for a number": ("payoff: {h: {a: 1}}\n", 3, 13, "payoff.h: got a block of keys, expected a number"),
    "text for a list": ("metrics_to_track: toxicity_rate\n", 3, 19, "'toxicity_rate' is text, expected a list"),
    "text in a list of numbers": ("conduct: {effort_menu: [0, x]}\n", 3, 28, "effort_menu.1: 'x' is text"),
    # values
    "negative": ("simulation:\n  epochs: -1\n", 4, 11, "simulation.epochs: must be at least 0, got -1"),
    "too large": ("payoff: {theta: 1.01}\n", 3, 17, "payoff.theta: must be at most 1, got 1.01"),
    "on an open bound": ("proxy: {prior: 1}\n", 3, 16, "proxy.prior: must be below 1, got 1"),
    "not above zero": ("proxy: {k: 0}\n", 3, 12, "proxy.k: must be above 0, got 0"),
    "not a multiple": ("feed: {capacity: 100}\n", 3, 18, "feed.capacity: must be a multiple of 64, got 100"),
    "not a number": ("payoff: {h: .nan}\n", 3, 13, "payoff.h: must be a finite number, got .nan"),
    "infinite": ("payoff: {h: -.INF}\n", 3, 13, "payoff.h: must be a finite number, got -.inf"),
    "beyond floating point": ("payoff: {h: 1e999}\n", 3, 13, "payoff.h: 1e999 is too large for a number"),
    "very long number": ("payoff: {h: " + "9" * 5000 + "}\n", 3, 13, "payoff.h: a number of 5000 digits is longer"),
    "seed beyond 63 bits": ("simulation: {seed: 9223372036854775808}\n", 3, 20, "must be at most 9223372036854775807"),
    "unknown word": ("log:\n  level: ful\n", 4, 10, "log.level: unknown level 'ful'. Did you mean full?"),
    "number for a word": ("log: {level: 1}\n", 3, 14, "log.level: got 1, expected one of full, columns, epoch"),
    "unknown metric": (
        "metrics_to_track: [quality_gpa]\n",
        3,
        20,
        "unknown metric 'quality_gpa'. Did you mean quality_gap?",
    ),
    "misspelt adaptation": ("adaptation: learnign\n", 3, 13, "unknown adaptation 'learnign'. Did you mean learning?"),
    "menu out of order": ("conduct: {effort_menu: [1, 0]}\n", 3, 24, "effort_menu: the values must rise"),
    "menu with a value twice": ("conduct: {effort_menu: [0, 0]}\n", 3, 24, "each one once"),
    "menu beyond one": ("conduct: {disguise_menu: [0, 2]}\n", 3, 30, "disguise_menu.1: must be at most 1, got 2"),
    "menu too long": (f"conduct: {{effort_menu: {[i / 10 for i in range(9)]}}}\n", 3, 24, "at most 8 entries, got 9"),
    "empty menu": ("conduct: {effort_menu: []}\n", 3, 24, "effort_menu: needs at least one entry"),
    "menu without rest": ("conduct: {transfer_menu: [-1, 1]}\n", 3, 26, "transfer_menu: must contain 0"),
    "effort that hurts": ("conduct:\n  q_low: .9\n  q_high: .5\n", 4, 10, "q_low: must not exceed q_high (0.5)"),
    "more seen than kept": ("feed: {visible: 200}\n", 3, 17, "visible: must not exceed feed.capacity (64), got 200"),
    "rates above one": ("feed: {vote_rate: .9}\n", 3, 19, "post_rate + reply_rate + vote_rate must not exceed 1"),
    "weights of nothing": (
        "proxy:\n  weights: {progress: 0, rework: 0, rejection_misuse: 0, engagement: 0}\n",
        4,
        12,
        "proxy.weights: at least one weight must be above 0",
    ),
    "too little room": (
        "population: {capacity: 1, arrivals: [{epoch: 1, type: honest, count: 5}]}\n",
        3,
        24,
        "at least 6",
    ),
    "too much money": (
        "environment:\n  initial_budget: 1e9\npopulation:\n  capacity: 2000\n",
        4,
        19,
        "times 2000 agents exceeds",
    ),
    "arrival before the start": ("population: {arrivals: [{epoch: 0, type: honest, count: 5}]}\n", 3, 33, "at least 1"),
    "arrival of a stranger": (
        "population: {arrivals: [{epoch: 1, type: honset, count: 5}]}\n",
        3,
        42,
        "Did you mean honest?",
    ),
    "departure of nobody": (
        "population: {departures: [{epoch: 1, type: deceptive, count: 5}]}\n",
        3,
        44,
        "no agent of this scenario is 'dec",
    ),
    "control character written out": ('motif: "\\x07"\n', 3, 8, "motif: holds the control character U+0007"),
    "half a character": ('motif: "\\ud800"\n', 3, 8, ""),
    "endless motif": ("motif: " + "x" * 300 + "\n", 3, 8, "motif: at most 200 characters, got 300"),
    # governance
    "unknown lever": (
        "governance:\n  randm_audit: {}\n",
        4,
        3,
        "governance.randm_audit: unknown key. Did you mean random_audit?",
    ),
    "misspelt short form": ("governance: {transaction_taxrate: .1}\n", 3, 14, "Did you mean transaction_tax_rate?"),
    "lever at the top level": ("random_audit: {}\n", 3, 1, "random_audit: unknown key. It belongs under governance."),
    "parameter without its lever": ("governance: {penalty: 3}\n", 3, 14, "It belongs under governance.random_audit."),
    "misspelt parameter": (
        "governance: {random_audit: {penlty: 3}}\n",
        3,
        29,
        "random_audit.penlty: unknown key. Did you mean pen",
    ),
    "lever without parameters": ("governance: {sham: {rate: 3}}\n", 3, 21, "governance.sham.rate: unknown key."),
    "value for a lever": (
        "governance: {random_audit: .2}\n",
        3,
        28,
        "expected its parameters, as in random_audit: {probab",
    ),
    "block for a short form": (
        "governance: {transaction_tax_rate: {}}\n",
        3,
        36,
        "short form of governance.transaction_tax.rate",
    ),
    "both spellings": (
        "governance:\n  transaction_tax_rate: .1\n  transaction_tax: {rate: .1}\n",
        4,
        3,
        "transaction_tax_rate: set twice: this is the short form of governance.transaction_tax.rate",
    ),
    "short form out of range": (
        "governance:\n  transaction_tax_rate: 5\n",
        4,
        25,
        "governance.transaction_tax_rate: must be at most 1",
    ),
    "lever out of range": (
        "governance: {random_audit: {probability: -1}}\n",
        3,
        42,
        "probability: must be at least 0, got -1",
    ),
    "word of a lever": (
        "governance: {random_audit: {reads: prox}}\n",
        3,
        36,
        "unknown word 'prox'. Did you mean proxy?",
    ),
    "list in a lever": ("governance: {random_audit: {tiers: [0, x]}}\n", 3, 40, "random_audit.tiers.1: 'x' is text"),
    "not a number in a lever": (
        "governance: {random_audit: {tiers: [.nan]}}\n",
        3,
        37,
        "tiers.0: must be a finite number",
    ),
    "nothing for governance": ("governance:\n", 3, 12, "governance: nothing is given"),
    "list for governance": ("governance: [sham]\n", 3, 13, "governance: got a list of 1, expected a block of keys"),
    # the text itself
    "anchor": ("feed: &x {}\n", 3, 7, "feed: anchors (&x) are not supported"),
    "alias": ("feed: *x\n", 3, 7, "feed: aliases (*x) are not supported; write the value out"),
    "tag": ("simulation: {seed: !!int '3'}\n", 3, 20, "simulation.seed: tags (!!int) are not supported"),
    "tag of Python": ("feed: !!python/object/apply:os.system ['ls']\n", 3, 7, "tags (!!python/object/apply:os.system)"),
    "local tag": ("motif: !secret x\n", 3, 8, "motif: tags (!secret) are not supported"),
    "merge key": ("feed:\n  <<: {alpha: 1}\n", 4, 3, "feed.<<: merge keys (<<) are not supported"),
    "second document": ("---\nlog: {}\n", 3, 1, "a second document begins here (---)"),
    "tab in the indentation": ("feed:\n\talpha: 1\n", 4, 1, "a tab stands here; use spaces"),
    "tab after a key": ("feed:\n  alpha:\t1\n", 4, 9, "a tab stands here; use spaces"),
    "control character": ("motif: a\x07b\n", 3, 9, "the control character U+0007 is not allowed"),
    "unclosed bracket": (
        "metrics_to_track: [a, b\nlog: {}\n",
        3,
        19,
        "this bracket is not closed, or a ',' is missing",
    ),
    "unclosed brace": ("log: {level: full\n", 3, 6, "this bracket is not closed"),
    "unclosed quote": ("motif: 'it\nlog: {}\n", 3, 8, "this text is not closed; a quote is missing"),
    "colon in a text": ("description: one: two\n", 3, 17, "put text that contains ': ' in quotes"),
    "wrong indentation": ("feed:\n    alpha: 1\n  beta: 1\n", 5, 3, "the indentation does not match the lines above"),
    "deeper after a value": ("motif: x\n  log: {}\n", 4, 6, "the indentation does not match the lines above"),
    "missing colon": ("feed\nlog: {}\n", 3, 1, "is a ':' missing"),
    "missing space after the colon": ("feed:{}\nlog: {}\n", 3, 1, ""),
    "text that begins oddly": ("motif: @home\n", 3, 8, "text cannot begin with this character; put it in quotes"),
    "unknown escape": ('motif: "\\q"\n', 3, 8, "unknown escape"),
    "list in a line of a key": ("metrics_to_track: - a\n", 3, 19, "a '-' cannot stand here"),
    "too deep": ("feed: " + "[" * 30 + "]" * 30 + "\n", 3, 26, "nested more than 20 levels deep"),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_told_at_its_place(trap: str) -> None:
    body, line, column, words = TRAPS[trap]
    first = mistakes_of(HEAD + body)[0]
    assert (first.line, first.path) == (line, "mine.yaml")
    assert words in str(first)
    if trap not in ("unknown escape", "half a character"):  # parsers of YAML differ in the column here
        assert first.column == column
    assert "\n" not in str(first)


WHOLE_FILES = {
    "empty": (b"", 1, 1, "the file is empty"),
    "only a comment": (b"# soon\n", 1, 1, "the file is empty"),
    "only a marker": (b"---\n", 1, 1, "the file is empty"),
    "a list": (b"- scenario_id: x\n", 1, 1, "a scenario is a block of keys"),
    "a word": (b"baseline\n", 1, 1, "a scenario is a block of keys, as in 'scenario_id: mine'; got 'baseline'"),
    "a directive": (b"%YAML 1.1\n---\nscenario_id: x\n", 1, 1, "directives (% at the start of a line)"),
    "not UTF-8": (b"scenario_id: caf\xe9\n", 1, 17, "byte 0xe9 is not UTF-8"),
    "UTF-16": ("scenario_id: x".encode("utf-16"), 1, 1, "saved as UTF-16; save it as UTF-8"),
    "byte-order mark": (b"\xef\xbb\xbfscenario_id: x\n", 1, 1, "byte-order mark"),
    "NUL": (b"scenario_id: \x00\n", 1, 14, "control character U+0000"),
    "too large": (b"#" * (1 << 20) + b"\n", 1, 1, "larger than 1 MiB"),
    "no agents": (b"scenario_id: x\nagents: []\n", 2, 9, "agents: needs at least one entry"),
    "agents missing": (b"scenario_id: x\n", 1, 1, "agents: is missing"),
    "negative count": (b"scenario_id: x\nagents:\n- type: honest\n  count: -3\n", 4, 10, "agents.0.count: must be at"),
    "no count": (b"scenario_id: x\nagents:\n- type: honest\n", 3, 3, "agents.0.count: is missing"),
    "unknown policy": (b"scenario_id: x\nagents:\n- {type: honst, count: 1}\n", 3, 10, "Did you mean honest?"),
    "unknown role": (
        b"scenario_id: x\nagents:\n- {type: honest, count: 1, role: wroker}\n",
        3,
        34,
        "agents.0.role: unknown role 'wroker'. Did you mean worker?",
    ),
    "unknown parameter": (
        b"scenario_id: x\nagents:\n- {type: honest, count: 1, params: {moood: calm}}\n",
        3,
        37,
        "Did you mean mood?",
    ),
    "parameter of a policy without any": (
        b"scenario_id: x\nagents:\n- {type: deceptive, count: 1, params: {mod: calm}}\n",
        3,
        40,
        "unknown key.",
    ),
    "parameter out of range": (
        b"scenario_id: x\nagents:\n- {type: honest, count: 1, params: {patience_span: 99}}\n",
        3,
        52,
        "must be at most 10",
    ),
    "a path as id": (b"scenario_id: ../x\nagents: [{type: honest, count: 1}]\n", 1, 14, "is not a name: use 1 to 64"),
    "agents as a block": (
        b"scenario_id: x\nagents: {honest: 3}\n",
        2,
        9,
        "agents: got a block of keys, expected a list",
    ),
}


@pytest.mark.parametrize("trap", WHOLE_FILES)
def test_a_file_that_is_no_scenario_is_told_as_such(trap: str) -> None:
    content, line, column, words = WHOLE_FILES[trap]
    first = mistakes_of(content)[0]
    assert (first.line, first.column) == (line, column)
    assert words in str(first)


def test_all_mistakes_come_in_one_message_in_the_order_of_the_file() -> None:
    text = HEAD.replace("count: 1", "count: 0") + "\n".join(
        [
            "epochs: 3",
            "payoff: {h: no, theta: 2}",
            "simulation:",
            "  sed: 1",
            "  seed: *x",
            "payoff: {}",
            "log: {level: .nan}",
        ]
    )
    places = [(mistake.line, mistake.column, mistake.key) for mistake in mistakes_of(text)]
    assert places == [
        (2, 32, "agents.0.count"),
        (3, 1, "epochs"),
        (4, 13, "payoff.h"),
        (4, 24, "payoff.theta"),
        (6, 3, "simulation.sed"),
        (7, 9, "simulation.seed"),
        (8, 1, "payoff"),
        (9, 14, "log.level"),
    ]


def test_numbers_follow_yaml_1_2() -> None:
    scenario = parse_scenario(
        HEAD + "payoff: {h: 1e-3, s_plus: 1, s_minus: .5}\nsimulation: {seed: 010, epochs: 0x10}\n"
    )
    assert (scenario.payoff.h, scenario.payoff.s_plus, scenario.payoff.s_minus) == (0.001, 1.0, 0.5)
    assert (scenario.simulation.seed, scenario.simulation.epochs) == (10, 16)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", None),
        ("~", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("True", True),
        ("tRUE", "tRUE"),
        ("no", "no"),
        ("off", "off"),
        ("y", "y"),
        ("+12", 12),
        ("0o17", 15),
        ("0o8", "0o8"),
        ("0b1", "0b1"),
        ("1_0", "1_0"),
        ("1.", 1.0),
        (".5", 0.5),
        (".", "."),
        ("-", "-"),
        ("+.e3", "+.e3"),
        ("1e3", 1000.0),
        ("1e", "1e"),
        ("-0.0", 0.0),
        ("1:2", "1:2"),
        ("2024-01-01", "2024-01-01"),
        ("0x", "0x"),
        ("1 2", "1 2"),
        ("=", "="),
        ("<<", "<<"),
        ("١", "١"),
    ],
)
def test_a_word_means_what_yaml_1_2_says(text: str, meaning: object) -> None:
    found = resolve_scalar(text)
    assert found == meaning
    assert type(found) is type(meaning)
    assert read_yaml(f"a: {text}\n").value == {"a": meaning} or text in ("-", ".", "=")


BOMBS = {
    "laughs": "a: &a [x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(20_000)),
    "brackets": "a: " + "[" * 500_000,
    "braces": "{" * 500_000,
    "dashes": "- " * 500_000,
    "questions": "? " * 500_000,
    "digits": "a: " + "1" * 1_000_000,
    "duplicates": "a: 1\n" * 200_000,
    "unknown keys": "".join(f"key{i}: 1\n" for i in range(80_000)),
    "long unknown keys": "".join(f"{'epochs' * 50}{i}: 1\n" for i in range(3_000)),
    "agents": "scenario_id: x\nagents:\n" + "- {type: honst, coun: 1}\n" * 20_000,
    "tabs": "\t\n" * 500_000,
    "tags": "a: " + "!x " * 100_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(bomb: str) -> None:
    text = BOMBS[bomb]
    begin = time.process_time()
    found = mistakes_of(text)
    # generous, for a loaded machine; a bomb that went off would take minutes or all memory
    assert time.process_time() - begin < 5.0
    assert 1 <= len(found) <= 102


@pytest.mark.parametrize("trap", sorted(TRAPS))
def test_the_parser_in_python_tells_the_same_line_as_the_one_in_c(trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body, line, _, words = TRAPS[trap]
    monkeypatch.setattr(yaml_source, "_LOADER", yaml.SafeLoader)
    first = mistakes_of(HEAD + body)[0]
    assert first.line == line
    assert words in str(first)


# --- every key of a complete scenario, spoilt in every way


@dataclass
class Page:
    """A block of YAML written line by line, with the place of every key and value."""

    lines: list[str] = field(default_factory=list)
    key: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)
    value: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)

    def write(self, tree: Any, path: tuple[Any, ...] = (), first: str = "") -> None:
        """Write a mapping or list below `path`; `first` stands before its first line, in place of the indentation."""
        indent = " " * len(first) if first else "  " * len(path)
        entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in entries:
            name = key.split("\0")[0] if isinstance(key, str) else key  # "a" and "a\0" are both written as a
            here = (*path, key)
            lead = first or indent
            first = ""
            if isinstance(key, int):
                self.value[here] = (len(self.lines) + 1, len(lead) + 3)
                self.write(value, here, lead + "- ")
                continue
            self.key[here] = (len(self.lines) + 1, len(lead) + 1)
            if (isinstance(value, dict) and value) or (
                isinstance(value, list) and value and isinstance(value[0], dict)
            ):
                self.lines.append(f"{lead}{name}:")
                self.write(value, here, " " * (len(lead) + 2))
            else:
                self.value[here] = (len(self.lines) + 1, len(f"{lead}{name}: ") + 1)
                written = value if isinstance(value, Raw) else json.dumps(value)
                self.lines.append(f"{lead}{name}: {written}")


class Raw(str):
    """Text to stand in a file as it is."""

    __slots__ = ()


def written(tree: Any) -> tuple[str, Page]:
    page = Page()
    page.write(tree)
    return "\n".join(page.lines) + "\n", page


@pytest.fixture(scope="module")
def complete(_fakes: None) -> dict[str, Any]:
    return complete_scenario()


def complete_scenario() -> dict[str, Any]:
    """A scenario in which every key that there is is given."""
    plain = scenario_to_dict(
        scenario_from_dict(
            {
                "scenario_id": "complete",
                "motif": "label",
                "description": "All of it.",
                "agents": [{"type": "honest", "count": 3}, {"type": "deceptive", "count": 2}],
                "population": {
                    "capacity": 20,
                    "arrivals": [{"epoch": 2, "type": "adversarial", "count": 1}],
                    "departures": [{"epoch": 3, "type": "honest", "count": 1}],
                },
                "governance": {"transaction_tax": {}, "random_audit": {}},
                "metrics_to_track": ["quality_gap"],
            }
        )
    )
    plain["governance"] |= {"reputation_decay": 0.9, "bandwidth_cap": 10}
    return plain


def all_paths(tree: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key of a plain scenario, in its order."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield (*path, key)
            yield from all_paths(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from all_paths(value, (*path, index))


def at(tree: Any, path: KeyPath) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def replaced(tree: dict[str, Any], path: KeyPath, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(tree)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def renamed(tree: dict[str, Any], path: KeyPath, key: str) -> dict[str, Any]:
    changed = copy.deepcopy(tree)
    around = at(changed, path[:-1])
    items = [(key if name == path[-1] else name, value) for name, value in around.items()]
    around.clear()
    around.update(items)
    return changed


def siblings(path: KeyPath) -> list[str]:
    """The keys that may stand beside the last one of a path."""
    if path[0] == "governance" and len(path) > 1:
        keys = governance_keys()
        return list(keys) if len(path) == 2 else keys[str(path[1])]
    if "params" in path[:-1]:
        return ["patience_span", "mood"]
    return list(subtree(path[:-1]) or ())


def found_at(tree: Any, path: KeyPath, where: str, words: str = "") -> Mistake:
    """The mistake told at the key or value of a path."""
    text, page = written(tree)
    place = getattr(page, where)[path]
    found = mistakes_of(text)
    here = [mistake for mistake in found if (mistake.line, mistake.column) == place and words in mistake.message]
    assert here, f"nothing told at {path} in {place}, but: {[str(mistake) for mistake in found]}"
    return here[0]


def test_the_complete_scenario_is_complete_and_sound(complete: dict[str, Any]) -> None:
    text, _ = written(complete)
    scenario = parse_scenario(text)
    assert scenario.governance["reputation_decay"] == {"decay": 0.9}
    assert set(complete) == set(Scenario.model_fields)
    assert len(list(all_paths(complete))) > 130


def test_every_key_given_twice_is_refused(complete: dict[str, Any]) -> None:
    for path in all_paths(complete):
        twice = copy.deepcopy(complete)
        around = at(twice, path[:-1])
        around[f"{path[-1]}\0"] = 1
        mistake = found_at(twice, (*path[:-1], f"{path[-1]}\0"), "key")
        assert "duplicate key" in mistake.message
        assert mistake.key == ".".join(map(str, path))


def test_every_value_of_a_wrong_type_is_refused(complete: dict[str, Any]) -> None:
    for path in all_paths(complete):
        now = at(complete, path)
        wrong: list[Any] = [Raw("no"), Raw("12:30:45"), {"a": 1}, [[1]]]
        if isinstance(now, str):
            wrong = [3, 0.5, True, ["x"]]
        elif isinstance(now, dict | list):
            wrong = [3, 0.5, Raw("no"), True]
        elif isinstance(now, bool):
            wrong += [1, 0]
        else:
            wrong.append(True)
        for value in wrong:
            changed = replaced(complete, path, value)
            text, page = written(changed)
            inside = {**page.value, **page.key}
            found = mistakes_of(text)
            lines = {place[0] for where, place in inside.items() if where[: len(path)] == path}
            assert any(mistake.line in lines for mistake in found), (path, value, [str(item) for item in found])


@pytest.mark.parametrize("literal", [".nan", "-.inf", ".inf", "1e13", "-1e13", "1e400"])
def test_every_number_out_of_bounds_is_refused(complete: dict[str, Any], literal: str) -> None:
    for path in all_paths(complete):
        now = at(complete, path)
        if isinstance(now, int | float) and not isinstance(now, bool):
            found_at(replaced(complete, path, Raw(literal)), path, "value")
        if type(now) is int:
            for whole in (-1, 10**30, -(10**30)):
                found_at(replaced(complete, path, whole), path, "value")


def test_every_key_in_another_section_is_refused_and_sent_home(complete: dict[str, Any]) -> None:
    for path in all_paths(complete):
        if any(isinstance(part, int) for part in path) or path[0] == "agents":
            continue
        for section in ((), ("safety",), ("proxy", "weights"), ("population",)):
            moved = copy.deepcopy(complete)
            value = at(moved, path[:-1]).pop(path[-1])
            target = (*section, path[-1])
            if path[-1] in siblings(target) or section[: len(path)] == path:
                continue
            at(moved, section)[path[-1]] = value
            mistake = found_at(moved, target, "key", "unknown key")
            home = ".".join(map(str, path[:-1]))
            assert (f"under {home}" if home else "at the top level") in mistake.message


LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[KeyPath, str]:
    """A key of the complete scenario and the same key with one or two slips of the finger."""
    path = draw(st.sampled_from(list(all_paths(complete_scenario()))))
    word = str(path[-1])
    for _ in range(draw(st.integers(1, 2))):
        index = draw(st.integers(0, len(word) - 1))
        slip = draw(st.sampled_from(["drop", "swap", "change", "add"]))
        letter = draw(st.sampled_from(LETTERS))
        if slip == "drop" and len(word) > 1:
            word = word[:index] + word[index + 1 :]
        elif slip == "swap" and index + 1 < len(word):
            word = word[:index] + word[index + 1] + word[index] + word[index + 2 :]
        elif slip == "change":
            word = word[:index] + letter + word[index + 1 :]
        else:
            word = word[:index] + letter + word[index:]
    return path, word


@given(misspelt())
def test_every_misspelt_key_is_refused_with_the_right_one(slip: tuple[KeyPath, str]) -> None:
    path, word = slip
    known = siblings(path)
    assume(word not in known)
    mistake = found_at(renamed(complete_scenario(), path, word), (*path[:-1], word), "key", "unknown key")
    right = str(path[-1])
    distance = edit_distance(word, right)
    nearer = [key for key in known if edit_distance(word, key) <= distance]
    if distance <= 2 and distance < len(right) and word not in single_keys():
        assert any(f"Did you mean {key}?" in mistake.message for key in nearer), mistake.message


# --- whatever the bytes are, the answer is a scenario or a ConfigError


def answer(content: str | bytes) -> str:
    """What a user sees: the scenario, or every mistake."""
    try:
        return repr(parse_scenario(content))
    except ConfigError as error:
        return str(error)


PIECES = [
    b"\t",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"&a ",
    b"*a",
    b"!!int ",
    b"<<: ",
    b"---\n",
    b"...\n",
    b"[",
    b"]",
    b"{",
    b"}",
    b": ",
    b"- ",
    b"? ",
    b"\n",
    b"\r",
    b"  ",
    b"'",
    b'"',
    b"|\n",
    b">-\n",
    b"#",
    b"%YAML 9.9\n",
    b".nan",
    b"1e999",
    b"-1",
    b"12:30:45",
    b"no",
    b"null",
    b"~",
    b"@",
    b"`",
    b"\\",
    b'"\\ud800"',
    b'"\\UFFFFFFFF"',
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"9" * 60,
]


@given(st.binary(max_size=200))
def test_any_bytes_give_a_scenario_or_an_explanation(content: bytes) -> None:
    assert answer(content)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 12), st.sampled_from(PIECES)), min_size=1, max_size=5))
def test_a_damaged_scenario_gives_a_scenario_or_an_explanation(damage: list[tuple[int, int, bytes]]) -> None:
    content = scenario_text("status_game").encode()
    for index, length, piece in damage:
        start = index % (len(content) + 1)
        content = content[:start] + piece + content[start + length :]
    assert all(line.startswith(("Scenario(", "scenario:")) for line in answer(content).splitlines())


some_key = st.sampled_from(sorted(Scenario.model_fields))
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(10**400)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(some_key, st.text(max_size=3)), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(Scenario.model_fields)), plain, max_size=6))
def test_any_mapping_gives_a_scenario_or_an_explanation(mapping: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigError):
        scenario_from_dict({"scenario_id": "x", "agents": [{"type": "honest", "count": 1}], **mapping})


@given(
    st.lists(st.one_of(st.text(max_size=20), st.sampled_from(["agents.0", "governance.sham", "a=b", "=", "agents=[]"])))
)
def test_any_overrides_give_a_scenario_or_an_explanation(overrides: list[str]) -> None:
    with contextlib.suppress(ConfigError):
        parse_scenario(HEAD, overrides=[text if "=" in text else f"{text}={text}" for text in overrides])
