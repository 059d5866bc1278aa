"""Whose face of a frame is the participant's, where there are several or another one comes."""

from __future__ import annotations

from collections.abc import Sequence

from eifer.faces.detection import Face


def principal(faces: Sequence[Face], min_score: float) -> Face | None:
    """The largest face of at least ``min_score``, else the surest; ``faces`` by falling size."""
    sure = [face for face in faces if face.score >= min_score]
    return sure[0] if sure else max(faces, key=lambda face: face.score, default=None)


class Following:
    """Follows the participant through a video, from its first frame to its last.

    At first theirs is the `principal` face. Then it is the one at the place of the last
    (`Face.is_at`), however large another is, and however unsure the detector is of it. Where no
    face is at that place, the principal one is taken: a *switch*, perhaps to another person. The
    participant's own place is remembered, and a face that comes back there is taken again.
    """

    def __init__(self, min_score: float) -> None:
        self.min_score = min_score
        self._own: tuple[float, float, float, float] | None = None
        self._last: tuple[float, float, float, float] | None = None

    def __call__(self, faces: Sequence[Face]) -> tuple[Face | None, int, bool]:
        """The participant's face in the next frame, the sure faces, and whether it is a switch.

        One unsure face alone counts as one.
        """
        n = sum(face.score >= self.min_score for face in faces) or min(len(faces), 1)
        for place in (self._own, self._last):
            if place and (here := [face for face in faces if face.is_at(place)]):
                face = principal(here, self.min_score)
                break
        else:
            place, face = None, principal(faces, self.min_score)
            if face is None or face.score < self.min_score:
                return face, n, False  # nothing to follow yet, or nobody to go on with
        assert face is not None
        switched = self._last is not None and not face.is_at(self._last)
        if place is self._own:
            self._own = face.box
        self._last = face.box
        return face, n, switched
