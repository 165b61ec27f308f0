"""Pictures: what they show, as columns and labels, from real runs and studies; never their pixels."""

from __future__ import annotations

import hashlib
import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mesocosm as mc
from mesocosm.analysis.across_runs import across_runs
from mesocosm.analysis.comparison_record import save_comparison
from mesocosm.analysis.figures.cascades import threads_of
from mesocosm.analysis.figures.courses import Course, course_picture
from mesocosm.analysis.figures.draw import find_source
from mesocosm.analysis.figures.effect_table import effects_of_study
from mesocosm.analysis.figures.kinds import KINDS, OF_RUNS, OF_STUDIES, kinds_of, open_study, picture_of
from mesocosm.analysis.figures.lever_effects import pareto_front, tradeoff_picture
from mesocosm.analysis.figures.matplotlib_figure import draw_picture, style_of, write_picture
from mesocosm.analysis.figures.network import COALITION, network_of
from mesocosm.analysis.figures.palette import DARK, HUES_DARK, HUES_LIGHT, LIGHT, TYPE_LOOKS, look_of_type
from mesocosm.analysis.figures.picture import (
    Axis,
    Band,
    Bars,
    Cells,
    Intervals,
    Line,
    Panel,
    Picture,
    Points,
    Rule,
    Segments,
    Span,
    safe_line,
)  # fmt: skip
from mesocosm.analysis.figures.plotly_figure import plotly_figure
from mesocosm.analysis.figures.run_source import RunSource, open_source
from mesocosm.analysis.study import StudyResults, sweep
from mesocosm.analysis.study_record import save_study
from mesocosm.cli.main import main
from mesocosm.config.study import study_from_dict
from mesocosm.errors import UsageError
from mesocosm.runner.projections import account_of, tables_of, write_projections
from mesocosm.runner.runner import Run

