"""Copies of a picture across all corpora, and the atoms that must never be divided.

Protocol of the expressions study, section 3. Two images are copies where their decoded pixels are
the same (``pixels``); where the hashes of their looks differ in few bits and their small grey
pictures correlate (``look``); or where that holds once one of them is mirrored (``mirror``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from annotated_types import Ge, Le
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eifer.corpora.looks import SIDE_PX, look_hash, small
from eifer.errors import InputError, Problem
from eifer.faces.pictures import decoded
from eifer.ranges import Part
from eifer.tables.expressions import DUPLICATES

Pictures = Callable[[Sequence[str]], Iterator[bytes]]
"""The files of images: their bytes, one an id, in the order of the ids."""

BITS = 63
"""Of the hash of a look."""
_CHUNK = 8192
"""Pairs whose pictures are in memory at a time."""
_HOW = ("look", "mirror")
_Ints = NDArray[np.int64]


@dataclass(frozen=True)
class CopiesSpec:
    """What counts as a copy, beside the same pixels.

    Parameters
    ----------
    bits
        The most bits by which the two hashes may differ. The hash has always 31 bits set, so that
        it changes by an even number of bits.
    correlation
        Of the two grey pictures of 32 x 32 px: it must be above.
    """

    bits: Annotated[int, Ge(0), Le(8)]
    correlation: Part


def find_copies(
    images: pd.DataFrame, pictures: Pictures, spec: CopiesSpec, scratch: Path | None = None
) -> pd.DataFrame:
    """Find the copies of every picture, and join them and the pictures of a person to atoms.

    Hashes are compared without looking at all pairs: if at most ``spec.bits`` of 63 differ, then of
    ``spec.bits`` + 1 parts one is equal, so that only images which share a part are compared.
    Of an image a KB is kept, in a file.

    Parameters
    ----------
    images : DataFrame
        The table ``IMAGES``, of all corpora.
    pictures
        Asked once, for the first image of each SHA-256, in order of ``image_id``.
    scratch
        A folder for the nameless file of small pictures; without one, the system's.

    Returns
    -------
    DataFrame
        The table ``DUPLICATES``. A group of copies is a connected component: its first and last
        image may look less alike than two neighbours do.

    Raises
    ------
    InputError
        If an image is there twice, its picture cannot be decoded, or looks otherwise than
        ``images`` says.
    """
    twice = images.loc[images["image_id"].duplicated(), "image_id"]
    if len(twice):
        remedy = "give every corpus and every picture of it its own name"
        raise InputError(
            "duplicates", [Problem("an image is there twice", i, remedy) for i in twice]
        )
    rows = images.sort_values("image_id", ignore_index=True)
    first = rows.groupby("sha256", sort=False)["image_id"].transform("first")
    unique = rows.index[rows["image_id"] == first].to_numpy()
    pixels = pd.Series(unique, index=first[unique]).loc[first].to_numpy()
    greys, mirrored = _seen(rows.loc[unique], pictures, scratch)
    plain = rows.loc[unique, "look"].map(lambda look: int(look, 16)).to_numpy(np.uint64)
    near, how = _near(plain, mirrored, greys, spec)
    copies = _components(len(rows), np.concatenate([[pixels, rows.index], unique[near]], axis=1))
    names = rows["image_id"].to_numpy()
    resembles = pd.Series(pd.NA, index=rows.index, dtype="str")
    resembles[unique] = how
    resembles[pixels != rows.index] = "pixels"
    group = pd.Series(copies, index=rows.index)
    resembles[~group.duplicated()] = pd.NA
    size = group.groupby(group).transform("size")
    person = rows.groupby(["corpus", "identity"], sort=False).ngroup().to_numpy()
    known = np.flatnonzero(person >= 0)
    leader = pd.Series(known).groupby(person[known]).transform("first").to_numpy()
    atoms = _components(len(rows), np.stack([np.r_[copies, leader], np.r_[rows.index, known]]))
    return DUPLICATES.conform(
        pd.DataFrame(
            {
                "image_id": rows["image_id"],
                "corpus": rows["corpus"],
                "atom": names[atoms],
                "copies": pd.Series(names[copies]).where(size > 1),
                "how": resembles,
                "contradicts": rows["label"].groupby(group).transform("nunique") > 1,
            }
        )
    )


def _seen(
    rows: pd.DataFrame, pictures: Pictures, scratch: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """The small grey pictures ``[N, 1024]`` of ``rows``, and the hashes of them mirrored."""
    shape = (len(rows), SIDE_PX * SIDE_PX)
    if not len(rows):
        return np.empty(shape, np.uint8), np.empty(0, np.uint64)
    with tempfile.TemporaryFile(dir=scratch) as place:  # lives on as long as it is mapped
        greys = np.memmap(place, np.uint8, "w+", shape=shape)
    hashes = np.empty(len(rows), np.uint64)
    problems = []
    files = pictures(rows["image_id"].tolist())
    for k, (name, look, file) in enumerate(zip(rows["image_id"], rows["look"], files, strict=True)):
        try:
            grey = small(decoded(file))
        except ValueError as error:
            problems.append(Problem(f"a picture {error}", name, "read its corpus again"))
            continue
        if f"{look_hash(grey):016x}" != look:
            what = "a picture looks otherwise than the table of images says"
            problems.append(Problem(what, name, "it has changed since: read its corpus again"))
        greys[k] = grey.ravel()
        hashes[k] = look_hash(np.ascontiguousarray(grey[:, ::-1]))
    if problems:
        raise InputError("duplicates", problems)
    return greys, hashes


def _near(
    plain: NDArray[np.uint64],
    mirrored: NDArray[np.uint64],
    greys: NDArray[np.uint8],
    spec: CopiesSpec,
) -> tuple[_Ints, NDArray[np.object_]]:
    """Edges ``[2, E]`` that join all that look alike, and how each resembles another.

    The likeness to an earlier picture goes before that to a later one, and ``look`` goes before
    ``mirror``.
    """
    n = len(plain)
    edges = [np.empty((2, 0), np.int64)]
    group = np.arange(n)
    best = np.full(n, 4)
    for found in _candidates(np.concatenate([plain, mirrored]), spec.bits):
        mirrors = found >= n
        mirror = mirrors[0] | mirrors[1]
        # Two mirrored ones are seen as plain ones; a face may look like its own mirror image.
        new = ~(mirrors[0] & mirrors[1]) & (found[0] % n != found[1] % n)
        pairs, mirror = np.sort(found[:, new] % n, axis=0), mirror[new]
        # Thousands of copies of one picture are joined long before all pairs of them are seen.
        early, late = pairs
        unsure = (group[early] != group[late]) | (best[late] > 0) | (best[early] > 2)
        pairs, mirror = pairs[:, unsure], mirror[unsure]
        for start in range(0, pairs.shape[1], _CHUNK):
            some, turned = pairs[:, start : start + _CHUNK], mirror[start : start + _CHUNK]
            alike = _correlation(greys[some[0]], greys[some[1]], turned) > spec.correlation
            (early, late), turned = some[:, alike], turned[alike]
            np.minimum.at(best, late, turned.astype(int))
            np.minimum.at(best, early, 2 + turned.astype(int))
            edges.append(some[:, alike])
        if len(edges) > 256 or sum(some.shape[1] for some in edges) > 2 * n:
            group = _components(n, np.concatenate(edges, axis=1))
            edges = [np.stack([group, np.arange(n)])]  # one edge an image says the same
    words = np.array([*_HOW, *_HOW, None], object)
    return np.concatenate(edges, axis=1), np.asarray(words[best])


def _candidates(hashes: NDArray[np.uint64], bits: int) -> Iterator[_Ints]:
    """Pairs ``[2, K]`` of hashes that differ in at most ``bits``, each pair once.

    Neighbouring bits go to different parts: the lowest frequencies vary little from face to face,
    and together they would give parts that many share.
    """
    parts = bits + 1
    masks = [np.uint64(sum(1 << bit for bit in range(part, BITS, parts))) for part in range(parts)]
    for part, mask in enumerate(masks):
        order = np.argsort(hashes & mask, kind="stable")
        sorted_hashes = hashes[order]
        keys = sorted_hashes & mask
        left = np.arange(len(keys))
        for step in range(1, len(keys)):
            left = left[: np.searchsorted(left, len(keys) - step)]
            left = left[keys[left] == keys[left + step]]
            if not len(left):
                break
            differs = sorted_hashes[left] ^ sorted_hashes[left + step]
            fits = np.bitwise_count(differs) <= bits
            for earlier in masks[:part]:  # that part has given the pair already
                fits &= (differs & earlier) != 0
            if fits.any():
                yield np.stack([order[left[fits]], order[left[fits] + step]])


def _correlation(
    one: NDArray[np.uint8], other: NDArray[np.uint8], mirror: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Pearson's correlation of each row of ``one`` and ``other``, which ``mirror`` turns over.

    Without contrast there is none: such a picture looks like no other.
    """
    square = other.reshape(-1, SIDE_PX, SIDE_PX)
    other = np.where(mirror[:, None, None], square[..., ::-1], square).reshape(one.shape)
    a = one - one.mean(axis=1, keepdims=True, dtype=np.float64)
    b = other - other.mean(axis=1, keepdims=True, dtype=np.float64)
    size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    shared = (a * b).sum(axis=1)
    return np.divide(shared, size, out=np.zeros(len(a)), where=size > 0)


def _components(n: int, edges: NDArray[np.int64]) -> _Ints:
    """Of each of ``n`` nodes the first one that the edges ``[2, E]`` join it to."""
    graph = coo_array((np.ones(edges.shape[1], bool), (edges[0], edges[1])), shape=(n, n))
    _, labels = connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels], np.int64)
