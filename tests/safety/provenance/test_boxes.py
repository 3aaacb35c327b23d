"""Boxes of an MP4 file that the C2PA hash leaves out."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from screentest.safety.provenance.boxes import (
    MalformedBoxes,
    has_manifest_box,
    manifest_fault,
    unsigned_boxes,
)
from screentest.safety.provenance.formats import media_type


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_boxes_that_nothing_hashes_are_counted_and_hashed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    digests = set()
    for free in (b"", b"abc", b"abd"):
        path.write_bytes(box(b"ftyp", b"isom") + box(b"mdat", b"12345") + box(b"free", free))
        digest, counted = unsigned_boxes(path)
        assert counted == {"ftyp": 12, "free": 8 + len(free)}
        digests.add(digest)
    assert len(digests) == 3
    path.write_bytes(box(b"ftyp", b"isom") + box(b"mdat", b"other") + box(b"free", b"abd"))
    assert unsigned_boxes(path)[0] == digest


def test_large_sizes_and_a_last_box_without_a_size(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(struct.pack(">I4sQ", 1, b"free", 20) + b"abcd" + struct.pack(">I4s", 0, b"skip") + b"xy")
    assert unsigned_boxes(path)[1] == {"free": 20, "skip": 10}


@pytest.mark.parametrize(
    "content", [b"abc", struct.pack(">I4s", 4, b"free"), struct.pack(">I4s", 99, b"mdat")]
)
def test_what_is_no_sequence_of_boxes_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(MalformedBoxes):
        unsigned_boxes(tmp_path / "a.mp4")


def test_the_manifest_of_a_signed_clip_has_no_fault(signed: Any) -> None:
    assert has_manifest_box(signed.path)
    assert not has_manifest_box(signed.plain)
    assert manifest_fault(signed.path) is None
    assert manifest_fault(signed.plain) is None


def test_a_renamed_part_and_bytes_after_the_manifest_are_faults(signed: Any, tmp_path: Path) -> None:
    content = signed.path.read_bytes()
    changed = tmp_path / "a.mp4"
    changed.write_bytes(content.replace(b"c2pa.assertions\0", b"c2pa.assertiond\0", 1))
    assert manifest_fault(changed) == "the descriptions of the manifest's parts were changed"
    at = content.index(b"uuid") - 4
    (size,) = struct.unpack(">I", content[at : at + 4])
    longer = struct.pack(">I", size + 4) + content[at + 4 : at + size] + b"more"
    changed.write_bytes(content[:at] + longer + content[at + size :])
    assert manifest_fault(changed) == "something follows the manifest in its box"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0AVI ", "video/avi"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"\x1aE\xdf\xa3", None),
        (b"", None),
    ],
)
def test_containers_are_known_by_their_first_bytes(tmp_path: Path, head: bytes, kind: str | None) -> None:
    (tmp_path / "x").write_bytes(head)
    assert media_type(tmp_path / "x") == kind
