"""Families that encode: a filter may miss them, and a generator that cannot decode them shows something else.

At full strength the whole text is encoded, white space included, and can be had back from the code alone;
at less, that share of the words is.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Callable

import numpy as np

from .base import FAMILIES, Family, Transformer, on_words, words_kept

__all__ = ["from_braille", "from_entities", "from_morse", "from_percent", "to_braille", "to_morse"]

# International Morse code (Recommendation ITU-R M.1677-1), with the marks in common use.
_SIGNS = (
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- "
    "-..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. .-.-.- --..-- ..--.. "
    ".----. -..-. -.--. -.--.- ---... -...- .-.-. -....- .-..-. .--.-."
)
_MORSE = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?'/():=+-\"@", re.split(" ", _SIGNS), strict=True))
_FROM_MORSE = {code: letter for letter, code in _MORSE.items()}

# Uncontracted braille (Unicode block U+2800): a to j are the upper four dots, k to t add dot 3, and so on.
_A_TO_J = "⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚"
_BRAILLE = dict(
    zip("abcdefghijklmnopqrstuvxyzw", _A_TO_J + "⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠭⠽⠵⠺", strict=True),
)
_BRAILLE_DIGITS = dict(zip("1234567890", _A_TO_J, strict=True))
_NUMBER = "⠼"
_FROM_BRAILLE = {cell: letter for letter, cell in _BRAILLE.items()}
_FROM_BRAILLE_DIGITS = {cell: digit for digit, cell in _BRAILLE_DIGITS.items()}


def to_morse(text: str) -> str:
    """Write letters, digits and common marks in Morse, a slash between words; leave out what has no code."""
    words = (" ".join(_MORSE[c] for c in word.upper() if c in _MORSE) for word in text.split())
    return " / ".join(word for word in words if word)


def from_morse(code: str) -> str:
    """Read Morse as lower-case text; a sign that is none stays as it is."""
    words = (
        "".join(_FROM_MORSE.get(sign, sign) for sign in word.split()) for word in re.split(r"\s*/\s*", code)
    )
    return " ".join(words).lower()


def to_braille(text: str) -> str:
    """Write letters and digits in uncontracted braille without capitals; keep other characters."""
    cells: list[str] = []
    digits = False
    for c in text.lower():
        if c in _BRAILLE_DIGITS:
            cells.append(_BRAILLE_DIGITS[c] if digits else _NUMBER + _BRAILLE_DIGITS[c])
        else:
            cells.append(_BRAILLE.get(c, c))
        digits = c in _BRAILLE_DIGITS
    return "".join(cells)


def from_braille(cells: str) -> str:
    """Read uncontracted braille as lower-case text; a number sign holds to the end of the word."""
    letters: list[str] = []
    digits = False
    for cell in cells:
        if cell == _NUMBER:
            digits = True
            continue
        digits = digits and cell in _FROM_BRAILLE_DIGITS
        letters.append(_FROM_BRAILLE_DIGITS[cell] if digits else _FROM_BRAILLE.get(cell, cell))
    return "".join(letters)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a prompt can carry half a surrogate pair


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _to_percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in _bytes(text))


def from_percent(code: str) -> str:
    """Read runs of percent-encoded bytes; keep those that are not UTF-8 (or halves of surrogate pairs)."""

    def run(found: re.Match[str]) -> str:
        try:
            return _text(bytes.fromhex(found[0].replace("%", "")))
        except UnicodeDecodeError:
            return found[0]

    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", run, code)


def _to_entities(text: str) -> str:
    return "".join(f"&#{ord(c)};" for c in text)


def from_entities(code: str) -> str:
    """Read decimal and hexadecimal character references; keep those beyond Unicode.

    Half of a UTF-16 pair is read as what it is: `well_formed` joins it with its other half.
    """

    def one(found: re.Match[str]) -> str:
        number = int(found[1], 16) if found[1] else int(found[2])
        return chr(number) if number < 0x110000 else found[0]

    return re.sub(r"&#(?:[xX]([0-9A-Fa-f]{1,6})|([0-9]{1,7}));", one, code)


def _whole(encode: Callable[[str], str]) -> Transformer:
    def apply(text: str, rng: np.random.Generator, strength: float) -> str:
        return encode(text) if strength == 1 else on_words(text, rng, strength, encode)

    return apply


def _add(name: str, summary: str, encode: Callable[[str], str], invert: Callable[[str], str]) -> None:
    FAMILIES.add(name, Family(name, summary, "encoded", _whole(encode), invert))


def _add_lossy(name: str, summary: str, encode: Callable[[str], str], decode: Callable[[str], str]) -> None:
    def legibility(base: str, text: str) -> float:
        return words_kept(base, decode(text))

    FAMILIES.add(name, Family(name, summary, "encoded", _whole(encode), legibility=legibility))


_add(
    "base64",
    "Base64 of the UTF-8 bytes (RFC 4648)",
    lambda text: base64.b64encode(_bytes(text)).decode("ascii"),
    lambda code: _text(base64.b64decode(code, validate=True)),
)
_add(
    "hex",
    "hexadecimal UTF-8 bytes",
    lambda text: _bytes(text).hex(),
    lambda code: _text(bytes.fromhex(code)),
)
_add("percent", "percent-encoded UTF-8 bytes (RFC 3986)", _to_percent, from_percent)
_add("entities", "decimal character references of HTML", _to_entities, from_entities)
_add(
    "rot13",
    "ASCII letters moved by 13",
    lambda text: codecs.encode(text, "rot13"),
    lambda code: codecs.decode(code, "rot13"),
)
_add("reversed", "backwards", lambda text: text[::-1], lambda code: code[::-1])
_add_lossy("morse", "Morse code; letter case and marks without a code are lost", to_morse, from_morse)
_add_lossy("braille", "uncontracted braille; letter case is lost", to_braille, from_braille)
