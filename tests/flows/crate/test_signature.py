"""A signed crate: any change is found, keys are told apart, and nothing asks a network."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from eifer.errors import StudyError
from flows.audit.study import Recorded, Verdict
from flows.crate import signature
from flows.crate.graph import METADATA
from flows.crate.signature import PAIR, SIGNATURE, signer
from flows.crate.writing import write
from stages._runtime import provenance
from tests.watched import tool

CRATE = Path("../crate")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of keys as the how-to makes them: key and public, other and of-other; and odd ones."""
    place = tmp_path_factory.mktemp("keys")
    for key, public in (("key", "public"), ("other", "of-other")):
        words = PAIR.replace("key.pem", f"{key}.pem").replace("public.pem", f"{public}.pem")
        subprocess.run(words, shell=True, check=True, cwd=place, capture_output=True)
    for words in (
        "genpkey -algorithm ed25519 -out ed25519.pem",
        "pkey -in ed25519.pem -pubout -out of-ed25519.pem",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out curve.pem",
        "pkey -in key.pem -aes256 -passout pass:open -out locked.pem",
    ):
        subprocess.run(["openssl", *words.split()], check=True, cwd=place, capture_output=True)
    (place / "text.pem").write_text("no key\n")
    return place


@pytest.fixture
def signed(study: Path, keys: Path) -> Path:
    write(study, CRATE, [], sign=signer(keys / "key.pem"))
    return CRATE


def found(crate: Path, key: Path, study: Path | None = Path()) -> Verdict:
    return signature.verdict(crate, key, None if study is None else Recorded(study))


def test_a_crate_as_it_was_signed_is_ok_wherever_it_lies(signed: Path, keys: Path) -> None:
    verdict = found(signed, keys / "public.pem")
    assert (verdict.state, verdict.places) == ("ok", [])
    assert verdict.checked == sum(path.is_file() for path in signed.rglob("*"))
    moved = signed.rename("../moved")
    alone = found(moved, keys / "public.pem", None)
    assert (alone.places, alone.state) == ([], "cannot be checked")
    entities = json.loads((moved / METADATA).read_text())["@graph"]
    assert SIGNATURE in {entity["@id"] for entity in entities}
    # A crate is replaced, signed or not.
    write(Path(), moved, [], sign=signer(keys / "key.pem"))
    write(Path(), moved, [])
    assert not (moved / SIGNATURE).exists()


PAGE = "data/report/index.html"


@pytest.mark.parametrize("name", [PAGE, METADATA, "params.yaml", "croissant.json"])
@pytest.mark.parametrize("how", ["byte", "gone", "renamed"])
def test_a_byte_a_name_or_a_missing_file_is_found(
    signed: Path, keys: Path, name: str, how: str
) -> None:
    path = signed / name
    if how == "byte":
        text = path.read_bytes()
        path.write_bytes(text[:-1] + bytes([text[-1] ^ 1]))
    elif how == "gone" or name == METADATA:
        path.unlink()
    else:
        path.rename(path.with_name("other"))
    if not (signed / METADATA).exists():
        with pytest.raises(StudyError, match="is no crate"):
            found(signed, keys / "public.pem")
        return
    alone, whole = (found(signed, keys / "public.pem", at) for at in (None, Path()))
    for verdict in (alone, whole):
        assert verdict.state == "differs"
        assert name in verdict.places[0]


@pytest.mark.parametrize("name", ["new.txt", ".gitignore", ".git/config", "data/report/new"])
def test_an_added_file_is_found(signed: Path, keys: Path, name: str) -> None:
    (signed / name).parent.mkdir(exist_ok=True)
    (signed / name).write_text("new")
    assert name in found(signed, keys / "public.pem", None).places[0]
    shutil.rmtree(signed / name) if (signed / name).is_dir() else (signed / name).unlink()
    (signed / "link").symlink_to("params.yaml")
    assert found(signed, keys / "public.pem", None).places


def test_a_changed_signature_is_found(signed: Path, keys: Path) -> None:
    file = signed / SIGNATURE
    whole = file.read_text()
    (payload,) = re.findall(r'"payload":\s*"([^"]+)"', whole)
    changed = [
        whole.replace(payload, payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]),
        whole[: len(whole) // 2],
        "{}",
        "",
    ]
    for text in changed:
        file.write_text(text)
        assert found(signed, keys / "public.pem", None).state == "differs", text[:80]
    file.unlink()
    assert "not signed" in found(signed, keys / "public.pem", None).places[0]


