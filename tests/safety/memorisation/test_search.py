import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.metrics import Reference
from screentest.safety.memorisation import search
from screentest.safety.memorisation.search import centre_of, nearest_clips


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    rows = rng.normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def index_of(parts: list[np.ndarray]) -> Reference:
    names = [f"clip {k}" for k, part in enumerate(parts) for _ in part]
    return Reference("train", {"image": np.concatenate(parts)}, {"image": names}, len(parts))


def plain(query: np.ndarray, parts: list[np.ndarray]) -> tuple[float, int]:
    """The definition, clip by clip and version by version."""
    values = [max((v @ part.T).max(axis=1).mean() for v in query) for part in parts]
    return max(values), int(np.argmax(values))


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    block=st.sampled_from([1, 2, 3, 7, 100]),
    at_once=st.sampled_from([1, 5, 1000]),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=7),
)
def test_blocks_give_what_the_definition_gives(seed: int, block: int, at_once: int, lengths: list[int]):
    rng = np.random.default_rng(seed)
    parts = [unit(rng, n, 4) for n in lengths]
    queries = [unit(rng, int(rng.integers(1, 4)), int(rng.integers(1, 5)), 4) for _ in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BLOCK_ROWS", block)
        patch.setattr(search, "QUERY_ROWS", at_once)
        found = nearest_clips(queries, index_of(parts), "image")
    for query, match in zip(queries, found, strict=True):
        similarity, clip = plain(query, parts)
        assert match.similarity == pytest.approx(similarity, abs=1e-5)
        assert match.clip == f"clip {clip}"


@pytest.mark.parametrize("block", [1, 3, 100])
def test_a_common_part_is_taken_off_both_sides(block: int, monkeypatch: pytest.MonkeyPatch):
    """Rows that are nearly all the same: what is left tells the clips apart."""
    monkeypatch.setattr(search, "BLOCK_ROWS", block)
    rng = np.random.default_rng(2)
    common = 30 * unit(rng, 16)
    parts = [common + unit(rng, 4, 16) for _ in range(6)]
    parts = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    index = index_of(parts)
    centre = centre_of(index.features["image"])
    np.testing.assert_allclose(centre, np.concatenate(parts).mean(axis=0), atol=1e-6)
    query = (parts[3] + 0.004 * unit(rng, 4, 16))[None]
    (match,) = nearest_clips([query], index, "image", centre)
    assert match.clip == "clip 3"

    def about(rows: np.ndarray) -> np.ndarray:
        return (rows - centre) / np.linalg.norm(rows - centre, axis=-1, keepdims=True)

    similarity, _ = plain(about(query), [about(part) for part in parts])
    assert match.similarity == pytest.approx(similarity, abs=1e-4)
    assert match.similarity < 1


def test_the_evidence_names_the_rows_that_are_most_alike():
    rng = np.random.default_rng(1)
    parts = [unit(rng, 6, 16) for _ in range(3)]
    query = unit(rng, 2, 4, 16)
    query[1, 2] = parts[2][5]
    query[1, 3] = parts[2][4] + 0.1 * unit(rng, 16)
    query[1] /= np.linalg.norm(query[1], axis=1, keepdims=True)
    (match,) = nearest_clips([query], index_of(parts), "image")
    assert (match.clip, match.version, match.row, match.at) == ("clip 2", 1, 2, 5)


def test_a_search_without_rows_is_an_error():
    parts = [unit(np.random.default_rng(0), 3, 4)]
    with pytest.raises(ValueError, match="rows of one width"):
        nearest_clips([np.empty((1, 0, 4))], index_of(parts), "image")
    with pytest.raises(ValueError, match="rows of one width"):
        nearest_clips([np.ones((1, 1, 5))], index_of(parts), "image")
