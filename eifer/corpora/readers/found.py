"""What a reader finds in a corpus: images, what is left out and why, and all that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from eifer.corpora.labelled import COLUMNS, Box, Labelled, described
from eifer.corpora.readers.words import Meanings
from eifer.errors import InputError, Problem, did_you_mean
from eifer.tables.attrition import images_left_out
from eifer.vocabulary import Expression

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""How names of picture files end, in small letters."""
KEPT = frozenset(column.name for column in COLUMNS[2:])
"""What can be noted of an image beside its name and label."""


class Found:
    """Collects what a reader finds, and refuses all that is wrong with it at once.

    ``root`` is the folder that names of picture files are relative to; else ``path``.
    """

    def __init__(self, corpus: str, path: Path, root: Path | None = None) -> None:
        self.corpus = corpus
        self.path = path
        self.problems: list[Problem] = []
        self.lost: Counter[str] = Counter()
        self._images: dict[str, dict[str, object]] = {}
        self._unknown: dict[str, list[int]] = {}
        """Of every unknown label the place in `problems`, and how many images have it."""
        self.root = root or path
        self._repeats: set[str] = set()

    def wrong(self, what: str, where: str, remedy: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(what, where, remedy))

    def missing(self, path: Path, remedy: str = "") -> None:
        """Note a file or folder that is not there, with its nearest neighbour's name."""
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, beside)
        named = f"correct corpora.{self.corpus}.path, or unpack the corpus again"
        self.wrong("missing", f"{path}{hint}", remedy or named)

    def leave_out(self, reason: str, n: int = 1) -> None:
        """Count images that are left out."""
        if n:
            self.lost[reason] += n

    def meaning(self, text: str, known: Meanings, where: str) -> Expression | None:
        """The class that a word or code means; None where it is none, which is noted."""
        meant = known.get(text)
        if isinstance(meant, Expression):
            return meant
        if meant is not None:
            self.leave_out(f"labelled {meant}, which is none of the seven classes")
        else:
            # One problem a word, of however many images.
            if text in self._unknown:
                self._unknown[text][1] += 1
                return None
            self._unknown[text] = [len(self.problems), 1]
            # A code that is wrong in one digit resembles another code by chance alone.
            hint = did_you_mean(text, known) if text.isalpha() else ""
            remedy = f"write one of {', '.join(known)}, or take the image out"
            self.wrong("unknown label", f"{where}: {text!r}{hint}", remedy)
        return None

    def file(self, name: str, where: str) -> str | None:
        """``name`` as a path under the root; None where it leads out or nothing is there."""
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts or not place.parts:
            self.wrong("path that leads out of the folder", f"{where}: {name!r}", "correct it")
            return None
        if not (self.root / place).is_file():
            self.leave_out(f"picture is not in {self.root.name}")
            return None
        return str(place)

    def keep(
        self,
        name: str,
        label: Expression,
        *,
        file: str = "",
        box: Box | None = None,
        **columns: object,
    ) -> bool:
        """Note an image. A repeated row counts as left out; one of another label is a problem.

        Raises
        ------
        TypeError
            If ``columns`` has a name that is no column of `COLUMNS`.
        """
        for column in columns.keys() - KEPT:
            hint = did_you_mean(column, KEPT)
            raise TypeError(f"keep has no {column!r}{hint}; it has {', '.join(sorted(KEPT))}")
        before = self._images.get(name)
        if before is None:
            known = {"image_id": f"{self.corpus}/{name}", "corpus": self.corpus, "label": label}
            self._images[name] = {**known, "file": file, "box": box, **columns}
            return True
        if before["label"] == label:
            self.leave_out("listed more than once with the same label")
        elif name not in self._repeats:
            self._repeats.add(name)
            self.wrong(
                "image with contradicting labels",
                f"{name}: {before['label']} and {label}",
                "keep one of its rows",
            )
        return False

    def promise(self, parts: Iterable[str], remedy: str) -> None:
        """Note which of the corpus's official ``parts`` have not one image.

        Of a corpus without images, or with faulty rows, that says nothing.
        """
        if self.problems or not self._images:
            return
        there = {image.get("official") for image in self._images.values()}
        for part in parts:
            if part not in there:
                self.wrong("official part without one image", part, remedy)

    def refuse(self) -> None:
        """Raise all that is wrong so far.

        Raises
        ------
        InputError
            If anything is.
        """
        for at, n in self._unknown.values():
            if n > 1:
                problem = self.problems[at]
                self.problems[at] = replace(problem, where=f"{problem.where} ({n} images)")
        self._unknown.clear()
        if self.problems:
            raise InputError(f"corpus {self.corpus} ({self.path})", self.problems)

    def labelled(self, pictures: Callable[[], Iterator[bytes]] | None = None) -> Labelled:
        """The corpus, in the order found; of files, in the order of their names.

        Parameters
        ----------
        pictures
            Gives the pictures of what was kept, in its order. Without it they are files.

        Raises
        ------
        InputError
            With all that is wrong: also where there are fewer than two classes.
        """
        classes = {str(image["label"]) for image in self._images.values()}
        if len(classes) < 2 and not self.problems:
            lost = ", ".join(f"{n} {reason}" for reason, n in sorted(self.lost.items()))
            has = f"{len(self._images)} images, all {', '.join(classes)}" if classes else "no image"
            self.wrong(
                "a corpus of fewer than two classes",
                f"{has}; left out: {lost or 'none'}",
                "look whether its path and form are right",
            )
        self.refuse()
        names = list(self._images) if pictures else sorted(self._images)
        images = [self._images[name] for name in names]
        boxes = [image["box"] for image in images]
        return Labelled(
            described(images, "corpus"),
            pictures or partial(_contents, [self.root / str(image["file"]) for image in images]),
            images_left_out(self.corpus, self.lost),
            boxes if any(box is not None for box in boxes) else None,  # type: ignore[arg-type]
        )


def _contents(files: list[Path]) -> Iterator[bytes]:
    for file in files:
        yield file.read_bytes()


def pictures_in(folder: Path, found: Found) -> Iterator[Path]:
    """Picture files of a folder by name; other files, and those below, but hidden, are counted."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            found.leave_out(f"file in a folder below {folder.name}", _files_below(path))
        elif path.suffix.lower() in SUFFIXES:
            yield path
        else:
            found.leave_out(f"file in {folder.name} that is no picture by its name")


def folders_in(folder: Path, found: Found) -> list[Path]:
    """Folders of a folder by name, without hidden ones; pictures beside them are counted.

    A missing folder is a problem.
    """
    if not folder.is_dir():
        found.missing(folder)
        return []
    inside = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    beside = sum(p.is_file() and p.suffix.lower() in SUFFIXES for p in inside)
    found.leave_out("picture beside the folders that it should be in", beside)
    return [p for p in inside if p.is_dir()]


def _files_below(folder: Path) -> int:
    return sum(p.is_file() and not p.name.startswith(".") for p in folder.rglob("*"))
