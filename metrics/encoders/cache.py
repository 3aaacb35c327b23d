"""The feature cache, by clip and encoder, shared by all runs.

    <cache>/features/v2/<2 digits>/<clip sha>.arrays     all features of a clip, and what decoding told of it;
                                                         v2 is the decoding's version
    <cache>/text/<encoder digest>/<prompt digest>.arrays    a prompt's embedding, shape (1, k)
    <cache>/sets/<reference set digest>/<encoder digest>/     an index of features, see `feature_index`

<cache> is a folder, or a prefix of an object store; the indexes of sets are on this machine then.

A damaged or incomplete entry counts as absent and is computed again. A file is written anew with what is
added to it; of two processes that add to one clip at the same time, the last one keeps its features.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.clip_info import DECODING_VERSION, ClipInfo
from ...harness.core.errors import UsageError
from ...harness.core.keys import canonical_json, digest
from ...harness.core.storage import Place, Storage, local_folder, storage_at
from .array_file import DAMAGED, ArrayFile, arrays_sha256, store_arrays
from .base import Feature, Record
from .feature_index import IndexWriter, open_index, writing

__all__ = ["FeatureCache"]

_INFO_VERSION = 2
_META, _ARRAY = "meta", "array."


class FeatureCache:
    """A cache of features in a folder, or in an object store; any number of processes may share it.

    Attributes:
        storage: where the features of clips and texts are.
        folder: where the indexes of reference sets are, which are mapped into memory and locked: the cache
            itself, or a folder of this machine for an object store.
    """

    def __init__(self, place: Place) -> None:
        """Use a folder, which is created when first needed, or the address of a store.

        Raises:
            UsageError: the folder is a file or cannot be written, or the address is none.
        """
        self.storage: Storage = storage_at(place)
        self.folder = folder = local_folder(place)
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"the cache {folder} is a file; name a folder with --cache")
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            raise UsageError(f"the cache {folder} cannot be written; name another folder with --cache")

    def get(self, clip_sha: str, encoder_digest: str) -> Feature | Record | None:
        """Return a cached feature, or None."""
        return self.get_clip(clip_sha, [encoder_digest])[1].get(encoder_digest)

    def put(self, clip_sha: str, encoder_digest: str, feature: Feature | Record) -> None:
        """Store a feature."""
        self.put_clip(clip_sha, None, {encoder_digest: feature})

    def get_info(self, clip_sha: str) -> ClipInfo | None:
        """Return the properties of a clip from decoding, or None."""
        return self.get_clip(clip_sha, [])[0]

    def put_info(self, clip_sha: str, info: ClipInfo) -> None:
        """Store the properties of a clip from decoding."""
        self.put_clip(clip_sha, info, {})

    def get_clip(
        self, clip_sha: str, encoder_digests: Iterable[str]
    ) -> tuple[ClipInfo | None, dict[str, Feature | Record]]:
        """Return what is cached of a clip: its properties, and features by the digest of their encoder."""
        try:
            with self.storage.open(self._clip(clip_sha)) as file:
                held = ArrayFile(file)
                told = {one: held.told["features"].get(one) for one in encoder_digests}
                found = {one: _feature(held, clip_sha, one, entry) for one, entry in told.items() if entry}
                info = _info(clip_sha, held.told["info"])
        except DAMAGED:
            return None, {}
        return info, {one: feature for one, feature in found.items() if feature is not None}

    def put_clip(
        self, clip_sha: str, info: ClipInfo | None, features: Mapping[str, Feature | Record]
    ) -> None:
        """Add features of a clip, by the digest of their encoder, and its properties to what is there."""
        stored = self._clip(clip_sha)
        there = _whole(self.storage, stored)
        if info is not None:
            told = vars(info)
            kept = digest("clip info", {"clip": clip_sha, "info": told})
            there.info = {"version": _INFO_VERSION, "info": told, "digest": kept}
        for encoder_digest, feature in features.items():
            parts = _parts(feature)
            number = there.features.get(encoder_digest, {"number": len(there.features)})["number"]
            for name in [name for name in there.arrays if name.startswith(f"{number}.")]:
                del there.arrays[name]
            there.arrays |= {f"{number}.{name}": array for name, array in parts.items()}
            kept = arrays_sha256(f"{clip_sha}/{encoder_digest}", parts)
            there.features[encoder_digest] = {"number": number, "names": list(parts), "digest": kept}
        described = {"info": there.info, "features": there.features}
        store_arrays(self.storage, stored, described, there.arrays)

    def get_text(self, text: str, encoder_digest: str) -> Feature | None:
        """Return a prompt's cached embedding, or None."""
        return _matrix(_load(self.storage, self._text(text, encoder_digest)))

    def put_text(self, text: str, encoder_digest: str, feature: Feature) -> None:
        """Store a prompt's embedding."""
        _save(self.storage, self._text(text, encoder_digest), feature)

    def get_set(self, set_digest: str, encoder_digest: str) -> tuple[Feature, list[str]] | None:
        """Return the cached features of a reference set, (M, k) memory-mapped, and each row's clip."""
        return open_index(self._set(set_digest, encoder_digest))

    def write_set(
        self, set_digest: str, encoder_digest: str, whose: str
    ) -> AbstractContextManager[IndexWriter]:
        """Build the features of a reference set clip by clip, or go on where it was interrupted.

        Raises:
            UsageError: another process is at it; ``whose`` set it is comes first in the sentence.
        """
        return writing(self._set(set_digest, encoder_digest), whose)

    def _clip(self, clip_sha: str) -> str:
        # Features depend on decoding, so those of another decoding version are not read.
        return f"features/v{DECODING_VERSION}/{clip_sha[:2]}/{clip_sha}.arrays"

    def _text(self, text: str, encoder_digest: str) -> str:
        return f"text/{encoder_digest}/{digest('text', {'text': text})}.arrays"

    def _set(self, set_digest: str, encoder_digest: str) -> Path:
        return self.folder / "sets" / set_digest / encoder_digest


