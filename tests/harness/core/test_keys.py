"""Identity: equal things have equal keys, and things that differ do not."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.keys import (
    Digester,
    canonical_json,
    digest,
    file_sha256,
    folder_digest,
    rows_sha256,
    seeded_rng,
)

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def shuffled(value: Any, reverse: bool = True) -> Any:
    """Give an equal value whose mappings were filled in another order."""
    if isinstance(value, dict):
        return {k: shuffled(v) for k, v in sorted(value.items(), reverse=reverse)}
    return [shuffled(v) for v in value] if isinstance(value, list) else value


def same(a: Any, b: Any) -> bool:
    """Say whether two values are the same in JSON: as ==, but True is not 1, nor 1.0 the same as 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return type(a) is type(b) and a == b


@given(VALUES)
def test_the_order_of_keys_does_not_matter(value):
    assert canonical_json(shuffled(value)) == canonical_json(value)


@given(VALUES)
def test_nothing_is_lost(value):
    assert same(json.loads(canonical_json(value)), value)


@given(VALUES, VALUES)
def test_distinct_values_have_distinct_text_and_digests(a, b):
    assert (canonical_json(a) == canonical_json(b)) == same(a, b)
    assert (digest("thing", {"value": a}) == digest("thing", {"value": b})) == same(a, b)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", [lambda x: x, lambda x: [1, [x]], lambda x: {"a": {"b": (x,)}}])
def test_what_is_not_a_number_has_no_identity(bad, where):
    with pytest.raises(ValueError, match="cannot be part of an identity"):
        canonical_json(where(bad))


@pytest.mark.parametrize("bad", [{1: "a"}, {"a": {None: 1}}, {"a": {True: 1}}])
def test_a_key_that_is_not_text_has_no_identity(bad):
    with pytest.raises(ValueError, match="keys of an identity are text"):
        canonical_json(bad)


def test_a_digest_is_the_sha256_of_the_canonical_text():
    text = '{"fields":{"prompt":"é","seed":1},"key_version":1,"kind":"item"}'
    assert digest("item", {"seed": 1, "prompt": "é"}) == hashlib.sha256(text.encode()).hexdigest()


def test_a_digest_depends_on_its_kind():
    assert digest("item", {"a": 1}) != digest("prompt", {"a": 1})


def test_a_lone_surrogate_can_be_hashed():
    assert digest("prompt", {"text": "\ud800"}) != digest("prompt", {"text": "?"})


def test_a_digest_is_the_same_in_another_process():
    code = "from screentest.harness.core.keys import digest; print(digest('x', {'b': [1, 2.5], 'a': None}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest("x", {"a": None, "b": [1, 2.5]})


def test_a_folder_is_known_by_names_and_content(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    both = folder_digest(tmp_path, ["a", "b"])
    assert both == folder_digest(tmp_path, ["b", "a"])
    assert both != folder_digest(tmp_path, ["a"])
    (tmp_path / "a").rename(tmp_path / "c")
    assert both != folder_digest(tmp_path, ["c", "b"])
    assert file_sha256(tmp_path / "b") == hashlib.sha256(b"two").hexdigest()


def test_random_numbers_depend_on_the_parts_and_on_nothing_else():
    first = seeded_rng("suite", 1).random(8)
    np.random.default_rng().random(3)
    assert np.array_equal(first, seeded_rng("suite", 1).random(8))


@given(st.lists(LEAVES, max_size=3), st.lists(LEAVES, max_size=3))
def test_other_parts_give_other_random_numbers(a, b):
    equal = np.array_equal(seeded_rng(*a).integers(0, 2**63, 4), seeded_rng(*b).integers(0, 2**63, 4))
    assert equal == same(a, b)


def test_neighbouring_seeds_are_independent():
    """Correlations of 64 streams: under independence, standard deviation 1 / sqrt(1000)."""
    streams = np.stack([seeded_rng("item", k).standard_normal(1000) for k in range(64)])
    off_diagonal = np.corrcoef(streams)[np.triu_indices(64, 1)]
    assert np.abs(off_diagonal).max() < 5.5 / np.sqrt(1000)
    assert off_diagonal.std() == pytest.approx(1 / np.sqrt(1000), rel=0.1)


@given(
    st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.none() | st.text() | st.integers())
)
def test_a_digester_gives_the_digests_of_the_whole(shared, varying):
    shared = {name: value for name, value in shared.items() if name not in varying}
    digester = Digester("thing", shared, tuple(varying))
    assert digester(varying) == digest("thing", {**shared, **varying})
    assert digester(dict.fromkeys(varying, "")) == digest("thing", {**shared, **dict.fromkeys(varying, "")})


@given(st.lists(st.lists(LEAVES | st.floats() | st.binary(max_size=4), max_size=5), max_size=4))
def test_a_row_is_hashed_as_its_json(rows: list[list[Any]]) -> None:
    text = "".join(f"{json.dumps(row, default=repr)}\n" for row in rows)
    assert rows_sha256(rows) == hashlib.sha256(text.encode()).hexdigest()
