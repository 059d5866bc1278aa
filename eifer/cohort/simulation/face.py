"""Drawn faces: who somebody is, what the face does, and the picture of it.

A face is a small relief (skull, nose, brow ridge, sockets, cheeks) lit from one
side, which is drawn once per person and light; the moving parts (eyes, brows,
mouth, jaw, folds) are drawn over it frame by frame. Coordinates are in *units*:
the eyes are near y = 0, the chin is at y = 1, x grows to the right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Points = NDArray[np.float64]
Colour = tuple[float, ...]

# The canvas around a person, in units; wide and low enough for the shoulders.
LEFT, RIGHT, TOP, BOTTOM = -1.9, 1.9, -1.5, 2.5
WHOLE = (LEFT, RIGHT, TOP, BOTTOM)
# Drawn larger than shown: the reduction is what smooths the edges.
SUPERSAMPLING = 1.6
MOUTH_Y, CHIN_Y, THROAT_Y = 0.56, 1.0, 1.4

# Blue, green, red of lit skin, from light to dark; a person's is between two neighbours.
SKINS = np.array(
    [
        [188, 208, 240],
        [160, 188, 228],
        [128, 162, 210],
        [98, 134, 188],
        [70, 102, 156],
        [50, 74, 118],
    ]
)
HAIRS = np.array([[26, 24, 28], [30, 40, 58], [38, 62, 96], [70, 118, 168], [36, 62, 140]])
GREY = np.array([178, 178, 176])
IRISES = np.array([[30, 48, 74], [46, 78, 96], [130, 108, 74], [92, 110, 78]])
CLOTHES = np.array([[110, 76, 48], [64, 64, 70], [70, 90, 60], [60, 56, 130], [168, 166, 160]])


@dataclass(frozen=True)
class Identity:
    """What stays the same about a face; lengths in units, colours BGR 0..255.

    ``gains`` and ``rest`` are this person's own strength and resting offset of
    smile, jaw, lids and brows: two people with one feeling look a little different.
    ``youth`` is 0 from 18 years on and 1 at 5: how much of a child's proportions there is.
    """

    female: bool
    age_years: float
    skin: Colour
    hair: Colour
    iris: Colour
    clothes: Colour
    hair_length: float
    hairline: float
    fringe: float
    volume: float
    parting: float
    beard: float
    width: float
    jaw: float
    eye_x: float
    eye_width: float
    eye_height: float
    brow_thickness: float
    brow_y: float
    nose: float
    mouth_width: float
    lip: float
    gains: tuple[float, float, float, float]
    rest: tuple[float, float, float, float]
    texture_seed: int
    youth: float = 0.0

    @property
    def made_up(self) -> bool:
        """Whether lashes are dark and lips red: of women."""
        return self.female and self.youth < 0.25


def identity(
    rng: np.random.Generator, *, female: bool, age_years: float, tone: float | None = None
) -> Identity:
    """Draw the looks of a person of 5 years or more from ``rng``.

    ``tone`` is the place of the skin in `SKINS`, 0 to 5; without it, it is drawn.
    """
    age = float(np.clip((age_years - 18) / 60, 0, 1))

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    drawn = between(0, len(SKINS) - 1.001)
    tone = drawn if tone is None else float(np.clip(tone, 0, len(SKINS) - 1.001))
    k = int(tone)
    skin = SKINS[k] + (tone - k) * (SKINS[k + 1] - SKINS[k])
    hair = HAIRS[min(int(rng.integers(len(HAIRS))), 4 if tone < 2.5 else 1)].astype(float)
    hair += np.clip(age * 1.3 - between(0.1, 0.6), 0, 1) * (GREY - hair)
    iris = IRISES[int(rng.integers(len(IRISES))) if tone < 2.5 else 0] * between(0.8, 1.15)
    long_hair = between(0, 1) < (0.75 if female else 0.1)
    bald = (not female) and between(0, 1) < 0.1 + 0.4 * age
    grown = Identity(
        female=female,
        age_years=age_years,
        skin=_colour(skin * between(0.95, 1.05)),
        hair=_colour(hair * between(0.85, 1.2)),
        iris=_colour(iris),
        clothes=_colour(CLOTHES[int(rng.integers(len(CLOTHES)))] * between(0.7, 1.2)),
        hair_length=between(0.7, 1.5) if long_hair else between(-0.15, 0.15),
        hairline=-1.02 if bald else between(-0.8, -0.58),
        fringe=between(0.05, 0.2) if long_hair and between(0, 1) < 0.4 else 0.0,
        volume=0.03 if bald else between(0.05, 0.15),
        parting=between(-0.22, 0.22),
        beard=0.0 if female else max(0.0, between(-0.5, 0.8)),
        width=between(0.70, 0.78) if female else between(0.73, 0.82),
        jaw=between(0.16, 0.26) if female else between(0.08, 0.2),
        eye_x=between(0.285, 0.335),
        eye_width=between(0.145, 0.17),
        eye_height=between(0.095, 0.115),
        brow_thickness=between(0.028, 0.04) if female else between(0.042, 0.062),
        brow_y=between(-0.255, -0.225) if female else between(-0.235, -0.2),
        nose=between(0.8, 1.25),
        mouth_width=between(0.255, 0.305),
        lip=between(0.85, 1.2) if female else between(0.65, 0.95),
        gains=(between(0.85, 1.15), between(0.85, 1.15), between(0.85, 1.15), between(0.85, 1.15)),
        rest=(between(-0.06, 0.06), between(-0.04, 0.04), between(-0.05, 0.05), between(-0.1, 0.1)),
        texture_seed=int(rng.integers(2**31)),
    )
    return grown if age_years >= 18 else _as_child(grown, min((18 - age_years) / 13, 1.0))


def _as_child(grown: Identity, youth: float) -> Identity:
    """Give a face a child's proportions: high forehead, round cheeks, large eyes, little nose."""
    return replace(
        grown,
        youth=youth,
        beard=0.0,
        hairline=max(grown.hairline, -0.8) - 0.16 * youth,
        volume=max(grown.volume, 0.05),
        width=grown.width + 0.1 * youth,
        jaw=grown.jaw + 0.06 * youth,
        eye_x=grown.eye_x + 0.03 * youth,
        eye_width=grown.eye_width * (1 + 0.22 * youth),
        eye_height=grown.eye_height * (1 + 0.45 * youth),
        brow_thickness=grown.brow_thickness * (1 - 0.4 * youth),
        brow_y=grown.brow_y - 0.06 * youth,
        nose=grown.nose * (1 - 0.5 * youth),
        mouth_width=grown.mouth_width * (1 - 0.2 * youth),
    )


