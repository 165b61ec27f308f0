"""The dashboard in a real browser: a run is started, watched, paused, resumed and compared, as a person would do it.

What the page looks like on the way is kept in build/screenshots, wide and narrow.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import mesocosm as mc
from dashboard_server import Served, browser_path, served
from forged_log import Record, forge
from hostile_texts import hostile_texts

pytestmark = pytest.mark.slow

WIDE, NARROW = 1440, 390
EPOCHS = 24


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run root with two finished runs of different seeds."""
    root = tmp_path_factory.mktemp("dashboard") / "runs"
    for seed in (1, 2):
        breaker = "governance.circuit_breaker.threshold=0.35"
        mc.run("adversarial_attack", seed=seed, epochs=6, overrides=[breaker], output=root / f"attack_s{seed}")
    write_hostile_run(root / "hostile")
    return root


def write_hostile_run(folder: Path) -> None:
    """A run whose name, flags and posts were written to break the page."""
    run = mc.run("status_game", seed=1, epochs=2, output=folder)
    texts = hostile_texts()
    posts = iter(texts)

    def change(record: Record) -> None:
        if record["kind"] == "header":
            record["scenario"] |= {"scenario_id": texts[1] + texts[9], "description": texts[0]}
        elif "content" in record:
            record["content"] = next(posts)

    forge(run.log_path, folder / "forged.jsonl", change)
    (folder / "forged.jsonl").replace(run.log_path)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"flags": texts[:25]}))
    os.utime(folder / "manifest.json", (1, 1))


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[Served]:
    browser_path()
    with served(runs) as up:
        yield up


@pytest.fixture(scope="module")
def browser(server: Served) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])


