"""Verification: what is trusted, what is only valid, what was changed, and what was lost."""

from __future__ import annotations

import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from screentest.harness.core.errors import MediaError
from screentest.harness.core.keys import file_sha256
from screentest.safety.provenance import signing
from screentest.safety.provenance.certificates import make_test_chain, read_anchors, read_credentials
from screentest.safety.provenance.signing import sign_clip
from screentest.safety.provenance.verify import verify_clip


def boxes(content: bytes) -> dict[bytes, tuple[int, int]]:
    found: dict[bytes, tuple[int, int]] = {}
    at = 0
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        found[kind] = (at, at + size)
        at += size
    return found


def flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def test_the_four_states(signed: Any) -> None:
    trusted = verify_clip(signed.path, signed.anchors)
    assert (trusted.state, trusted.marked, trusted.reasons) == ("trusted", True, ())
    assert (trusted.issuer, trusted.source_types) == ("Acme Video", ("trainedAlgorithmicMedia",))
    assert trusted.created
    assert not trusted.time_stamp
    assert trusted.unsigned_bound
    valid = verify_clip(signed.path, None)
    assert (valid.state, valid.marked, valid.reasons) == ("valid", False, ("signingCredential.untrusted",))
    absent = verify_clip(signed.plain, signed.anchors)
    assert (absent.state, absent.marked, absent.issuer) == ("absent", False, None)


def test_valid_is_not_trusted_by_the_anchors_of_another(signed: Any, tmp_path: Path) -> None:
    make_test_chain("Acme Video").write(tmp_path)  # the same names, and other keys
    found = verify_clip(signed.path, read_anchors(tmp_path / "anchor.pem"))
    assert (found.state, found.marked) == ("valid", False)


def test_only_listed_issuers_count(signed: Any) -> None:
    assert verify_clip(signed.path, signed.anchors, ["Other", "Acme Video"]).marked
    found = verify_clip(signed.path, signed.anchors, ["Other"])
    assert (found.state, found.marked) == ("unlisted", False)
    assert found.reasons == ("the issuer 'Acme Video' is not on the list",)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ({"action": "c2pa.created", "digitalSourceType": signing.TRAINED.replace("trained", "x")},
         "c2pa.created does not say trainedAlgorithmicMedia"),
        ({"action": "c2pa.created", "digitalSourceType":
          "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"},
         "c2pa.created does not say trainedAlgorithmicMedia"),
    ],
)  # fmt: skip
def test_a_trusted_manifest_must_say_that_a_model_made_the_clip(
    signed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: dict[str, str], reason: str
) -> None:
    made = signing._manifest(signed.plain, "video/mp4", "clip")
    made["assertions"][0]["data"]["actions"] = [action]
    monkeypatch.setattr(signing, "_manifest", lambda *_: made)
    sign_clip(signed.plain, tmp_path / "x.mp4", signed.credentials)
    found = verify_clip(tmp_path / "x.mp4", signed.anchors)
    assert (found.state, found.marked) == ("trusted", False)
    assert found.reasons == (reason,)


def test_signing_keeps_the_source_and_its_frames(signed: Any, tmp_path: Path) -> None:
    before = file_sha256(signed.plain)
    sign_clip(signed.plain, tmp_path / "again.mp4", signed.credentials)
    assert file_sha256(signed.plain) == before
    plain, copy = signed.plain.read_bytes(), (tmp_path / "again.mp4").read_bytes()
    start, end = boxes(plain)[b"mdat"]
    other, _ = boxes(copy)[b"mdat"]
    assert copy[other : other + end - start] == plain[start:end]
    assert list(tmp_path.iterdir()) == [tmp_path / "again.mp4"]


