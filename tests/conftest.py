"""What the tests share: the folder of real recordings, where there is one, and a drawn meeting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stages  # noqa: F401  (before NumPy and torch: it says which kernels they compute with)
from eifer.errors import AssetError
from eifer.faces import assets

if TYPE_CHECKING:
    from tests.meeting import Meeting

ROOT = Path(__file__).parents[1]


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
