"""The report: one page that needs nothing else, says all it must, and in which a stranger's text is only text."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import mesocosm as mc
from hostile import TEXTS
from mesocosm.agents.contract import Action, BaseAgent, InteractionProposal, Observation
from mesocosm.analysis.comparison_record import save_comparison
from mesocosm.analysis.comparison_words import sentences
from mesocosm.analysis.figures import run_source
from mesocosm.analysis.figures.draw import find_source
from mesocosm.analysis.figures.kinds import Comparable
from mesocosm.analysis.figures.run_source import open_source
from mesocosm.analysis.report.comparison_sections import command_again
from mesocosm.analysis.report.markup import Markup, escaped, join, table_of, tag
from mesocosm.analysis.report.page import _SCRIPT
from mesocosm.analysis.report.write import report_text, write_report
from mesocosm.analysis.study import StudyResults, sweep
from mesocosm.analysis.study_record import save_study
from mesocosm.cli.main import main
from mesocosm.config.study import study_from_dict
from mesocosm.errors import UsageError
from mesocosm.runner import projections
from mesocosm.runner.projections import account_of, tables_of, write_projections

VOID = {"meta", "br", "input", "link"}
_ALLOWED = """
    html head meta title style body header nav main section footer script h1 h2 h3 p ul li b a div span pre code table
    caption thead tbody tr th td details summary figure figcaption svg g defs path circle rect use text clippath tspan
"""
ALLOWED = frozenset(re.findall(r"\w+", _ALLOWED))
HOSTILE_TYPE = "<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """What a browser would make of a page: elements, attributes, and the texts between them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: dict[str, int] = {}
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def assert_harmless(page: str) -> Reader:
    """Only elements of the report's own, nothing that runs but its script, nothing that loads."""
    found = Reader(page)
    assert found.open == []
    assert set(found.tags) <= ALLOWED
    assert found.scripts == [_SCRIPT]
    for name, value in found.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcdoc", "action", "formaction", "data")
        if name in ("href", "xlink:href"):
            assert value.startswith("#")
        if name == "style":
            assert "url(" not in value
    assert not re.search(r"@import|url\((?!#)", page)
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("report") / "run"
    audits = ["governance.random_audit.probability=0.2", "payoff.theta=0.6"]
    return mc.run("status_game", seed=4, epochs=4, overrides=audits, output=place)


@pytest.fixture(scope="module")
def run_page(run: Any) -> str:
    return report_text(open_source(run))


