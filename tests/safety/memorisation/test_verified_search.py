from collections.abc import Sequence

import numpy as np
import pytest
from screentest.metrics import Reference, make_encoder
from screentest.safety.memorisation import verified_search
from screentest.safety.memorisation.transformations import TRANSFORMATIONS, transform_clip
from screentest.safety.memorisation.verified_search import verified_clips

from ...metrics.helpers import Frames, encode, pan

CLIPS = {f"clip {seed}": pan(6 + seed % 5, size=64, seed=seed) for seed in range(12)}


def rows(frames: Frames) -> np.ndarray:
    return encode(make_encoder("thumbnails"), frames)


def index_of(clips: dict[str, Frames]) -> Reference:
    parts = {name: rows(frames) for name, frames in clips.items()}
    names = [name for name, part in parts.items() for _ in part]
    return Reference(
        "train", {"thumbnails": np.concatenate(list(parts.values()))}, {"thumbnails": names}, len(parts)
    )


INDEX = index_of(CLIPS)


def look_up(queries: Sequence[np.ndarray]) -> list[tuple[str, float, int]]:
    return [(m.clip, m.residual, m.at) for m in verified_clips(queries, INDEX, "thumbnails")]


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_copy_is_found_and_leaves_little(name: str):
    for severity in TRANSFORMATIONS[name].severities or (None,):
        copy = transform_clip(CLIPS["clip 7"], name, "x", severity)
        (match,) = verified_clips([rows(copy)], INDEX, "thumbnails")
        assert match.clip == "clip 7"
        assert match.residual < 0.5
        assert match.similarity == pytest.approx(1 / (1 + match.residual))
        assert match.window.mirrored == (name == "flip")


def test_a_new_clip_leaves_much():
    (match,) = verified_clips([rows(pan(8, size=64, seed=99))], INDEX, "thumbnails")
    assert match.residual > 1.0


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
def test_blocks_of_the_index_do_not_change_what_is_found(block: int, monkeypatch: pytest.MonkeyPatch):
    queries = [rows(transform_clip(CLIPS[f"clip {k}"], "crop", "y")) for k in (0, 5, 11)]
    whole = look_up(queries)
    monkeypatch.setattr(verified_search, "BLOCK_ROWS", block)
    found = look_up(queries)
    assert [(clip, at) for clip, _, at in found] == [(clip, at) for clip, _, at in whole]
    assert [left for _, left, _ in found] == pytest.approx([left for _, left, _ in whole])
    assert [clip for clip, _, _ in whole] == ["clip 0", "clip 5", "clip 11"]
    assert look_up(queries[1:2])[0][0] == "clip 5"


def test_the_evidence_names_the_rows_that_lie_over_each_other():
    part = rows(CLIPS["clip 4"])[3:]
    (match,) = verified_clips([part], INDEX, "thumbnails")
    assert (match.clip, match.row, match.at) == ("clip 4", 0, 3)


def test_a_search_without_rows_is_an_error():
    with pytest.raises(ValueError, match="rows of one width"):
        verified_clips([np.empty((0, 3072), np.float16)], INDEX, "thumbnails")
    with pytest.raises(ValueError, match="rows of one width"):
        verified_clips([np.ones((2, 12), np.float16)], INDEX, "thumbnails")