@dataclass
class _Whole:
    """A clip's file as it is: what decoding told, the features' list, and the arrays of all of them."""

    info: Any = None
    features: dict[str, Any] = field(default_factory=dict[str, Any])
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict[str, "NDArray[Any]"])


def _whole(storage: Storage, name: str) -> _Whole:
    try:
        with storage.open(name) as file:
            held = ArrayFile(file)
            arrays = {name: held.read(name) for name in held.names}
        features = dict(held.told["features"])
        known = {f"{one['number']}.{name}" for one in features.values() for name in one["names"]}
        if known != set(arrays):
            raise ValueError("the index is of another file")
        return _Whole(held.told["info"], features, arrays)
    except DAMAGED:
        return _Whole()


def _info(clip_sha: str, told: Any) -> ClipInfo | None:
    if told is None or told["version"] != _INFO_VERSION:
        return None
    kept = told["digest"] == digest("clip info", {"clip": clip_sha, "info": told["info"]})
    return ClipInfo(**told["info"]) if kept else None


def _feature(held: ArrayFile, clip_sha: str, encoder_digest: str, entry: Any) -> Feature | Record | None:
    try:
        parts = {name: held.read(f"{entry['number']}.{name}") for name in entry["names"]}
        if entry["digest"] != arrays_sha256(f"{clip_sha}/{encoder_digest}", parts):
            return None
        return _joined(parts)
    except DAMAGED:
        return None


def _parts(feature: Feature | Record) -> dict[str, NDArray[Any]]:
    if not isinstance(feature, Record):
        return {"feature": feature}
    parts = {f"{_ARRAY}{name}": array for name, array in feature.arrays.items()}
    return {**parts, _META: np.frombuffer(canonical_json(feature.meta).encode("utf-8"), np.uint8)}


def _joined(parts: dict[str, NDArray[Any]]) -> Feature | Record:
    if _META not in parts:
        return parts["feature"]
    meta = json.loads(parts.pop(_META).tobytes().decode("utf-8"))
    return Record({name.removeprefix(_ARRAY): array for name, array in parts.items()}, meta)


def _load(storage: Storage, name: str) -> Feature | Record | None:
    try:
        with storage.open(name) as file:
            held = ArrayFile(file)
            parts = {name: held.read(name) for name in held.names}
        return _joined(parts) if held.told == arrays_sha256(_owner(name), parts) else None
    except DAMAGED:
        return None


def _save(storage: Storage, name: str, feature: Feature) -> None:
    parts = _parts(feature)
    store_arrays(storage, name, arrays_sha256(_owner(name), parts), parts)


def _owner(name: str) -> str:
    path = PurePosixPath(name)
    return f"{path.parent.name}/{path.stem}"


def _matrix(loaded: Feature | Record | None) -> Feature | None:
    return None if isinstance(loaded, Record) else loaded
