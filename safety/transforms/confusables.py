"""Letters of other scripts that look like ASCII letters.

A small table read from the Unicode security data (Unicode Technical Standard 39, confusables.txt): one
look-alike a letter to write with, and some more to fold. Letters without a good look-alike are left out.
"""

from __future__ import annotations

__all__ = ["FOLD", "LOOKALIKE"]

_CYRILLIC = dict(zip("acdehijlopqswxyABCEHIJKMOPSTXY", "асԁеһіјӏорԛѕԝхуАВСЕНІЈКМОРЅТХҮ", strict=True))
_GREEK = dict(zip("vNZ", "νΝΖ", strict=True))
_ARMENIAN = dict(zip("nu", "ոս", strict=True))

LOOKALIKE: dict[str, str] = {**_CYRILLIC, **_GREEK, **_ARMENIAN, "g": "ɡ"}
"""ASCII letter to one look-alike; no two letters share one, so that it can be undone."""

_MORE = {
    **dict(zip("αορϲϳΑΒΕΗΙΚΜΟΡΤΥΧ", "aopcjABEHIKMOPTYX", strict=True)),
    **dict(zip("гЬѵҺԍցհօԛ", "rbvhGghoq", strict=True)),
    **dict(zip("ıɑℓʋ", "ialv", strict=True)),
}

FOLD: dict[str, str] = {**_MORE, **{there: here for here, there in LOOKALIKE.items()}}
"""Look-alike to ASCII letter: those of `LOOKALIKE` and further ones that are met in the wild."""
