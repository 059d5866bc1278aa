"""A crate's signature: of every other file in it, by a key of an elliptic curve, without a network.

It is what model-signing makes (a Sigstore bundle), so that its own command can verify it, too.
"""

from __future__ import annotations

import ast
import getpass
import importlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from eifer.errors import StudyError, shortened
from flows.audit.study import Recorded, Verdict
from flows.crate.card import CARD
from flows.crate.croissant import CROISSANT
from flows.crate.graph import METADATA
from flows.crate.source import Source
from stages._runtime import content

SIGNATURE = "signature.json"
DERIVED = {METADATA, CROISSANT, CARD, SIGNATURE}
"""Files of a crate that the study has not."""
CURVES = ("secp256r1", "secp384r1", "secp521r1")
PAIR = (
    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem && "
    "openssl pkey -in key.pem -pubout -out public.pem"
)


def signer(key: Path) -> Callable[[Path], None]:
    """What signs a folder by the private ``key``, which is read at once.

    Raises
    ------
    StudyError
        If model-signing is not installed, or the key is none that signs.
    """
    library = _library()
    password = _password(key)
    config = library.signing.Config().use_elliptic_key_signer(private_key=key, password=password)
    config.set_hashing_config(_hashing(library))

    def sign(folder: Path) -> None:
        config.sign(folder, folder / SIGNATURE)

    return sign


def verdict(crate: Path, key: Path, study: Recorded | None) -> Verdict:
    """Whether a crate is what the owner of a public ``key`` signed, and of this ``study``.

    Raises
    ------
    StudyError
        If model-signing is not installed, the key is no public one, or there is no crate.
    """
    library = _library()
    _loaded(key, private=False)
    if not (crate / METADATA).is_file():
        raise StudyError(f"{crate} is no crate: it has no {METADATA}")
    files = sorted(path for path in crate.rglob("*") if not path.is_dir())
    found = Verdict("crate", checked=len(files), of=f"its signature by the key in {key}")
    if not (crate / SIGNATURE).is_file():
        found.places.append(f"{crate}: not signed: there is no {SIGNATURE}")
    else:
        found.places += _unlike_signed(library, crate, key)
    if study is None:
        state = "not as signed" if found.places else f"as signed by the key in {key}"
        found.unchecked.append(
            f"the crate is {state}; whose study it is stays open: {Path().resolve()} is none"
        )
    else:
        found.of += ", and this study"
        found.places += _unlike_study(crate, files, study)
    return found


def _unlike_signed(library: Any, crate: Path, key: Path) -> list[str]:
    """Where a crate is not as it was signed."""
    from cryptography.exceptions import InvalidSignature

    config = library.verifying.Config().use_elliptic_key_verifier(public_key=key)
    try:
        # Else it would take the word of the signature for what need not be looked at.
        config.set_hashing_config(_hashing(library)).verify(crate, crate / SIGNATURE)
    except InvalidSignature:
        return [f"{crate}/{SIGNATURE}: not the signature of what it lists"]
    except Exception as error:  # of a bundle that was changed, whatever reads it raises its own
        # It writes digests as Python shows bytes.
        text = re.sub(
            r"Digest\(algorithm='(\w+)', digest_value=(b(['\"]).*?(?<!\\)\3)\)",
            lambda found: f"{found[1]} {ast.literal_eval(found[2]).hex()}",
            str(error),
        )
        return [f"{crate}: {text or type(error).__name__}"]
    return []


def _unlike_study(crate: Path, files: list[Path], study: Recorded) -> list[str]:
    """Where a crate is not of a study: who it says it is of, what it names, and what it has."""
    try:
        graph = json.loads((crate / METADATA).read_text("utf-8"))["@graph"]
        named = {unquote(e["@id"]): e.get("sha256") for e in graph if e["@type"] != "Dataset"}
        (of,) = (entity.get("identifier") for entity in graph if entity["@id"] == "./")
    except (ValueError, KeyError, TypeError) as error:
        return [f"{crate}/{METADATA}: cannot be read ({shortened(error)})"]
    places, source = [], Source(study.root)
    if not source.executions or of != source.identifier:
        places.append(f"{crate}/{METADATA}: of another study: {of}")
    for file in files:
        name = file.relative_to(crate).as_posix()
        if name in DERIVED:
            continue
        sha256 = content.of_file(file).sha256
        if named.get(name) != sha256:
            places.append(f"{file}: {METADATA} names other bytes, or not the file")
        own = study.root / name
        if name.startswith("recordings/"):
            cohort = study.root / study.recordings
            own = cohort if cohort.is_file() else cohort / name.removeprefix("recordings/")
        if not own.is_file():
            places.append(f"{file}: the study has no such file")
        elif study.hashed(own).sha256 != sha256:
            places.append(f"{file}: the study has other bytes")
    return places


def _library() -> Any:
    """Whatever of model-signing is needed."""
    try:
        names = ("hashing", "signing", "verifying")
        modules = {name: importlib.import_module(f"model_signing.{name}") for name in names}
    except ModuleNotFoundError as error:
        raise StudyError(
            f"signatures need {error.name}: pip install 'eifer[signing]' (in a clone: make setup)"
        ) from None
    return SimpleNamespace(**modules)


def _hashing(library: Any) -> Any:
    """Of every file, git's too, which it would leave out."""
    return library.hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _password(key: Path) -> bytes | None:
    """The password of a private key, asked for if it has one."""
    try:
        _loaded(key, private=True)
    except TypeError:  # it is encrypted
        if not sys.stdin.isatty():
            raise StudyError(
                f"{key} is protected by a password: call this in a terminal, which asks for it"
            ) from None
        password = os.fsencode(getpass.getpass(f"Password of {key}: "))
        _loaded(key, private=True, password=password)
        return password
    return None


def _loaded(key: Path, *, private: bool, password: bytes | None = None) -> None:
    """Refuse what is no key of the kind."""
    from cryptography.hazmat.primitives import serialization

    text = key.read_bytes()
    if private and b"PUBLIC KEY-----" in text:
        raise StudyError(f"{key} is a public key, which verifies; sign with the private one")
    if not private and b"PRIVATE KEY-----" in text:
        raise StudyError(
            f"{key} is a private key: give the public one "
            f"(openssl pkey -in {key} -pubout -out public.pem)"
        )
    try:
        if private:
            loaded: Any = serialization.load_pem_private_key(text, password)
        else:
            loaded = serialization.load_pem_public_key(text)
    except ValueError as error:
        raise StudyError(f"{key} cannot be read ({shortened(error)}); a pair: {PAIR}") from None
    if getattr(getattr(loaded, "curve", None), "name", None) not in CURVES:
        raise StudyError(
            f"{key} is no key of an elliptic curve (P-256, P-384 or P-521), which model-signing "
            f"needs; a pair: {PAIR}"
        )
