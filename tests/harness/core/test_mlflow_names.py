from __future__ import annotations

import posixpath
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core.mlflow_names import bounded_text, flat_params, metric_name

PARTS = ("", ".low", ".high", ".n", ".n_reference", ".left_out", ".left_out.not_applicable")
NAMES = st.text(alphabet="ab2f:.-_ /%é", max_size=12)
TAGS = st.none() | NAMES


def taken_by_mlflow(name: str) -> bool:
    """Hold a name to what mlflow.utils.validation holds it to."""
    return re.fullmatch(r"[/\w.\- :]{1,250}", name) is not None and posixpath.normpath(name) == name


@pytest.mark.parametrize(
    ("measure", "tag", "name"),
    [
        ("fidelity.fvd", None, "fidelity/fvd"),
        ("a.b.low", None, "a/b/low"),  # not the lower bound of a.b
        ("motion.flicker", "red team", "tag:red:20:team/motion/flicker"),
        ("motion.flicker", "50%", "tag:50:25:/motion/flicker"),
        ("a..b", None, "a/::/b"),
    ],
)
def test_metric_names(measure: str, tag: str | None, name: str) -> None:
    assert metric_name(measure, tag) == name


@given(NAMES, TAGS, NAMES, TAGS)
def test_two_metrics_never_share_a_name(
    measure: str, tag: str | None, other: str, its_tag: str | None
) -> None:
    names = {metric_name(measure, tag) + part for part in PARTS}
    others = {metric_name(other, its_tag) + part for part in PARTS}
    assert names.isdisjoint(others) or (measure, tag) == (other, its_tag)


@given(st.text(max_size=300), st.none() | st.text(max_size=300))
def test_mlflow_takes_every_name(measure: str, tag: str | None) -> None:
    assert all(taken_by_mlflow(metric_name(measure, tag) + part) for part in PARTS)


def test_long_names_stay_apart() -> None:
    assert metric_name("a." + "b" * 400) != metric_name("a." + "b" * 401)


def test_long_values_are_cut_and_say_so() -> None:
    value = bounded_text("x" * 7000, 6000)
    assert len(value) == 6000
    assert "cut; 7000 characters, sha256" in value
    assert bounded_text("y" * 7000, 6000)[-20:] != value[-20:]
    assert bounded_text("kept", 6000) == "kept"


def test_text_that_no_database_takes_is_written_out() -> None:
    assert bounded_text("a\ud800b\0c", 100) == "a\\ud800b\\x00c"


def test_settings_are_flattened() -> None:
    found = flat_params("g", {"a": {"b": 1.5, "c": [1, 2]}, "d": None, "e f": True, "s": "text"})
    assert found == {"g.a.b": "1.5", "g.a.c": "[1,2]", "g.e:20:f": "true", "g.s": "text"}


def test_very_many_settings_stay_one_param() -> None:
    found = flat_params("g", {"files": {f"clip {n}": "ab" * 32 for n in range(400)}, "name": "folder"})
    assert set(found) == {"g.files", "g.name"}
    assert len(found["g.files"]) == 6000
