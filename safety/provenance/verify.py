"""Verify the C2PA manifest of a video against given anchors of trust.

Five states, in which neither `valid` nor `unlisted` is `trusted`:

    absent      there is no manifest; or it was lost on the way, which leaves no trace
    invalid     there is one, and the file, the manifest or the signature was changed
    valid       everything is as it was signed, and the anchors do not vouch for the signer (any more)
    unlisted    and the anchors vouch for the signer, whose issuer is not on the list of issuers
    trusted     and the issuer is on the list, where there is a list

A clip is marked as made by a model if it is trusted, and its manifest has the action ``c2pa.created`` with
the digital source type ``trainedAlgorithmicMedia``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ...harness.core.errors import MediaError
from ...harness.core.media import open_clip
from .boxes import UNSIGNED_LABEL, MalformedBoxes, has_manifest_box, manifest_fault, unsigned_boxes
from .certificates import EXTENDED_KEY_USAGES, Anchors
from .formats import media_type
from .library import c2pa_library
from .signing import CREATED, TRAINED

__all__ = ["STATES", "Finding", "State", "verify_clip"]

State: TypeAlias = Literal["absent", "invalid", "valid", "unlisted", "trusted"]
STATES: tuple[State, ...] = ("absent", "invalid", "valid", "unlisted", "trusted")
_TRUST_CODES = frozenset({"signingCredential.untrusted", "signingCredential.expired"})
"""Failures that say nothing against the bytes."""


@dataclass(frozen=True)
class Finding:
    """What a file's manifest says, and whether it holds.

    Attributes:
        marked: whether the file is trusted, and marked as made by a model.
        reasons: why it is not marked, or not trusted, or invalid; codes are those of the C2PA specification.
        issuer: for whom the signer's certificate was issued; None without a signature.
        signer: common name of the signer.
        source_types: digital source types of the actions, by their last part.
        created: whether there is an action ``c2pa.created``.
        generator: the claim's generator, by name.
        time_stamp: whether an authority's time stamp is on the signature.
        unsigned: bytes of boxes that the C2PA hash does not cover, by kind.
        unsigned_bound: whether another assertion of the manifest covers them.
    """

    state: State
    marked: bool = False
    reasons: tuple[str, ...] = ()
    issuer: str | None = None
    signer: str | None = None
    source_types: tuple[str, ...] = ()
    created: bool = False
    generator: str | None = None
    time_stamp: bool = False
    unsigned: Mapping[str, int] = field(default_factory=dict[str, int])
    unsigned_bound: bool = False


def verify_clip(path: Path, anchors: Anchors | None, issuers: Sequence[str] = ()) -> Finding:
    """Verify a video's manifest. Nothing is fetched: no remote manifest, and no revocation list.

    Args:
        path: a video.
        anchors: whom to trust; None trusts nobody.
        issuers: organizations whose marks count; empty for all that the anchors vouch for.

    Raises:
        MediaError: the file is no video, or cannot be read.
    """
    try:
        finding = _finding(path, anchors, issuers)
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror or error}") from None
    if finding.state != "invalid":
        open_clip(path)
    return finding


def _finding(path: Path, anchors: Anchors | None, issuers: Sequence[str]) -> Finding:
    c2pa = c2pa_library()
    kind = media_type(path)
    if kind is None:
        return Finding("absent", reasons=("the container cannot hold a manifest",))
    trust: dict[str, Any] = {"trust_config": "\n".join(EXTENDED_KEY_USAGES)}
    if anchors is not None:
        trust["trust_anchors"] = anchors.pem
    checks = {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}
    settings = c2pa.Settings.from_dict({"verify": checks, "trust": trust})
    try:
        with c2pa.Context(settings) as context, path.open("rb") as file:
            reader = c2pa.Reader.try_create(kind, file, context=context)
            if reader is None:
                return Finding("absent")
            with reader:
                if not reader.is_embedded():
                    return Finding("absent", reasons=("the file only names a manifest that is elsewhere",))
                state = str(reader.get_validation_state() or "Invalid")
                store = json.loads(reader.json())
                more = json.loads(reader.crjson())
    except c2pa.C2paError as error:
        if not has_manifest_box(path):
            open_clip(path)  # says what is wrong with a file that is no video
            return Finding("absent", reasons=(f"the container cannot be parsed: {error}",))
        return Finding("invalid", reasons=(f"the manifest cannot be read: {error}",))
    manifest = (store.get("manifests") or {}).get(store.get("active_manifest"))
    if manifest is None:
        return Finding("invalid", reasons=("the manifest store has no active manifest",))
    return _judged(path, kind, state, manifest, store.get("validation_results") or {}, more, issuers)


def _judged(
    path: Path,
    kind: str,
    state: str,
    manifest: Mapping[str, Any],
    results: Mapping[str, Any],
    more: Mapping[str, Any],
    issuers: Sequence[str],
) -> Finding:
    active: Mapping[str, Any] = results.get("activeManifest") or {}
    failures = [str(one["code"]) for one in active.get("failure") or ()]
    failures += [
        str(one["code"])
        for ingredient in results.get("ingredientDeltas") or ()
        for one in (ingredient.get("validationDeltas") or {}).get("failure") or ()
    ]
    reasons = list(dict.fromkeys(failures))
    unsigned, bound, changed = _outside(path, kind, manifest)
    reasons += changed
    stamped = any(str(one["code"]) == "timeStamp.trusted" for one in active.get("success") or ())
    expired = None if stamped else _expired(more, str(manifest.get("label") or ""))
    found: State
    unexplained = state not in ("Valid", "Trusted") and not failures
    if changed or unexplained or set(failures) - _TRUST_CODES:
        found = "invalid"
    elif state == "Valid" or failures or expired:
        found = "valid"
    else:
        found = "trusted"
    if expired and found != "invalid":
        reasons.append(expired)
    signature: Mapping[str, Any] = manifest.get("signature_info") or {}
    actions = [
        action
        for one in manifest.get("assertions") or ()
        if str(one.get("label", "")).startswith("c2pa.actions")
        for action in (one.get("data") or {}).get("actions") or ()
    ]
    types = [str(one["digitalSourceType"]) for one in actions if one.get("digitalSourceType")]
    creations = [one for one in actions if one.get("action") == CREATED]
    created = bool(creations)
    by_model = any(one.get("digitalSourceType") == TRAINED for one in creations)
    issuer = signature.get("issuer")
    if found == "trusted":
        if issuers and issuer not in issuers:
            found = "unlisted"
            reasons.append(f"the issuer {issuer!r} is not on the list")
        reasons += [] if created else ["there is no action c2pa.created"]
        reasons += [] if by_model or not created else ["c2pa.created does not say trainedAlgorithmicMedia"]
    generators = manifest.get("claim_generator_info") or [{}]
    return Finding(
        state=found,
        marked=found == "trusted" and not reasons,
        reasons=tuple(reasons),
        issuer=None if issuer is None else str(issuer),
        signer=None if signature.get("common_name") is None else str(signature["common_name"]),
        source_types=tuple(dict.fromkeys(one.rpartition("/")[2] for one in types)),
        created=created,
        generator=generators[0].get("name"),
        time_stamp=stamped,
        unsigned=unsigned,
        unsigned_bound=bound,
    )


def _outside(path: Path, kind: str, manifest: Mapping[str, Any]) -> tuple[dict[str, int], bool, list[str]]:
    """Hold what the C2PA hash leaves out to the manifest; return its bytes by kind, and what was changed."""
    if kind != "video/mp4":
        return {}, False, []
    try:
        digest, counted = unsigned_boxes(path)
        fault = manifest_fault(path)
    except MalformedBoxes as error:
        return {}, False, [str(error)]
    assertions = manifest.get("assertions") or ()
    said = next((one.get("data") for one in assertions if one.get("label") == UNSIGNED_LABEL), None)
    changed = [] if fault is None else [fault]
    if said is not None and said != {"alg": "sha256", "hash": digest}:
        changed.append("a box that the C2PA hash does not cover was changed (ftyp, free, skip or mfra)")
    return counted, said is not None, changed


def _expired(more: Mapping[str, Any], label: str) -> str | None:
    """Say when the signer's certificate expired, to the second, where the library allows a few.

    Without a time stamp nobody can tell whether the signature was made while the certificate was valid.
    """
    found = next((one for one in more.get("manifests") or () if one.get("label") == label), {})
    certificate = (found.get("signature") or {}).get("certificateInfo") or {}
    until = (certificate.get("validity") or {}).get("notAfter")
    if until is None:
        return "the validity of the signer's certificate cannot be read"
    if datetime.fromisoformat(until) < datetime.now(UTC):
        return f"the signer's certificate expired on {until[:10]}, and there is no time stamp"
    return None