CLASSES = {
    "brand": (b"ftyp", 8),
    "compatible brands": (b"ftyp", 20),
    "manifest's box header": (b"uuid", 25),
    "manifest's claim": (b"uuid", 900),
    "manifest's end": (b"uuid", -1),
    "track header": (b"moov", 200),
    "end of the tracks": (b"moov", -1),
    "free box": (b"free", 4),
    "first byte of media": (b"mdat", 8),
    "media": (b"mdat", 5000),
    "last byte of media": (b"mdat", -1),
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_flipped_bit_is_caught(signed: Any, tmp_path: Path, name: str) -> None:
    content = signed.path.read_bytes()
    kind, offset = CLASSES[name]
    start, end = boxes(content)[kind]
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(flipped(content, start + offset if offset >= 0 else end + offset))
    found = verify_clip(changed, signed.anchors)
    assert (found.state, found.marked) == ("invalid", False)
    assert found.reasons


@pytest.mark.parametrize(
    "extra",
    [
        b"x",
        b"x" * 100,
        struct.pack(">I4s", 24, b"free") + b"a hidden message",
        struct.pack(">I4s", 24, b"abcd") + b"a hidden message",
        struct.pack(">I4s", 24, b"mfra") + b"a hidden message",
    ],
)
def test_appended_bytes_are_caught(signed: Any, tmp_path: Path, extra: bytes) -> None:
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(signed.path.read_bytes() + extra)
    assert verify_clip(changed, signed.anchors).state == "invalid"


@pytest.mark.parametrize("share", [0.3, 0.9, 0.9999])
def test_a_truncated_file_is_caught(signed: Any, tmp_path: Path, share: float) -> None:
    content = signed.path.read_bytes()
    changed = tmp_path / "changed.mp4"
    changed.write_bytes(content[: int(len(content) * share)])
    found = verify_clip(changed, signed.anchors)
    assert found.state == "invalid"


def sweep(signed: Any, folder: Path, step: int) -> dict[str, int]:
    """Flip a bit in one byte after the other, up to the media, and count the states."""
    content = signed.path.read_bytes()
    changed = folder / "changed.mp4"
    counts: dict[str, int] = {}
    for at in range(0, boxes(content)[b"mdat"][0] + 8, step):
        changed.write_bytes(flipped(content, at))
        try:
            state = verify_clip(changed, signed.anchors).state
        except MediaError:
            state = "unreadable"
        counts[state] = counts.get(state, 0) + 1
    return counts


def test_no_flipped_byte_of_the_header_or_manifest_is_trusted(signed: Any, tmp_path: Path) -> None:
    counts = sweep(signed, tmp_path, 41)
    assert set(counts) <= {"invalid", "absent", "unreadable"}
    assert counts["invalid"] > 0.95 * sum(counts.values())


@pytest.mark.slow
def test_no_single_flipped_byte_of_the_header_or_manifest_is_trusted(signed: Any, tmp_path: Path) -> None:
    counts = sweep(signed, tmp_path, 1)
    assert set(counts) <= {"invalid", "absent", "unreadable"}
    assert counts["invalid"] > 0.99 * sum(counts.values())


def test_a_manifest_that_was_taken_out_is_lost_and_not_invalid(signed: Any, tmp_path: Path) -> None:
    content = signed.path.read_bytes()
    start, end = boxes(content)[b"uuid"]
    # A free box of the same size in its place, as if it had never been there.
    stripped = content[:start] + struct.pack(">I4s", end - start, b"free") + bytes(end - start - 8)
    (tmp_path / "lost.mp4").write_bytes(stripped + content[end:])
    assert verify_clip(tmp_path / "lost.mp4", signed.anchors).state == "absent"


def test_a_certificate_that_expired_since_is_not_trusted(signed: Any, tmp_path: Path) -> None:
    begin = datetime.now(UTC) - timedelta(hours=1)
    chain = make_test_chain(days=(3600 + 4) / 86400, start=begin)
    chain.write(tmp_path)
    credentials = read_credentials(tmp_path / "chain.pem", tmp_path / "key.pem")
    anchors = read_anchors(tmp_path / "anchor.pem")
    sign_clip(signed.plain, tmp_path / "x.mp4", credentials)
    while datetime.now(UTC) < begin + timedelta(seconds=3605):
        time.sleep(0.2)
    for _ in range(3):  # the library allows some seconds, and then reports it itself
        found = verify_clip(tmp_path / "x.mp4", anchors)
        assert (found.state, found.marked) == ("valid", False)
        assert "expired on" in found.reasons[-1]
        assert "no time stamp" in found.reasons[-1]
        time.sleep(1.2)
    assert "signingCredential.expired" in found.reasons


def test_files_that_are_no_video_are_refused(tmp_path: Path, signed: Any) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "picture.png")
    with pytest.raises(MediaError, match="is a still image, not a video"):
        verify_clip(tmp_path / "picture.png", signed.anchors)
    (tmp_path / "text.mp4").write_text("no video at all, but a few words")
    with pytest.raises(MediaError, match="is not a video"):
        verify_clip(tmp_path / "text.mp4", signed.anchors)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(MediaError, match="is an empty file"):
        verify_clip(tmp_path / "empty.mp4", signed.anchors)
    with pytest.raises(MediaError, match="No such file"):
        verify_clip(tmp_path / "none.mp4", signed.anchors)
    with pytest.raises(MediaError, match="cannot be read"):
        verify_clip(tmp_path, signed.anchors)
