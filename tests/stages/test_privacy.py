"""Loopback never through a proxy, and nobody else reads what is derived from people."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.request import proxy_bypass_environment

import httpx
import pytest
import requests

from stages._runtime.privacy import close_folders, keep_private

OWN = "127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, OWN),
        ({"no_proxy": "lab.example, .org"}, f"lab.example,.org,{OWN}"),
        ({"NO_PROXY": "lab.example"}, f"lab.example,{OWN}"),
        ({"no_proxy": "localhost"}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": "*"}, "*"),
        ({"no_proxy": ""}, OWN),
    ],
)
@pytest.mark.parametrize("proxy", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_this_machine_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch, proxy: str, before: dict[str, str], after: str
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {proxy: "http://127.0.0.1:9", **before}.items():
        monkeypatch.setenv(name, value)

    keep_private()
    keep_private()  # as in a process that such a one has started

    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == after
    for host in ("127.0.0.1", "localhost"):
        url = f"http://{host}:4200"
        assert proxy_bypass_environment(host)
        assert requests.utils.get_environ_proxies(url) == {}
        client = httpx.Client()
        assert client._transport_for_url(httpx.URL(url)) is client._transport


def test_a_folder_that_is_no_study_gets_no_folders(tmp_path: Path) -> None:
    close_folders(tmp_path)

    assert list(tmp_path.iterdir()) == []
