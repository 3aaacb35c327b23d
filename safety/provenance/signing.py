"""Sign clips: a C2PA manifest that says that a trained model made them."""

from __future__ import annotations

import secrets
from importlib import metadata
from pathlib import Path
from typing import Any

from ...harness.core.errors import MediaError, UsageError
from ...harness.core.media import open_clip
from .boxes import UNSIGNED_LABEL, MalformedBoxes, unsigned_boxes
from .certificates import Credentials
from .formats import is_mp4, media_type
from .library import c2pa_library

__all__ = ["ALGORITHM", "CREATED", "TRAINED", "sign_clip"]

ALGORITHM = "es256"
CREATED = "c2pa.created"
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""The IPTC digital source type of what a trained model made."""


def sign_clip(source: Path, target: Path, credentials: Credentials, *, title: str = "clip") -> None:
    """Write a copy of a video with a manifest: ``c2pa.created`` by a trained model, signed with ES256.

    The frames and sound are those of the source, bit for bit. The signature has no time stamp of an
    authority, so it is no proof of when it was made. The file is written beside ``target`` and renamed.

    Raises:
        MediaError: the source is no video.
        UsageError: its container cannot hold a manifest, or the target cannot be written.
    """
    c2pa = c2pa_library()
    open_clip(source)
    kind = media_type(source)
    if kind is None:
        raise UsageError(
            f"{source} is in a container that holds no C2PA manifest; sign MP4, MOV, AVI, GIF or WebP"
        )
    info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, credentials.chain, credentials.key, None)
    settings = c2pa.Settings.from_dict(
        {"verify": {"verify_after_sign": False}, "builder": {"thumbnail": {"enabled": False}}}
    )
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with (
            c2pa.Context(settings) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(_manifest(source, kind, title), context=context) as builder,
            source.open("rb") as original,
            beside.open("w+b") as signed,
        ):
            builder.sign(signer, kind, original, signed)
        beside.replace(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from None
    except c2pa.C2paError as error:
        raise MediaError(f"{source} cannot be signed: {error}") from None
    finally:
        beside.unlink(missing_ok=True)


def _manifest(source: Path, kind: str, title: str) -> dict[str, Any]:
    made = {"action": CREATED, "digitalSourceType": TRAINED}
    assertions: list[dict[str, Any]] = [{"label": "c2pa.actions.v2", "data": {"actions": [made]}}]
    if is_mp4(source):
        try:
            digest, _ = unsigned_boxes(source)
        except MalformedBoxes as error:
            raise MediaError(f"{source} cannot be signed: {error}") from None
        assertions.append(
            {"label": UNSIGNED_LABEL, "data": {"alg": "sha256", "hash": digest}, "created": True}
        )
    return {
        "claim_generator_info": [{"name": "screentest", "version": metadata.version("screentest")}],
        "format": kind,
        "title": title,
        "assertions": assertions,
    }
