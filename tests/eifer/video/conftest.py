"""The reader of these tests, opened once."""

from __future__ import annotations

import pytest

from eifer.video.reading import Reader, opened


@pytest.fixture(scope="session")
def reader(models: None) -> Reader:
    return opened()
