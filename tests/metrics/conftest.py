from pathlib import Path

import pytest

from .helpers import tiny_clip, tiny_dinov2, tiny_videomae


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny models of each role, saved as the library saves large ones."""
    root = tmp_path_factory.mktemp("weights")
    return {
        "clip": tiny_clip(root / "clip"),
        "image": tiny_dinov2(root / "image"),
        "subject": tiny_dinov2(root / "subject"),
        "video": tiny_videomae(root / "video"),
    }
