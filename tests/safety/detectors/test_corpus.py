"""Folders of both classes: sources, scenes, parts, and what cannot be a corpus."""

from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.detectors.corpus import LabelledClip, folder_clips, folds, make_corpus


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_the_source_is_the_subfolder_or_the_folder_or_the_file(tmp_path: Path) -> None:
    touch(tmp_path / "real/a.mp4", tmp_path / "real/b.avi", tmp_path / "real/camera/c.mp4")
    touch(tmp_path / "model/d.mp4", tmp_path / "model/other/e.mp4")
    real, _ = folder_clips(tmp_path / "real", generated=False)
    assert [(c.source, c.scene) for c in real] == [("a.mp4", "a"), ("b.avi", "b"), ("camera", "c")]
    made, _ = folder_clips(tmp_path / "model", generated=True)
    assert [(c.source, c.scene) for c in made] == [("model", "d"), ("other", "e")]


def test_an_expression_names_the_source(tmp_path: Path) -> None:
    touch(tmp_path / "g/x__m1__a.gif", tmp_path / "g/x__m2__a.gif", tmp_path / "g/plain.gif")
    clips, left_out = folder_clips(tmp_path / "g", generated=True, source_of=r"x__(m\d)")
    assert [c.source for c in clips] == ["m1", "m2"]
    assert len(left_out) == 1
    assert "plain.gif: no source" in left_out[0]
    with pytest.raises(UsageError, match="is in no path"):
        folder_clips(tmp_path / "g", generated=True, source_of="nothing")
    with pytest.raises(UsageError, match="is not a regular expression"):
        folder_clips(tmp_path / "g", generated=True, source_of="(")


def test_folders_without_videos_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .* of real clips"):
        folder_clips(tmp_path / "none", generated=False)
    touch(tmp_path / "pictures/a.png")
    with pytest.raises(UsageError, match=r"there is no video in .*pictures, which should hold generated"):
        folder_clips(tmp_path / "pictures", generated=True)


def labelled(name: str, *, generated: bool, source: str = "s") -> LabelledClip:
    return LabelledClip(Path(name), generated, source, name)


@pytest.mark.parametrize(
    ("real", "generated", "message"),
    [
        (0, 3, "no clips are real, and a detector needs two of each class"),
        (3, 0, "no clips are generated"),
        (1, 3, "one clip is real"),
        (3, 1, "one clip is generated"),
    ],
)
def test_a_class_of_fewer_than_two_clips_is_refused(real: int, generated: int, message: str) -> None:
    clips = [labelled(f"r{k}", generated=False) for k in range(real)]
    clips += [labelled(f"g{k}", generated=True) for k in range(generated)]
    with pytest.raises(UsageError, match=message):
        make_corpus(clips)


def test_a_file_of_both_classes_is_refused() -> None:
    clips = [labelled(n, generated=g) for n in ("a", "b") for g in (False, True)]
    with pytest.raises(UsageError, match="named both real and generated"):
        make_corpus(clips)


def test_scenes_lie_in_one_part_and_real_ones_are_dealt_alike() -> None:
    scenes = [f"s{k}" for k in range(20)] + [f"s{k}" for k in range(8)] * 2
    real = [True] * 20 + [False] * 16
    parts = folds(scenes, real)
    assert np.bincount(parts[:20]).tolist() == [5, 5, 5, 5]
    for scene in set(scenes):
        assert len({int(parts[k]) for k, other in enumerate(scenes) if other == scene}) == 1
    turned = folds(scenes[::-1], real[::-1])
    assert turned[::-1].tolist() == parts.tolist()


def test_three_real_videos_are_the_fewest() -> None:
    assert set(folds(["a", "b", "c", "d"], [True, True, True, False]).tolist()) == {0, 1, 2}
    with pytest.raises(UsageError, match="2 real videos are too few"):
        folds(["a", "b", "c"], [True, True, False])
