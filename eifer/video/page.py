"""One page of a reading: each person's expressions, arousal and valence over the video's frames."""

from __future__ import annotations

import base64
from itertools import groupby, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import jinja2
import numpy as np
import pandas as pd

from eifer.tables.video import expressions_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 600
"""Steps of a timeline: a longer video's frames share them, so that its page stays small."""
PICTURES, PICTURE_PX = 12, 160
PORTRAIT_PX, PORTRAIT_SHARE = 72, 1.3
"""Width of the picture that shows who a person is, and its side over the face's box."""
WIDE, HIGH = 1000, 70
"""Size inside the drawing of the curves, which page.html stretches."""


def write(path: Path, faces: pd.DataFrame, summary: dict[str, Any], strip: Strip) -> None:
    """Write the page of ``faces`` (`eifer.tables.video`) and its ``summary`` to ``path``."""
    names, end_s = expressions_of(faces), summary["duration_s"]
    drawn = drawings(faces, end_s)
    people = [
        {**told, "portrait": strip.portrait(told["person"]), "drawing": drawn[told["person"]]}
        for told in summary["people"]
    ]
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    texts = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    ticks = [clock(end_s * k / 6) for k in range(7)]
    page = texts.from_string(template).render(
        summary, people=people, names=names, ticks=ticks, pictures=strip.addresses(), clock=clock
    )
    path.write_text(page, encoding="utf-8")


def drawings(faces: pd.DataFrame, end_s: float) -> dict[int, dict[str, Any]]:
    """Where each person's lanes and curves run, `WIDE` being ``end_s``; 0: frames without a face.

    Returns
    -------
    dict
        By person ``there``, the places (``x``, ``width``) where it is in the picture; ``lanes``,
        such places with the number of their expression (``lane``) and whether most of it is
        ``uncertain``; ``curves``, SVG paths of arousal and valence.
    """
    times = faces.drop_duplicates("frame")["time_s"].to_numpy()
    bins = min(BINS, len(times))
    first = [-(-k * len(times) // bins) for k in range(bins)]
    edges = np.append(times[first], end_s) / end_s * WIDE
    step = faces["frame"].rank(method="dense").astype(int).sub(1) * bins // len(times)
    who = faces["person"].fillna(0).astype(int)
    names = expressions_of(faces)
    return {
        int(person): _drawing(part.assign(step=step[part.index]), names, edges)
        for person, part in faces.groupby(who)
    }


def clock(time_s: float) -> str:
    """Minutes and seconds."""
    minutes, tenths = divmod(round(10 * time_s), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


class Strip:
    """A few small pictures spread over a video whose length nobody knows before its end."""

    def __init__(self) -> None:
        self._kept: list[NDArray[np.uint8]] = []
        self._count, self._every = 0, 1
        self._portraits: dict[int, tuple[float, NDArray[np.uint8]]] = {}

    def add(self, rgb: NDArray[np.uint8], faces: NDArray[np.float64]) -> None:
        """Take the next picture, RGB ``[H, W, 3]``, and its faces as `Reader` tells of them."""
        for who, x, y, w, h, score in faces[~np.isnan(faces[:, 0])].tolist():
            if score > self._portraits.get(int(who), (0.0, rgb))[0]:
                side = round(PORTRAIT_SHARE * max(w, h))
                corner = x + w / 2 - side / 2, y + h / 2 - side / 2
                left, top = (max(0, round(at)) for at in corner)
                own = rgb[top : top + side, left : left + side]
                self._portraits[int(who)] = (score, _smaller(own, PORTRAIT_PX))
        if self._count % self._every == 0:
            self._kept.append(_smaller(rgb, PICTURE_PX))
            if len(self._kept) == 4 * PICTURES:
                self._kept, self._every = self._kept[::2], 2 * self._every
        self._count += 1

    def addresses(self) -> list[str]:
        """At most `PICTURES` of them, as addresses that hold them."""
        last = len(self._kept) - 1
        chosen = sorted({round(k * last / (PICTURES - 1)) for k in range(PICTURES)})
        return [_address(self._kept[k]) for k in chosen]

    def portrait(self, person: int) -> str:
        """The surest picture of a person's face, as an address that holds it."""
        return _address(self._portraits[person][1])


def _smaller(rgb: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    size = (width, max(1, round(rgb.shape[0] * width / rgb.shape[1])))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _address(rgb: NDArray[np.uint8]) -> str:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 70])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()


def _drawing(own: pd.DataFrame, names: list[str], edges: NDArray[np.float64]) -> dict[str, Any]:
    """Where one person's lanes and curves run; ``step`` of a row lies between two ``edges``."""
    lanes: list[dict[str, Any]] = []
    if names:
        said = own.dropna(subset="expression").groupby("step")
        most = said["expression"].agg(lambda part: part.mode().iloc[0])
        doubt = said["uncertain"].mean() > 0.5
        for (lane, name), unsure in product(enumerate(names), (False, True)):
            for place in _spans(most.index[(most == name) & (doubt == unsure)].to_numpy(), edges):
                lanes.append({**place, "lane": lane, "uncertain": unsure})
    curves = {}
    for dimension in ("arousal", "valence"):
        mean = own.groupby("step")[dimension].mean().dropna()
        curves[dimension] = " ".join(
            "M" + " L".join(_points(mean.loc[first:last], edges)) + " h0.1"
            for first, last in _runs(mean.index.to_numpy())
        )
    there = _spans(np.unique(own["step"].to_numpy()), edges)
    return {"lanes": lanes, "curves": curves, "there": there}


def _points(mean: pd.Series[float], edges: NDArray[np.float64]) -> list[str]:
    pairs = zip(mean.index.tolist(), mean.tolist(), strict=True)
    return [f"{edges[step]:.1f} {HIGH / 2 * (1 - value):.1f}" for step, value in pairs]


def _spans(steps: NDArray[np.int64], edges: NDArray[np.float64]) -> list[dict[str, float]]:
    return [
        {"x": round(edges[first], 1), "width": round(edges[last + 1] - edges[first], 1)}
        for first, last in _runs(steps)
    ]


def _runs(steps: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last of each unbroken series of rising ``steps``."""
    series = groupby(enumerate(steps.tolist()), key=lambda pair: pair[1] - pair[0])
    parts = [[step for _, step in part] for _, part in series]
    return [(part[0], part[-1]) for part in parts]
