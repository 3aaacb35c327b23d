"""Text: what can be read in a clip, lines that nobody asked for, and asked words that are absent.

A line counts where it is read in `AGREEING` of the frames that are read, in almost the same place, surely
enough, and has letters enough: single letters are often folds, spokes or stripes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from ..base import NotApplicable
from ..encoders.ocr import TextLine, TextReading
from ..expectation import Expectation
from .observation import Observation

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["AGREEING", "CONFIDENT", "LETTERS", "absent_words", "extra_lines", "lasting_lines"]

CONFIDENT: Final = 0.8
"""Least confidence of a line; the reader is sure of most true lines above 0.9."""
LETTERS: Final = 3
"""Least number of letters and digits of a line."""
AGREEING: Final = 2
"""Frames that must show a line in one place; all of them where fewer are read."""
_SAME: Final = 0.3  # intersection over union of two boxes of one line


def lasting_lines(reading: TextReading) -> list[list[TextLine]]:
    """Group the lines of a clip that count: each group is one line, in the frames that show it."""
    groups: list[list[TextLine]] = []
    for line in reading.lines:
        if line.confidence < CONFIDENT or len(letters(line.text)) < LETTERS:
            continue
        for group in groups:
            if group[-1].frame != line.frame and _overlap(group[-1], line) >= _SAME:
                group.append(line)
                break
        else:
            groups.append([line])
    needed = min(AGREEING, len(reading.frames))
    return [group for group in groups if len(group) >= needed]


def letters(text: str) -> str:
    """Keep the letters and digits of a text, in lower case, in their compatibility form.

    Example:
        >>> letters("No. 4, Élan!")
        'no4élan'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def _overlap(one: TextLine, two: TextLine) -> float:
    """Intersection over union of the upright boxes of two lines."""
    a, b = (np.array([np.min(line.box, axis=0), np.max(line.box, axis=0)]) for line in (one, two))
    common = np.clip(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0, None).prod()
    both = (a[1] - a[0]).prod() + (b[1] - b[0]).prod() - common
    return float(common / both) if both > 0 else 0.0


def extra_lines(reading: TextReading, expect: Expectation) -> Observation:
    """Look for lines that nobody asked for: those that share no word with ``text``.

    Raises:
        NotApplicable: the prompt says neither what text there should be nor that nothing else may be seen.
    """
    asked = expect.text
    if asked is None and expect.others != "none":
        raise NotApplicable("the prompt does not say whether text may be seen ('text', or 'others: none')")
    wanted = [letters(part) for part in asked or ()]
    found = [
        group
        for group in lasting_lines(reading)
        if not any(
            letters(line.text) in part or part in letters(line.text) for line in group for part in wanted
        )
    ]
    return Observation(
        [_told(group) for group in found], min((group[0].frame for group in found), default=None)
    )


def absent_words(reading: TextReading, expect: Expectation) -> Observation:
    """Look for asked words that cannot be read in any frame; letters and digits count, in their order.

    Raises:
        NotApplicable: no words are asked for.
    """
    if not expect.text:
        raise NotApplicable("no words are asked for")
    read = dict.fromkeys(reading.frames, "")
    for line in reading.lines:
        read[line.frame] += letters(line.text)
    absent = [part for part in expect.text if not any(letters(part) in text for text in read.values())]
    said: Sequence[Json] = sorted({line.text for line in reading.lines})
    return Observation([{"text": part} for part in absent], None, {"read": said})


def _told(group: Sequence[TextLine]) -> dict[str, Json]:
    best = max(group, key=lambda line: line.confidence)
    return {
        "text": best.text,
        "confidence": round(best.confidence, 4),
        "frames": [line.frame for line in group],
        "second": round(group[0].seconds, 6),
        "box": [[round(x, 1), round(y, 1)] for x, y in best.box],
    }
