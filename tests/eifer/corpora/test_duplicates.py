"""Copies are found however they were made, nothing else is; atoms hold what belongs together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from eifer.cohort.simulation.corpus import CorpusSpec, simulate_corpus
from eifer.corpora.duplicates import CopiesSpec, Pictures, find_copies
from eifer.corpora.looks import look_at
from eifer.corpora.reading import png
from eifer.errors import InputError
from eifer.faces.pictures import decoded
from eifer.seeding import generator
from eifer.tables.expressions import DUPLICATES, IMAGES
from tests.corpora import pictured

SPEC = CopiesSpec(bits=2, correlation=0.9)
Files = dict[str, bytes]


def of(files: Files) -> Pictures:
    def pictures(names: Sequence[str]) -> Iterator[bytes]:
        return (files[name] for name in names)

    return pictures


def jpeg(rgb: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    """Drawn portraits of 40 people, no two alike, RGB."""
    spec = CorpusSpec(identities=40, images_per_identity=1, size_px=96, noise_levels=3)
    corpus = simulate_corpus(spec, seed=5)
    return dict(zip(corpus["image_id"], map(decoded, corpus["image"]), strict=True))


def test_distinct_drawn_images_are_no_copies(drawn: dict[str, np.ndarray]) -> None:
    files = {f"a/{name}": png(rgb) for name, rgb in drawn.items()}
    found = find_copies(pictured(files), of(files), SPEC)
    assert found["copies"].isna().all() and found["how"].isna().all()
    assert (found["atom"] == found["image_id"]).all() and not found["contradicts"].any()


@pytest.mark.parametrize("seed", range(3))
def test_every_planted_copy_is_found_and_named(drawn: dict[str, np.ndarray], seed: int) -> None:
    """In a second corpus: the same pixels, compressed, smaller, larger, brighter, mirrored."""
    rng = generator(seed, "planted")
    names = rng.permutation(sorted(drawn))
    files = {f"a/{name}": png(rgb) for name, rgb in drawn.items()}
    planted = {}
    made = {
        "same": ("pixels", png),
        "compressed": ("look", lambda x: jpeg(x, 85)),
        "smaller": ("look", lambda x: png(cv2.resize(x, (64, 64), interpolation=cv2.INTER_AREA))),
        "larger": ("look", lambda x: png(cv2.resize(x, (192, 192)))),
        "brighter": ("look", lambda x: png(cv2.convertScaleAbs(x, alpha=0.9, beta=9))),
        "mirrored": ("mirror", lambda x: png(x[:, ::-1])),
        "both": ("mirror", lambda x: jpeg(np.ascontiguousarray(x[:, ::-1]), 90)),
    }
    for k, (form, (how, make)) in enumerate(made.items()):
        for name in names[4 * k : 4 * k + 4]:
            files[f"b/{name}-{form}"] = make(drawn[name])
            planted[f"b/{name}-{form}"] = (f"a/{name}", how)
    order = rng.permutation(list(files))
    found = find_copies(pictured({name: files[name] for name in order}), of(files), SPEC)
    pd.testing.assert_frame_equal(found, find_copies(pictured(files), of(files), SPEC))
    rows = found.set_index("image_id")
    assert {i: (rows.loc[i, "copies"], rows.loc[i, "how"]) for i in planted} == planted
    originals = rows.loc[sorted(original for original, _ in planted.values())]
    assert (originals["copies"] == originals.index).all() and originals["how"].isna().all()
    assert rows["copies"].notna().sum() == 2 * len(planted)
    assert list(found.columns) == DUPLICATES.names


def test_persons_join_copies_and_the_names_of_persons_hold_within_a_corpus(
    drawn: dict[str, np.ndarray],
) -> None:
    """p's two pictures, and a copy of one of them in b, whose other p is somebody else."""
    one, two, three, four = (png(x) for x in list(drawn.values())[:4])
    files = {"a/1": one, "a/2": two, "b/1": two, "b/2": three, "c/1": four}
    images = pictured(files, label={"a/2": "sad"}).set_index("image_id")
    images.loc[["a/1", "a/2", "b/2"], "identity"] = "p"
    found = find_copies(images.reset_index(), of(files), SPEC).set_index("image_id")
    atoms = {"a/1": "a/1", "a/2": "a/1", "b/1": "a/1", "b/2": "b/2", "c/1": "c/1"}
    assert found["atom"].to_dict() == atoms
    assert found["copies"].dropna().to_dict() == {"a/2": "a/2", "b/1": "a/2"}
    assert found.index[found["contradicts"]].tolist() == ["a/2", "b/1"]