GRID: dict[str, Any] = {
    "study_id": "grid",
    "base": "adversarial_attack",
    "epochs": 2,
    "axes": {
        "governance.random_audit.probability": [0.1, 0.5],
        "governance.random_audit.penalty": [1, 4, 8],
    },
    "primary": "toxicity_true",
    "smallest_effect": 0.02,
    "expect": "falls",
    "seeds": 6,
    "robustness": {"samples": 8, "seeds": 2, "arms": ["probability=0.5, penalty=4"],
                   "ranges": {"payoff.theta": [0.3, 0.7]}},
}  # fmt: skip
DOSES: dict[str, Any] = {
    "study_id": "doses",
    "base": "baseline",
    "epochs": 2,
    "axes": {"governance.transaction_tax.rate": [0.1, 0.3, 0.5, 0.7]},
    "primary": "toxic_rate",
    "smallest_effect": 0.005,
    "seeds": 5,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Twenty agents with a coalition, a feed, and a breaker that freezes some of them."""
    place = tmp_path_factory.mktemp("pictures") / "run"
    return mc.run("status_game", seed=3, epochs=5, overrides=["governance.circuit_breaker.threshold=0.6"], output=place)


@pytest.fixture(scope="module")
def source(run: Run) -> RunSource:
    return open_source(run)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return sweep(study_from_dict(GRID), workers=1, output=tmp_path_factory.mktemp("grid"))


@pytest.fixture(scope="module")
def doses(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return sweep(study_from_dict(DOSES), workers=1, output=tmp_path_factory.mktemp("doses"))


def marks(panel: Panel, kind: type) -> list[Any]:
    return [mark for mark in panel.marks if isinstance(mark, kind)]


def column(run: Run, name: str) -> list[float]:
    return [float(row[name]) for row in run.rows]


# --- every kind, drawn three ways


@pytest.mark.parametrize("kind", OF_RUNS)
def test_every_kind_of_a_run_is_drawn_from_a_real_run(kind: str, source: RunSource) -> None:
    picture = picture_of(kind, source, "a run")
    assert_sound(picture)


@pytest.mark.parametrize("kind", [kind for kind in OF_STUDIES if kind != "dose_response"])
def test_every_kind_of_a_study_is_drawn_from_a_real_study(kind: str, grid: StudyResults) -> None:
    assert_sound(picture_of(kind, grid, "a study"))


def assert_sound(picture: Picture) -> None:
    """Drawn by either library on either ground, every axis with a label, nothing empty, the same panels."""
    assert picture.about
    for panel in picture.panels:
        assert panel.title
        assert not panel.is_empty
        for axis in (panel.x, panel.y):
            assert axis.label or axis.ticks or not axis.shown
    for theme in (LIGHT, DARK):
        import matplotlib as mpl

        with mpl.rc_context(style_of(theme)):
            drawn = draw_picture(picture, theme)
            assert [frame.get_title(loc="left") for frame in drawn.frames] == [one.title for one in picture.panels]
        page = plotly_figure(picture, theme)
        assert len(page.data) >= len(picture.panels)
        assert page.layout.paper_bgcolor == theme.color("paper")


def test_all_kinds_are_known_and_each_has_a_remedy() -> None:
    assert set(KINDS) == {*OF_RUNS, *OF_STUDIES}
    assert all(about and remedy for about, remedy in KINDS.values())


# --- what is in them


def test_toxicity_has_truth_and_proxy_in_one_frame_and_the_gap_between_them(run: Run, source: RunSource) -> None:
    [panel] = picture_of("toxicity", source).panels
    lines = {mark.label: mark for mark in marks(panel, Line)}
    assert list(lines["true"].y) == column(run, "toxicity_true")
    assert list(lines["by proxy"].y) == column(run, "toxicity_rate")
    assert (lines["true"].dash, lines["by proxy"].dash) == ("solid", "dash")
    [gap] = [mark for mark in marks(panel, Band) if mark.label == "Goodhart gap"]
    assert (list(gap.low), list(gap.high)) == (list(lines["true"].y), list(lines["by proxy"].y))
    assert panel.y.low == 0.0


@pytest.mark.parametrize("kind", ["conditional_loss", "quality_gap", "welfare"])
def test_what_can_be_negative_has_a_line_at_zero_in_sight(kind: str, source: RunSource) -> None:
    [panel] = picture_of(kind, source).panels
    assert panel.y.zero_line
    assert panel.y.low is not None
    assert panel.y.high is not None
    assert panel.y.low <= 0.0 <= panel.y.high


@pytest.mark.parametrize("kind", ["toxicity", "participation", "influence"])
def test_shares_begin_at_zero(kind: str, grid: StudyResults) -> None:
    assert all(panel.y.low == 0.0 for panel in picture_of(kind, grid).panels)


def test_studies_have_a_band_over_seeds_and_the_base_beside_each_arm(grid: StudyResults) -> None:
    picture = picture_of("toxicity", grid)
    assert [panel.title for panel in picture.panels][:2] == ["base", "probability=0.1, penalty=1"]
    table = grid.runs["", "base"].epochs["toxicity_true"]
    base, arm = picture.panels[0], picture.panels[1]
    line = next(mark for mark in marks(base, Line) if mark.label == "true")
    assert list(line.y) == pytest.approx(table.mean(axis=0))
    band = next(mark for mark in marks(base, Band) if mark.color == "true")
    half = 2.5706 * table.std(axis=0, ddof=1) / math.sqrt(6)  # t with five degrees of freedom
    assert np.asarray(band.high) - np.asarray(line.y) == pytest.approx(half, rel=1e-4)
    quiet = next(mark for mark in marks(arm, Line) if mark.label == "true, base")
    assert list(quiet.y) == list(line.y)
    assert "95 % interval" in picture.about


def test_an_undefined_epoch_leaves_a_gap_and_not_a_zero() -> None:
    table = np.array([[0.2, math.nan, 0.4]])
    picture = course_picture("toxicity", "", [Course("", {"toxicity_true": table, "toxicity_rate": table})])
    assert picture is not None
    line = next(mark for mark in marks(picture.panels[0], Line) if mark.label == "true")
    assert math.isnan(line.y[1])
    assert list(line.y)[::2] == [0.2, 0.4]


def test_a_course_that_is_undefined_throughout_is_no_picture() -> None:
    assert course_picture("quality_gap", "", [Course("", {"quality_gap": np.full((1, 3), math.nan)})]) is None


def test_influence_shows_the_metric_over_time_and_every_agents_votes(run: Run, source: RunSource) -> None:
    over_time, lorenz, by_agent = picture_of("influence", source).panels
    gini = next(mark for mark in marks(over_time, Line) if mark.label == "Gini")
    assert list(gini.y) == pytest.approx(column(run, "influence_gini"))
    curve = next(mark for mark in marks(lorenz, Line) if mark.label == "votes")
    assert (curve.y[0], curve.y[-1]) == (0.0, 1.0)
    assert all(np.diff(curve.y, 2) >= -1e-12)  # fewest votes first, so it bends upwards
    bars = marks(by_agent, Bars)
    assert {bar.label for bar in bars} == set(source.types)
    last = run.agents.filter(run.agents["epoch"] == run.agents["epoch"].max())
    assert sum(sum(bar.height) for bar in bars) == last["votes_received"].sum()


def test_the_network_has_every_agent_its_coalition_and_who_was_frozen(run: Run, source: RunSource) -> None:
    found = network_of(source)
    assert found is not None
    assert len(found.agent) == 20
    deals = run.interactions.filter(run.interactions["accepted"])
    assert int(found.deals.sum()) == 2 * deals.height
    coalition = found.kind == COALITION
    assert coalition.any()
    ends = {found.types[place] for place in (*found.a[coalition], *found.b[coalition])}
    assert ends == {"adversarial"}
    frozen = set(run.events("frozen")["agent"].to_list())
    assert frozen
    assert {int(agent) for agent in found.agent[found.frozen]} == frozen
    panel = picture_of("network", source).panels[0]
    labels = [mark.label for mark in panel.marks if not isinstance(mark, Cells)]
    assert {"honest", "opportunistic", "adversarial", "within a coalition", "frozen at some time"} <= set(labels)
    assert all(mark.mark == look_of_type(mark.label)[1] for mark in marks(panel, Points) if not mark.ring)


def test_a_network_of_some_epochs_counts_their_deals_only(run: Run, source: RunSource) -> None:
    found = network_of(source, 1, 2)
    assert found is not None
    deals = run.interactions
    wanted = deals.filter(deals["accepted"] & deals["epoch"].is_between(1, 2)).height
    assert int(found.deals.sum()) == 2 * wanted


def test_a_network_of_many_agents_keeps_the_strongest_ties_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    large = mc.run("baseline", seed=1, epochs=1, overrides=["agents.0.count=600"], output=tmp_path / "large")
    picture = picture_of("network", open_source(large))
    agents = sum(len(mark.x) for mark in marks(picture.panels[0], Points) if not mark.ring)
    ties = sum(len(mark.x0) for mark in marks(picture.panels[0], Segments))
    assert agents == 500
    assert 250 <= ties <= 3 * 500
    assert any("agents with fewer deals" in text for text in picture.left_out)
    assert any("ordinary ties" in text for text in picture.left_out)


def test_threads_follow_who_answered_whom(run: Run, source: RunSource) -> None:
    found = threads_of(source)
    assert found is not None
    posted, replied = run.events("posted"), run.events("replied")
    assert len(found.seq) == posted.height + replied.height
    answers = dict(zip(replied["seq"], replied["post"], strict=True))
    for place in np.flatnonzero(found.parent >= 0):
        assert answers[int(found.seq[place])] == int(found.seq[found.parent[place]])
        assert found.depth[place] == found.depth[found.parent[place]] + 1
        assert found.root[place] == found.root[found.parent[place]]
    assert found.sizes.sum() == len(found.seq)


def test_cascades_and_trees_show_the_largest_threads(source: RunSource) -> None:
    found = threads_of(source)
    assert found is not None
    largest = int(found.sizes.max())
    growth, reach, _ = picture_of("cascades", source).panels
    assert max(mark.y[-1] for mark in marks(growth, Line)) == largest - 1
    assert marks(reach, Line)[0].y[0] == 1.0
    tree = picture_of("diffusion", source).panels[0]
    assert sum(len(mark.x) for mark in marks(tree, Points)) == largest
    assert len(marks(tree, Segments)[0].x0) == largest - 1
    assert f"{largest:,} posts" in tree.title


def test_calibration_has_bins_of_equal_mass_with_intervals_around_the_diagonal(run: Run, source: RunSource) -> None:
    curve, spread = picture_of("calibration", source).panels
    every = next(mark for mark in marks(curve, Intervals) if mark.label == "all proposals")
    assert len(every.x) == 10
    assert all(low <= share <= high for low, share, high in zip(every.low, every.y, every.high, strict=True))
    deals = run.interactions
    assert np.mean(every.y) == pytest.approx((deals["v"] > 0).mean(), abs=0.002)
    diagonal = next(mark for mark in marks(curve, Line) if mark.label == "p means what it says")
    assert (list(diagonal.x), list(diagonal.y)) == ([0.0, 1.0], [0.0, 1.0])
    bars = {mark.label: mark for mark in marks(spread, Bars)}
    assert sum(bars["all proposals"].height) == deals.height
    assert sum(bars["accepted"].height) == deals["accepted"].sum()


def test_the_forest_has_every_arm_with_its_interval_and_lines_at_sham_and_oracle(grid: StudyResults) -> None:
    [panel] = picture_of("levers", grid).panels
    drawn = {tip.split(":")[0]: (x, low, high) for mark in marks(panel, Intervals)
             for tip, x, low, high in zip(mark.tips, mark.x, mark.low, mark.high, strict=True)}  # fmt: skip
    for contrast in grid.contrasts:
        assert drawn[contrast.arm] == (contrast.effect.change, contrast.low, contrast.high)
    rules = {mark.label: mark.at for mark in marks(panel, Rule)}
    assert rules["sham"] == 0.0
    assert rules["oracle"] == grid.effect("toxicity_true", "oracle").change
    [margin] = marks(panel, Span)
    assert (margin.low, margin.high) == (-0.02, 0.02)
    assert panel.x.zero_line
    assert "toxicity_true" in panel.x.label
    clear = next(mark for mark in marks(panel, Intervals) if mark.label == "clear of 0")
    assert all(low > 0.0 or high < 0.0 for low, high in zip(clear.low, clear.high, strict=True))


def test_the_trade_off_marks_the_pareto_front(grid: StudyResults) -> None:
    table = effects_of_study(grid)
    picture = tradeoff_picture(table, "")
    assert picture is not None
    [panel] = picture.panels
    front = next(mark for mark in marks(panel, Points) if mark.label.startswith("Pareto front"))
    points = [(0.0, 0.0), *((one.change, one.welfare) for one in table.effects)]
    for x, y in zip(front.x, front.y, strict=True):
        assert not any(a <= x and b >= y and (a, b) != (x, y) for a, b in points)
    assert len(front.x) == len(pareto_front(points, ("lower", "higher")))


def test_the_dose_is_on_the_axis_and_the_curve_is_the_trend(doses: StudyResults) -> None:
    picture = picture_of("dose_response", doses)
    assert_sound(picture)
    [panel] = picture.panels
    line = next(mark for mark in marks(panel, Line) if mark.label == "effect")
    assert list(line.x) == [0.1, 0.3, 0.5, 0.7]
    assert list(line.y) == [one.change for one in doses.trends[""].curve]
    assert panel.x.label == "governance.transaction_tax.rate"


def test_the_phase_map_has_a_cell_for_every_pair_of_values(grid: StudyResults) -> None:
    [panel] = picture_of("phase_map", grid).panels
    [cells] = marks(panel, Cells)
    assert [name for _, name in panel.x.ticks] == ["0.1", "0.5"]
    assert [name for _, name in panel.y.ticks] == ["1", "4", "8"]
    for contrast in grid.contrasts:
        changes = grid.design.changes[contrast.arm]
        x = [0.1, 0.5].index(changes["governance.random_audit.probability"])
        y = [1, 4, 8].index(changes["governance.random_audit.penalty"])
        place = next(n for n, at in enumerate(zip(cells.x, cells.y, strict=True)) if at == (x, y))
        assert cells.value[place] == contrast.effect.change
        assert cells.clear[place] == (contrast.low > 0.0 or contrast.high < 0.0)
    assert cells.limit == max(abs(value) for value in cells.value)


def test_robustness_counts_the_economies_below_zero(grid: StudyResults) -> None:
    [panel] = picture_of("robustness", grid).panels
    [line] = marks(panel, Line)
    below = sum(effect.change < 0.0 for effect in grid.trials[0].effects)
    assert line.label == f"probability=0.5, penalty=4: below 0 in {below} of 8"
    changes = sorted(effect.change for effect in grid.trials[0].effects)
    assert list(line.x) == [changes[0], *changes]
    assert list(line.y) == [place / 8 for place in range(9)]
    assert max((y for x, y in zip(line.x, line.y, strict=True) if x < 0.0), default=0.0) == below / 8


def test_several_runs_have_bands_and_a_panel_for_each_society(tmp_path: Path) -> None:
    places = []
    for seed in (1, 2, 3):
        for rate in (0.0, 0.4):
            place = tmp_path / f"{seed}_{rate}"
            mc.run("baseline", seed=seed, epochs=3, overrides=[f"governance.transaction_tax.rate={rate}"], output=place)
            places.append(place)
    picture = picture_of("welfare", across_runs(places))
    assert [panel.title for panel in picture.panels] == ["A", "B: transaction_tax.rate=0.4"]
    assert all(marks(panel, Band) for panel in picture.panels)


def test_a_comparison_on_disk_is_drawn_from_its_record(tmp_path: Path) -> None:
    found = mc.compare("baseline", "governance.random_audit.probability=0.4", seeds=3, epochs=2)
    save_comparison(found, tmp_path / "it")
    source = find_source(tmp_path / "it")
    assert kinds_of(source) == ("levers", "tradeoff")
    learning, frozen = picture_of("levers", source).panels
    assert (learning.title, frozen.title) == ("learning agents", "frozen agents")
    rules = {mark.label: mark.at for mark in marks(learning, Rule)}
    assert rules["oracle"] == found.effect("toxicity_true", arm="oracle").change


# --- where pictures come from


def test_tables_and_log_give_the_same_pictures(run: Run, tmp_path: Path) -> None:
    tables = tables_of(run.path)
    account = account_of(tables, run.scenario, ["toxicity_true"], ["toxicity_true"])
    written = write_projections(run.path, run.rows, account.types, tables, run.scenario)
    try:
        from_tables = {kind: picture_of(kind, open_source(run)) for kind in ("influence", "network", "calibration")}
    finally:
        for path in written:
            path.unlink()
    assert from_tables == {kind: picture_of(kind, open_source(run)) for kind in from_tables}


def test_tables_that_fall_short_of_the_log_are_not_believed(run: Run) -> None:
    source = open_source(replace(run, rows=run.rows[:-1]))
    tables = tables_of(run.path)
    account = account_of(tables, run.scenario, ["toxicity_true"], ["toxicity_true"])
    written = write_projections(run.path, run.rows, account.types, tables, run.scenario)
    try:
        assert source.projection("agents.parquet") is None
        assert open_source(run).projection("agents.parquet") is not None
    finally:
        for path in written:
            path.unlink()


def test_a_study_read_back_gives_the_same_pictures(doses: StudyResults) -> None:
    assert doses.folder is not None
    save_study(doses, doses.folder)
    assert picture_of("levers", open_study(doses.folder)) == picture_of("levers", doses)


# --- words for what cannot be drawn


@pytest.mark.parametrize(
    ("kind", "message"),
    [("netwrk", "Did you mean network"), ("phase_map", "play a study with two axes"), ("levers", "mesocosm sweep")],
)
def test_what_cannot_be_drawn_of_a_run_is_refused_with_what_to_do(kind: str, message: str, source: RunSource) -> None:
    with pytest.raises(UsageError, match=message):
        picture_of(kind, source)


def test_a_log_of_checkpoints_has_courses_and_says_how_to_have_events(tmp_path: Path) -> None:
    source = open_source(mc.run("baseline", seed=1, epochs=2, level="epoch", output=tmp_path / "run"))
    assert picture_of("toxicity", source).panels
    assert picture_of("influence", source).panels[0].title
    with pytest.raises(UsageError, match="--log full"):
        picture_of("network", source)


def test_a_study_with_one_axis_has_no_phase_map(doses: StudyResults) -> None:
    with pytest.raises(UsageError, match="two axes"):
        picture_of("phase_map", doses)


# --- files and the command line


def test_equal_pictures_are_equal_files_without_a_date(source: RunSource, tmp_path: Path) -> None:
    digests = set()
    for place in ("one", "two", "three", "four"):
        for path in write_picture(picture_of("network", source, "t"), tmp_path / place, "n"):
            digests.add((path.suffix, hashlib.sha256(path.read_bytes()).hexdigest()))
            assert b"dc:date" not in path.read_bytes()
    assert len(digests) == 2


def test_dark_pictures_are_drawn_on_black(source: RunSource, tmp_path: Path) -> None:
    svg = write_picture(picture_of("toxicity", source), tmp_path, "dark", DARK)[1].read_text(encoding="utf-8")
    assert HUES_DARK["paper"] in svg
    assert HUES_LIGHT["paper"] not in svg


def test_the_command_draws_kinds_and_says_where(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["plot", str(run.path), "--kind", "toxicity", "--kind", "network", "--out", str(tmp_path), "--json"]) == 0
    )
    files = {Path(path).name for path in json.loads(capsys.readouterr().out)["files"]}
    assert files == {"toxicity.png", "toxicity.svg", "network.png", "network.svg"}
    assert {path.name for path in tmp_path.iterdir()} == files
    assert main(["plot", str(run.path), "--kind", "toxcity"]) == 2
    assert "Did you mean toxicity?" in capsys.readouterr().err


def test_all_kinds_at_once_leave_out_what_there_is_no_data_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mc.run("baseline", seed=1, epochs=2, level="epoch", output=tmp_path / "run")
    assert main(["plot", str(tmp_path / "run"), "--kind", "all", "--dark", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"network", "calibration"} <= set(told["without"])
    assert (tmp_path / "run" / "toxicity.svg").is_file()


def test_from_python_a_figure_is_matplotlibs_or_plotlys(run: Run) -> None:
    assert len(mc.figure("toxicity", run).get_axes()) == 1
    assert mc.figure("toxicity", run.path, interactive=True, dark=True).layout.paper_bgcolor == HUES_DARK["paper"]


# --- one visual language


def test_types_have_colours_and_marks_of_their_own_and_strangers_always_the_same() -> None:
    assert len(set(TYPE_LOOKS.values())) == len(TYPE_LOOKS)
    for policy in ("honest", "opportunistic", "deceptive", "adversarial"):
        assert look_of_type("of a plugin")[0] != TYPE_LOOKS[policy][0]
    assert look_of_type("of a plugin") == look_of_type("of a plugin")


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255.0 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_words_can_be_read_and_marks_seen_on_either_ground(theme: Any) -> None:
    paper = luminance(theme.hues["paper"])

    def contrast(hue: str) -> float:
        bright, dim = sorted((paper, luminance(theme.hues[hue])), reverse=True)
        return (bright + 0.05) / (dim + 0.05)

    assert contrast("ink") >= 7.0
    assert contrast("quiet") >= 4.5
    assert all(contrast(hue) >= 2.0 for hue in theme.hues if hue not in ("paper", "grid"))


def simulated(color: str, way: str) -> np.ndarray[Any, Any]:
    """A colour as someone without red or green cones sees it (Viénot, Brettel and Mollon 1999), in linear light."""
    linear = np.array([(int(color[at : at + 2], 16) / 255.0) ** 2.2 for at in (1, 3, 5)])
    matrices = {"none": np.eye(3),
                "protan": [[0.112, 0.888, 0.0], [0.112, 0.888, 0.0], [0.004, -0.004, 1.0]],
                "deutan": [[0.293, 0.707, 0.0], [0.293, 0.707, 0.0], [-0.021, 0.021, 1.0]]}  # fmt: skip
    seen: np.ndarray[Any, Any] = np.array(matrices[way]) @ linear
    return seen.clip(0.0, 1.0) ** (1 / 2.2)


@pytest.mark.parametrize("way", ["none", "protan", "deutan"])
@pytest.mark.parametrize("hues", [HUES_LIGHT, HUES_DARK], ids=["light", "dark"])
def test_the_four_types_are_told_apart_by_everyone(way: str, hues: dict[str, str]) -> None:
    names = ("honest", "opportunistic", "deceptive", "adversarial")
    seen = [simulated(hues[TYPE_LOOKS[name][0]], way) for name in names]
    for one in range(4):
        for other in range(one):
            assert np.abs(seen[one] - seen[other]).max() > 0.1, (names[one], names[other])


# --- a stranger's text


HOSTILE = (
    "$\\frac{1}{$",
    "<script>alert(1)</script>",
    "a\u202eb",
    "日本語 \U0001f600",
    "x" * 5_000,
    "]]><svg",
    "%{y} <b>",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_strangers_text_is_drawn_as_text(text: str, tmp_path: Path) -> None:
    panel = Panel(safe_line(text), Axis("x"), Axis("y"), (Line([0, 1], [0, 1], safe_line(text), "blue"),
                  Points([0], [1], "p", tips=(text,), names=(safe_line(text),))))  # fmt: skip
    picture = Picture("toxicity", safe_line(text), "about", (panel,))
    svg = write_picture(picture, tmp_path, "hostile")[1].read_text(encoding="utf-8")
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()}
    assert "script" not in tags
    page = plotly_figure(picture).to_json()
    told = json.loads(page)
    shown = [trace.get("name", "") for trace in told["data"]] + [
        str(trace.get("customdata", "")) for trace in told["data"]
    ]
    assert all("<" not in text for text in shown)


def test_a_safe_line_is_one_short_line_without_signs_that_act() -> None:
    line = safe_line("a\nb\x00c\u2066d" + "e" * 100)
    assert line.startswith("a b?c?d")
    assert len(line) == 60
