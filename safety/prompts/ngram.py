"""The n-gram model: a linear score over hashed words, word pairs and character n-grams of a prompt.

Hashing trick of Weinberger et al. 2009 (arXiv 0902.2206). A whole batch is one byte array, and the hash of
any stretch of it comes from two prefix sums: with H[i] = sum over j < i of byte[j] * P^j modulo 2^64, the
stretch [a, b) has the hash (H[b] - H[a]) * P^-a wherever it lies. No loop runs over n-grams.

Besides, words of a list have weights of their own, found by their full hash. They come from word vectors in
training (`word_vectors`), and so speak of words that no training prompt holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats, Ints
from ...harness.core.errors import UsageError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "CHAR_SIZES",
    "NgramModel",
    "features",
    "hashed",
    "word_features",
    "word_hashes",
    "words_of",
]

Hashes = NDArray[np.uint64]

VERSION = 2
"""Changes when the features of a text do."""
CHAR_SIZES = (3, 4, 5)
"""Character n-grams, within a word and its two edges."""
_BASE = 0x9E3779B97F4A7C15  # odd, and so invertible modulo 2^64
_INVERSE = pow(_BASE, -1, 1 << 64)
_BATCH_BYTES = 1 << 18

_WORD = np.zeros(256, np.bool_)
_WORD[[*b"0123456789abcdefghijklmnopqrstuvwxyz'", *range(128, 256)]] = True
_SPACE = np.uint8(32)
_WORDS = re.compile("[0-9a-z'\u0080-\U0010ffff]+")
"""What `_WORD` says of bytes, for text."""


@dataclass(frozen=True)
class NgramModel:
    """A table of weights with a row a bucket, and a list of words with their weights.

    Attributes:
        table: float16 (buckets, k); the number of buckets is a power of two.
        bias: float64 (k,).
        words: uint64 (m,), the hashes of the listed words, rising; there may be none.
        word_table: float16 (m, k).
    """

    table: NDArray[np.float16]
    bias: Floats
    words: Hashes
    word_table: NDArray[np.float16]

    def logits(self, texts: Sequence[str]) -> Floats:
        """Score texts: (n, k); 0 is even odds before calibration."""
        out = np.empty((len(texts), len(self.bias)))
        done = 0
        for batch in _batches(texts):
            found = hashed(batch, len(self.table))
            of_words = _listed(found.words, self.words, len(batch))
            total = np.zeros((len(batch), len(self.bias)))
            for k, (column, word_column) in enumerate(self._columns):
                total[:, k] = np.bincount(found.row, column[found.bucket] * found.value, len(batch))
                values = word_column[of_words.bucket] * of_words.value
                total[:, k] += np.bincount(of_words.row, values, len(batch))
            out[done : done + len(batch)] = total + self.bias
            done += len(batch)
        return out

    @cached_property
    def _columns(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        tables = (np.ascontiguousarray(t.T, np.float32) for t in (self.table, self.word_table))
        return list(zip(*tables, strict=True))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """List what a weights file holds."""
        return {
            "table": self.table,
            "bias": self.bias,
            "words": self.words,
            "word_table": self.word_table,
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, NDArray[Any]], path: Path) -> NgramModel:
        """Take a model from a weights file.

        Raises:
            UsageError: a tensor is missing or has the wrong shape.
        """
        try:
            table, bias, words, word_table = (tensors[n] for n in ("table", "bias", "words", "word_table"))
        except KeyError:
            raise _another(path) from None
        if table.shape[1:] != bias.shape or word_table.shape != (len(words), *bias.shape):
            raise _another(path)
        if len(table).bit_count() != 1:
            raise UsageError(f"the table in {path} has {len(table)} rows, which is not a power of two")
        return cls(
            table.astype(np.float16),
            bias.astype(np.float64),
            words.astype(np.uint64),
            word_table.astype(np.float16),
        )


def _another(path: Path) -> UsageError:
    return UsageError(f"{path} does not hold an n-gram model; train one with `screentest train`")


@dataclass(frozen=True)
class Hashed:
    """The features of a batch as triples; a bucket may come twice in a row, and then counts twice.

    Attributes:
        row: the text of each feature, a block of words and one of characters.
        bucket: its bucket.
        value: float32, one over the root of the block's number of features in that text.
        words: the text and the full hash of each single word.
    """

    row: Ints
    bucket: Ints
    value: NDArray[np.float32]
    words: tuple[Ints, Hashes]


class Listed(NamedTuple):
    """The listed words of a batch: text, place in the list, and one over the root of the text's words."""

    row: Ints
    bucket: Ints
    value: NDArray[np.float32]


def hashed(texts: Sequence[str], buckets: int) -> Hashed:
    """Hash the words, word pairs and character n-grams of ``texts`` into ``buckets`` (a power of two)."""
    prepared = _prepared(texts)
    words = _words(*prepared)
    blocks = [_with_pairs(*words), _characters(*prepared)]
    shift = np.uint64(64 - (buckets.bit_length() - 1))
    parts: list[tuple[Ints, Ints, NDArray[np.float32]]] = []
    for block_row, block_hash in blocks:
        count = np.bincount(block_row, minlength=len(texts))
        value = (1.0 / np.sqrt(np.maximum(count, 1))).astype(np.float32)
        parts.append((block_row, (_mixed(block_hash) >> shift).astype(np.int64), value[block_row]))
    row, bucket, value = zip(*parts, strict=True)
    return Hashed(np.concatenate(row), np.concatenate(bucket), np.concatenate(value), words)