def test_copies_of_copies_are_one_group_and_the_middle_one_is_not_lost() -> None:
    """A chain whose ends are too far apart, by hashes that are known bit by bit."""
    rng = generator(1, "chain")
    first = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    files = {"a/1": png(np.repeat(first[..., None], 3, axis=2))}
    grey = first.astype(float)
    looks = [int(look_at(files["a/1"]).look, 16)]
    while len(files) < 3:  # more noise, until the last but one link breaks
        grey = np.clip(grey + rng.normal(0, 4, grey.shape), 0, 255)
        file = png(np.repeat(np.uint8(grey)[..., None], 3, axis=2))
        look = int(look_at(file).look, 16)
        if (looks[-1] ^ look).bit_count() == 2 and (looks[0] ^ look).bit_count() == 2 * len(files):
            files[f"a/{len(files) + 1}"] = file
            looks.append(look)
        else:
            grey = cv2.imdecode(np.frombuffer(list(files.values())[-1], np.uint8), 0).astype(float)
    found = find_copies(pictured(files), of(files), SPEC)
    assert found["copies"].tolist() == ["a/1"] * 3
    assert found["how"].tolist()[1:] == ["look", "look"]
    apart = {"a/1": files["a/1"], "a/3": files["a/3"]}
    assert find_copies(pictured(apart), of(apart), SPEC)["copies"].isna().all()
    near = find_copies(pictured(apart), of(apart), replace(SPEC, bits=4))
    assert near["copies"].tolist() == ["a/1"] * 2


def test_pictures_without_contrast_are_copies_by_their_pixels_alone() -> None:
    files = {
        f"a/{k}": png(np.full((48, 48, 3), grey, np.uint8)) for k, grey in enumerate((7, 7, 9))
    }
    assert find_copies(pictured(files), of(files), SPEC)["copies"].tolist()[:2] == ["a/0", "a/0"]
    assert find_copies(pictured(files), of(files), SPEC)["copies"].isna().tolist()[2]


def test_all_that_is_wrong_is_said_at_once(drawn: dict[str, np.ndarray]) -> None:
    one, two, three = (png(x) for x in list(drawn.values())[:3])
    files = {"a/1": one, "a/2": two, "a/3": three}
    images = pictured(files)
    with pytest.raises(InputError) as error:
        find_copies(images, of(files | {"a/1": b"none", "a/3": two}), SPEC)
    assert "2 problems" in str(error.value)
    assert "cannot be decoded (1): a/1" in str(error.value)
    assert "looks otherwise than the table of images says (1): a/3" in str(error.value)
    with pytest.raises(InputError, match=r"an image is there twice \(1\): a/2"):
        find_copies(pd.concat([images, images.iloc[[1]]]), of(files), SPEC)
    assert find_copies(IMAGES.empty(), of({}), SPEC).empty


def test_copies_in_fer2013_are_those_of_a_search_through_all_pairs(
    shared: Path, tmp_path: Path
) -> None:
    """Training and PublicTest, as far as they lie here: 262 pairs have the same pixels.

    The 1 517 groups of the protocol are those of all three parts, before the images whose match
    with other lists is uncertain, most copies among them, were taken out.
    """
    folder = shared / "real_faces"
    parts = [pd.read_parquet(folder / f"fer2013_{part}.parquet") for part in PARTS]
    faces = pd.concat(parts, ignore_index=True)
    names = ("fer2013/" + faces["image_id"]).tolist()
    files = dict(zip(names, faces["png"], strict=True))
    images = pictured(files, label=dict(zip(names, faces["label"], strict=True)))
    found = find_copies(images, of(files), SPEC, tmp_path).set_index("image_id")
    greys = [cv2.imdecode(np.frombuffer(files[name], np.uint8), 0) for name in names]
    raw = pd.Series([hashlib.sha256(grey.data).hexdigest() for grey in greys], index=names)
    pixels = raw[raw.duplicated(keep=False)]
    assert (pixels.nunique(), len(pixels)) == (262, 524)
    assert (found["copies"][pixels.index].groupby(pixels).nunique() == 1).all()
    assert (found["how"] == "pixels").sum() == 262
    assert (found["copies"].nunique(), found["copies"].notna().sum()) == (505, 1080)
    assert found.loc[found["contradicts"], "copies"].nunique() == 48
    groups = found.loc[names, "copies"].fillna("none").to_numpy()
    same = raw.groupby(raw).indices
    asked, alike = _all_alike(greys, every=4)
    for query, others in zip(asked, alike, strict=True):
        copies = {query, *others, *same[raw.iloc[query]].tolist()}
        assert set(groups[list(copies)]) == {groups[query]}
        assert (groups[query] == "none") == (copies == {query})


PARTS = ("training", "public_test")


def _all_alike(greys: list[np.ndarray], every: int) -> tuple[list[int], list[list[int]]]:
    """Of every fourth picture, say, those that look like it: by comparing it with each."""
    small = [cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA) for grey in greys]
    x = np.array([(grey - grey.mean()).ravel() / (grey.std() * 32 + 1e-9) for grey in small])
    hashes = np.array([_bits(grey) for grey in small], np.uint64)
    queries = list(range(0, len(greys), every))
    alike: list[list[int]] = []
    for i in queries:
        own: list[int] = []
        for form in (small[i], small[i][:, ::-1]):
            near = np.flatnonzero(np.bitwise_count(hashes ^ np.uint64(_bits(form))) <= 2)
            y = (form - form.mean()).ravel() / (form.std() * 32 + 1e-9)
            own += [int(j) for j in near if j != i and float(x[j] @ y) > 0.9]
        alike.append(own)
    return queries, alike


def _bits(grey: np.ndarray) -> int:
    lowest = cv2.dct(np.float32(grey))[:8, :8].ravel()[1:]
    return sum(1 << (62 - int(k)) for k in np.flatnonzero(lowest > np.median(lowest)))
