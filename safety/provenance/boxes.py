"""Bytes of an MP4 file that the C2PA hash leaves out, and how they are held to the signature all the same.

The hash of a C2PA manifest covers an MP4 file but for its boxes ``ftyp``, ``free``, ``skip`` and ``mfra``,
and the manifest's own box (C2PA 2.2, sections 9.2.2 and A.5). So a file that verifies may have another brand,
or carry text in a ``free`` box. A signer of this project adds an assertion with the sha256 of those boxes.
In the manifest's own box, neither its header, nor the descriptions of its parts, nor the padding of the
signature is hashed: they have one right form, and another form is a change.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .cose import signature_fault

__all__ = ["UNSIGNED_LABEL", "MalformedBoxes", "has_manifest_box", "manifest_fault", "unsigned_boxes"]

UNSIGNED_LABEL = "org.screentest.unsigned-boxes"
"""Label of the assertion about the boxes that the C2PA hash leaves out."""
_UNSIGNED = frozenset({b"ftyp", b"free", b"skip", b"mfra"})
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_PURPOSE = b"manifest\0"
_HEADER = 4 + len(_PURPOSE) + 8
"""Version and flags, purpose, and the offset of a Merkle box, which is 0 where there is none."""
_LABELS = ("c2pa", "c2pa.assertions", "c2pa.claim", "c2pa.signature", "c2pa.credentials", "c2pa.databoxes")
_SIGNATURE = b"c2pa.signature\0"
"""End of the description of the part that is the signature, before its one box."""
_MAX_MANIFEST = 64 * 2**20


class MalformedBoxes(ValueError):
    """Say that a file is no sequence of boxes."""


@dataclass(frozen=True)
class _Box:
    kind: bytes
    start: int
    header: int
    size: int


def unsigned_boxes(path: Path) -> tuple[str, dict[str, int]]:
    """Hash the boxes that the C2PA hash leaves out, in order, and count their bytes by kind.

    Raises:
        MalformedBoxes: the file is no sequence of boxes.
        OSError: it cannot be read.
    """
    total = hashlib.sha256()
    counted: dict[str, int] = {}
    with path.open("rb") as file:
        for box in _boxes(file):
            if box.kind in _UNSIGNED:
                file.seek(box.start)
                total.update(struct.pack(">Q", box.size))
                left = box.size
                while left:
                    block = file.read(min(left, 2**20))
                    total.update(block)
                    left -= len(block)
                name = box.kind.decode("ascii")
                counted[name] = counted.get(name, 0) + box.size
    return total.hexdigest(), counted


def has_manifest_box(path: Path) -> bool:
    """Check whether the identifier of a C2PA box is near the beginning or the end of a file."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for start in (0, max(0, size - 2**20)):
            file.seek(start)
            if _C2PA in file.read(2**20):
                return True
    return False


def manifest_fault(path: Path) -> str | None:
    """Say what is not as it should be in the parts of the manifest's box that nothing hashes; None if all is.

    Raises:
        MalformedBoxes: the file is no sequence of boxes.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        for box in _boxes(file):
            if box.kind != b"uuid" or box.size > _MAX_MANIFEST:
                continue
            file.seek(box.start + box.header)
            content = file.read(box.size - box.header)
            if content[:16] == _C2PA:
                fault = _fault(content[16:])
                if fault is not None:
                    return fault
    return None


def _fault(content: bytes) -> str | None:
    if content[:_HEADER] != bytes(4) + _PURPOSE + bytes(8):
        return "the header of the manifest's box was changed"
    store = content[_HEADER:]
    try:
        end = _check_part(store, 0, depth=0)
        signatures = list(_signatures(store))
    except (MalformedBoxes, struct.error):
        return "the descriptions of the manifest's parts were changed"
    if store[end:].strip(b"\0"):
        return "something follows the manifest in its box"
    return next((fault for cose in signatures if (fault := signature_fault(cose)) is not None), None)


def _check_part(store: bytes, start: int, depth: int) -> int:
    """Check the description of a part of the manifest store, and of those within it; return where it ends."""
    size, kind = struct.unpack_from(">I4s", store, start)
    end = start + size
    described, name = struct.unpack_from(">I4s", store, start + 8)
    if kind != b"jumb" or name != b"jumd" or end > len(store) or described > size - 8 or described < 26:
        raise MalformedBoxes
    toggles = store[start + 32]
    label, nul, _ = store[start + 33 : start + 8 + described].partition(b"\0")
    text = label.decode("utf-8", "replace")
    known = depth == 1 or text.split(".v")[0] in _LABELS  # a manifest has a name of its own
    if toggles & 3 != 3 or not nul or not known:
        raise MalformedBoxes
    # The assertions themselves are hashed with their descriptions.
    if depth < 2:
        at = start + 8 + described
        while at < end:
            at = _check_part(store, at, depth + 1) if store[at + 4 : at + 8] == b"jumb" else end
    return end


def _signatures(store: bytes) -> Iterator[bytes]:
    """Yield the COSE signatures of all manifests of a store."""
    at = store.find(_SIGNATURE)
    while at >= 0:
        size, kind = struct.unpack_from(">I4s", store, at + len(_SIGNATURE))
        if kind == b"cbor":
            yield store[at + len(_SIGNATURE) + 8 : at + len(_SIGNATURE) + size]
        at = store.find(_SIGNATURE, at + 1)


def _boxes(file: IO[bytes]) -> Iterator[_Box]:
    end = file.seek(0, 2)
    at = 0
    while at < end:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            raise MalformedBoxes("bytes that are no box follow the last one")
        size, kind = struct.unpack(">I4s", head[:8])
        header = 8
        if size == 1 and len(head) == 16:
            size, header = struct.unpack(">Q", head[8:])[0], 16
        elif size == 0:
            size = end - at
        if size < header or at + size > end:
            raise MalformedBoxes("a box reaches beyond the end of the file")
        yield _Box(kind, at, header, size)
        at += size
