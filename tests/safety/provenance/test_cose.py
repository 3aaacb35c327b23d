"""The unsigned parts of a COSE signature: padding, unknown headers, and what is no signature."""

from __future__ import annotations

import pytest
from screentest.safety.provenance.cose import signature_fault


def cose(unprotected: bytes, payload: bytes = b"\xf6", after: bytes = b"") -> bytes:
    return b"\xd2\x84\x43\xa1\x01\x26" + unprotected + payload + b"\x42\x01\x02" + after


def test_a_signature_as_it_is_written() -> None:
    assert signature_fault(cose(b"\xa0")) is None
    assert signature_fault(cose(b"\xa1\x63pad\x58\x04\0\0\0\0", after=bytes(3))) is None
    assert signature_fault(cose(b"\xa1\x66sigTst\xa1\x69tstTokens\x81\xa1\x63val\x41\x07")) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (cose(b"\xa1\x63pad\x58\x04\0\0\x01\0"), "padding of the signature is not empty"),
        (cose(b"\xa1\x63qad\x58\x04\0\0\0\0"), "unprotected header that no signer writes"),
        (cose(b"\xa1\x05\x41\x00"), "unprotected header that no signer writes"),
        (cose(b"\xa0", after=b"x"), "something follows the signature"),
        (cose(b"\xa0", payload=b"\xf7"), "structure was changed"),
        (cose(b"\x80"), "structure was changed"),
        (b"\xd2\x83\x40\xa0\xf6", "structure was changed"),
        (b"\x84" + b"\x81" * 100, "structure was changed"),
        (b"", "structure was changed"),
    ],
)
def test_what_is_otherwise_is_told(content: bytes, words: str) -> None:
    assert words in (signature_fault(content) or "")
