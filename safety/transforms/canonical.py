"""Undo disguises before a filter reads a prompt: the canonicalising defence.

Whatever is decoded must read as language by a simple test, so that file names, numbers and ordinary prompts
stay as they are. What a reader sees is kept; what only a machine sees goes.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata

from ...harness.core.text import well_formed
from .codes import from_braille, from_entities, from_morse, from_percent
from .confusables import FOLD
from .surface import EMOJI, LEET, unwrap_bidi

__all__ = ["FREQUENT", "canonicalise", "reads_as_language", "reads_as_word"]

_ROUNDS = 3
"""Codes within codes are opened this often."""

# Frequent English words, function words first, then those of scene descriptions.
_TEXT = """
    the a an and or but of in on at to from for with without by as is are was were be been has have had do
    does did not no he she it they them his her its their him you your we our i my me this that these those
    there here who what when where which how why while then than so if into onto over under through across
    along around behind before after between near up down out off away back again against about above below
    during until each every all some any one two three four five few many more most other another same own
    new old young big small long short high low good bad black white red blue green yellow man woman men
    women person people crowd group friend family street road city house room door window table chair water
    fire light night day morning evening sun rain snow car train hand hands face eyes head body camera video
    film movie scene shot screen slow close style walks walking runs running stands standing sits sitting
    holds holding looks looking shows showing takes taking makes making goes going comes coming opens
    opening turns turning moves moving plays playing dog cat horse bird tree field mountain sea river sky
    forest beach office school kitchen like just only very can will would could should may must make show
    take get give go see
