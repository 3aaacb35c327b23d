from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import make_generator
from screentest.generators.worlds import render_files as files_module
from screentest.generators.worlds.plane import BREAKABLE
from screentest.generators.worlds.render_files import RenderRequest, render_folder
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.media import open_clip
from screentest.metrics.surprise.pairs import read_pairs

Row = dict[str, Any]
SMALL = ClipSettings(frames=16, height=32, width=32, fps=8.0)


def read(path: Path) -> Row:
    return json.loads(path.read_text("utf-8"))


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def decoded(path: Path) -> np.ndarray:
    return np.concatenate([window.frames_THWC for window in open_clip(path).windows()])


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken") / "clips"
    render_folder(RenderRequest(family="uniform", law="teleport", severity=0.5, n=3, seed=4), folder)
    return folder


def test_every_clip_has_its_truth_beside_it(broken: Path) -> None:
    names = sorted(path.name for path in broken.glob("*.mp4"))
    assert names == [f"uniform-0000{k}-{what}.mp4" for k in range(3) for what in ("lawful", "teleport")]
    for name in names:
        truth = read((broken / name).with_suffix(".json"))
        info = open_clip(broken / name).info
        assert (info.height, info.width, info.fps) == (64, 64, 8)
        assert np.shape(truth["position_px"]) == (1, 16, 2)
        assert truth["file"] == name
        assert read((broken / truth["twin"]).with_suffix(".json"))["twin"] == name
        assert bool(truth["violation"]) == name.endswith("-teleport.mp4")


def test_a_clip_is_what_the_truth_beside_it_says(tmp_path: Path) -> None:
    render_folder(RenderRequest(family="still", n=1, asked={"color": "red", "shape": "ball"}), tmp_path / "a")
    truth = read(tmp_path / "a" / "still-00000.json")
    x, y = np.rint(truth["position_px"][0][0]).astype(int)
    np.testing.assert_allclose(
        decoded(tmp_path / "a" / "still-00000.mp4")[:, y, x], [(226, 54, 48)] * 16, atol=2
    )
    assert truth["expect"]["objects"][0]["color"] == "red"
    assert not (tmp_path / "a" / "pairs.csv").exists()


def test_a_violation_differs_from_its_twin_in_nothing_else(broken: Path) -> None:
    for pair in read_pairs(broken / "pairs.csv"):
        fault = read(pair.impossible.with_suffix(".json"))
        lawful = read(pair.possible.with_suffix(".json"))
        first = fault["violation"]["first_frame"]
        ours, twin = decoded(pair.impossible), decoded(pair.possible)
        assert 0 < first < 16
        np.testing.assert_array_equal(ours[:first], twin[:first])
        assert (ours[first] != twin[first]).any()
        own = {"file", "twin", "seed", "violation", "position_px", "visible_share"}
        assert {k: v for k, v in fault.items() if k not in own} == {
            k: v for k, v in lawful.items() if k not in own
        }
        assert fault["position_px"][0][:first] == lawful["position_px"][0][:first]


@pytest.mark.parametrize("family", BREAKABLE)
def test_every_law_of_a_family_can_be_rendered(family: str, tmp_path: Path) -> None:
    for law in BREAKABLE[family]:
        rows = render_folder(RenderRequest(family=family, law=law, n=1, clip=SMALL), tmp_path / law)
        assert [row["violation"] and row["violation"]["law"] for row in rows] == [law, None]
        assert len(read_pairs(tmp_path / law / "pairs.csv")) == 1


def test_pairs_are_those_that_surprise_reads(broken: Path) -> None:
    pairs = read_pairs(broken / "pairs.csv")
    assert [(p.possible.name, p.impossible.name, p.tag) for p in pairs] == [
        (f"uniform-0000{k}-lawful.mp4", f"uniform-0000{k}-teleport.mp4", "teleport") for k in range(3)
    ]
    assert len({pair.cluster for pair in pairs}) == 3


def test_the_folder_serves_as_a_generator(broken: Path) -> None:
    generator = make_generator(f"folder:{broken}")
    items = generator.own_items(ClipSettings())
    assert generator.check(items) == []
    assert [item.source for item in items] == [row["file"] for row in lines(broken / "index.jsonl")]
    for item in items:
        truth = read((broken / str(item.source)).with_suffix(".json"))
        assert (item.prompt, item.expect) == (truth["caption"], truth["expect"])
        assert item.tags == ("uniform", truth["violation"]["law"] if truth["violation"] else "lawful")


def test_a_broken_clip_is_the_same_item_as_the_clip_of_the_lawful_folder(tmp_path: Path) -> None:
    of_folder: list[list[str]] = []
    for law, n in ((None, 3), ("vanish", 2)):
        folder = tmp_path / str(law)
        render_folder(RenderRequest(family="still", law=law, n=n, clip=SMALL), folder)
        items = make_generator(f"folder:{folder}").own_items(SMALL)
        of_folder.append([item.id for item in items if "lawful" not in item.tags or law is None])
    assert of_folder[0][:2] == of_folder[1]
    np.testing.assert_array_equal(
        decoded(tmp_path / "None" / "still-00001.mp4"),
        decoded(tmp_path / "vanish" / "still-00001-lawful.mp4"),
    )


