"""Arrays in one file come back as they were, and a file of anything else is refused, not believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from screentest.metrics.encoders.array_file import DAMAGED, MOST_DIMENSIONS, ArrayFile, write_arrays

KINDS = ["<f8", "<f4", "<f2", ">f4", "|u1", "<i8", "|b1", "<c16", "<U3", "|S4"]
ARRAYS = st.sampled_from(KINDS).flatmap(
    lambda kind: arrays_of.arrays(
        kind, arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    )
)


def read(path: Path) -> tuple[Any, dict[str, Any]]:
    with path.open("rb") as file:
        held = ArrayFile(file)
        return held.told, {name: held.read(name) for name in reversed(held.names)}


@given(st.dictionaries(st.text(), ARRAYS, max_size=4), st.booleans())
def test_arrays_come_back_in_any_order(tmp_path_factory, arrays, turned):
    arrays = {name: array.T if turned else array for name, array in arrays.items()}
    path = tmp_path_factory.mktemp("arrays") / "a new folder" / "a.arrays"
    write_arrays(path, {"note": "é\n"}, arrays)
    told, found = read(path)
    assert told == {"note": "é\n"}
    assert set(found) == set(arrays)
    for name, array in found.items():
        assert (array.dtype, array.shape) == (arrays[name].dtype, arrays[name].shape)
        assert array.tobytes() == arrays[name].tobytes()
        assert array.flags.writeable
    assert [file.name for file in path.parent.iterdir()] == ["a.arrays"]


@pytest.mark.parametrize("array", [np.array([{}]), np.zeros(2, "i4,f4"), np.zeros(2, "datetime64[s]")])
def test_what_is_neither_number_nor_text_is_not_stored(tmp_path, array):
    with pytest.raises(ValueError, match=r"the array 'x' of .* is neither of numbers nor of text"):
        write_arrays(tmp_path / "a.arrays", None, {"x": array})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "place",
    [
        ["|O", [1], 0],
        ["<f8", [10**15], 0],
        ["<f8", [-1], 0],
        ["<f8", [1], -8],
        ["<f8", [1], 10**30],
        ["<f8", [1] * 33, 0],
        ["<f8", [10**9] * 200_000, 0],
        ["<f8", [1.0], 0],
        ["<f8", 1, 0],
        ["i4,f4", [1], 0],
        [8, [1], 0],
        [],
        None,
    ],
)
def test_an_index_that_leads_elsewhere_is_damaged(tmp_path, place):
    path = tmp_path / "a.arrays"
    path.write_bytes(json.dumps({"told": None, "arrays": {"x": place}}).encode() + b"\n" + bytes(8))
    with pytest.raises(DAMAGED):
        read(path)


@pytest.mark.parametrize("arrays", [[1], ["x"], [["<f8", [1], 0]], "abc", None, 1])
def test_an_index_that_names_no_arrays_is_damaged(tmp_path, arrays):
    path = tmp_path / "a.arrays"
    path.write_bytes(json.dumps({"told": None, "arrays": arrays}).encode() + b"\n" + bytes(8))
    with pytest.raises(DAMAGED):
        read(path)


@given(st.binary(max_size=60))
def test_other_bytes_are_damaged(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("arrays") / "a.arrays"
    path.write_bytes(data)
    with pytest.raises(DAMAGED):
        read(path)


def test_a_file_cut_anywhere_is_damaged(tmp_path):
    path = tmp_path / "a.arrays"
    write_arrays(path, {"a": 1}, {"x": np.arange(3.0), "y": np.arange(4)})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DAMAGED):
            read(path)


def test_as_many_dimensions_as_are_read_are_written(tmp_path):
    path = tmp_path / "a.arrays"
    most = np.ones((1,) * MOST_DIMENSIONS)
    write_arrays(path, None, {"x": most})
    assert read(path)[1]["x"].shape == most.shape
    with pytest.raises(ValueError, match="the array 'x' has 33 dimensions, more than 32"):
        write_arrays(path, None, {"x": most[None]})
