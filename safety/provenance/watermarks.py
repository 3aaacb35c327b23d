"""Watermarks by name: how a payload is put into frames and read again, and when it counts as detected.

A plug-in adds a pair of functions::

    from screentest.safety.provenance.watermarks import WATERMARKS, Watermark

    def encode(frames_THWC, payload, key): ...   # -> marked frames, uint8 RGB of the same shape
    def decode(frames_THWC, key): ...            # -> votes, positive for 1: (bits,) or (k, bits)

    WATERMARKS.add("mine", Watermark("a sentence for lists", 1, 48, encode, decode))

A suite, a command or a generator names a watermark with key and payload: ``spread?key=FILE,payload=HEX``.
Without a key it is that of the package, which everybody has: that shows how it works, and protects nothing.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.config import Config
from ...harness.core.errors import UsageError
from ...harness.core.plugin_sources import source_digest
from ...harness.core.registry import Registry
from ...harness.core.specs import parse_argument
from ...metrics.rooms import ROOMS

if TYPE_CHECKING:
    from ...harness.core.keys import Json

__all__ = ["MAX_FPR", "WATERMARKS", "Mark", "MarkOptions", "Reading", "Watermark", "make_mark"]

Frames: TypeAlias = NDArray[np.uint8]
Bits: TypeAlias = NDArray[np.bool_]
Votes: TypeAlias = NDArray[np.floating]

MAX_FPR: Final = 1e-6
"""A watermark counts as detected if so many bits match by chance in at most this share of keys.

