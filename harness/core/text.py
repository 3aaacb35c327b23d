"""Text that every file format, encoder and database accepts: Unicode without lone surrogates."""

from __future__ import annotations

import re

__all__ = ["REPLACEMENT", "well_formed"]

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
