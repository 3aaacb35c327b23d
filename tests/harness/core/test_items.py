from __future__ import annotations

import pytest
from pydantic import ValidationError
from screentest.harness.core.items import ClipSettings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fps": 1e-300}, "fps"),
        ({"fps": 1001}, "fps"),
        ({"frames": 20_001}, "frames"),
        ({"width": 8192, "height": 8192}, "16,777,216 pixels are the limit"),
        ({"width": 4096, "height": 4096, "frames": 2049}, "more than 2,048 frames"),
    ],
)
def test_a_suite_may_not_ask_for_what_cannot_be_read(settings: dict[str, float], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ClipSettings.model_validate(settings)
    assert ClipSettings(width=4096, height=4096, frames=2048, fps=0.01).frames == 2048
