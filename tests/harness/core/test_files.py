from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from screentest.harness.core.errors import UsageError
from screentest.harness.core.files import list_videos, survey_videos


def test_what_looks_like_a_video_and_is_none_is_left_out_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.mp4", "sub/b.WEBM", "c.h264", "notes.txt", ".hidden.mp4", "inside.bin"):
        (folder / name).write_text(name)
    os.mkfifo(folder / "pipe.mp4")
    (folder / "folder.mp4").mkdir()
    (folder / "gone.mp4").symlink_to("nowhere.mp4")
    (folder / "loop.mp4").symlink_to("loop.mp4")
    (folder / "inside.mp4").symlink_to("inside.bin")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.mp4").write_text("x")
    (folder / "outside.mp4").symlink_to(tmp_path / "other" / "x.mp4")
    (folder / "linked").symlink_to(tmp_path / "other")
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    pictures[0].save(folder / "still.webp")
    pictures[0].save(folder / "moving.webp", save_all=True, append_images=pictures[1:], duration=100)
    survey = survey_videos(folder)
    assert survey.videos == ("a.mp4", "c.h264", "inside.mp4", "moving.webp", "sub/b.WEBM")
    assert survey.left_out == {
        "folder.mp4": "a folder",
        "gone.mp4": "a link to a file that is not there",
        "linked": "a link to a folder, which is not followed",
        "loop.mp4": "a link that leads back to itself",
        "outside.mp4": "a link to a file outside of the folder; copy the file into it",
        "pipe.mp4": "a named pipe (fifo)",
        "still.webp": "a still image",
    }
    taken = survey_videos(folder, outside=True)
    assert "outside.mp4" in taken.videos
    assert "outside.mp4" not in taken.left_out


def test_a_name_that_is_not_text_is_left_out(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.mp4")).write_bytes(b"")
    assert list(survey_videos(tmp_path).left_out.values()) == [
        "named in characters that are not text; rename it"
    ]


def test_files_and_folders_are_listed_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.mp4", "sub/b.mp4", "note.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "none.mp4")
    found = list_videos([tmp_path / "none.mp4", tmp_path, tmp_path / "a.mp4"])
    assert found == {
        tmp_path / "none.mp4": None,
        tmp_path / "a.mp4": None,
        tmp_path / "sub/b.mp4": None,
        tmp_path / "gone.mp4": f"{tmp_path / 'gone.mp4'} is a link to a file that is not there",
    }
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="there is no video in the folder"):
        list_videos([tmp_path / "empty"])