@dataclass(frozen=True)
class Action:
    """What the moving parts of a face do.

    ``smile`` -1 (corners down) to 1 (up); ``furrow`` 0..1 brows drawn together;
    ``jaw`` 0..1 opening; ``lids`` 0 closed, 1 as usual, above 1 widened; ``brows``
    -1..1 raised; ``gaze_x``, ``gaze_y`` -1..1. The others are 0 (at rest) to 1:
    ``inner_brows`` and ``outer_brows`` raised, ``cheeks`` lifted, lids ``tight``,
    ``nose`` wrinkled, ``upper_lip`` raised, lips ``stretched`` and ``pressed`` thin.
    """

    smile: float
    furrow: float
    jaw: float
    lids: float
    brows: float
    gaze_x: float
    gaze_y: float
    inner_brows: float = 0.0
    outer_brows: float = 0.0
    cheeks: float = 0.0
    tight: float = 0.0
    nose: float = 0.0
    upper_lip: float = 0.0
    stretched: float = 0.0
    pressed: float = 0.0


def action(
    who: Identity,
    arousal: float,
    valence: float,
    *,
    lids: float,
    gaze_x: float,
    gaze_y: float,
) -> Action:
    """Choose the face that ``who`` makes at this arousal and valence (both -1..1).

    ``lids`` multiplies the opening of the eyes: 0 in a blink, 1 otherwise.
    """
    smile, jaw, eye, brow = who.gains
    rest_smile, rest_jaw, rest_eye, rest_brow = who.rest
    return Action(
        smile=float(np.clip(smile * valence + rest_smile, -1, 1)),
        furrow=float(np.clip(-smile * valence, 0, 1)),
        jaw=float(np.clip(0.14 + 0.62 * jaw * arousal + rest_jaw, 0, 1)),
        lids=lids * float(np.clip(1 + 0.36 * eye * arousal + rest_eye, 0.58, 1.45)),
        brows=float(np.clip(brow * arousal + rest_brow, -1, 1)),
        gaze_x=gaze_x,
        gaze_y=gaze_y,
    )


@dataclass(frozen=True)
class Light:
    """Where the light comes from (unit-free direction) and how strong it is."""

    x: float
    y: float
    ambient: float
    strength: float


def light(rng: np.random.Generator) -> Light:
    """Draw the light of a room: from above, to one side."""
    return Light(
        x=float(rng.uniform(-0.55, 0.55)),
        y=float(rng.uniform(-0.6, -0.25)),
        ambient=float(rng.uniform(0.42, 0.52)),
        strength=float(rng.uniform(0.56, 0.66)),
    )


@dataclass(frozen=True)
class Pose:
    """Where the face is in a picture: the point between the eyes and the size of a unit, in
    pixels, and the roll in degrees.
    """

    x_px: float
    y_px: float
    unit_px: float
    roll_deg: float


