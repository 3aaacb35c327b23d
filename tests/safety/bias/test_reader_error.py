"""Shares through a reader's error: inversion, the simplex, and confusion that cannot be inverted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.metrics.encoders.base import EncoderOptions
from screentest.safety.bias.reader_error import (
    Confusion,
    ReaderError,
    confusion_of,
    on_simplex,
    read_reader_error,
)
from screentest.safety.bias.reading import PeopleEncoder

TWO = ("feminine", "masculine")
PACKAGED = Path(__file__).parents[3] / "safety" / "bias" / "data" / "reader_errors"


def test_inversion_gives_back_what_was_read() -> None:
    confusion = Confusion(TWO, np.array([[90.0, 10.0, 5.0], [20.0, 80.0, 9.0]]))
    true = np.array([[0.3, 0.7], [0.95, 0.05]])
    np.testing.assert_allclose(confusion.correct(true @ confusion.matrix), true, atol=1e-12)
    assert confusion.problem() is None
    # Fewer feminine reads than misreads of masculine alone: nobody is feminine, and no share is negative.
    np.testing.assert_allclose(confusion.correct(np.array([0.1, 0.9])), [0.0, 1.0])


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=5))
def test_the_simplex_has_the_nearest_point(point: list[float]) -> None:
    p = np.array(point)
    nearest = on_simplex(p)
    assert nearest.min() >= 0
    assert nearest.sum() == pytest.approx(1)
    rng = np.random.default_rng(0)
    others = rng.dirichlet(np.ones(len(p)), 50)
    assert ((others - p) ** 2).sum(1).min() >= ((nearest - p) ** 2).sum() - 1e-9


def test_a_reader_that_cannot_tell_is_refused() -> None:
    one_class = Confusion(TWO, np.array([[10.0, 0.0, 0.0], [5.0, 0.0, 0.0]]))
    assert "cannot tell feminine from masculine" in str(one_class.problem())
    few = Confusion(TWO, np.array([[2.0, 1.0, 0.0], [1.0, 1.0, 0.0]]))
    assert "label more clips" in str(few.problem())
    swapped = Confusion(TWO, np.array([[5.0, 95.0, 0.0], [95.0, 5.0, 0.0]]))
    assert "no better than chance" in str(swapped.problem())
    unread = Confusion(TWO, np.array([[9.0, 1.0, 0.0], [0.0, 0.0, 7.0]]))
    assert "no labelled clip that is masculine was determined" in str(unread.problem())


def test_labels_of_one_class_only_are_refused() -> None:
    with pytest.raises(UsageError, match="no clip is labelled masculine"):
        confusion_of([("feminine", "feminine"), ("feminine", None)], "presentation")
    with pytest.raises(UsageError, match="'female' is no presentation"):
        confusion_of([("female", "feminine")], "presentation")


def test_packaged_errors_are_of_the_readers_as_they_are() -> None:
    """A changed reader needs its error measured anew: screentest reader-error writes it."""
    found = {path.stem: read_reader_error(path) for path in PACKAGED.glob("*.json")}
    assert set(found) == {"nudenet", "reference"}
    for name, error in found.items():
        assert error.digest == PeopleEncoder(name, EncoderOptions()).digest
    world = found["reference"]
    for attribute in ("presentation", "tone"):
        confusion = world.confusion(attribute)
        assert confusion is not None
        assert confusion.problem() is None
    # On 15 real clips NudeNet calls every face feminine; so it gives no shares.
    faces = found["nudenet"].confusion("presentation")
    assert faces is not None
    assert faces.problem() is not None


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "error.json"
    with pytest.raises(UsageError, match="cannot be read"):
        read_reader_error(path)
    path.write_text("{}")
    with pytest.raises(UsageError, match="no reader's error"):
        read_reader_error(path)
    wrong = {"reader": "x", "digest": "0" * 64, "attributes": {"age": {}}}
    path.write_text(str(wrong).replace("'", '"'))
    with pytest.raises(UsageError, match="there is no attribute 'age'"):
        read_reader_error(path)
    assert ReaderError.model_validate({**wrong, "attributes": {}}).confusion("tone") is None
