"""A folder in an object store is read as one of this machine is, and nothing of it stays here."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from screentest.generators import make_generator
from screentest.generators.base import Failure, Frames, Output, VideoFile
from screentest.generators.folder import FolderGenerator
from screentest.harness.commands.main import run_cli
from screentest.harness.core import object_store
from screentest.harness.core.errors import ServiceDown, UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import write_clip
from screentest.harness.run_folder.store import open_run

from ..harness.s3_server import S3Server, forget_stores, served

pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
CLIP = ClipSettings(fps=12)
PLACE = "s3://films/some/videos"


@pytest.fixture(scope="module")
def started() -> Iterator[S3Server]:
    with served() as made:
        yield made


@pytest.fixture
def server(started: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Server:
    """An empty bucket, and a folder of its own for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    started.empty()
    return started


def left_behind(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "temporary").rglob("*") if path.is_file()]


def local(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"of {name}")


def pictures(folder: Path, *names: str, size: tuple[int, int] = (16, 12), mode: str = "RGB") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        color = (10 * number, 50, 60) if mode == "RGB" else (10 * number, 50, 60, 0)
        Image.new(mode, size, color).save(folder / name)


def upload(folder: Path, server: S3Server, prefix: str = "some/videos") -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            server.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def contents(output: Output) -> object:
    """What an output holds, without its path."""
    if isinstance(output, VideoFile):
        return output.path.suffix.lower(), output.path.read_bytes()
    if isinstance(output, Frames):
        return output.frames_THWC.tobytes(), output.fps
    return output


def served_alike(folder: Path, items: list[Item] | None = None) -> tuple[FolderGenerator, list[Item]]:
    """Hold the store to the folder: items, warnings, identity and outputs."""
    here, there = FolderGenerator(folder), FolderGenerator(PLACE)
    if items is None:
        items = list(here.own_items(CLIP))
        assert list(there.own_items(CLIP)) == items
    assert [said.replace(PLACE, str(folder)) for said in there.check(items)] == here.check(items)
    assert there.identity() == here.identity()
    assert [there.file_of(item) for item in items] == [here.file_of(item) for item in items]
    assert there.world == here.world
    for item in items:
        assert [contents(o) for o in there.generate([item])] == [contents(o) for o in here.generate([item])]
    return there, items


def test_files_without_prompts(server: S3Server, tmp_path: Path) -> None:
    folder = local(tmp_path)
    put(folder, "b.mp4", "sub/a.WEBM", ".hidden.mp4", ".cache/x.mp4", "notes.txt", "a cat-1.mp4", "a é.mov")
    (folder / "request.json").write_text('{"world": "reference"}')
    upload(folder, server)
    server.put("some/videos/empty/", b"")  # how consoles mark a folder
    server.put("some/videos2/c.mp4", b"of another prefix")
    generator, items = served_alike(folder)
    assert [item.source for item in items] == ["a cat-1.mp4", "a é.mov", "b.mp4", "sub/a.WEBM"]
    assert (generator.spec, generator.sources) == (f"folder:{PLACE}", (PLACE,))
    assert generator.world == "reference"


def test_names_that_give_prompts_and_a_suite_of_others(server: S3Server, tmp_path: Path) -> None:
    folder = local(tmp_path)
    put(folder, "a cat runs-0.mp4", "a cat runs-1.mp4", "a dog_ asleep-0.mp4")
    upload(folder, server)
    _, items = served_alike(folder)
    assert [(item.prompt, item.seed) for item in items][:2] == [("a cat runs", 0), ("a cat runs", 1)]
    asked = [make_item(prompt, 0, CLIP) for prompt in ("a cat runs", "a dog: asleep", "a cow")]
    generator, _ = served_alike(folder, asked)
    assert generator.generate(asked)[2] == Failure("no file for this prompt and seed")


