"""The encoders ``provenance`` and ``provenance.delivered``: the manifest of a file, and of delivered copies.

Both take the role ``provenance``, whose source names whom to trust::

    none                                  nobody: no clip can be trusted
    anchors.pem                           whom these certificates vouch for
    anchors.pem?issuer=[Acme,Other Org]   and of those, these organizations
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field

from ...harness.core.config import Config
from ...harness.core.errors import MediaError, UsageError
from ...harness.core.specs import parse_argument
from ...metrics.encoders.base import Encoder, EncoderOptions, FileEncoder, NotApplicable, Record
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from .certificates import Anchors, read_anchors
from .delivery import VERSION as DELIVERY_VERSION
from .delivery import deliver
from .library import sdk_version
from .verify import verify_clip

if TYPE_CHECKING:
    from ...harness.core.clip_info import ClipInfo
    from ...harness.core.keys import Json

__all__ = ["DELIVERED", "NOBODY", "DeliveredProvenance", "ProvenanceEncoder", "ProvenanceOptions"]

_VERSION = 2
NOBODY: Final = "none"
"""The source that trusts nobody."""
DELIVERED: Final = ("copy", "remux", "container", "trim", "transcode")
"""The operations whose copies are verified."""


class ProvenanceOptions(Config):
    """Whose marks count."""

    issuer: str = Field(default="", description="organizations, with commas between them; by default all")

    @property
    def issuers(self) -> tuple[str, ...]:
        """The organizations."""
        return tuple(name.strip() for name in self.issuer.split(",") if name.strip())


class ProvenanceEncoder(FileEncoder):
    """Verify the manifest of a stored file; the record's metadata are the fields of `verify.Finding`.

    Args:
        source: as in the module's docstring.

    Raises:
        UsageError: the anchors cannot be read, or the extra ``c2pa`` is not installed.
    """

    name = "provenance"

    def __init__(self, source: str) -> None:
        spec = parse_argument(source, f"--encoder provenance={source}", path=True)
        self.issuers = spec.settings(ProvenanceOptions).issuers
        if not spec.argument:
            raise UsageError(
                f"--encoder provenance={source!r} names no trust anchors; give a PEM file, or none to trust "
                "nobody"
            )
        self.anchors: Anchors | None = None
        if spec.argument != NOBODY:
            self.anchors = read_anchors(Path(spec.argument).expanduser())
        elif self.issuers:
            raise UsageError(
                "a list of issuers chooses among those that trust anchors vouch for; name the anchors in "
                "place of none"
            )

    def identity(self) -> Mapping[str, Json]:
        """List the anchors' digest, the issuers, and the version of the C2PA implementation."""
        return {
            "version": _VERSION,
            "anchors": None if self.anchors is None else self.anchors.digest,
            "issuers": sorted(self.issuers),
            "c2pa": self._sdk,
        }

    @cached_property
    def _sdk(self) -> str:
        return sdk_version()

    def encode_file(self, path: Path, info: ClipInfo) -> Record:
        """Verify a file."""
        del info
        finding = verify_clip(path, self.anchors, self.issuers)
        return Record({}, {**asdict(finding), "anchors": self.anchors is not None})


class DeliveredProvenance(ProvenanceEncoder):
    """Verify delivered copies of a file with a manifest; the metadata have a state, or a problem, each."""

    name = "provenance.delivered"

    def identity(self) -> Mapping[str, Json]:
        """List what `ProvenanceEncoder` lists, and the operations with their version."""
        return {**super().identity(), "delivery": DELIVERY_VERSION, "operations": list(DELIVERED)}

    def encode_file(self, path: Path, info: ClipInfo) -> Record:
        """Deliver and verify a file.

        Raises:
            NotApplicable: the file has no manifest that verifies, so that none could survive.
        """
        before = verify_clip(path, self.anchors, self.issuers).state
        if before not in ("valid", "unlisted", "trusted"):
            raise NotApplicable(f"the clip's manifest is {before}, so that none can survive delivery")
        after: dict[str, Json] = {}
        problems: dict[str, Json] = {}
        with tempfile.TemporaryDirectory(prefix="screentest-delivery-") as folder:
            for operation in DELIVERED:
                try:
                    copy = deliver(operation, path, Path(folder))
                    after[operation] = verify_clip(copy, self.anchors, self.issuers).state
                    copy.unlink()
                except MediaError as error:
                    problems[operation] = str(error)
        return Record({}, {"before": before, "after": after, "problems": problems})


def _build(source: str | None, options: EncoderOptions) -> Encoder:
    del options
    return ProvenanceEncoder(source or NOBODY)


def _build_delivered(source: str | None, options: EncoderOptions) -> Encoder:
    del options
    return DeliveredProvenance(source or NOBODY)


_SOURCES = "a PEM file of trust anchors, or none"
ENCODERS.add(
    "provenance",
    EncoderEntry(
        f"the file's C2PA manifest, verified; name {_SOURCES}", _build, True, shipped=False, settings=_SOURCES
    ),
)
ENCODERS.add(
    "provenance.delivered",
    EncoderEntry(
        f"C2PA manifests of delivered copies, verified; name {_SOURCES}",
        _build_delivered,
        True,
        shipped=False,
        role="provenance",
        settings=_SOURCES,
    ),
)