STUDY: dict[str, Any] = {
    "study_id": "rules",
    "question": "Which rule <b>lowers</b> toxicity?",
    "base": "adversarial_attack",
    "epochs": 2,
    "arms": {
        "audits": {"governance.random_audit.probability": 0.4},
        "<i>tax</i>": {"governance.transaction_tax.rate": 0.1},
    },
    "primary": "toxicity_true",
    "smallest_effect": 0.02,
    "expect": "falls",
    "outcomes": {"welfare": {"metric": "social_welfare_true", "smallest_effect": 5.0}},
    "seeds": 6,
    "robustness": {"samples": 8, "seeds": 2, "arms": ["audits"], "ranges": {"payoff.theta": [0.3, 0.7]}},
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    folder = tmp_path_factory.mktemp("rules")
    found = sweep(study_from_dict(STUDY), workers=1, output=folder)
    save_study(found, folder)
    return found


def test_a_report_on_a_run_stands_alone_and_is_small(run_page: str) -> None:
    found = assert_harmless(run_page)
    assert len(run_page.encode()) < 6_000_000
    assert found.tags["svg"] > 10
    policy = next(value for name, value in found.attributes if name == "content" and "default-src" in value)
    assert "default-src 'none'" in policy


def test_a_report_on_a_run_says_what_it_must(run: Any, run_page: str) -> None:
    text = Reader(run_page).text
    means = {name: sum(row[name] for row in run.rows) / len(run.rows) for name in ("toxicity_true", "toxicity_rate")}
    assert all(f"{value:.3f}" in text for value in means.values())
    assert run.scenario.description in text
    assert "random_audit (fired" in text
    assert f"mesocosm replay {run.path} --verify" in text
    assert f"--seed {run.seed}" in text
    assert run.trajectory in text
    assert "checked for this report" in text
    assert "Differs from the bundled scenario status_game" in text
    assert "payoff.theta 0.5 0.6" in text
    assert "Robustness: not tried" in text
    assert "One run has no intervals" in text
    for flag in run.flags[:1]:
        assert flag.split(" in epoch")[0] in text
    assert all(f"a_{slot:02d}" in text for slot in range(20))
    assert "assumptions, not measurements" in text


def test_every_point_of_a_curve_has_a_text_when_pointed_at(run: Any, run_page: str) -> None:
    tips = [value for name, value in Reader(run_page).attributes if name == "data-tip"]
    for epoch, row in enumerate(run.rows):
        assert f"true: {row['toxicity_true']:.4g} (epoch {epoch})" in tips
    assert any(tip.startswith("a_") and "accepted deals" in tip for tip in tips)


def test_pictures_follow_the_ground_of_the_page(run_page: str) -> None:
    assert "prefers-color-scheme:dark" in run_page
    assert "var(--vermilion)" in run_page
    inside = re.search(r"<svg xmlns.*?</svg>", run_page, re.DOTALL)
    assert inside
    assert not re.search(r"#[0-9a-f]{6}\b", inside.group())


def test_a_report_on_a_study_has_effects_verdicts_controls_and_robustness(study: StudyResults) -> None:
    page = report_text(study)
    found = assert_harmless(page)
    text = found.text
    assert STUDY["question"] in text
    for contrast in study.contrasts:
        assert contrast.verdict.words in text
    holds = study.trials[0].holds
    assert f"{holds.count} of {holds.n} ({100 * holds.share:.0f} %)" in text
    assert "sham a lever that does nothing; must be exactly 0 exactly 0" in text
    assert "<i>tax</i> governance.transaction_tax.rate=0.1" in text
    assert "payoff.theta 0.5 0.5 0.3 to 0.7" in text
    assert study.folder is not None
    assert hashlib.sha256((study.folder / "study.json").read_bytes()).hexdigest() in text
    assert f"mesocosm sweep {study.folder / 'study.yaml'}" in text
    assert len(page) < 6_000_000


def test_a_report_on_a_comparison_has_both_kinds_of_agents_and_the_command(tmp_path: Path) -> None:
    found = mc.compare("baseline", "governance.random_audit.probability=0.4", seeds=3, epochs=2)
    save_comparison(found, tmp_path)
    text = assert_harmless(report_text(find_source(tmp_path))).text
    effect = found.effect("toxicity_true")
    assert f"{effect.base:.3f}" in text
    assert "learning agents" in text
    assert "frozen agents" in text
    for sentence in sentences(found):
        assert sentence in text
    assert "--set governance.random_audit.probability=0.4 --seeds 3 --first-seed 1000" in text
    source = find_source(tmp_path)
    assert isinstance(source, Comparable) and command_again(source) in text


def test_a_damaged_record_of_a_study_is_not_vouched_for(study: StudyResults, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    shutil.copytree(study.folder or Path(), folder)
    for wrong in ("{", "[]"):
        (folder / "study.json").write_text(wrong)
        with pytest.raises(UsageError, match=r"study.json is damaged\. .*mesocosm sweep .* writes it again"):
            report_text(find_source(folder))


def test_the_command_for_more_seeds_in_a_report_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = mc.run("baseline", epochs=1, output=tmp_path / "it", overrides=["governance.transaction_tax.rate=0.1"])
    text = assert_harmless(report_text(find_source(run.path))).text
    command = re.search(r"mesocosm (compare \S+ --set \S+rate=0.0)", text)
    assert command is not None
    assert main([*shlex.split(command[1]), "--seeds", "2", "--epochs", "1", "--no-plot"]) == 0
    assert "transaction_tax" in capsys.readouterr().out


def test_toxicity_by_type_is_that_of_the_whole_run(run: Any, run_page: str) -> None:
    deals = run.interactions.filter(run.interactions["accepted"])
    types = [kind for group in run.scenario.agents for kind in [group.type] * group.count]
    for kind in set(types):
        own = deals.filter(deals["initiator"].is_in([slot for slot, name in enumerate(types) if name == kind]))
        if len(own):
            assert f">{(own['v'] < 0).mean():.3f}<" in run_page


def test_a_run_without_a_whole_epoch_has_been_through_no_check(tmp_path: Path) -> None:
    run = mc.run("baseline", epochs=1, output=tmp_path / "it")
    log = run.log_path
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[: len(lines) // 2]))
    text = assert_harmless(report_text(find_source(run.path))).text
    assert "Nothing was checked, for no epoch was completed. The log is cut" in text
    assert "None: every metric was defined" not in text


def test_the_command_of_a_comparisons_report_makes_its_record_again_to_the_byte(tmp_path: Path) -> None:
    asked = "compare baseline --set payoff.theta=0.4 --epochs 2 --seeds 3 --adaptation frozen --no-controls --no-plot"
    more = f"--base governance.random_audit.probability=0.3 --metrics brier --output {tmp_path / 'one'}"
    assert main(shlex.split(f"{asked} {more}")) == 0
    source = find_source(tmp_path / "one")
    assert isinstance(source, Comparable)
    again = shlex.split(command_again(source))[1:]
    assert main([*again, "--no-plot", "--output", str(tmp_path / "two")]) == 0
    one, two = ((tmp_path / name / "comparison.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_command_writes_where_it_says(run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run.path)]) == 0
    assert "report" in capsys.readouterr().out
    (run.path / "report.html").unlink()
    assert main(["report", str(run.path), "--out", str(tmp_path / "it.html")]) == 0
    assert (tmp_path / "it.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_report_takes_the_place_of_no_other_file(run: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("<p>my notes</p>")
    assert main(["report", str(run.path), "--out", str(mine)]) == 2
    assert mine.read_text() == "<p>my notes</p>"
    for _ in range(2):
        assert main(["report", str(run.path), "--out", str(tmp_path / "ours.html")]) == 0


def test_the_same_run_gives_the_same_page(run: Any, run_page: str) -> None:
    assert report_text(open_source(run)) == run_page


# --- what is large, cut or little


def test_many_agents_are_cut_short_and_the_page_says_so(tmp_path: Path) -> None:
    large = mc.run("baseline", seed=1, epochs=1, overrides=["agents.0.count=700"], output=tmp_path / "run")
    page = report_text(open_source(large))
    text = assert_harmless(page).text
    assert "704 agents; a heading sorts. The 204 with the fewest deals are left out." in text
    assert len(page) < 6_000_000


def test_a_log_too_large_to_read_is_shown_from_its_tables(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = tables_of(run.path)
    names = [name for name in run.rows[0] if name != "epoch"]
    account = account_of(tables, run.scenario, names, (*names, *projections.SUMMARY_BY_TYPE))
    written = write_projections(run.path, run.rows, account.types, tables, run.scenario)
    monkeypatch.setattr(projections, "BYTES_UNASKED", 10)
    monkeypatch.setattr(run_source, "BYTES_CHECKED", 10)
    try:
        text = Reader(report_text(open_source(run))).text
    finally:
        for path in written:
            path.unlink()
    assert "not checked for this report" in text
    assert "20 agents, " in text  # the network comes from the table
    assert "cascades: " in text
    assert "mesocosm export RUN --format parquet" in text


def test_a_run_of_checkpoints_and_one_without_epochs_have_a_report(tmp_path: Path) -> None:
    bare = mc.run("baseline", seed=1, epochs=2, level="epoch", output=tmp_path / "epoch")
    assert "log level epoch" in assert_harmless(report_text(open_source(bare))).text
    none = mc.run("baseline", seed=1, epochs=0, output=tmp_path / "none")
    assert "No epoch was completed" in assert_harmless(report_text(open_source(none))).text


def test_a_cut_run_says_that_it_is_cut(run: Any, tmp_path: Path) -> None:
    log = tmp_path / "cut.jsonl"
    data = run.log_path.read_bytes()
    log.write_bytes(data[: len(data) * 2 // 3])
    path = write_report(open_source(mc.load_run(log)), tmp_path / "cut.html")
    assert "did not end by itself (cut)" in Reader(path.read_text(encoding="utf-8")).text


# --- a stranger's text


@pytest.mark.usefixtures("registries_as_they_were")
def test_a_thousand_hostile_posts_and_a_hostile_name_are_only_text(tmp_path: Path) -> None:
    left = list(TEXTS)

    @mc.agent(HOSTILE_TYPE)
    class Stranger(BaseAgent):
        """Writes what acts."""

        def propose_interaction(self, observation: Observation) -> InteractionProposal | None:
            """Propose to whoever is there."""
            best = next(iter(observation.candidates), None)
            return None if best is None else InteractionProposal(best.agent_id)

        def accept_interaction(self, proposal: InteractionProposal) -> bool:
            """Accept everything."""
            return True

        def select_action(self, observation: Observation) -> Action:
            """Post, or answer."""
            if not left:
                return Action("pass")
            return Action("reply" if observation.step else "post", content=left.pop())

    limits = [
        "max_posts_per_epoch=1000",
        "max_content_length=100000",
        "rate_limit_capacity=1000",
        "min_time_between_posts=0",
    ]
    scenario = mc.load_scenario(
        "baseline",
        [f"safety.{one}" for one in limits] + ["simulation.epochs=1", "simulation.steps_per_epoch=60",
                                               "simulation.phases.tasks=false"],
    )  # fmt: skip
    told = scenario.model_dump()
    told["agents"] = [{"type": HOSTILE_TYPE, "count": 20}]
    told["description"] = "".join(TEXTS[:40:3]).replace("\x07", "").replace("\x1b", "")[:9_000]
    made = mc.run(mc.Scenario.model_validate(told), output=tmp_path / "run")
    assert not left
    texts = set(made.events("posted")["content"]) | set(made.events("replied")["content"])
    assert len(texts) > 900
    found = assert_harmless(report_text(open_source(made)))
    tips = [value for name, value in found.attributes if name == "data-tip"]
    assert sum("alert(" in tip for tip in tips) > 50
    assert HOSTILE_TYPE in found.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", found.text + "".join(tips))


@pytest.mark.parametrize("start", range(0, len(TEXTS), 100))
def test_no_hostile_text_becomes_markup_wherever_it_stands(start: int) -> None:
    for text in TEXTS[start : start + 100]:
        page = tag("p", text, tag("b", text, title=text), table_of([text], [[text, tag("i", text)]], caption=text))
        found = Reader(page)
        assert set(found.tags) == {"p", "b", "i", "div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
        assert {name for name, _ in found.attributes} == {"title", "scope", "class"}
        assert found.open == []


def test_only_what_was_made_as_markup_is_markup() -> None:
    assert join("<b>", Markup("<b>"), None, ["&", tag("i", "<")]) == "&lt;b&gt;<b>&amp;<i>&lt;</i>"
    assert escaped("a\u202eb") == "a?b"
    with pytest.raises(ValueError, match="no name of an element"):
        tag("script src=x")
