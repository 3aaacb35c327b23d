import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.memorisation.transformations import TRANSFORMATIONS, transform_clip

from ...metrics.helpers import pan

CLIP = pan(16, size=64)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("shape", [(64, 64), (45, 63)])
def test_each_keeps_the_size_and_depends_on_the_seed_alone(name: str, shape: tuple[int, int]):
    clip = np.ascontiguousarray(CLIP[:, : shape[0], : shape[1]])
    before = clip.copy()
    made = transform_clip(clip, name, "a")
    assert made.shape[1:] == (*shape, 3)
    assert made.dtype == np.uint8
    assert np.array_equal(made, transform_clip(clip, name, "a"))
    assert np.array_equal(clip, before)
    if name != "none":
        assert made.shape != clip.shape or not np.array_equal(made, clip)


def test_what_each_does():
    assert np.array_equal(transform_clip(CLIP, "flip", "a"), CLIP[:, :, ::-1])
    assert {len(transform_clip(CLIP, "time shift", str(k))) for k in range(4)} == {12}
    assert {len(transform_clip(CLIP, "speed", str(k))) for k in range(8)} == {11, 24}
    bordered = transform_clip(CLIP, "border", "a")
    assert (bordered[:, 0] == 0).all()
    assert bordered[:, 32, 32].any()
    error = np.abs(transform_clip(CLIP, "re-encode", "a").astype(int) - CLIP).mean()
    assert 0 < error < 20
    captioned = transform_clip(CLIP, "caption", "a")
    assert np.array_equal(captioned[:, :56], CLIP[:, :56])
    assert (captioned[:, 56:].max(axis=(1, 2, 3)) > 150).all()


def test_an_unknown_one_is_a_sentence():
    with pytest.raises(UsageError, match="unknown transformation 'flp'; did you mean 'flip'"):
        transform_clip(CLIP, "flp", "a")


@pytest.mark.parametrize("name", [name for name, one in TRANSFORMATIONS.items() if one.severities])
def test_a_higher_severity_changes_more(name: str):
    def changed(severity: float) -> float:
        made = transform_clip(CLIP, name, "a", severity)
        if len(made) != len(CLIP):
            return abs(np.log(len(made) / len(CLIP)))
        return float(np.abs(made.astype(int) - CLIP).mean())

    found = [changed(severity) for severity in TRANSFORMATIONS[name].severities]
    assert found == sorted(found)
    assert found[0] > 0
    assert found[-1] > found[0]