class Portrait:
    """One person in one light, ready to be drawn many times.

    Everything that does not move is drawn here once, so that a frame costs a
    few milliseconds. ``line`` multiplies the width of drawn lines. ``seen`` (left, right,
    top, bottom, in units) is what of the canvas is drawn: face and throat at least.
    """

    def __init__(
        self,
        who: Identity,
        lit: Light,
        unit_px: float,
        *,
        line: float = 1.0,
        seen: tuple[float, float, float, float] = WHOLE,
    ) -> None:
        if not (seen[0] <= -0.7 and seen[1] >= 0.7 and seen[2] <= -0.75 and seen[3] >= THROAT_Y):
            raise ValueError(f"seen {seen} leaves out some of face and throat")
        self.who, self.line = who, line
        self.scale = unit_px * SUPERSAMPLING
        self.left, self.top = seen[0], seen[2]
        still = _Still(who, lit, self.scale, seen)
        self.skin_lit = still.skin_lit
        self._still = still
        self._base = still.person()
        self._back: Image | None = None
        rows, columns = self._rows(-0.75, 1.1), self._columns(-0.7, 0.7)
        self._face = (slice(*rows), slice(*columns))
        self._folds: dict[str, Floats] = {}

    def _rows(self, top: float, bottom: float) -> tuple[int, int]:
        return round((top - self.top) * self.scale), round((bottom - self.top) * self.scale)

    def _columns(self, left: float, right: float) -> tuple[int, int]:
        return round((left - self.left) * self.scale), round((right - self.left) * self.scale)

    def layer(self, act: Action) -> Image:
        """Draw the person making ``act``: premultiplied BGRA, canvas size."""
        canvas = self._with_jaw(act.jaw)
        skin = canvas[..., :3][self._face]
        shades = (
            max(act.smile, 0) * self._fold("smile")
            + act.furrow * self._fold("frown")
            + (max(act.brows, 0) + min(act.inner_brows, act.outer_brows)) * self._fold("raise")
        )
        for name, strength in (
            ("worry", max(act.inner_brows - act.outer_brows, 0)),
            ("nose", act.nose),
            ("press", act.pressed),
        ):
            if strength:
                shades = shades + strength * self._fold(name)
        canvas[..., :3][self._face] = cv2.add(skin, shades, dtype=cv2.CV_8U)
        for side in (-1, 1):
            self._eye(canvas, act, side)
            self._brow(canvas, act, side)
        self._mouth(canvas, act)
        return canvas

    def _fold(self, name: str) -> Floats:
        if name not in self._folds:
            self._folds[name] = self._still.fold(name)[self._face]
        return self._folds[name]

    def turned_away(self) -> Image:
        """Draw the same person from behind: no face to see."""
        if self._back is None:
            self._back = self._still.person(turned=True)
        return self._back

    def _with_jaw(self, jaw: float) -> Image:
        # Opening the mouth lengthens what is between lips and chin, and shortens the throat.
        canvas = self._base.copy()
        mouth, chin = self._rows(MOUTH_Y, CHIN_Y)
        throat = self._rows(THROAT_Y, THROAT_Y)[0]
        drop = round(0.17 * jaw * self.scale)
        if drop:
            width = canvas.shape[1]
            lower = cv2.resize(self._base[mouth:chin], (width, chin - mouth + drop))
            neck = cv2.resize(self._base[chin:throat], (width, throat - chin - drop))
            canvas[mouth : chin + drop], canvas[chin + drop : throat] = lower, neck
        return canvas

    def _pixels(self, x: Any, y: Any) -> Points:
        x, y = np.broadcast_arrays(x - self.left, y - self.top)
        return np.stack([x, y], axis=-1) * self.scale

    def _line(self, canvas: Image, points: Points, colour: Colour, thickness: float) -> None:
        thick = max(1, round(thickness * self.line * self.scale))
        cv2.polylines(canvas, [_fixed(points)], False, (*colour, 255), thick, cv2.LINE_AA, SHIFT)

    def _fill(self, canvas: Image, x: Any, upper: Any, lower: Any, colour: Colour) -> None:
        """Fill what lies between two curves over ``x``."""
        outline = np.concatenate([self._pixels(x, upper), self._pixels(x, lower)[::-1]])
        cv2.fillPoly(canvas, [_fixed(outline)], (*colour, 255), cv2.LINE_AA, SHIFT)

    def _eye(self, canvas: Image, act: Action, side: int) -> None:
        who, skin = self.who, self.skin_lit
        t = np.linspace(-1, 1, 17)
        arch = 1 - t**2
        # A cheek lifted by a smile pushes the lower lid up; so do tight lids.
        raised = 0.012 * act.cheeks + 0.026 * act.tight + 0.014 * act.nose
        cheek = 0.016 * max(act.smile, 0) + raised
        x = side * who.eye_x + who.eye_width * t
        tilt = -0.018 * t * side
        lower = 0.03 + (0.03 - cheek) * arch + tilt - 0.03
        # Lids below a fifth are shut: no white shows.
        opening = max(who.eye_height * act.lids - 1.2 * raised, 0)
        upper = lower - opening * arch**0.7
        crease = np.minimum(upper, lower - 0.045 * arch) - 0.03 - 0.02 * min(act.lids, 1) * arch
        self._fill(canvas, x, crease, lower, _scaled(skin, 0.95))
        self._line(canvas, self._pixels(x, crease)[2:-2], _scaled(skin, 0.72), 0.014)
        if opening > 0.2 * who.eye_height:
            self._eyeball(canvas, act, side, self._pixels(x, upper), self._pixels(x, lower))
            self._line(canvas, self._pixels(x, lower)[2:-2], _scaled(skin, 0.66), 0.012)
        lash = (22.0, 20.0, 24.0) if who.made_up else _scaled(skin, 0.3)
        self._line(canvas, self._pixels(x, upper), lash, 0.034 if who.made_up else 0.027)

    def _eyeball(self, canvas: Image, act: Action, side: int, upper: Points, lower: Points) -> None:
        outline = np.concatenate([upper, lower[::-1]])
        x0, y0 = np.floor(outline.min(axis=0)).astype(int) - 1
        x1, y1 = np.ceil(outline.max(axis=0)).astype(int) + 2
        behind = canvas[y0:y1, x0:x1]
        ball = np.empty_like(behind)
        ball[:] = (222, 226, 230, 255)
        # The upper lid throws a shadow on the eye.
        ball[: max(1, (y1 - y0) // 4), :, :3] = (186, 190, 198)
        offset = np.array([x0, y0])
        centre = self._pixels(
            side * self.who.eye_x + 0.03 * act.gaze_x, -0.028 + 0.015 * act.gaze_y
        )
        iris, grown = self.who.iris, 1 + 0.25 * self.who.youth
        for radius, colour in (
            (0.076, _scaled(iris, 0.5)),
            (0.064, iris),
            (0.032, (16.0, 14.0, 14.0)),
        ):
            _disc(ball, centre - offset, radius * grown * self.scale, colour)
        _disc(
            ball,
            centre - offset - 0.024 * self.scale,
            0.014 * self.scale,
            (250.0, 250.0, 250.0),
        )
        mask = np.zeros(behind.shape[:2], np.uint8)
        cv2.fillPoly(mask, [_fixed(outline - offset)], 255, cv2.LINE_AA, SHIFT)
        canvas[y0:y1, x0:x1] = _mixed(behind, ball, mask)

    def _brow(self, canvas: Image, act: Action, side: int) -> None:
        who = self.who
        t = np.linspace(0, 1, 9)  # from the nose outwards
        x = side * (who.eye_x - 0.165 - 0.03 * act.furrow * (1 - t) + (0.4 - 0.02 * act.furrow) * t)
        y = who.brow_y - 0.035 * np.sin(np.pi * t**0.9) + 0.035 * t
        # Muscles that raise the inner ends win over the one that draws them together.
        y = (
            y
            - 0.075 * act.brows
            + 0.085 * act.furrow * (1 - 0.8 * act.inner_brows) * (1 - t) ** 1.3
        )
        y = y - 0.15 * act.inner_brows * (1 - t) ** 1.3 - 0.13 * act.outer_brows * np.sin(2.2 * t)
        thickness = who.brow_thickness * (1 - t**2.5 * 0.85) * (0.7 + 0.3 * np.sin(np.pi * t))
        colour = _colour(0.75 * np.array(who.hair) + 0.25 * 0.5 * np.array(self.skin_lit))
        self._fill(canvas, x, y - thickness / 2, y + thickness / 2, colour)

    def _mouth(self, canvas: Image, act: Action) -> None:
        who, skin = self.who, self.skin_lit
        t = np.linspace(-1, 1, 25)
        arch = 1 - t**2
        wider = 0.35 * act.stretched - 0.08 * act.pressed
        half = who.mouth_width * (1 + 0.2 * max(act.smile, 0) - 0.1 * act.jaw + wider)
        x = half * t
        middle = MOUTH_Y - 0.115 * act.smile * (t**2 - 0.35) + 0.03 * act.stretched * t**2
        middle = middle - 0.05 * act.upper_lip * arch
        gap = 0.02 * max(act.smile, 0) + 0.21 * act.jaw * (1 - 0.95 * act.pressed)
        gap = gap + 0.05 * act.upper_lip
        # A stretched mouth opens as a slot, any other as a bow.
        open_up, open_low = arch ** (0.8 - 0.45 * act.stretched), 0.85 - 0.25 * act.stretched
        inner_up = middle - 0.22 * gap * open_up
        inner_low = middle + open_low * gap * open_up
        bow = 1 - 0.3 * np.exp(-((t / 0.14) ** 2))
        full = who.lip * (1 - 0.6 * act.pressed)
        outer_up = inner_up - 0.062 * full * arch**0.8 * bow
        outer_low = inner_low + 0.08 * full * arch**0.7
        red = np.array([0.72, 0.62, 0.88]) if who.made_up else np.array([0.74, 0.68, 0.86])
        lip = np.array(skin) * red
        shadow = outer_low + 0.035
        for upper, lower, colour in (
            (outer_low - 0.02, shadow, _scaled(skin, 0.86)),
            (outer_up, inner_up, _colour(lip * 0.86)),
            (inner_low, outer_low, _colour(lip)),
            (inner_up, inner_low, (34.0, 26.0, 54.0)),
        ):
            self._fill(canvas, x, upper, lower, colour)
        if gap > 0.03:
            inside = slice(4, -4)
            bite = np.minimum(inner_up + 0.055 * arch, inner_low)
            self._fill(canvas, x[inside], inner_up[inside], bite[inside], (206.0, 216.0, 222.0))
        self._line(
            canvas, self._pixels(x, middle if gap < 0.03 else inner_up), _scaled(skin, 0.42), 0.014
        )
        gloss = inner_low + 0.4 * (outer_low - inner_low)
        self._line(canvas, self._pixels(x, gloss)[8:-8], _colour(lip * 1.16), 0.014)


class _Still:
    """The parts of a person that do not move, as arrays over the canvas."""

    def __init__(
        self, who: Identity, lit: Light, scale: float, seen: tuple[float, float, float, float]
    ) -> None:
        self.who, self.scale = who, scale
        self.left, right, self.top, bottom = seen
        columns = np.arange(round((right - self.left) * scale), dtype=np.float32)
        rows = np.arange(round((bottom - self.top) * scale), dtype=np.float32)
        self.x, self.y = np.meshgrid(columns / scale + self.left, rows / scale + self.top)
        self.lit = lit
        self.rng = np.random.default_rng(who.texture_seed)
        self.skin = np.array(who.skin, np.float32)
        self.face_light = self._shade(self._relief(), 1.0)
        cheeks = (np.abs(self.x) < 0.4) & (self.y > 0.1) & (self.y < 0.5)
        self.skin_lit = _colour(self.skin * float(self.face_light[cheeks].mean()))

    def _bump(self, x: float, y: float, wide: float, high: float, height: float) -> Floats:
        both: Floats = np.zeros_like(self.x)
        for side in (-1, 1) if x else (1,):
            both += np.exp(-(((self.x - side * x) / wide) ** 2) - ((self.y - y) / high) ** 2)
        return height * both

    def _radius(self, grow: float) -> Floats:
        """Below 1 inside the head; ``grow`` is added to every side."""
        down = np.clip(self.y, 0, 1)
        half = (self.who.width + grow) * (1 - self.who.jaw * down**1.5)
        above = 1.08 + 0.2 * self.who.youth
        tall = np.where(self.y > 0, np.float32(1.0 + grow), np.float32(above + grow))
        return np.asarray(np.sqrt((self.x / half) ** 2 + np.abs(self.y / tall) ** 2.3), np.float32)

    def _edge(self, distance: Floats) -> Floats:
        """1 where ``distance`` (units) is negative, 0 where positive, a pixel of slope."""
        return np.clip(0.5 - distance * self.scale / 2, 0, 1)

    def _relief(self) -> Floats:
        nose, youth = self.who.nose, self.who.youth
        short = 1 - 0.15 * youth
        return np.asarray(
            0.75 * np.sqrt(np.clip(1 - self._radius(0.02) ** 2, 0, 1))
            + self._bump(0, 0.08, 0.055, 0.2, 0.06 * nose)
            + self._bump(0, 0.27 * short, 0.075, 0.075, 0.11 * nose)
            + self._bump(0.095, 0.31 * short, 0.05, 0.045, 0.05 * nose)
            + self._bump(0.28, -0.2, 0.2, 0.07, 0.035 * (1 - 0.8 * youth))
            - self._bump(self.who.eye_x, -0.03, 0.18, 0.1, 0.05)
            + self._bump(0.42, 0.22, 0.2, 0.16, 0.045 + 0.02 * youth)
            + self._bump(0, MOUTH_Y, 0.26, 0.13, 0.05)
            - self._bump(0, 0.44, 0.03, 0.05, 0.012)
            + self._bump(0, 0.85, 0.17, 0.1, 0.05)
            - self._bump(0, 0.72, 0.16, 0.035, 0.02),
            np.float32,
        )

    def _shade(self, relief: Floats, shine: float) -> Floats:
        down, right = np.gradient(relief, 1 / self.scale)
        length = np.sqrt(right**2 + down**2 + 1)
        toward = np.array([self.lit.x, self.lit.y, 1.0])
        toward /= np.linalg.norm(toward)
        facing = (-right * toward[0] - down * toward[1] + toward[2]) / length
        facing = np.clip(facing, 0, 1)
        return (self.lit.ambient + self.lit.strength * facing + 0.1 * shine * facing**24).astype(
            np.float32
        )

    def _noise(self, wide: float, high: float) -> Floats:
        """Smooth noise of unit spread whose grains are ``wide`` by ``high`` units."""
        rows, columns = self.x.shape
        size = (
            max(2, round(rows / max(1.0, 2 * high * self.scale))),
            max(2, round(columns / max(1.0, 2 * wide * self.scale))),
        )
        grain = self.rng.standard_normal(size, dtype=np.float32)
        soft = cv2.resize(grain, (columns, rows), interpolation=cv2.INTER_CUBIC)
        return np.asarray(soft / soft.std(), np.float32)

    def _skin_colours(self) -> Floats:
        who = self.who
        flush = self._bump(0.4, 0.28, 0.2, 0.16, 0.05) + self._bump(0, 0.28, 0.09, 0.08, 0.05)
        colours = self.skin * np.stack([1 - flush, 1 - 0.8 * flush, 1 + 0.3 * flush], axis=-1)
        dark = self._bump(who.eye_x, 0.09, 0.14, 0.05, 0.06 + 0.001 * who.age_years)
        dark = dark + self._bump(
            0.06 * (1 - 0.2 * who.youth), 0.345 * (1 - 0.15 * who.youth), 0.022, 0.014, 0.45
        )  # nostrils
        mottled = 1 - dark + 0.012 * self._noise(0.02, 0.02) + 0.012 * self._noise(0.12, 0.12)
        if who.age_years > 35:
            deep = min((who.age_years - 35) / 40, 1)
            mottled = (
                mottled - self._lines("smile") * 0.35 * deep - self._lines("raise") * 0.5 * deep
            )
        if who.beard:
            around = np.clip((self.y - 0.28 - 0.5 * (0.62 - np.abs(self.x))) * 5, 0, 1)
            lips = np.exp(-((self.x / 0.27) ** 4) - (((self.y - MOUTH_Y) / 0.1) ** 4))
            stubble = around * (1 - lips) * who.beard * (1 + 0.25 * self._noise(0.008, 0.016))
            stubble = np.clip(stubble, 0, 0.85)[..., None]
            colours = colours * (1 - stubble) + np.array(who.hair, np.float32) * stubble
        return np.asarray(colours * (mottled * self.face_light)[..., None], np.float32)

    def _hair_colours(self) -> Floats:
        # Round from side to side, and above; hanging hair is not round downwards.
        radius = (self.x / (self.who.width + 0.35)) ** 2 + (np.minimum(self.y, 0) / 1.4) ** 2
        dome = 0.6 * np.sqrt(np.clip(1 - radius, 0.05, 1))
        strands = 1 + 0.1 * self._noise(0.012, 0.14) + 0.07 * self._noise(0.05, 0.25)
        glow = self._shade(dome.astype(np.float32), 2.0) * strands
        return np.array(self.who.hair, np.float32) * glow[..., None]

    def person(self, turned: bool = False) -> Image:
        """Draw the person without moving parts, or (``turned``) from behind: premultiplied BGRA."""
        who, x, y = self.who, self.x, self.y
        colour = np.zeros((*x.shape, 3), np.float32)
        alpha: Floats = np.zeros_like(x)

        def paint(what: Any, mask: Floats) -> None:
            nonlocal alpha
            colour[:] = colour * (1 - mask[..., None]) + what * mask[..., None]
            alpha = alpha + mask * (1 - alpha)

        hair = self._hair_colours()
        ends = np.maximum(np.abs(x) - who.width - 0.05, y - who.hair_length)
        behind_neck = np.maximum(ends, -0.4 - y)
        if who.hair_length > 0.5:
            paint(hair * 0.7, self._edge(behind_neck.astype(np.float32)))
        neck = np.maximum(
            np.abs(x) - ((0.36 if who.female else 0.44) - 0.1 * who.youth) - 0.12 * (y - 1.2) ** 2,
            0.3 - y,
        )
        under_chin = 1 - 0.38 * np.exp(-(((y - 1.0) / 0.28) ** 2))
        round_neck = (0.95 - 0.45 * (np.abs(x) / 0.45) ** 2) * under_chin
        paint(self.skin * 0.82 * round_neck[..., None], self._edge(neck.astype(np.float32)))
        shoulder = (
            1.34 + 0.14 * x**2 + 2.2 * np.clip(np.abs(x) - (1.1 - 0.5 * who.youth), 0, None) ** 2
        )
        collar = 1.62 - 1.1 * x**2
        cloth = np.maximum(np.maximum(shoulder - y, collar - y), np.abs(x) - 1.75)
        folds = 0.9 - 0.12 * x**2 + 0.05 * self._noise(0.1, 0.25) + 0.12 * self.lit.x * x
        paint(
            np.array(who.clothes, np.float32) * folds[..., None],
            self._edge(cloth.astype(np.float32)),
        )
        ear = np.sqrt(((np.abs(x) - who.width - 0.03) / 0.1) ** 2 + ((y - 0.06) / 0.19) ** 2) - 1
        paint(self.skin * 1.12 * self.lit.strength, self._edge((ear * 0.1).astype(np.float32)))
        head = ((self._radius(0.0) - 1) * who.width).astype(np.float32)
        if turned:
            cap = np.maximum((self._radius(0.07) - 1) * who.width, y - max(0.75, who.hair_length))
            paint(hair, self._edge(cap.astype(np.float32)))
        else:
            paint(self._skin_colours(), self._edge(head))
            paint(hair, self._hair_mask())
        return np.dstack([np.clip(colour, 0, 255), alpha * 255]).round().astype(np.uint8)

    def _hair_mask(self) -> Floats:
        who, x, y = self.who, self.x, self.y
        outer = (self._radius(who.volume) - 1) * who.width
        # The hairline falls to the temples, and with long hair on beside the cheeks.
        line = who.hairline + 0.5 * np.abs(x / who.width) ** 3 + 0.05 * np.cos(2.2 * x + 0.6)
        line = line + who.parting * x - 0.06 * np.exp(-(((x - 2 * who.parting) / 0.1) ** 2))
        line = line + who.fringe * np.exp(-((x / 0.45) ** 2)) + 0.02 * self._noise(0.015, 0.5)
        beside = who.width * (0.9 - 0.12 * np.clip(y, 0, 1)) - np.abs(x)
        lowest = y - who.hair_length - 0.03 * self._noise(0.03, 2.0)
        side = np.maximum(beside + (0.0 if who.hair_length > 0.5 else 0.03), lowest)
        mask = np.maximum(outer, np.minimum(y - line, side))
        if who.hair_length > 0.5:
            outside = np.abs(x) - who.width - who.volume - 0.07 * _step(y, -0.6, 0.5)
            inside = who.width * (0.88 - 0.1 * _step(y, 0.0, 1.0)) - np.abs(x)
            strand = np.maximum(np.maximum(outside, inside), np.maximum(lowest, -0.6 - y))
            mask = np.minimum(mask, strand)
        return cv2.GaussianBlur(self._edge(mask.astype(np.float32)), (0, 0), 0.012 * self.scale)

    def _lines(self, name: str) -> Floats:
        mask = np.zeros(self.x.shape, np.uint8)

        def stroke(x: Any, y: Any, thick: float) -> None:
            for side in (-1, 1):
                points = np.stack([side * x - self.left, y - self.top], axis=-1) * self.scale
                cv2.polylines(
                    mask,
                    [_fixed(points)],
                    False,
                    255,
                    max(1, round(thick * self.scale)),
                    cv2.LINE_AA,
                    SHIFT,
                )

        t = np.linspace(0, 1, 9)
        if name == "smile":  # from the wings of the nose round the mouth; crow's feet
            stroke(0.15 + 0.24 * t**0.8, 0.32 + 0.24 * t**1.3, 0.018)
            for k in (-1, 0, 1):
                stroke(0.5 + 0.09 * t, -0.01 + 0.04 * k * (0.4 + t), 0.008)
        elif name == "frown":  # upright between the brows; from the corners of the mouth down
            stroke(0.055 + 0.012 * np.sin(3 * t), -0.28 + 0.16 * t, 0.018)
            stroke(0.31 + 0.03 * t, 0.64 + 0.12 * t, 0.016)
        elif name == "nose":  # across its bridge and beside it, on to the folds of the cheeks
            for k in range(3):
                stroke(0.025 + 0.085 * t, 0.02 + 0.055 * k - 0.05 * t, 0.016)
            stroke(0.125 + 0.025 * np.sin(3 * t), 0.2 + 0.11 * t, 0.02)
            stroke(0.15 + 0.17 * t**0.8, 0.27 + 0.24 * t**1.3, 0.022)
        elif name == "worry":  # across the middle of the forehead
            for k in range(3):
                stroke(0.17 * t, -0.44 - 0.07 * k + 0.035 * t**2, 0.014)
        elif name == "press":  # under the lower lip and beside the corners
            stroke(0.2 * t, 0.685 + 0.02 * t**2, 0.022)
            stroke(0.31 + 0.02 * np.sin(3 * t), 0.51 + 0.1 * t, 0.018)
        else:  # across the forehead
            for k in range(3):
                stroke(0.34 * t, -0.42 - 0.07 * k + 0.03 * t**2, 0.012)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.012 * self.scale)
        return np.asarray(soft / 255, np.float32)

    def fold(self, name: str) -> Floats:
        """Compute what an action adds to the colours of the skin: canvas x 3, float32."""
        shade = -0.42 * self._lines(name)
        if name == "smile":
            shade = shade + self._bump(0.36, 0.24, 0.12, 0.09, 0.09)
        elif name == "nose":
            shade = (
                shade
                + self._bump(0.3, 0.2, 0.1, 0.08, 0.07)
                - self._bump(0, -0.06, 0.1, 0.06, 0.12)
            )
        elif name == "raise":
            shade = 0.6 * shade
        return np.asarray((shade * self.face_light)[..., None] * self.skin, np.float32)


def _step(values: Any, low: float, high: float) -> Any:
    """A smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


SHIFT = 4  # fractional bits of the drawing coordinates


def _fixed(points: Points) -> NDArray[np.int32]:
    return np.round(points * 2**SHIFT).astype(np.int32)


def _colour(values: NDArray[Any]) -> Colour:
    return tuple(float(v) for v in np.clip(values, 0, 255))


def _scaled(colour: Colour, factor: float) -> Colour:
    return tuple(min(255.0, c * factor) for c in colour)


def _disc(picture: Image, centre: Points, radius: float, colour: Colour) -> None:
    point = _fixed(np.asarray(centre))
    cv2.circle(
        picture,
        (int(point[0]), int(point[1])),
        round(radius * 2**SHIFT),
        (*colour, 255),
        -1,
        cv2.LINE_AA,
        SHIFT,
    )


def _mixed(under: Image, over: Image, mask: Image) -> Image:
    share = mask.astype(np.float32)[..., None] / 255
    return (under + (over.astype(np.float32) - under) * share).round().astype(np.uint8)


def place(picture: Image, layer: Image, portrait: Portrait, pose: Pose) -> Image:
    """Lay ``layer`` of ``portrait`` over ``picture`` (height, width, 3) at ``pose``."""
    factor = pose.unit_px / portrait.scale
    angle = np.deg2rad(pose.roll_deg)
    turn = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    origin = np.array([-portrait.left, -portrait.top]) * portrait.scale
    shift = np.array([pose.x_px, pose.y_px]) - turn @ origin
    # Replicated edges: clothes go on below the canvas, emptiness above and beside it.
    height, width = picture.shape[:2]
    warped = cv2.warpAffine(
        layer, np.column_stack([turn, shift]), (width, height), borderMode=cv2.BORDER_REPLICATE
    )
    clear = cv2.cvtColor(255 - warped[..., 3], cv2.COLOR_GRAY2BGR)
    return np.asarray(
        cv2.add(cv2.multiply(picture, clear, scale=1 / 255), warped[..., :3]), np.uint8
    )


def background(rng: np.random.Generator, width: int, height: int) -> Image:
    """Draw an empty, softly lit, out-of-focus room (height, width, 3)."""
    tone = rng.uniform(90, 200) + rng.uniform(-18, 18, 3)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    slope = rng.uniform(-0.25, 0.25, 2)
    shade = 1 + slope[0] * (x / width - 0.5) + slope[1] * (y / height - 0.5)
    picture = np.asarray(tone * shade[..., None], np.float32)
    for _ in range(int(rng.integers(1, 4))):
        left, top = rng.uniform(-0.2, 0.9) * width, rng.uniform(-0.2, 0.7) * height
        right, bottom = left + rng.uniform(0.1, 0.4) * width, top + rng.uniform(0.2, 0.6) * height
        colour = tuple(float(c) for c in tone * rng.uniform(0.6, 1.2))
        cv2.rectangle(picture, (int(left), int(top)), (int(right), int(bottom)), colour, -1)
    soft = cv2.GaussianBlur(picture, (0, 0), 0.02 * height)
    return np.clip(soft, 0, 255).round().astype(np.uint8)


@dataclass(frozen=True)
class Cover:
    """Something before the face: a ``hand``, or a flat thing such as a book; place and half
    size in units, turned by ``angle_deg``.
    """

    hand: bool
    x: float
    y: float
    wide: float
    high: float
    angle_deg: float
    colour: Colour


def cover(rng: np.random.Generator, skin: Colour) -> Cover:
    """Choose a hand of this ``skin`` or a thing, hiding half of a face or more."""
    hand = bool(rng.random() < 0.5)
    # Over eyes and nose, over nose and mouth, or over nearly all.
    where = int(rng.integers(3))
    paint = CLOTHES[int(rng.integers(len(CLOTHES)))] * rng.uniform(0.6, 1.3)
    return Cover(
        hand=hand,
        x=float(rng.uniform(-0.12, 0.12)),
        y=float((-0.05, 0.6, 0.25)[where] + rng.uniform(-0.06, 0.06)),
        wide=float(rng.uniform(0.85, 1.0)),
        high=float((0.42, 0.5, 0.85)[where]),
        angle_deg=float(rng.uniform(-14, 14)),
        colour=_scaled(skin, 1.02) if hand else _colour(paint),
    )


def covered(picture: Image, what: Cover, pose: Pose) -> Image:
    """Draw ``what`` before the face that is at ``pose``, on a copy of ``picture``."""
    drawn = picture.copy()
    angle = np.deg2rad(pose.roll_deg + what.angle_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([what.x, what.y])

    def pixels(points: Any) -> Points:
        return (np.asarray(points) @ turn.T + middle) * pose.unit_px + [pose.x_px, pose.y_px]

    def stroke(start: Any, end: Any, wide: float, shade: float) -> None:
        ends = _fixed(pixels([start, end]))
        thick = max(1, round(wide * pose.unit_px))
        cv2.polylines(drawn, [ends], False, _scaled(what.colour, shade), thick, cv2.LINE_AA, SHIFT)

    w, h = what.wide, what.high
    if not what.hand:
        corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]])
        cv2.fillPoly(drawn, [_fixed(pixels(corners))], what.colour, cv2.LINE_AA, SHIFT)
        for k in range(4):  # lines of a cover, so that it is not a bare patch
            y = h * (-0.6 + 0.4 * k)
            stroke([-0.7 * w, y], [0.7 * w, y], 0.03, 0.8)
        return drawn
    # The arm comes from the side and below; fingers lie across the face, one beside another.
    reach = 0.48 * h
    stroke([0.75 * w, 0.1], [2.6, 2.2], 0.62, 0.9)
    cv2.fillPoly(
        drawn,
        [_fixed(pixels([[0.1, -h], [0.95 * w, -0.8 * h], [1.1 * w, 0.8 * h], [0.1, h]]))],
        what.colour,
        cv2.LINE_AA,
        SHIFT,
    )
    for k in range(4):
        y = -h + reach * (k + 0.5)
        tip = -0.75 * w - 0.12 * (k in (1, 2))
        stroke([0.2, y], [tip, y], reach, 0.72)
        stroke([0.2, y], [tip, y], 0.86 * reach, 1.0)
        stroke([tip - 0.02, y - 0.01], [tip + 0.05, y - 0.01], 0.5 * reach, 1.12)
    return drawn
