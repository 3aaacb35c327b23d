import json
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.metrics.encoders.feature_index import open_index, writing

ROWS = [np.random.default_rng(k).normal(size=(k, 5)).astype(np.float32) for k in (3, 0, 2, 4)]


def build(folder: Path, *, stop: int | None = None, start: int = 0) -> None:
    with writing(folder, "a set") as index:
        for number in range(len(index.clips) if start == 0 else start, len(ROWS)):
            if number == stop:
                raise KeyboardInterrupt
            index.add(f"clip {number}", ROWS[number])
        index.finish()


def test_what_is_written_is_read(tmp_path: Path):
    build(tmp_path)
    rows, names = open_index(tmp_path) or (None, None)
    assert isinstance(rows, np.memmap)
    assert np.array_equal(rows, np.concatenate(ROWS))
    assert names == ["clip 0"] * 3 + ["clip 2"] * 2 + ["clip 3"] * 4


@pytest.mark.parametrize("stop", [0, 1, 2, 3])
def test_an_interrupted_index_is_not_read_and_goes_on(tmp_path: Path, stop: int):
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "one", stop=stop)
    assert open_index(tmp_path / "one") is None
    build(tmp_path / "one")
    build(tmp_path / "two")
    for name in ("rows.bin", "clips.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert open_index(tmp_path / "one") is not None


@pytest.mark.parametrize("cut", [1, 30, 61])
def test_rows_that_did_not_reach_the_disk_are_written_again(tmp_path: Path, cut: int):
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, stop=3)
    path = tmp_path / "rows.bin"
    path.write_bytes(path.read_bytes()[:-cut])
    with (tmp_path / "clips.jsonl").open("a") as file:
        file.write('{"clip": "torn')
    build(tmp_path)
    rows, names = open_index(tmp_path) or (np.empty(0), [])
    assert np.array_equal(rows, np.concatenate(ROWS))
    assert len(names) == 9


def test_a_changed_row_of_a_part_is_written_again(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, stop=3)
    path = tmp_path / "rows.bin"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    build(tmp_path)
    rows, _ = open_index(tmp_path) or (np.empty(0), [])
    assert np.array_equal(rows, np.concatenate(ROWS))


def test_a_finished_index_that_was_changed_or_moved_is_built_anew(tmp_path: Path):
    folder = tmp_path / "set" / "encoder"
    build(folder)
    moved = tmp_path / "set" / "other-encoder"
    folder.rename(moved)
    assert open_index(moved) is None
    moved.rename(folder)
    assert open_index(folder) is not None
    data = bytearray((folder / "rows.bin").read_bytes())
    data[0] ^= 1
    (folder / "rows.bin").write_bytes(data)
    assert open_index(folder) is None
    build(folder)
    rows, _ = open_index(folder) or (np.empty(0), [])
    assert np.array_equal(rows, np.concatenate(ROWS))


def test_one_process_writes_at_a_time(tmp_path: Path):
    with (
        writing(tmp_path, "the set"),
        pytest.raises(UsageError, match=r"the set: the index .* is being written by another process"),
        writing(tmp_path, "the set"),
    ):
        pass


def test_features_of_another_form_are_refused(tmp_path: Path):
    with writing(tmp_path, "the set") as index:
        index.add("a", ROWS[0])
        with pytest.raises(UsageError, match="the features of a clip have the form"):
            index.add("b", ROWS[2][:, :4])


def test_an_index_of_another_version_is_none(tmp_path: Path):
    build(tmp_path)
    told = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**told, "version": 99}))
    assert open_index(tmp_path) is None
