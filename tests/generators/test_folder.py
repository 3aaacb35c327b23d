from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from screentest.generators import make_generator
from screentest.generators.base import Failure, VideoFile
from screentest.generators.folder import FolderGenerator, comparable
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import open_clip, write_clip

CLIP = ClipSettings()


def put(folder: Path, *names: str) -> None:
    """Make files with a video's name; only decoding would tell that they are none."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def manifest(folder: Path, text: str, name: str = "manifest.csv") -> FolderGenerator:
    (folder / name).write_text(text, "utf-8")
    return FolderGenerator(folder)


def asked(*wanted: tuple[str, int]) -> list[Item]:
    return [make_item(prompt, seed, CLIP) for prompt, seed in wanted]


# --- items of its own --------------------------------------------------------------------------------------


def test_plain_files_are_items_without_prompts(tmp_path: Path) -> None:
    put(tmp_path, "b.mp4", "sub/a.WEBM", ".hidden.mp4", ".cache/x.mp4", "notes.txt", "a cat-1.mp4")
    items = FolderGenerator(tmp_path).own_items(CLIP)
    assert [(i.prompt, i.seed, i.source) for i in items] == [
        (None, 0, "a cat-1.mp4"),
        (None, 0, "b.mp4"),
        (None, 0, "sub/a.WEBM"),
    ]
    assert len({i.id for i in items}) == 3


def test_names_of_vbench_give_prompts_and_seeds(tmp_path: Path) -> None:
    put(tmp_path, "a cat runs-0.mp4", "a cat runs-1.mp4", "a well-known dog-0.mp4")
    generator = FolderGenerator(tmp_path)
    items = generator.own_items(CLIP)
    assert [(i.prompt, i.seed) for i in items] == [
        ("a cat runs", 0),
        ("a cat runs", 1),
        ("a well-known dog", 0),
    ]
    assert [i.id for i in items] == [
        i.id for i in asked(("a cat runs", 0), ("a cat runs", 1), ("a well-known dog", 0))
    ]
    assert generator.check(items) == [
        "without a manifest, the file names were read as '{prompt}-{seed}': 2 prompts"
    ]


def test_numbered_files_are_no_seeds_of_one_prompt(tmp_path: Path) -> None:
    put(tmp_path, "clip-1.mp4", "clip-2.mp4")
    items = FolderGenerator(tmp_path).own_items(CLIP)
    assert [(i.prompt, i.source) for i in items] == [(None, "clip-1.mp4"), (None, "clip-2.mp4")]
    assert len({i.cluster for i in items}) == 2


def test_a_csv_manifest_gives_everything_it_lists(tmp_path: Path) -> None:
    put(tmp_path, "x.mp4", "sub/y.mp4", "z.mp4")
    generator = manifest(
        tmp_path,
        "file,prompt,seed,expect,tags,labels,group\n"
        'x.mp4,"a ball, red",3,"{""motion"": ""fall""}",physics;gravity | fall,"{""law"":[""g"",""m""]}",a\n'
        "./sub/y.mp4,une balle \u2028 tombe,-1,,,,\n"
        "z.mp4,,0,,,,\n",
    )
    first, second, third = generator.own_items(CLIP)
    assert (first.prompt, first.seed, first.source, first.label("group")) == ("a ball, red", 3, "x.mp4", "a")
    assert first.tags == ("physics", "gravity", "fall")
    assert first.labels == {"law": ("g", "m"), "group": ("a",)}
    assert first.expect == {"motion": "fall"}
    assert (second.prompt, second.seed, second.source) == ("une balle \u2028 tombe", -1, "sub/y.mp4")
    assert (second.tags, second.expect, second.labels) == ((), None, {})
    assert (third.prompt, third.source) == (None, "z.mp4")
    assert generator.generate([first, second, third]) == [
        VideoFile(tmp_path / name) for name in ("x.mp4", "sub/y.mp4", "z.mp4")
    ]


def test_a_jsonl_manifest_reads_as_the_csv_one(tmp_path: Path) -> None:
    put(tmp_path, "x.mp4")
    row = {
        "file": "x.mp4",
        "prompt": "a\nball",
        "seed": 3,
        "expect": {"custom": {"n": 1}},
        "tags": ["p", "q"],
        "labels": {"language": "en"},
        "group": "g",
    }
    (item,) = manifest(tmp_path, f"\n{json.dumps(row)}\n\n", "manifest.jsonl").own_items(CLIP)
    assert (item.prompt, item.seed, item.tags, item.expect, item.labels) == (
        "a\nball",
        3,
        ("p", "q"),
        {"custom": {"n": 1}},
        {"language": ("en",), "group": ("g",)},
    )


def test_a_manifest_written_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    put(tmp_path, "x.mp4")
    (tmp_path / "manifest.csv").write_bytes(b"\xef\xbb\xbffile,prompt,seed\r\nx.mp4,a ball,1\r\n")
    assert [i.prompt for i in FolderGenerator(tmp_path).own_items(CLIP)] == ["a ball"]


def test_a_column_that_is_not_known_is_a_warning(tmp_path: Path) -> None:
    put(tmp_path, "x.mp4")
    generator = manifest(tmp_path, "file,prompt,seed,model\nx.mp4,a ball,1,big\n")
    assert generator.check(generator.own_items(CLIP)) == [
        "manifest.csv: the column 'model' is not known and not read"
    ]


# --- wrong folders and manifests ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("file,prompt,seed\n", "lists no clip"),
        ("file,promt,seed\nx.mp4,a,1\n", "line 1, has no column 'prompt'; is 'promt' meant"),
        ("file,prompt\nx.mp4,a\n", "no column 'seed'"),
        ("file,prompt,seed,seed\nx.mp4,a,1,2\n", "names a column twice"),
        ("file,prompt,seed\nx.mp4,a,one\n", "line 2, has the seed 'one'"),
        ("file,prompt,seed\nx.mp4,a,1.5\n", "line 2, has the seed '1.5'"),
        ("file,prompt,seed\nx.mp4,a,\n", "line 2, has the seed None"),
        ("file,prompt,seed\nx.mp4,a\n", "line 2, should have 3 cells"),
        ("file,prompt,seed\nx.mp4,a,b,1\n", "line 2, should have 3 cells"),
        ("file,prompt,seed\n,a,1\n", "line 2, names no file"),
        ('file,prompt,seed\nx.mp4,"a,1\n', "is not CSV"),
        ("file,prompt,seed,expect\nx.mp4,a,1,{oh}\n", "line 2, is not JSON"),
        ("file,prompt,seed,expect\nx.mp4,a,1,[1]\n", "not a JSON object"),
        ("file,prompt,seed\nx.mp4,a,1\ny.mp4,a,1\n", r"lines 2 \(x.mp4\) and 3 \(y.mp4\) are both for 'a'"),
        ("file,prompt,seed\n/etc/x.mp4,a,1\n", "line 2, '/etc/x.mp4' leads out"),
        ("file,prompt,seed\nsub/../../x.mp4,a,1\n", "leads out"),
        ("file,prompt,seed\nsub/../x.mp4,a,1\n", "leads out"),
        ("file,prompt,seed\n.,a,1\n", "is not the name of a file"),
    ],
)
def test_each_mistake_in_a_csv_manifest_has_its_sentence(tmp_path: Path, text: str, words: str) -> None:
    folder = tmp_path / "clips"
    put(folder, "x.mp4", "y.mp4")
    with pytest.raises(UsageError, match=words) as caught:
        manifest(folder, text).own_items(CLIP)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2, is not JSON"),
        ("[1]", "line 2, is not a JSON object"),
        ('{"file": "x.mp4", "prompt": "a"}', "line 2, has no column 'seed'"),
        ('{"file": "x.mp4", "prompt": "a", "seed": true}', "seed True"),
        ('{"file": "x.mp4", "prompt": "a", "seed": "1"}', "seed '1'"),
        ('{"file": "x.mp4", "prompt": "a", "seed": 1e3}', "seed 1000.0"),
        ('{"file": "x.mp4", "prompt": "a", "seed": 9223372036854775808}', "not a whole number"),
        ('{"file": "x.mp4", "prompt": 3, "seed": 1}', "not text"),
        ('{"file": "x.mp4", "prompt": "a", "seed": 1, "tags": "b"}', "tags"),
        ('{"file": "x.mp4", "prompt": "a", "seed": 1, "expect": {"x": NaN}}', "NaN is not JSON"),
        ('{"file": "x.mp4", "prompt": "\\ud800", "seed": 1}', "surrogate"),
        ('{"file": "x\\u0000.mp4", "prompt": "a", "seed": 1}', "not text"),
        ("[" * 100_000, "line 2, is not JSON"),
    ],
)
def test_each_mistake_in_a_jsonl_manifest_has_its_sentence(tmp_path: Path, line: str, words: str) -> None:
    put(tmp_path, "x.mp4", "y.mp4")
    good = '{"file": "y.mp4", "prompt": "b", "seed": 1}'
    with pytest.raises(UsageError, match=words):
        manifest(tmp_path, f"{good}\n{line}\n", "manifest.jsonl").own_items(CLIP)


def test_wrong_folders_have_their_sentences(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        FolderGenerator(tmp_path / "none").own_items(CLIP)
    with pytest.raises(UsageError, match="no video in"):
        FolderGenerator(tmp_path).own_items(CLIP)
    put(tmp_path, "manifest.csv", "manifest.jsonl", "x.mp4")
    with pytest.raises(UsageError, match="both"):
        FolderGenerator(tmp_path).own_items(CLIP)
    (tmp_path / "manifest.jsonl").unlink()
    (tmp_path / "manifest.csv").write_bytes(b"file,prompt,seed\nx.mp4,\xff,1\n")
    with pytest.raises(UsageError, match=r"not UTF-8 text \(byte 23\)"):
        FolderGenerator(tmp_path).own_items(CLIP)


def test_what_cannot_be_read_is_listed_with_its_reason_and_the_rest_is_served(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    put(folder, "x.mp4")
    (folder / "y.mp4").symlink_to("x.mp4")
    put(tmp_path, "outside.mp4")
    (folder / "z.mp4").symlink_to(tmp_path / "outside.mp4")
    os.mkfifo(folder / "pipe.mp4")
    generator = FolderGenerator(folder)
    items = generator.own_items(CLIP)
    assert [item.source for item in items] == ["x.mp4", "y.mp4"]
    assert generator.check(items) == [
        f"2 entries of {folder} left out: pipe.mp4 is a named pipe (fifo); z.mp4 is a link to a file outside "
        "of the folder; copy the file into it"
    ]


def test_a_manifest_that_names_what_cannot_be_read_fails_that_item_with_the_reason(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    put(folder, "x.mp4")
    put(tmp_path, "outside.mp4")
    (folder / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    os.mkfifo(folder / "pipe.mp4")
    generator = manifest(folder, "file,prompt,seed\nx.mp4,a,1\nlink.mp4,b,1\npipe.mp4,c,1\ngone.mp4,d,1\n")
    items = generator.own_items(CLIP)
    assert generator.generate(items) == [
        VideoFile(folder / "x.mp4"),
        Failure("link.mp4 is a link to a file outside of the folder; copy the file into it"),
        Failure("pipe.mp4 is a named pipe (fifo)"),
        Failure("gone.mp4 is missing"),
    ]
    left_out, missing = generator.check(items)
    assert missing == "3 of 4 clips missing: link.mp4, pipe.mp4, gone.mp4"
    assert left_out.startswith(f"2 entries of {folder} left out: link.mp4 is a link")


def test_a_folder_of_which_nothing_can_be_read_says_why(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(UsageError, match=r"no video in .* \(left out: pipe.mp4 is a named pipe"):
        FolderGenerator(tmp_path).own_items(CLIP)


def test_two_files_for_one_prompt_and_seed_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a/a cat-1.mp4", "b/a cat-01.webm")
    with pytest.raises(UsageError, match=r"a/a cat-1.mp4 and b/a cat-01.webm .* both for 'a cat'"):
        FolderGenerator(tmp_path).check(asked(("a cat", 1)))
    with pytest.raises(UsageError, match="both for"):
        FolderGenerator(tmp_path).own_items(CLIP)


# --- with a suite's prompts --------------------------------------------------------------------------------


def test_a_suite_is_served_by_file_names_and_differences_are_told(tmp_path: Path) -> None:
    put(tmp_path, "a cat-0.mp4", "a cat-1.mp4", "a cow-0.mp4", "intro.mp4")
    generator = FolderGenerator(tmp_path)
    items = asked(("a cat", 0), ("a cat", 1), ("a dog", 0), ("a cat", 2))
    assert generator.check(items) == [
        "2 of 4 clips missing: 'a dog' with seed 0, 'a cat' with seed 2",
        "2 files are not asked for and will not be scored: a cow-0.mp4, intro.mp4",
    ]
    assert generator.generate(items) == [
        VideoFile(tmp_path / "a cat-0.mp4"),
        VideoFile(tmp_path / "a cat-1.mp4"),
        Failure("no file for this prompt and seed"),
        Failure("no file for this prompt and seed"),
    ]


def test_a_long_list_of_differences_is_cut(tmp_path: Path) -> None:
    put(tmp_path, *(f"a cat-{k}.mp4" for k in range(30)))
    (warning,) = FolderGenerator(tmp_path).check(asked(("a cat", 0)))
    assert warning.startswith("29 files are not asked for")
    assert warning.endswith("and 21 more")


def test_a_suite_is_served_by_a_manifest(tmp_path: Path) -> None:
    put(tmp_path, "x.mp4")
    generator = manifest(tmp_path, "file,prompt,seed\nx.mp4,a cat / dog,1\ngone.mp4,a cow,0\n")
    found, gone = generator.generate(asked(("a cat / dog", 1), ("a cow", 0)))
    assert found == VideoFile(tmp_path / "x.mp4")
    assert isinstance(gone, Failure)
    assert generator.check(generator.own_items(CLIP)) == ["1 of 2 clips missing: gone.mp4"]


def test_a_file_that_a_manifest_lists_and_that_is_gone_is_named_for_a_suite_too(tmp_path: Path) -> None:
    put(tmp_path, "x.mp4")
    generator = manifest(tmp_path, "file,prompt,seed\nx.mp4,a cat,1\nsub/gone.mp4,a cow,0\n")
    items = asked(("a cat", 1), ("a cow", 0), ("a dog", 0))
    assert generator.check(items) == ["2 of 3 clips missing: sub/gone.mp4, 'a dog' with seed 0"]
    assert [generator.file_of(item) for item in items] == ["x.mp4", "sub/gone.mp4", None]
    assert generator.generate(items)[1] == Failure("sub/gone.mp4 is missing")


def test_the_world_of_rendered_clips_is_known_and_of_others_is_not(tmp_path: Path) -> None:
    put(tmp_path, "x.mp4")
    assert FolderGenerator(tmp_path).world is None
    (tmp_path / "request.json").write_text('{"world": "reference", "n": 3}')
    assert FolderGenerator(tmp_path).world == "reference"
    for other in ("[]", "{", '{"world": 3}', '{"n": 3}'):
        (tmp_path / "request.json").write_text(other)
        assert FolderGenerator(tmp_path).world is None


def test_a_prompt_is_found_by_the_name_that_a_file_system_allows(tmp_path: Path) -> None:
    put(tmp_path, "a cat_dog, 50_ _off_-0.mp4", "Is it a cafe\u0301-0.mp4")
    items = asked(('a cat/dog, 50: "off"', 0), ("Is it a caf\u00e9?", 0))
    names = [o.path.name for o in FolderGenerator(tmp_path).generate(items) if isinstance(o, VideoFile)]
    assert names == ["a cat_dog, 50_ _off_-0.mp4", "Is it a cafe\u0301-0.mp4"]
    assert comparable("a/b:  c?") == comparable("a_b_ c_") == "a b c"


def test_a_truncated_name_stands_for_the_prompt_it_begins(tmp_path: Path) -> None:
    long = "a very long prompt about a cat that " * 8
    put(tmp_path, f"{long[:150]}-0.mp4", "a cat-0.mp4")
    generator = FolderGenerator(tmp_path)
    assert isinstance(generator.generate(asked((long, 0)))[0], VideoFile)
    assert isinstance(generator.generate(asked((long, 1)))[0], Failure)
    assert isinstance(generator.generate(asked(("a cat runs", 0)))[0], Failure)
    with pytest.raises(UsageError, match="could be for"):
        generator.check(asked((long, 0), (long + "sleeps", 0)))


def test_a_folder_that_serves_nothing_is_refused_before_anything_runs(tmp_path: Path) -> None:
    put(tmp_path, "intro.mp4")
    with pytest.raises(UsageError, match="nothing says which prompts"):
        FolderGenerator(tmp_path).check(asked(("a cat", 0)))
    put(tmp_path, "a cow-0.mp4")
    with pytest.raises(UsageError, match="not one of 1 clip asked for"):
        FolderGenerator(tmp_path).check(asked(("a cat", 0)))


# --- identity ----------------------------------------------------------------------------------------------


def test_the_identity_is_of_names_and_contents_and_not_of_the_path(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        put(folder, "a.mp4", "sub/b.mp4")
    first = FolderGenerator(one).identity()
    assert first == FolderGenerator(two).identity()
    assert first["kind"] == "folder"
    assert str(tmp_path) not in str(first)
    put(two, "notes.txt", ".hidden.mp4")
    assert FolderGenerator(two).identity() == first
    (two / "a.mp4").write_text("other")
    changed = FolderGenerator(two).identity()
    manifest(two, "file,prompt,seed\na.mp4,a,1\n")
    listed = FolderGenerator(two).identity()
    assert len({str(i) for i in (first, changed, listed)}) == 3


def test_a_real_video_comes_back_bit_for_bit(tmp_path: Path) -> None:
    write_clip(tmp_path / "a cat-0.mp4", np.zeros((3, 16, 16, 3), np.uint8), 8.0)
    generator = make_generator(f"folder:{tmp_path}")
    assert generator.spec == f"folder:{tmp_path}"
    (output,) = generator.generate(generator.own_items(CLIP) or ())
    assert isinstance(output, VideoFile)
    assert open_clip(output.path).info.frames == 3