def test_scenes_depend_on_the_seed_and_their_number_alone(tmp_path: Path) -> None:
    for name, request in {
        "few": RenderRequest(family="count", n=1, seed=1, clip=SMALL),
        "many": RenderRequest(family="count", n=3, seed=1, clip=SMALL),
        "other": RenderRequest(family="count", n=1, seed=2, clip=SMALL),
    }.items():
        render_folder(request, tmp_path / name)
    first = [contents(tmp_path / name)["count-00000.mp4"] for name in ("few", "many", "other")]
    assert first[0] == first[1] != first[2]
    many = [contents(tmp_path / "many")[f"count-0000{k}.mp4"] for k in range(3)]
    assert all(one != other for one, other in pairwise(many))


def test_without_a_family_every_clip_shows_a_single_shape(tmp_path: Path) -> None:
    rows = render_folder(RenderRequest(n=4, clip=SMALL), tmp_path / "a")
    assert {row["file"] for row in rows} == {f"shape-0000{k}.mp4" for k in range(4)}
    assert {row["family"] for row in rows} <= {"uniform", "fall", "still"}


def test_what_was_interrupted_is_not_there_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = RenderRequest(family="still", law="color", n=2, clip=SMALL)
    render_folder(request, tmp_path / "whole")
    written: list[str] = []
    real = files_module.write_clip

    def killed(path: Path, frames: Any, fps: float) -> None:
        written.append(path.name)
        if len(written) == 3:
            path.with_name(f".{path.name}.begun").touch()
            raise KeyboardInterrupt
        real(path, frames, fps)

    monkeypatch.setattr(files_module, "write_clip", killed)
    with pytest.raises(KeyboardInterrupt):
        render_folder(request, tmp_path / "clips")
    assert not (tmp_path / "clips").exists()
    with pytest.raises(UsageError, match=r"other settings.*delete it"):
        render_folder(request.model_copy(update={"severity": 0.5}), tmp_path / "clips")
    render_folder(request, tmp_path / "clips")
    assert len(written) == 3 + 2  # the two clips that were whole are not drawn again
    assert contents(tmp_path / "clips") == contents(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips", "whole"]


def test_files_of_nobody_are_not_taken_for_clips(tmp_path: Path) -> None:
    (tmp_path / ".clips.unfinished").mkdir()
    (tmp_path / ".clips.unfinished" / "still-00000.json").write_text("{}")
    with pytest.raises(UsageError, match="holds unfinished clips"):
        render_folder(RenderRequest(family="still"), tmp_path / "clips")


def test_a_violation_that_no_pixel_shows_is_in_no_pair(tmp_path: Path) -> None:
    slight = RenderRequest(family="still", law="color", severity=1e-6, clip=SMALL)
    rows = render_folder(slight, tmp_path / "a")
    assert rows[0]["violation"]["first_frame"] is None
    assert not (tmp_path / "a" / "pairs.csv").exists()
    frames = [decoded(tmp_path / "a" / row["file"]) for row in rows]
    np.testing.assert_array_equal(*frames)


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    render_folder(RenderRequest(family="still", clip=SMALL), tmp_path / "a")
    assert (tmp_path / "a" / "still-00000.mp4").is_file()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"family": "fal"}, "unknown family 'fal'; did you mean 'fall'"),
        ({"family": "fall", "law": "graviti"}, "unknown law 'graviti'; did you mean 'gravity'"),
        (
            {"family": "person", "law": "gravity"},
            "cannot break the law 'gravity'.*it can break vanish, double",
        ),
        ({"family": "camera", "law": "vanish"}, "it can break none"),
        ({"law": "gravity"}, "depends on the family"),
        ({"family": "fall", "law": "gravity", "severity": 0.0}, "severity 0 is outside"),
        ({"family": "fall", "law": "gravity", "severity": float("nan")}, "severity nan is outside"),
        ({"family": "fall", "asked": {"mood": "glad"}}, "has no mood to choose; it has color"),
        ({"family": "collision", "clip": SMALL.model_copy(update={"height": 60})}, "no room for the family"),
        ({"family": "fall", "clip": SMALL.model_copy(update={"width": 12})}, "too small to see anything"),
        (
            {"family": "still", "clip": SMALL.model_copy(update={"frames": 20_000, "height": 512})},
            "too many to draw",
        ),
        ({"n": 0}, "0 clips cannot be rendered"),
    ],
)
def test_what_cannot_be_rendered_is_a_sentence_before_anything_is_written(
    fields: Row, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=sentence):
        render_folder(RenderRequest.model_validate(fields), tmp_path / "clips")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_folder_of_the_same_request_is_left_as_it_is(tmp_path: Path) -> None:
    request = RenderRequest(family="still", n=2, clip=ClipSettings(frames=8, height=32, width=32))
    first = render_folder(request, tmp_path / "clips")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").iterdir()}
    assert render_folder(request, tmp_path / "clips") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").iterdir()} == before
    with pytest.raises(UsageError, match="is not empty"):
        render_folder(request.model_copy(update={"seed": 1}), tmp_path / "clips")
    (tmp_path / "clips" / first[0]["file"]).unlink()
    with pytest.raises(UsageError, match="is not empty"):
        render_folder(request, tmp_path / "clips")


def test_a_folder_that_holds_something_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for place, sentence in {
        "full": "is not empty",
        "full/mine.txt": "is a file",
        "full/mine.txt/clips": "cannot be made",
        "empty": "than the one you are in",
    }.items():
        with pytest.raises(UsageError, match=sentence):
            render_folder(RenderRequest(family="still"), tmp_path / place)
    assert contents(tmp_path / "full") == {"mine.txt": b"mine"}
