from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from screentest.generators.base import Failure, Frames
from screentest.generators.folder import FolderGenerator
from screentest.generators.frame_folders import find_frame_folders
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, make_item

CLIP = ClipSettings(fps=12)


def pictures(folder: Path, *names: str, size: tuple[int, int] = (16, 12), mode: str = "RGB") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        colour = (10 * number, 50, 60) if mode == "RGB" else (10 * number, 50, 60, 0)
        Image.new(mode, size, colour).save(folder / name)


def test_folders_of_numbered_pictures_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    pictures(tmp_path / "a cat-0", "9.png", "10.png", "8.png")
    pictures(tmp_path / "deep" / "b", *(f"frame_{k:03}.webp" for k in range(3)))
    pictures(tmp_path / "album", "cover.png", "2.png")
    pictures(tmp_path / "one", "1.png")
    pictures(tmp_path / "mixed", "1.png", "2.jpg")
    pictures(tmp_path / ".hidden", "1.png", "2.png")
    pictures(tmp_path / "thumbs", "1.png", "2.png")
    (tmp_path / "thumbs" / "x.mp4").write_text("x")
    assert find_frame_folders(tmp_path) == {
        "a cat-0": ("8.png", "9.png", "10.png"),
        "deep/b": ("frame_000.webp", "frame_001.webp", "frame_002.webp"),
    }


def test_a_folder_of_frames_is_a_clip_at_the_rate_of_the_suite(tmp_path: Path) -> None:
    pictures(tmp_path / "a cat v1.5 runs-0", *(f"{k:04}.png" for k in range(5)))
    generator = FolderGenerator(tmp_path)
    (item,) = generator.own_items(CLIP)
    assert (item.prompt, item.seed, item.source) == ("a cat v1.5 runs", 0, "a cat v1.5 runs-0")
    (output,) = generator.generate([item])
    assert isinstance(output, Frames)
    assert (output.fps, output.frames_THWC.shape) == (12, (5, 12, 16, 3))
    assert [tuple(frame[0, 0]) for frame in output.frames_THWC] == [(10 * k, 50, 60) for k in range(5)]
    assert "1 folder of pictures is read at 12 frames a second, as the suite asks: a cat v1.5 runs-0" in (
        generator.check([item])
    )
    asked = make_item("a cat v1.5 runs", 0, CLIP)
    assert isinstance(generator.generate([asked])[0], Frames)
    before = generator.identity()
    pictures(tmp_path / "a cat v1.5 runs-0", "0002.png", "0003.png")
    assert FolderGenerator(tmp_path).identity() != before


def test_transparent_frames_lie_over_white_and_that_is_said(tmp_path: Path) -> None:
    pictures(tmp_path / "a", "1.png", "2.png", mode="RGBA")
    generator = FolderGenerator(tmp_path)
    items = generator.own_items(CLIP)
    (output,) = generator.generate(items)
    assert isinstance(output, Frames)
    assert (output.frames_THWC == 255).all()
    assert "transparent parts of the pictures are composed over white: a" in generator.check(items)


def test_frames_that_make_no_clip_fail_with_the_reason(tmp_path: Path) -> None:
    pictures(tmp_path / "gap", "1.png", "2.png", "5.png")
    pictures(tmp_path / "twice", "1.png", "01.png")
    pictures(tmp_path / "sizes", "1.png", "2.png")
    pictures(tmp_path / "sizes", "3.png", size=(8, 8))
    pictures(tmp_path / "broken", "1.png", "2.png")
    (tmp_path / "broken" / "2.png").write_bytes(b"x")
    (tmp_path / "deep").mkdir()
    for number in (1, 2):
        Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep" / f"{number}.png")
    generator = FolderGenerator(tmp_path)
    said = {
        item.source: output.reason
        for item, output in zip(
            generator.own_items(CLIP), generator.generate(generator.own_items(CLIP)), strict=True
        )
        if isinstance(output, Failure)
    }
    assert said.pop("broken").startswith("broken/2.png cannot be read: cannot identify image file")
    assert said == {
        "gap": "gap is not whole: frames 3 to 4 are missing",
        "twice": "twice has frame 1 twice",
        "sizes": "sizes changes its frame size from 16x12 to 8x8 at 3.png",
        "deep": "deep/1.png has more than 8 bits a channel; save it with 8",
    }


def test_the_frames_of_one_clip_are_no_folder_of_clips(tmp_path: Path) -> None:
    pictures(tmp_path, "1.png", "2.png")
    with pytest.raises(UsageError, match="give the folder that it lies in"):
        FolderGenerator(tmp_path).own_items(CLIP)
