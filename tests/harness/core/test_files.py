from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from screentest.harness.core.errors import UsageError
from screentest.harness.core.files import check_output, list_videos, survey_videos, write_atomic


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


@pytest.mark.parametrize(
    "name",
    [
        *("run.json", "run.sqlite", "run.sqlite-wal", "summary.json", "verdict.json", "VERDICT.json"),
        *("clips/a.mp4", "clips/new.html", "verdicts/one.json", "clips/../record.json"),
    ],
)
def test_a_file_of_a_run_s_record_is_no_output(tmp_path: Path, name: str) -> None:
    run = tmp_path / "base"
    (run / "clips").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (tmp_path / "link").symlink_to(run)
    for folder in (run, tmp_path / "link"):
        with pytest.raises(UsageError, match=r"^--out .* belongs to the record of the run .*base; name an"):
            check_output("--out", folder / name)


def test_a_link_to_a_run_s_record_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "run.json").write_text("{}")
    (tmp_path / "page.html").symlink_to(tmp_path / "base" / "run.json")
    with pytest.raises(UsageError, match="belongs to the record of the run"):
        check_output("--out", tmp_path / "page.html")


@pytest.mark.parametrize(
    "name", ["report.html", "run.html", "scores.csv", "gate.sarif", "pages/summary.json"]
)
def test_pages_and_tables_are_written_into_a_run_folder_again(tmp_path: Path, name: str) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "pages").mkdir()
    for _ in range(2):
        check_output("--out", tmp_path / name)
        (tmp_path / name).write_text("old")


def test_a_record_s_name_outside_of_a_run_folder_is_an_output(tmp_path: Path) -> None:
    check_output("--out", tmp_path / "summary.json")
    check_output("--out", None, [tmp_path])


def test_an_input_is_no_output_by_whatever_name(tmp_path: Path) -> None:
    policy, other = tmp_path / "p.yaml", tmp_path / "other.yaml"
    policy.write_text("name: p")
    other.symlink_to(policy)
    os.link(policy, tmp_path / "hard.yaml")
    for out in (policy, other, tmp_path / "hard.yaml", tmp_path / "x" / ".." / "p.yaml"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match=r"^--sarif .* is a file that this command reads; name another"):
            check_output("--sarif", out, ["smoke", None, policy])
    check_output("--sarif", tmp_path / "new.sarif", ["smoke", policy, "x" * 5000, "nul\0"])


def test_what_cannot_be_written_is_named_as_the_user_knows_it_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    for path in (folder, tmp_path / "none" / "page.html"):
        with pytest.raises(OSError, match="directory") as raised:
            write_atomic(path, "text")
        assert (raised.value.filename, raised.value.filename2) == (str(path), None)
    assert list(tmp_path.iterdir()) == [folder]
