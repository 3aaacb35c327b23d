"""What the tests of provenance share: a chain of certificates, and a clip signed with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.media import write_clip
from screentest.safety.provenance.certificates import Anchors, Credentials, make_test_chain, read_anchors
from screentest.safety.provenance.certificates import read_credentials as read_files
from screentest.safety.provenance.signing import sign_clip


@dataclass(frozen=True)
class Signed:
    """A plain clip, the same clip signed, and what signs and vouches for it."""

    plain: Path
    path: Path
    credentials: Credentials
    anchors: Anchors
    folder: Path


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    folder = tmp_path_factory.mktemp("signed")
    make_test_chain("Acme Video").write(folder / "ca")
    credentials = read_files(folder / "ca" / "chain.pem", folder / "ca" / "key.pem")
    frames = seeded_rng("provenance tests").integers(0, 255, (8, 32, 48, 3), dtype=np.uint8)
    plain, path = folder / "plain.mp4", folder / "signed.mp4"
    write_clip(plain, frames, 8)
    sign_clip(plain, path, credentials)
    return Signed(plain, path, credentials, read_anchors(folder / "ca" / "anchor.pem"), folder)
