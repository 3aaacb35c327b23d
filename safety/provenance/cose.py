"""The parts of a COSE signature (RFC 9052, section 4.2) that the signature itself does not cover.

    COSE_Sign1 = 18([protected, unprotected, payload, signature])

The unprotected header holds padding and time stamps, and the payload is elsewhere, so that null stands here.
"""

from __future__ import annotations

from typing import Final

__all__ = ["signature_fault"]

_SIGN1, _FIELDS, _NULL = 0xD2, 0x84, 0xF6
_PADS: Final = frozenset({b"pad", b"pad2"})
_KNOWN: Final = _PADS | {b"sigTst", b"sigTst2", b"rVals", b"temp_pad"}
_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6
_CHAIN = 33
"""Header of the certificates, which older signers leave unprotected (RFC 9360)."""
_MAX_DEPTH = 16


def signature_fault(cose: bytes) -> str | None:
    """Say what is not as it should be in the parts that the signature does not cover; None if all is."""
    try:
        return _fault(cose)
    except (IndexError, ValueError):
        return "the signature's own structure was changed"


def _fault(cose: bytes) -> str | None:
    at = 1 if cose[0] == _SIGN1 else 0
    if cose[at] != _FIELDS:
        raise ValueError
    at = _skip(cose, at + 1)
    kind, entries, at = _head(cose, at)
    if kind != _MAP:
        raise ValueError
    for _ in range(entries):
        key_kind, key, after = _head(cose, at)
        name = cose[after : after + key] if key_kind == _TEXT else b""
        known = name in _KNOWN if key_kind == _TEXT else key_kind == 0 and key == _CHAIN
        if not known:
            return "the signature has an unprotected header that no signer writes"
        value = after + (key if key_kind == _TEXT else 0)
        at = _skip(cose, value)
        if name in _PADS:
            value_kind, size, start = _head(cose, value)
            if value_kind != _BYTES or cose[start : start + size].strip(b"\0"):
                return "the padding of the signature is not empty"
    if cose[at] != _NULL:
        raise ValueError
    end = _skip(cose, at + 1)
    if cose[end:].strip(b"\0"):
        return "something follows the signature in its box"
    return None


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Read the head of a CBOR item: its major type, its argument, and where its content begins."""
    kind, small = data[at] >> 5, data[at] & 31
    if small < 24:
        return kind, small, at + 1
    width = {24: 1, 25: 2, 26: 4, 27: 8}[small] if small < 28 else 0
    if not width or at + 1 + width > len(data):
        raise ValueError
    return kind, int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 1 + width


def _skip(data: bytes, at: int, depth: int = 0) -> int:
    """Return where a CBOR item ends."""
    if depth > _MAX_DEPTH:
        raise ValueError
    kind, argument, at = _head(data, at)
    if kind in (_BYTES, _TEXT):
        at += argument
    elif kind in (_ARRAY, _MAP, _TAG):
        for _ in range({_ARRAY: argument, _MAP: 2 * argument, _TAG: 1}[kind]):
            at = _skip(data, at, depth + 1)
    if at > len(data):
        raise ValueError
    return at
