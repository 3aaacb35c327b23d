"""Text that every file format, encoder and database takes: whole Unicode, without halves of pairs."""

from __future__ import annotations

import re

__all__ = ["REPLACEMENT", "well_formed"]

REPLACEMENT = "\ufffd"
"""Stands where something was that is no character (The Unicode Standard, 5.22)."""

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    r"""Join the halves of UTF-16 pairs, and put `REPLACEMENT` for each half that stands alone.

    JSON, YAML and HTML can write half of a pair, and no UTF-8 file, tokenizer or database takes one. So text
    that comes in from outside goes through here, once, before anything reads it.

    Example:
        >>> well_formed("a \ud83c\udf51 and \ud83c") == "a \U0001f351 and \ufffd"
        True
    """
    if text.isascii():
        return text
    return _HALF.sub(REPLACEMENT, _PAIR.sub(_joined, text))


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")