"""
FREQUENT = frozenset(_TEXT.split())
"""Frequent English words."""
_VOWELS = frozenset("aeiouy")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_UNLEET = str.maketrans({digit: letter for letter, digit in LEET.items()} | {"@": "a", "$": "s"})
_MARKED_LATIN = re.compile("([A-Za-z])[\u0300-\u036f]+")
_SEPARATED = re.compile(r"(?<![^\W_])[^\W_](?:([ .\-*_|])[^\W_](?:\1[^\W_]){2,})(?![^\W_])")


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.casefold())


def reads_as_language(text: str) -> bool:
    """Check whether a text reads as English: mostly letters and spaces, a quarter of its words frequent ones.

    The test knows some 240 frequent words. It needs two words or more; for one there is `reads_as_word`.
    """
    words = _words(text)
    if len(words) < 2 or not text.isprintable():
        return False
    letters = sum(c.isalpha() or c.isspace() for c in text) / len(text)
    return letters >= 0.75 and sum(word in FREQUENT for word in words) >= len(words) / 4


def reads_as_word(text: str) -> bool:
    """Check whether a text reads as one word: ASCII in lower case except the first letter, with vowels."""
    body = text.strip(".,;:!?'\"()")
    if not (3 <= len(body) <= 20 and body.isascii() and body.isalpha() and body[1:].islower()):
        return False
    vowels = sum(c in _VOWELS for c in body.lower())
    return vowels > 0 and 0.15 <= vowels / len(body) <= 0.75 and not re.search(r"[^aeiouyAEIOUY]{5}", body)


def _readable(text: str) -> bool:
    return reads_as_language(text) or reads_as_word(text)


def canonicalise(text: str) -> str:
    """Convert a prompt to the plain form that a filter should read.

    In turn: text under right-to-left overrides in the order in which it is seen; compatibility forms (Unicode
    NFKC); invisible and formatting characters out; combining marks off ASCII letters (but the accents of a
    language stay); words of look-alike letters in ASCII; numbered scenes and emoji out; spaced or punctuated
    letters together. Then, up to three times over, Base64, hexadecimal and percent-encoded bytes, character
    references, Morse, braille, digits for letters, ROT13 and backward text are decoded where the result reads
    as language and the text did not.

    Halves of UTF-16 pairs, written as they are or as references, are joined; a lone one is replaced.

    What has been lost (letters left out, other words, another tense) is not guessed at.
    """
    text = _INVISIBLE.sub("", unwrap_bidi(well_formed(text)))
    text = _MARKED_LATIN.sub(r"\1", text)  # marks that come by themselves: languages are typed composed
    text = _fold_lookalikes(_unmark(unicodedata.normalize("NFKC", text)))
    text = _INVISIBLE.sub("", text)  # NFKC can bring some of them
    for _ in range(_ROUNDS):
        before = text
        text = _decode(text)
        if text == before:
            break
    text = re.sub(rf" ?[{EMOJI}]", "", text)
    return _short_vowels(re.sub(r"(?:^|\n)Scene [0-9]+: ", "", text))


def _unmark(text: str) -> str:
    """Take marks off ASCII letters where more than 35 % carry one, which is more than languages have."""
    apart = unicodedata.normalize("NFD", text)
    letters = sum(c.isascii() and c.isalpha() for c in apart)
    if len(_MARKED_LATIN.findall(apart)) <= 0.35 * letters:
        return text
    return unicodedata.normalize("NFC", _MARKED_LATIN.sub(r"\1", apart))


def _fold_lookalikes(text: str) -> str:
    """Fold words that become ASCII by it, in a text that is mostly ASCII by it: Russian stays Russian."""

    def fold(word: str) -> str:
        folded = "".join(FOLD.get(c, c) for c in word)
        return folded if folded.isascii() else word

    new = re.sub(r"\S+", lambda found: fold(found[0]), text)
    letters = [c for c in new if c.isalpha()]
    return new if sum(c.isascii() for c in letters) >= 0.8 * len(letters) else text


def _decode(text: str) -> str:
    text = _join_letters(text)
    for step in (from_entities, _percent, _base64, _hex, _morse, _braille):
        text = well_formed(step(text))
    text = _unleet(text)
    # One letter alone is a word backwards too, and tells nothing there.
    for turned, shortest in ((codecs.encode(text, "rot13"), 1), (text[::-1], 2)):
        gain = _score(turned, shortest) - _score(text, shortest)
        if gain >= 0.2 and reads_as_language(turned):
            return turned
    return text


def _score(text: str, shortest: int) -> float:
    """Share of frequent words among those of ``shortest`` letters or more."""
    words = [word for word in _words(text) if len(word) >= shortest]
    return sum(word in FREQUENT for word in words) / len(words) if words else 0.0


def _unleet(text: str) -> str:
    """Read digits as letters in words that have more of these; 1080p, 4k and 3d stay.

    Where a quarter of the words do, words of digits alone are read too if they spell a frequent one (47: at).
    """
    found = [word for word in text.split() if _leet_like(word)]
    many = len(found) >= 2 and 4 * len(found) >= len(text.split())

    def takes(word: str) -> bool:
        return _leet_like(word) or (many and (_spells_frequent(word) or _mixed(word)))

    return re.sub(r"\S+", lambda m: m[0].translate(_UNLEET) if takes(m[0]) else m[0], text)


def _mixed(word: str) -> bool:
    plain = re.sub(r"\W", "", word.translate(_UNLEET))
    return plain.isalpha() and any(c.isalpha() for c in word)


def _leet_like(word: str) -> bool:
    plain = word.translate(_UNLEET)
    letters = sum(c.isalpha() for c in word)
    if plain == word or letters < sum(a != b for a, b in zip(word, plain, strict=True)):
        return False
    if re.fullmatch(r"\W*[0-9][0-9.,:]*[a-zA-Z]{0,2}\W*|[^0-9]+[0-9]{2,}\W*", word):
        return False  # a number with its unit, or a name with its number
    return (_spells_frequent(word) and len(plain) > 2) or reads_as_word(plain.lower().replace("'", ""))


def _spells_frequent(word: str) -> bool:
    return re.sub(r"\W+$", "", word.translate(_UNLEET)).lower() in FREQUENT


def _join_letters(text: str) -> str:
    """Join letters that stand apart, four or more in a row; a wider gap is a space."""
    wide = re.sub(r"(?<=\S) {3}(?=\S)", "\0", text) if re.search(r"(?:\S ){3}\S {3}\S", text) else text
    joined = _SEPARATED.sub(lambda found: found[0].replace(found[1], ""), wide)
    return joined.replace("\0", " ")


def _bytes_as_text(data: bytes, fallback: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return fallback
    return text if _readable(text) else fallback


def _base64(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        try:
            return _bytes_as_text(base64.b64decode(found[0], validate=True), found[0])
        except binascii.Error:
            return found[0]

    return re.sub(
        r"(?<![\w+/=])(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?(?![\w+/=])", one, text
    )


def _hex(text: str) -> str:
    return re.sub(
        r"\b(?:[0-9a-fA-F]{2}){3,}\b", lambda found: _bytes_as_text(bytes.fromhex(found[0]), found[0]), text
    )


def _percent(text: str) -> str:
    """Decode runs with a letter in them, which no address needs encoded: a %20 stays."""

    def run(found: re.Match[str]) -> str:
        decoded = from_percent(found[0])
        letters = any(c.isascii() and c.isalnum() for c in decoded)
        return decoded if letters and decoded.isprintable() and "%" not in decoded else found[0]

    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", run, text)


def _morse(text: str) -> str:
    def run(found: re.Match[str]) -> str:
        decoded = from_morse(found[0].strip())
        return decoded if _readable(decoded) else found[0]

    return re.sub(r"(?<!\S)[.\-]+(?: [.\-/]+)+(?!\S)", run, text)


def _braille(text: str) -> str:
    return from_braille(text) if re.search("[\u2800-\u28ff]", text) else text


def _short_vowels(text: str) -> str:
    """Shorten a vowel written three times or more to one, or to two if the number is even (stre-e-e-et)."""

    def word(found: re.Match[str]) -> str:
        new = re.sub(r"([aeiou])\1{2,}", _one_or_two, found[0], flags=re.IGNORECASE)
        plain = new.lower()
        return new if plain in FREQUENT or reads_as_word(plain) else found[0]

    return re.sub(r"[A-Za-z]*(?:aaa|eee|iii|ooo|uuu)[A-Za-z]*", word, text, flags=re.IGNORECASE)


def _one_or_two(run: re.Match[str]) -> str:
    return run[0][: 2 if len(run[0]) % 2 == 0 else 1]
