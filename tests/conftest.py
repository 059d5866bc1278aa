"""What the tests share: the folder of real recordings, a drawn meeting, a browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

import stages  # noqa: F401  (before NumPy and torch: it says which kernels they compute with)
from eifer.errors import AssetError
from eifer.faces import assets

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.meeting import Meeting

ROOT = Path(__file__).parents[1]
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file with one worker, so that none makes again what they share."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real recordings and R's answers, kept beside the project and not in it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder ../shared (real recordings, not part of the project)")
    return folder


@pytest.fixture(scope="session")
def models() -> None:
    """Skip without the model files: `make setup` fetches them."""
    try:
        for asset in assets.READING:
            assets.locate(asset)
    except AssetError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Meeting:
    from tests.meeting import filmed

    return filmed(tmp_path_factory.mktemp("meeting") / "meeting.mp4")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which asks nobody for anything by itself."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make setup")
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.skip("needs Chromium to try the page (Debian: apt install chromium)")
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def barriers(browser: Browser) -> Callable[[Path | Page], list[str]]:
    """The rules of accessible pages that axe-core finds broken, each with its first place.

    A file is opened at the width of a desktop and of a phone, and in the dark, where colours alone
    are looked at; all of it unfolded.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs make setup")

    def on(page: Page, **options: Any) -> list[str]:
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        found = axe.Axe().run(page, options={"resultTypes": ["violations"], **options})
        return [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found.response["violations"]
        ]

    def found(where: Path | Page) -> list[str]:
        if not isinstance(where, Path):
            return on(where)
        broken = []
        views = ((390, "light", {}), (1280, "light", {}), (390, "dark", COLOURS))
        for width, scheme, options in views:
            size: Any = {"width": width, "height": 900}
            with browser.new_context(viewport=size, color_scheme=cast("Any", scheme)) as context:
                page = context.new_page()
                page.goto(where.as_uri())
                broken += [f"{width} px, {scheme}: {rule}" for rule in on(page, **options)]
        return broken

    return found
