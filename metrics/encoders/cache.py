"""The feature cache, by clip and encoder, shared by all runs.

    <cache>/features/v2/<clip sha>/<encoder digest>.npz  a feature, shape (n, k); v2 is the decoding's version
    <cache>/features/v2/<clip sha>/info.json             properties of the clip from decoding
    <cache>/text/<encoder digest>/<prompt digest>.npz    a prompt's embedding, shape (1, k)
    <cache>/sets/<reference set digest>/<encoder digest>/     an index of features, see `feature_index`

A damaged or incomplete entry counts as absent and is computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.clip_info import DECODING_VERSION, ClipInfo
from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import canonical_json, digest
from .base import Feature, Record
from .feature_index import IndexWriter, open_index, writing

__all__ = ["FeatureCache"]

_INFO_VERSION = 2
_META, _ARRAY, _DIGEST = "meta", "array.", "digest"


class FeatureCache:
    """A cache of features in a folder; any number of processes may share it."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``, which is created when first needed; UsageError if it is a file."""
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"the cache {folder} is a file; name a folder with --cache")
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            raise UsageError(f"the cache {folder} cannot be written; name another folder with --cache")
        self.folder = folder

    def get(self, clip_sha: str, encoder_digest: str) -> Feature | Record | None:
        """Return a cached feature, or None."""
        return _load(self._feature(clip_sha, encoder_digest))

    def put(self, clip_sha: str, encoder_digest: str, feature: Feature | Record) -> None:
        """Store a feature."""
        _save(self._feature(clip_sha, encoder_digest), feature)

    def get_info(self, clip_sha: str) -> ClipInfo | None:
        """Return the properties of a clip from decoding, or None."""
        try:
            record = json.loads((self._clip(clip_sha) / "info.json").read_text("utf-8"))
            kept = record["digest"] == digest("clip info", {"clip": clip_sha, "info": record["info"]})
            return ClipInfo(**record["info"]) if record["version"] == _INFO_VERSION and kept else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put_info(self, clip_sha: str, info: ClipInfo) -> None:
        """Store the properties of a clip from decoding."""
        self._clip(clip_sha).mkdir(parents=True, exist_ok=True)
        told = json.loads(json.dumps(asdict(info)))
        record = {
            "version": _INFO_VERSION,
            "info": told,
            "digest": digest("clip info", {"clip": clip_sha, "info": told}),
        }
        # Not forced to the disk, which takes longer than decoding a small clip: a torn file counts as absent.
        write_atomic(self._clip(clip_sha) / "info.json", json.dumps(record), durable=False)

    def get_text(self, text: str, encoder_digest: str) -> Feature | None:
        """Return a prompt's cached embedding, or None."""
        return _matrix(_load(self._text(text, encoder_digest)))

    def put_text(self, text: str, encoder_digest: str, feature: Feature) -> None:
        """Store a prompt's embedding."""
        _save(self._text(text, encoder_digest), feature)

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

    def _clip(self, clip_sha: str) -> Path:
        # Features depend on decoding, so those of another decoding version are not read.
        return self.folder / "features" / f"v{DECODING_VERSION}" / clip_sha

    def _feature(self, clip_sha: str, encoder_digest: str) -> Path:
        return self._clip(clip_sha) / f"{encoder_digest}.npz"

    def _text(self, text: str, encoder_digest: str) -> Path:
        return self.folder / "text" / encoder_digest / f"{digest('text', {'text': text})}.npz"

    def _set(self, set_digest: str, encoder_digest: str) -> Path:
        return self.folder / "sets" / set_digest / encoder_digest


def _load(path: Path) -> Feature | Record | None:
    try:
        # Opened here, as NumPy leaves a file open that it finds to be damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
        if held.pop(_DIGEST).tobytes().decode("ascii", "replace") != _digest_of(path, held):
            return None
        if _META not in held:
            return held["feature"]
        meta = json.loads(held.pop(_META).tobytes().decode("utf-8"))
        return Record({name.removeprefix(_ARRAY): array for name, array in held.items()}, meta)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _digest_of(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Hash arrays by name, kind, shape and bytes, with the clip or set and the encoder that name the file."""
    total = hashlib.sha256(f"{path.parent.name}/{path.stem}".encode())
    for name, array in sorted(arrays.items()):
        total.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _matrix(loaded: Feature | Record | None) -> Feature | None:
    return None if isinstance(loaded, Record) else loaded


def _save(path: Path, feature: Feature | Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    arrays: dict[str, NDArray[Any]] = {"feature": feature} if not isinstance(feature, Record) else {}
    if isinstance(feature, Record):
        arrays = {f"{_ARRAY}{name}": array for name, array in feature.arrays.items()}
        arrays[_META] = np.frombuffer(canonical_json(feature.meta).encode("utf-8"), np.uint8)
    arrays[_DIGEST] = np.frombuffer(_digest_of(path, arrays).encode("ascii"), np.uint8)
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    beside.replace(path)
