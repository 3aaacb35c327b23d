"""Text that every file format, encoder and database accepts: Unicode without lone surrogates."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["REPLACEMENT", "control_character", "is_blank", "printable", "well_formed"]

REPLACEMENT = "\ufffd"
"""Replaces a code unit that is not a character (The Unicode Standard, 5.22)."""

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    r"""Join UTF-16 surrogate pairs, and put `REPLACEMENT` for each lone surrogate.

    JSON, YAML and HTML can contain a lone surrogate, but no UTF-8 file, tokenizer or database accepts one. So
    all text from outside passes through here once, before anything else reads it.

    Example:
        >>> well_formed("a \ud83c\udf51 and \ud83c") == "a \U0001f351 and \ufffd"
        True
    """
    if text.isascii():
        return text
    return _HALF.sub(REPLACEMENT, _PAIR.sub(_joined, text))


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")


_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def control_character(text: str) -> str | None:
    """Return the first control character, such as ESC or NUL, other than tab and line ends; else None."""
    found = _CONTROL.search(text)
    return None if found is None else found[0]


def is_blank(text: str) -> bool:
    r"""Check whether a text shows nothing: it is empty, or of spaces, joiners and other invisible characters.

    Example:
        >>> is_blank(" \u200b\u2060"), is_blank("\U0001f351")
        (True, False)
    """
    return all(unicodedata.category(c) in _INVISIBLE or c in _FILLERS for c in text)


_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_FILLERS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0\ufe0e\ufe0f")
"""What is drawn as nothing in other categories: fillers of Hangul, empty Braille, selectors of a variant."""


def printable(text: str) -> str:
    r"""Write control characters as escapes: on a terminal one could recolor, hide or answer.

    Example:
        >>> printable("a \x1b[31mred\x1b[0m ball")
        'a \\x1b[31mred\\x1b[0m ball'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
