"""What corpora call the seven classes, and the answers that are none of them."""

from __future__ import annotations

from collections.abc import Mapping

from eifer.vocabulary import Expression

Meanings = Mapping[str, Expression | str]
"""A corpus's words or codes, and what each means: a class, or the name of what is none."""

_SPELLINGS = {
    Expression.ANGRY: "angry anger",
    Expression.DISGUST: "disgust disgusted",
    Expression.FEAR: "fear fearful",
    Expression.HAPPY: "happy happiness",
    Expression.NEUTRAL: "neutral neutrality",
    Expression.SAD: "sad sadness",
    Expression.SURPRISE: "surprise surprised",
}
NAMES: Meanings = {
    **{word: label for label, words in _SPELLINGS.items() for word in words.split()},
    "contempt": "contempt",
    "none": "none",
    "uncertain": "uncertain",
    "no-face": "no face",
}
"""Names of classes in small letters."""

FER2013: Meanings = {
    "0": Expression.ANGRY,
    "1": Expression.DISGUST,
    "2": Expression.FEAR,
    "3": Expression.HAPPY,
    "4": Expression.SAD,
    "5": Expression.SURPRISE,
    "6": Expression.NEUTRAL,
}
"""FER2013's codes, which ExpW shares."""


def code(text: str) -> str:
    """A code as it is listed: ``" 3.0000000e+00"`` is ``"3"``; what is no whole number stays."""
    try:
        value = float(text)
    except ValueError:
        return text.strip()
    return str(int(value)) if value.is_integer() else text.strip()
