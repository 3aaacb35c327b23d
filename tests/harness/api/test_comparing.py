"""Comparisons and verdicts from Python are those of the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import screentest as st
from screentest.harness.commands.main import run_cli

POLICY = {
    "name": "mine",
    "version": 1,
    "cards": "noted",
    "rules": [{"measure": "motion.flicker", "min": 0.2}],
}


@pytest.fixture
def two(tmp_path) -> tuple[st.Run, st.Run]:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 255, (4, 6, 3, 32, 32), dtype=np.uint8)
    smooth = np.repeat(frames[:, :1], 6, axis=1)
    prompts = ["one", "two", "three", "four"]
    kept = {"measures": ["motion.flicker", "failure.rate"], "cache": tmp_path / "cache"}
    return (
        st.score(frames, prompts, out=tmp_path / "noise", **kept),
        st.score(smooth, prompts, out=tmp_path / "still", **kept),
    )


def test_a_comparison_is_that_of_the_command_line(two, capsys, tmp_path):
    found = st.compare(*two)
    capsys.readouterr()
    assert run_cli(["compare", str(two[0].path), str(two[1].path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(found.document.model_dump_json())
    flicker = found["motion.flicker"]
    assert flicker.difference is not None
    frame = found.frame().set_index("measure")
    assert frame.loc["motion.flicker", "difference"] == flicker.difference
    assert frame.loc["motion.flicker", "direction"] == flicker.direction
    assert "motion.flicker" in json.dumps(found.plot().to_dict())
    assert "motion.flicker" in found._repr_html_()
    assert repr(found) == "Comparison('still' with 'noise', 4 items)"
    assert "still" in found.report(tmp_path / "both.html").read_text()
    assert st.compare(two[0], two[1].path).document == found.document
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert found.sync(store) == found.sync(store)


def test_a_verdict_is_kept_in_the_run(two):
    verdict = st.gate(two[0], st.Policy(**POLICY))
    assert verdict.verdict in ("PASS", "INCONCLUSIVE")
    kept = json.loads((two[0].path / "verdict.json").read_text())
    assert kept["verdict"] == verdict.verdict
    versus = {"measure": "failure.rate", "versus": "baseline", "margin": 0.5}
    against = st.gate(str(two[1].path), st.Policy(name="x", version=1, rules=[versus]), baseline=two[0])
    assert against.baseline == "noise"


def test_a_verdict_from_python_has_a_record_in_its_chain(two, tmp_path):
    from screentest.harness.gates.signatures import make_keys

    make_keys(tmp_path / "key.pem")
    for number in (1, 2):
        verdict = st.gate(two[0], st.Policy(**POLICY), model="mine", sign=tmp_path / "key.pem")
        record = json.loads((two[0].path / "record.json").read_text())
        assert (record["number"], record["model"], record["verdict"]) == (number, "mine", verdict.verdict)
        assert record["signature"]


def test_mistakes_are_one_sentence(two):
    with pytest.raises(st.UsageError, match="a int is no run"):
        st.compare(two[0], 3)
    with pytest.raises(st.UsageError, match=r"unknown measure of these runs 'motion\.flickr'"):
        st.compare(*two)["motion.flickr"]
    with pytest.raises(st.UsageError, match="unknown policy 'realease'"):
        st.gate(two[0], "realease")