It is far below the 1 in 1,000 that is wanted of unmarked clips: a run has one key, and clips that resemble
each other match an unlucky one more often than the mean over keys says.
"""
_PUBLIC_KEY: Final = b"the key of the package, which everybody has"
_FEWEST_BYTES, _MOST_BYTES = 16, 4096


@dataclass(frozen=True)
class Watermark:
    """A pair of functions that puts a payload into frames, and reads it without the original.

    Attributes:
        summary: one line for listings.
        version: raised when marks or votes would change.
        bits: length of the payload.
        encode: ``(frames_THWC, payload, key) -> frames_THWC``.
        decode: ``(frames_THWC, key) -> votes``, (bits,), or (k, bits) with a row for each of k ways to align
            the frames. Votes of blocks of frames are added up. No vote (0) counts as a wrong bit.
        alignments: k.
    """

    summary: str
    version: int
    bits: int
    encode: Callable[[Frames, Bits, bytes], Frames]
    decode: Callable[[Frames, bytes], Votes]
    alignments: int = 1


WATERMARKS: Final[Registry[Watermark]] = Registry("watermark", Watermark, ROOMS)


class MarkOptions(Config):
    """The secret and the payload of a watermark."""

    key: str = Field(default="", description="file of 16 random bytes or more; by default a public key")
    payload: str = Field(default="", description="hexadecimal digits; by default fixed ones")


@dataclass(frozen=True)
class Reading:
    """What was read of a clip.

    Attributes:
        matching, bits: bits of the payload that were read as they should be, of how many.
        p: probability that as many match in a clip without the mark, over random keys: the binomial tail,
            times the number of alignments that were tried.
    """

    matching: int
    bits: int
    p: float

    @property
    def accuracy(self) -> float:
        """Share of bits that match, for the alignment with most; about 1/2 without a mark."""
        return self.matching / self.bits

    @property
    def detected(self) -> bool:
        """Whether so many match by chance in at most `MAX_FPR` of keys."""
        return self.p <= MAX_FPR


@dataclass(frozen=True)
class Mark:
    """A watermark with its key and payload; the key is in no representation, and its digest in identities."""

    name: str
    watermark: Watermark
    payload: Bits
    key: bytes = field(repr=False)

    def identity(self) -> Mapping[str, Json]:
        """List the name, version, payload, digest of the key, and of the functions of a plug-in."""
        pair = (self.watermark.encode, self.watermark.decode)
        ours = all(one.__module__.startswith(__name__.rpartition(".")[0]) for one in pair)
        return {
            "name": self.name,
            "version": self.watermark.version,
            "bits": self.watermark.bits,
            "payload": np.packbits(self.payload).tobytes().hex(),
            "key": hashlib.sha256(b"screentest watermark key\0" + self.key).hexdigest(),
            **({} if ours else {"source": [source_digest(one) for one in pair if inspect.isfunction(one)]}),
        }

    def encode(self, frames_THWC: Frames) -> Frames:
        """Mark frames, uint8 RGB (T, H, W, 3).

        Raises:
            UsageError: the watermark returned something else than marked frames.
        """
        marked = np.asarray(self.watermark.encode(frames_THWC, self.payload, self.key))
        if marked.shape != frames_THWC.shape or marked.dtype != np.uint8:
            raise UsageError(
                f"the watermark {self.name!r} returned {marked.dtype} {marked.shape} for uint8 "
                f"{frames_THWC.shape}; it should return frames of the same shape"
            )
        return marked

    def votes(self, frames_THWC: Frames) -> NDArray[np.float64]:
        """Read a block of frames: votes (k, bits), to be added up over the blocks of a clip.

        Raises:
            UsageError: the watermark returned something else than votes.
        """
        found = np.atleast_2d(np.asarray(self.watermark.decode(frames_THWC, self.key), np.float64))
        if found.shape != (self.watermark.alignments, self.watermark.bits):
            raise UsageError(
                f"the watermark {self.name!r} returned votes of shape {found.shape}; it should return "
                f"{(self.watermark.alignments, self.watermark.bits)}"
            )
        return found

    def judge(self, votes: NDArray[np.float64]) -> Reading:
        """Compare the sum of votes with the payload."""
        from scipy import stats

        right = ((votes > 0) == self.payload) & (votes != 0) & np.isfinite(votes)
        matching, bits = int(right.sum(axis=1).max()), self.watermark.bits
        tail = float(stats.binom.sf(matching - 1, bits, 0.5))
        return Reading(matching, bits, min(1.0, self.watermark.alignments * tail))


def make_mark(source: str, whose: str) -> Mark:
    """Make a watermark from its spec, ``NAME?key=FILE,payload=HEX``.

    Args:
        source: the spec.
        whose: how messages name it.

    Raises:
        UsageError: no such watermark, or the key or payload is not one.
    """
    spec = parse_argument(source, whose)
    options = spec.settings(MarkOptions)
    watermark = WATERMARKS.get(spec.argument)
    key = _read_key(Path(options.key).expanduser()) if options.key else _PUBLIC_KEY
    return Mark(spec.argument, watermark, _payload(options.payload, watermark.bits, whose), key)


def _payload(text: str, bits: int, whose: str) -> Bits:
    if not text:
        text = hashlib.sha256(b"screentest payload").hexdigest()[: -(-bits // 4)]
        if len(text) * 4 < bits:
            raise UsageError(f"{whose}: a payload of {bits} bits has no default; give payload=HEX")
    digits = -(-bits // 4)
    try:
        value = bytes.fromhex(text.rjust(len(text) + len(text) % 2, "0"))
    except ValueError:
        value = b""
    found = np.unpackbits(np.frombuffer(value, np.uint8))[-bits:] if len(text) == digits else np.empty(0)
    if len(found) != bits:
        raise UsageError(
            f"{whose}: the payload {text!r} should be {digits} hexadecimal digits, for {bits} bits"
        )
    return found.astype(bool)


def _read_key(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            key = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}, which should hold the watermark's key") from None
    except OSError as error:
        raise UsageError(f"the watermark's key {path} cannot be read: {error.strerror or error}") from None
    if not _FEWEST_BYTES <= len(key) <= _MOST_BYTES:
        raise UsageError(
            f"the watermark's key {path} should have {_FEWEST_BYTES} to {_MOST_BYTES} bytes, drawn at "
            "random, so that nobody can guess it"
        )
    return key