def test_a_manifest(server: S3Server, tmp_path: Path) -> None:
    folder = local(tmp_path)
    put(folder, "x.mp4", "sub/y.mp4", "odd name.bin")
    (folder / "manifest.csv").write_bytes(
        "\ufefffile,prompt,seed,tags,group,model\r\nx.mp4,a ball,3,p;q,a,m\r\nsub/y.mp4,une é,-1,,,m\r\n"
        "odd name.bin,b,0,,,\r\ngone.mp4,c,0,,,\r\nsub,d,0,,,\r\n".encode()
    )
    upload(folder, server)
    generator, items = served_alike(folder)
    assert items[0].tags == ("p", "q")
    assert items[0].label("group") == "a"
    assert generator.generate(items)[3:] == [Failure("gone.mp4 is missing"), Failure("sub is a folder")]
    (folder / "manifest.csv").unlink()
    (folder / "manifest.jsonl").write_text('{"file": "x.mp4", "prompt": "a\\nball", "seed": 3}\n')
    server.delete("some/videos/manifest.csv")
    upload(folder, server)
    served_alike(folder)
    server.put("some/videos/manifest.csv", b"")
    with pytest.raises(UsageError, match=f"^{PLACE} has both manifest.csv and manifest.jsonl; keep one$"):
        FolderGenerator(PLACE).own_items(CLIP)
    server.delete("some/videos/manifest.jsonl")
    for text, says in ((b"file,prompt,seed\n../x.mp4,a,1\n", "line 2, .* leads out of"), (b"\xff", "byte 0")):
        server.put("some/videos/manifest.csv", text)
        with pytest.raises(UsageError, match=f"^{PLACE}/manifest.csv.*{says}"):
            FolderGenerator(PLACE).own_items(CLIP)


def test_folders_of_pictures(server: S3Server, tmp_path: Path) -> None:
    folder = local(tmp_path)
    pictures(folder / "a cat runs-0", "9.png", "10.png", "8.png")
    pictures(folder / "deep" / "b b-1", *(f"frame_{k:03}.webp" for k in range(3)), mode="RGBA")
    pictures(folder / "gap gap-0", "1.png", "2.png", "5.png")
    pictures(folder / "sizes sizes-0", "1.png", "2.png")
    pictures(folder / "sizes sizes-0", "3.png", size=(8, 8))
    pictures(folder / "broken it is-0", "1.png", "2.png")
    (folder / "broken it is-0" / "2.png").write_bytes(b"x")
    pictures(folder / "album", "cover.png", "2.png")
    pictures(folder / ".hidden", "1.png", "2.png")
    upload(folder, server)
    generator, items = served_alike(folder)
    assert "transparent parts of the pictures are composed over white: deep/b b-1" in generator.check(items)
    said = [output.reason for output in generator.generate(items) if isinstance(output, Failure)]
    assert [reason.split()[0] for reason in said] == ["broken", "gap", "sizes"]
    assert not any("temporary" in reason for reason in said)
    server.put("some/videos/deep/b b-1", b"a file with the name of a folder")
    assert "deep/b b-1" not in [item.source for item in FolderGenerator(PLACE).own_items(CLIP)]


def test_pictures_at_the_top_are_no_clip(server: S3Server, tmp_path: Path) -> None:
    folder = local(tmp_path)
    pictures(folder, "1.webp", "2.webp")
    upload(folder, server)
    with pytest.raises(UsageError, match=f"{PLACE} holds the frames of one clip; give the prefix that it"):
        FolderGenerator(PLACE).own_items(CLIP)


def test_what_is_left_out_is_listed_with_its_reason(server: S3Server, tmp_path: Path) -> None:
    folder = local(tmp_path)
    put(folder, "x.mp4")
    frames = [Image.new("RGB", (8, 8), (40 * k, 0, 0)) for k in range(3)]
    frames[0].save(folder / "moves.webp", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "still.webp")
    (folder / "still.avif").write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0")
    (folder / "empty.webp").write_bytes(b"")
    upload(folder, server)
    _, items = served_alike(folder)
    assert [item.source for item in items] == ["moves.webp", "x.mp4"]
    server._client.put_object(Bucket="films", Key="some/videos/old.mp4", Body=b"x", StorageClass="GLACIER")
    server.put("some/videos//a/../b.mp4", b"x")
    generator = FolderGenerator(PLACE)
    assert generator.own_items(CLIP) == tuple(items)
    assert generator.check(items) == [
        f"5 entries of {PLACE} left out: /a/../b.mp4 is named with an empty segment, '.' or '..'; rename it; "
        "empty.webp is a still image; old.mp4 is an archived object (GLACIER), which has to be restored "
        "first; still.avif is a still image; still.webp is a still image"
    ]
    asked = [make_item(None, 0, CLIP, source=name) for name in ("old.mp4", "still.webp")]
    assert generator.generate(asked) == [
        Failure("old.mp4 is an archived object (GLACIER), which has to be restored first"),
        Failure("still.webp is a still image"),
    ]