class Watched:
    """A page, and all that went wrong on it or left this machine."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", lambda said: self.wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self._note(request.url, address))

    def _note(self, url: str, address: str) -> None:
        if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
            self.wrong.append(f"asked for {url}")


@pytest.fixture
def watched(browser: Browser, server: Served) -> Iterator[Watched]:
    page = browser.new_page(viewport={"width": WIDE, "height": 1000})
    page.set_default_timeout(30_000)
    found = Watched(page, server.address)
    page.goto(server.address)
    page.locator(".stMainBlockContainer").wait_for()
    yield found
    page.close()
    assert not found.wrong, found.wrong


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def turn_to(page: Page, view: str) -> None:
    page.get_by_role("radio", name=view, exact=True).click()


def epoch(page: Page) -> int:
    """The number of epochs that the page says are over."""
    with suppress(AssertionError):
        expect(page.get_by_text(re.compile(r"^Epoch [\d,]+ / "))).to_be_visible(timeout=5000)
    return int(page.get_by_text(re.compile(r"^Epoch [\d,]+ / ")).inner_text().split()[1])


def in_state(page: Page, state: str) -> None:
    """Wait until the page says that the run is in a state."""
    page.locator(".st-key-state").filter(has_text=state).wait_for()


def points_drawn(page: Page) -> int:
    """How many epochs the toxicity chart shows."""
    script = """() => Math.max(0, ...[...document.querySelectorAll('.js-plotly-plot')].slice(0, 1)
        .flatMap(plot => plot.data.map(trace => trace.x.length)))"""
    return int(page.evaluate(script))


def column(page: Page, grid: int, name: str) -> list[str]:
    """What stands in a column of a table, as far as it is in sight."""
    table = page.get_by_test_id("stDataFrame").nth(grid)
    names = [head.lstrip("↑↓ ") for head in table.locator("[role=columnheader]").all_text_contents()]  # if sorted
    cells = table.locator("[role=gridcell]").all_text_contents()
    return cells[names.index(name) :: len(names)] if name in names else []


def screenshot(page: Page, name: str) -> None:
    """Keep the whole page at both widths as build output."""
    folder = Path(__file__).resolve().parent.parent / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": width, "height": min(int(height) + 20, 5000)})
        page.wait_for_timeout(350)  # charts and tables follow the width
        page.screenshot(path=folder / f"{name}_{width}.png")
    page.set_viewport_size({"width": WIDE, "height": 1000})


def test_a_run_is_started_watched_paused_stepped_resumed_and_ends(watched: Watched, runs: Path) -> None:
    page = watched.page
    turn_to(page, "Start")
    page.get_by_label("Epochs").fill(str(EPOCHS))
    page.get_by_label("Epochs").press("Enter")
    page.get_by_text("Three honest agents").wait_for()
    screenshot(page, "start")
    page.get_by_test_id("stButton").get_by_text("Start", exact=True).click()
    in_state(page, "running")
    until(lambda: epoch(page) >= 2)
    drawn = points_drawn(page)
    until(lambda: points_drawn(page) > drawn)  # the charts move

    page.get_by_role("button", name="Pause").click()
    in_state(page, "paused")
    page.wait_for_timeout(800)
    stands = epoch(page)
    log = newest(runs)
    size = (log / "events.jsonl").stat().st_size
    page.wait_for_timeout(1200)
    assert epoch(page) == stands  # the epoch stands still
    assert (log / "events.jsonl").stat().st_size == size
    screenshot(page, "paused")

    page.get_by_role("button", name="Step one epoch").click()
    until(lambda: epoch(page) == stands + 1)
    page.wait_for_timeout(700)
    assert epoch(page) == stands + 1

    page.get_by_role("button", name="Resume").click()
    until(lambda: epoch(page) > stands + 1)
    page.get_by_test_id("stSelectbox").filter(has_text="Speed").get_by_role("combobox").click()
    page.get_by_role("option", name="as fast as it can").click()
    in_state(page, "completed")
    assert epoch(page) == EPOCHS
    until(lambda: points_drawn(page) == EPOCHS)
    until((log / "interactions.parquet").is_file)
    assert mc.replay(log).complete


def newest(runs: Path) -> Path:
    return max(runs.iterdir(), key=lambda path: (path / "manifest.json").stat().st_mtime_ns)


def open_run(page: Page, run_id: str) -> None:
    chooser = page.get_by_test_id("stSelectbox").filter(has_text="Run").first.get_by_role("combobox")
    chooser.click()
    page.get_by_role("option", name=run_id).click()
    page.wait_for_url(re.compile(f"run={run_id}"))
    in_state(page, "completed")


def test_a_finished_run_is_opened_its_table_sorted_its_feed_filtered_an_event_followed(watched: Watched) -> None:
    page = watched.page
    open_run(page, "attack_s1")
    page.get_by_text("adversarial_attack, seed 1").wait_for()
    until(lambda: len(column(page, 0, "Resources (credits)")) > 10)
    screenshot(page, "run")
    table = page.get_by_test_id("stDataFrame").nth(0)
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    assert box is not None
    place = table.locator("[role=columnheader]").all_text_contents().index("Resources (credits)")
    page.mouse.click(box["x"] + (place + 0.4) * box["width"] / 8, box["y"] + 16)
    until(lambda: rising([float(cell) for cell in column(page, 0, "Resources (credits)")]))
    assert column(page, 0, "ID") != sorted(column(page, 0, "ID"))

    page.get_by_label("Find").fill("adversarial")
    page.get_by_label("Find").press("Enter")
    until(lambda: set(column(page, 0, "Type")) == {"adversarial"})

    kinds = page.get_by_test_id("stMultiSelect").filter(has_text="Kinds").get_by_role("combobox")
    kinds.fill("interaction")
    page.get_by_role("option", name="interaction", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_label("Agent", exact=True).fill("3")
    page.get_by_label("Agent", exact=True).press("Enter")
    until(lambda: set(column(page, 1, "Event")) == {"interaction"})
    until(lambda: all(re.search(r"(initiator|counterparty) a_03", said) for said in column(page, 1, "What")))

    feed = page.get_by_test_id("stDataFrame").nth(1)
    feed.scroll_into_view_if_needed()
    area = feed.bounding_box()
    assert area is not None
    caused = next(at for at, said in enumerate(column(page, 1, "Caused by")) if said)
    chosen, cause = column(page, 1, "#")[caused], column(page, 1, "Caused by")[caused].lstrip("#")
    page.mouse.click(area["x"] + 18, area["y"] + 35 + 35 * (caused + 0.5))
    page.get_by_text(f"Event #{int(chosen):,}", exact=True).wait_for()
    screenshot(page, "event")
    page.get_by_role("button", name=re.compile("Go to what caused it")).click()
    page.get_by_text(f"Event #{int(cause):,}", exact=True).wait_for()


def rising(values: list[float]) -> bool:
    return len(values) > 5 and values == sorted(values)


def test_the_network_the_comparison_and_the_limits_are_shown(watched: Watched) -> None:
    page = watched.page
    turn_to(page, "Network")
    page.locator(".st-key-network .scatterlayer").wait_for()
    names: Any = page.evaluate(
        "document.querySelector('.st-key-network .js-plotly-plot').data.map(trace => trace.name)"
    )
    assert {"honest"} <= set(names)
    screenshot(page, "network")

    turn_to(page, "Compare")
    page.get_by_text("Means over epochs").wait_for()
    chosen = page.get_by_test_id("stMultiSelect").first
    expect(chosen).to_contain_text(re.compile("attack_s|baseline"))
    page.locator(".st-key-compare_chart .scatterlayer").wait_for()
    traces: Any = page.evaluate("document.querySelector('.st-key-compare_chart .js-plotly-plot').data.length")
    assert traces == 2
    page.get_by_text("What was asked differently").wait_for()
    screenshot(page, "compare")

    turn_to(page, "Limits")
    page.get_by_text("Sanity flags").wait_for()
    until(lambda: "payoff.s_plus" in column(page, 0, "Constant"))
    screenshot(page, "limits")


def test_hostile_texts_stay_texts_in_the_browser(watched: Watched, server: Served) -> None:
    page = watched.page
    page.goto(f"{server.address}?run=hostile")
    in_state(page, "completed")
    page.get_by_text("sanity flags").click()
    page.get_by_text("<img src=x onerror='window.pwned=1'>zq1", exact=False).first.wait_for()
    page.get_by_label("Contains").fill("zq")
    page.get_by_label("Contains").press("Enter")
    until(lambda: all("zq" in said for said in column(page, 1, "What") or [""]))
    for view in ("Network", "Limits", "Compare", "Run"):
        turn_to(page, view)
        page.wait_for_timeout(400)
        script = (
            "[window.pwned, document.querySelectorAll('img[src=x], iframe, main script, main a[href^=java]').length]"
        )
        assert page.evaluate(script) in ([None, 0], [0]), view
        assert page.evaluate("typeof window.pwned") == "undefined"
    page.get_by_text("sanity flags").click()
    screenshot(page, "hostile")
