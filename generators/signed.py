"""A generator whose clips are signed: ``signed:[SPEC]?cert=chain.pem,key=key.pem``.

Each clip gets a C2PA manifest that says that a trained model made it, signed with ES256. Certificates for a
trial are made by ``screentest provenance certificate DIR``. Clips of two runs have the same frames in other
bytes, because a manifest has an identifier of its own and a signature a random part.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field

from ..harness.core.config import Config
from ..harness.core.errors import MediaError, UsageError
from .base import Failure, Frames, Generator, Output, VideoFile
from .identity import identity_of
from .wrapper import Wrap, Wrapper, WrapperKind

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json
    from ..metrics.encoders.base import EncoderOptions
    from ..safety.provenance.certificates import Credentials

__all__ = ["SIGNED", "SignedGenerator", "SigningOptions"]

_VERSION = 1


class SigningOptions(Config):
    """With what clips are signed."""

    cert: str = Field(min_length=1, description="PEM file of the signer's certificate and those above it")
    key: str = Field(min_length=1, description="PEM file of the private key, without a password")


class SignedGenerator(Wrapper):
    """Sign the clips of another generator; refusals and failures stay as they are."""

    def __init__(self, inner: Generator, credentials: Credentials, spec: str = "") -> None:
        super().__init__(inner, spec or f"signed:{inner.spec}")
        self._credentials = credentials

    def identity(self) -> Mapping[str, Json]:
        """List the generator's own identity, and the digest of the certificates; the key is not in it."""
        from ..safety.provenance.signing import ALGORITHM

        return {
            "kind": "signed",
            "version": _VERSION,
            "inner": dict(identity_of(self.inner)),
            "certificates": self._credentials.digest,
            "algorithm": ALGORITHM,
        }

    def after(self, item: Item, output: Output, folder: Path) -> Output:
        """Sign a clip."""
        from ..harness.core.media import write_clip
        from ..safety.provenance.signing import sign_clip

        del item
        if not isinstance(output, Frames | VideoFile):
            return output
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "clip.mp4" if isinstance(output, Frames) else output.path
        target = folder / f"signed{source.suffix}"
        try:
            if isinstance(output, Frames):
                write_clip(source, output.frames_THWC, output.fps, output.sound)
            sign_clip(source, target, self._credentials)
        except (MediaError, UsageError) as error:
            return Failure(f"the clip could not be signed: {error}", layers=output.layers)
        return VideoFile(target, layers=output.layers)


def _prepare(options: SigningOptions, whose: str, where: EncoderOptions) -> Wrap:
    """Read the certificates and the key.

    Raises:
        UsageError: they cannot sign now.
    """
    from ..safety.provenance.certificates import read_credentials

    del whose, where
    credentials = read_credentials(Path(options.cert).expanduser(), Path(options.key).expanduser())
    return lambda inner, spec: SignedGenerator(inner, credentials, spec)


SIGNED: Final = WrapperKind(
    "signed",
    SigningOptions,
    "give one in brackets, signed:[SPEC]?cert=chain.pem,key=key.pem",
    _prepare,
    "says not with what to sign; add ?cert=chain.pem,key=key.pem, which 'screentest provenance certificate "
    "DIR' makes for a trial",
)