def test_files_are_fetched_in_their_turn_and_not_kept(server: S3Server, tmp_path: Path) -> None:
    folder = local(tmp_path)
    put(folder, "a.mp4", "b.mp4")
    pictures(folder / "c", "1.png", "2.png")
    upload(folder, server)
    generator = FolderGenerator(PLACE)
    items = generator.own_items(CLIP)
    generator.identity()
    generator.check(items)
    assert left_behind(tmp_path) == []
    for item, kept in zip(items, (["clip.mp4"], ["clip.mp4"], ["1.png", "2.png"]), strict=True):
        generator.generate([item])
        assert sorted(left_behind(tmp_path)) == kept
    both = generator.generate(items[:2])
    assert [contents(one) for one in both] == [(".mp4", b"of a.mp4"), (".mp4", b"of b.mp4")]
    del generator, both
    gc.collect()
    assert left_behind(tmp_path) == []


def test_what_changes_or_goes_after_the_plan_is_a_failure(server: S3Server, tmp_path: Path) -> None:
    folder = local(tmp_path)
    put(folder, "a.mp4", "b.mp4")
    pictures(folder / "c", "1.png", "2.png")
    upload(folder, server)
    generator = FolderGenerator(PLACE)
    items = generator.own_items(CLIP)
    generator.identity()
    server.put("some/videos/a.mp4", b"another film")
    server.delete("some/videos/b.mp4", "some/videos/c/2.png")
    assert generator.generate(items) == [
        Failure("a.mp4 has changed since its digest was taken; start the run again"),
        Failure("b.mp4 is missing"),
        Failure("c/2.png is missing"),
    ]
    assert FolderGenerator(PLACE).identity() != generator.identity()


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("s3://films/some", "there is no video in s3://films/some"),
        ("s3://nowhere/some", "there is no bucket for s3://nowhere/some"),
        ("s3://key:secret@films/some", "credentials and an endpoint come from the environment"),
        ("s3://films//some", "give s3://films/some"),
        ("s3:/films/some", "lacks a slash"),
        (f"{PLACE}?more=1", "takes no options"),
    ],
)
def test_a_wrong_place_is_one_sentence(server: S3Server, place: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as told:
        make_generator(f"folder:{place}").own_items(CLIP)
    assert "secret" not in str(told.value).replace("AWS_SECRET", "")


def test_a_store_that_goes_away_ends_the_run_and_not_the_item(server: S3Server, tmp_path, monkeypatch):
    monkeypatch.setattr(object_store, "_TRIES", 2)
    server.put("some/videos/a.mp4", b"x")
    forget_stores()
    generator = FolderGenerator(PLACE)
    items = generator.own_items(CLIP)
    server.stop()
    try:
        with pytest.raises(ServiceDown, match="the same command goes on from here"):
            generator.generate(items)
    finally:
        server.start()
    assert isinstance(generator.generate(items)[0], VideoFile)


def test_a_run_gives_the_table_of_the_local_folder(server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = local(tmp_path)
    frames = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), np.uint8)
    for number in range(3):
        write_clip(folder / f"a cat runs-{number}.mp4", np.roll(frames, number, axis=2), 8)
    pictures(folder / "a dog runs-0", *(f"{k}.png" for k in range(4)), size=(32, 32))
    upload(folder, server)
    common = ["--suite", "videos", "--measures", "motion.flicker,failure.rate", "--tracking-uri", "none"]
    for spec, out in ((str(folder), "here"), (PLACE, "there")):
        assert run_cli(["run", "--generator", f"folder:{spec}", "--out", out, *common]) == 0
    capsys.readouterr()
    here, there = (open_run(Path(out)) for out in ("here", "there"))
    assert there.clips().keys() == here.clips().keys()
    assert [r.sha256 for r in there.clips().values()] == [r.sha256 for r in here.clips().values()]
    assert list(there.scores()) == list(here.scores())
    assert here.record["generator"] == there.record["generator"]
    for store in (here, there):
        store.close()
    assert run_cli(["run", "--generator", f"folder:{PLACE}", "--out", "there", *common]) == 0  # finished
    inside = ["--out", "inside", "--clips", "s3://films/some", *common]
    assert run_cli(["run", "--generator", f"folder:{PLACE}", *inside]) == 2
    assert "lies inside the other; choose another --clips" in capsys.readouterr().err
    assert not Path("inside").exists()
    assert run_cli(["run", "--generator", f"folder:{PLACE}*", "--out", "star", *common]) == 2
    assert "a star stands for folders here, and not in a store" in capsys.readouterr().err
    gc.collect()
    assert os.listdir(tmp_path / "temporary") == []  # noqa: PTH208 (names, whatever they are)