def word_hashes(words: Sequence[str]) -> Hashes:
    """Hash words (n,), each of which should be one of `words_of` its text."""
    row, found = _words(*_prepared(words))
    if not np.array_equal(row, np.arange(len(words))):
        raise ValueError("some of these are not single words")
    return found


def words_of(text: str) -> list[str]:
    """Cut a text into its words as the hashes do."""
    return _WORDS.findall(text.lower())


def word_features(texts: Sequence[str], words: Hashes) -> csr_array:
    """Give the listed words of texts as a sparse float32 matrix (n, m), for training; `words` rise."""
    from scipy.sparse import csr_array, vstack

    parts: list[Any] = []
    for batch in _batches(texts):
        found = _listed(_words(*_prepared(batch)), words, len(batch))
        parts.append(csr_array((found.value, (found.row, found.bucket)), shape=(len(batch), len(words))))
    return csr_array(vstack(parts)) if parts else csr_array((0, len(words)), dtype=np.float32)


def _listed(found: tuple[Ints, Hashes], words: Hashes, texts: int) -> Listed:
    row, full = found
    if not len(words):
        return Listed(row[:0], row[:0], np.empty(0, np.float32))
    count = np.bincount(row, minlength=texts)
    place = np.minimum(np.searchsorted(words, full), len(words) - 1)
    known = words[place] == full
    row = row[known]
    return Listed(row, place[known], (1.0 / np.sqrt(count[row])).astype(np.float32))


def features(texts: Sequence[str], buckets: int) -> csr_array:
    """Give the features as a sparse float32 matrix (n, buckets), for training."""
    from scipy.sparse import csr_array, vstack

    parts: list[Any] = []
    for batch in _batches(texts):
        found = hashed(batch, buckets)
        parts.append(csr_array((found.value, (found.row, found.bucket)), shape=(len(batch), buckets)))
    return csr_array(vstack(parts)) if parts else csr_array((0, buckets), dtype=np.float32)


def _batches(texts: Sequence[str]) -> list[Sequence[str]]:
    """Cut into runs of about a quarter of a megabyte, so that memory does not grow with the list."""
    out: list[Sequence[str]] = []
    start = size = 0
    for i, text in enumerate(texts):
        size += len(text) + 2
        if size >= _BATCH_BYTES:
            out.append(texts[start : i + 1])
            start, size = i + 1, 0
    if start < len(texts):
        out.append(texts[start:])
    return out


def _prepared(texts: Sequence[str]) -> tuple[NDArray[np.uint8], Ints, Hashes, Hashes]:
    blob, row = _normalised(texts)
    return blob, row, *_prefix(blob)


def _normalised(texts: Sequence[str]) -> tuple[NDArray[np.uint8], Ints]:
    """Join texts in lower case, with one space before, between and after words; and the text of each byte."""
    encoded = [b" " + text.lower().encode("utf-8", "replace") + b" " for text in texts]
    blob = np.frombuffer(b"".join(encoded), np.uint8)
    row = np.repeat(np.arange(len(texts)), [len(part) for part in encoded])
    word = _WORD[blob]
    first = np.ones(len(blob), np.bool_)
    first[1:] = row[1:] != row[:-1]
    keep = word | first
    keep[1:] |= word[:-1]  # of a run of separators the first stays
    return np.where(word, blob, _SPACE)[keep], row[keep]


def _prefix(blob: NDArray[np.uint8]) -> tuple[Hashes, Hashes]:
    """Give H of length n + 1 and P^-i of length n, modulo 2^64."""
    n = len(blob)
    powers = np.full(n, _BASE, np.uint64)
    inverses = np.full(n, _INVERSE, np.uint64)
    if n:
        powers[0] = inverses[0] = 1
    prefix = np.zeros(n + 1, np.uint64)
    np.cumsum((blob.astype(np.uint64) + np.uint64(1)) * np.cumprod(powers), out=prefix[1:])
    return prefix, np.cumprod(inverses)


def _words(blob: NDArray[np.uint8], row: Ints, prefix: Hashes, unshift: Hashes) -> tuple[Ints, Hashes]:
    """Hash words."""
    inside = np.zeros(len(blob) + 2, np.int8)
    inside[1:-1] = blob != _SPACE
    edge = np.diff(inside)
    starts, ends = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
    return row[starts], (prefix[ends] - prefix[starts]) * unshift[starts]


def _with_pairs(row: Ints, words: Hashes) -> tuple[Ints, Hashes]:
    """Put beside words the hashes of pairs of neighbours, and of pairs with one word between."""
    rows, hashes = [row], [words]
    for gap, factor in ((1, 0xC2B2AE3D27D4EB4F), (2, 0x165667B19E3779F9)):
        same = row[gap:] == row[:-gap]
        rows.append(row[gap:][same])
        hashes.append((words[:-gap] * np.uint64(factor) + _mixed(words[gap:]))[same])
    return np.concatenate(rows), np.concatenate(hashes)


def _characters(blob: NDArray[np.uint8], row: Ints, prefix: Hashes, unshift: Hashes) -> tuple[Ints, Hashes]:
    spaces = np.zeros(len(blob) + 1, np.int64)
    np.cumsum(blob == _SPACE, out=spaces[1:])
    rows: list[Ints] = []
    hashes: list[Hashes] = []
    for size in CHAR_SIZES:
        start = np.arange(max(0, len(blob) - size + 1))
        inner = spaces[start + size - 1] == spaces[start + 1]  # a space may be at the edges only
        start = start[inner]
        rows.append(row[start])
        hashes.append((prefix[start + size] - prefix[start]) * unshift[start] + np.uint64(size))
    return np.concatenate(rows), np.concatenate(hashes)


def _mixed(value: Hashes) -> Hashes:
    """Spread a hash over all bits: the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
