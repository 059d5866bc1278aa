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


def codes(words: str, first: int = 0) -> Meanings:
    """The meanings of codes that count from ``first``, given as `NAMES` in their order."""
    return {str(k): NAMES[word] for k, word in enumerate(words.split(), first)}


FER2013 = codes("angry disgust fear happy sad surprise neutral")
"""FER2013's codes, which ExpW shares."""


def code(text: str) -> str:
    """A code as it is listed: ``" 3.0000000e+00"`` is ``"3"``; what is no whole number stays."""
    try:
        value = float(text)
    except ValueError:
        return text.strip()
    return str(int(value)) if value.is_integer() else text.strip()