def test_another_key_and_another_study_are_found(signed: Path, keys: Path) -> None:
    assert "Key mismatch" in found(signed, keys / "of-other.pem").places[0]
    # The study goes on: its page is another one now; a crate says what it was.
    page = Path(PAGE)
    page.unlink()
    page.write_text("another page")
    (place,) = found(signed, keys / "public.pem").places
    assert place == f"{signed}/{PAGE}: the study has other bytes"
    page.unlink()
    (place,) = found(signed, keys / "public.pem").places
    assert place == f"{signed}/{PAGE}: the study has no such file"
    min(provenance.RECORDS.glob("*.json")).unlink()
    assert any("of another study" in p for p in found(signed, keys / "public.pem").places)


def test_what_was_signed_over_a_change_is_found_by_the_study(signed: Path, keys: Path) -> None:
    (signed / "params.yaml").write_text("study: {name: forged}\n")
    signer(keys / "key.pem")(signed)
    assert not found(signed, keys / "public.pem", None).places
    first, second = found(signed, keys / "public.pem").places
    assert f"{METADATA} names other bytes" in first and "the study has other bytes" in second


def test_recordings_in_a_crate_are_held_against_the_cohort(study: Path, keys: Path) -> None:
    write(study, CRATE, ["recordings", "faces"], sign=signer(keys / "key.pem"))
    assert found(CRATE, keys / "public.pem").state == "ok"
    Path("../cohort/sub-01/video.mp4").write_text("another video")
    (place,) = found(CRATE, keys / "public.pem").places
    assert "recordings/sub-01/video.mp4: the study has other" in place


@pytest.mark.parametrize(
    ("use", "name", "said"),
    [
        ("sign", "public", "is a public key, which verifies"),
        ("sign", "text", r"cannot be read .*openssl genpkey"),
        ("sign", "ed25519", "no key of an elliptic curve"),
        ("sign", "curve", "no key of an elliptic curve"),
        ("sign", "locked", "protected by a password: call this in a terminal"),
        ("verify", "key", "is a private key: give the public one"),
        ("verify", "locked", "is a private key: give the public one"),
        ("verify", "text", "cannot be read"),
        ("verify", "of-ed25519", "no key of an elliptic curve"),
    ],
)
def test_keys_that_cannot_do_it_are_refused(keys: Path, use: str, name: str, said: str) -> None:
    key = keys / f"{name}.pem"
    with pytest.raises(StudyError, match=said):
        signer(key) if use == "sign" else found(Path(), key, None)


def test_a_password_is_asked_for(study: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda _: True})())
    monkeypatch.setattr(getpass, "getpass", lambda _: "shut")
    with pytest.raises(StudyError, match="cannot be read"):
        signer(keys / "locked.pem")
    monkeypatch.setattr(getpass, "getpass", lambda _: "open")
    write(study, CRATE, [], sign=signer(keys / "locked.pem"))
    assert found(CRATE, keys / "public.pem").state == "ok"


def test_the_commands_sign_and_verify(study: Path, keys: Path) -> None:
    def eifer(*words: str, cwd: str = ".") -> subprocess.CompletedProcess[str]:
        return tool("python", "-P", "-m", "flows", *words, cwd=Path(cwd).resolve())

    done = eifer("crate", "../crate", "--sign", str(keys / "key.pem"))
    assert done.returncode == 0, done.stderr
    assert "eifer audit --key PUBLIC.pem --crate ../crate" in done.stdout
    # Where there is no study.
    words = ("audit", "--key", str(keys / "public.pem"), "--crate", "crate")
    done = eifer(*words, cwd="..")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "the crate is as signed by the key" in done.stdout
    Path("../crate", PAGE).write_text("9.9")
    done = eifer(*words, cwd="..")
    assert done.returncode == 1
    assert f"crate differs: crate: Signature mismatch: [\"Hash mismatch for '{PAGE}'" in done.stdout
    assert "sha256 " in done.stdout and "Digest(" not in done.stdout
    assert "not what was recorded: crate" in done.stderr
    lone = eifer("audit", "--key", str(keys / "public.pem"))
    assert lone.returncode == 2 and "go together" in lone.stderr


def test_without_the_extra_the_command_says_what_to_install(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing.hashing", None)
    with pytest.raises(StudyError, match=r"pip install 'eifer\[signing\]'"):
        signer(keys / "key.pem")
