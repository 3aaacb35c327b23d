"""Runs from Python: what they give is what the command line writes."""

from __future__ import annotations

import json

import altair as alt
import pandas as pd
import pytest
import screentest as st
from screentest.harness.commands.main import run_cli
from screentest.harness.results.export import export_scores


@pytest.fixture
def done(tmp_path, suite, generator) -> st.Run:
    return st.run(suite, generator, tmp_path / "run", cache=tmp_path / "cache")


def test_a_run_gives_its_numbers(done, tmp_path):
    flicker = done["motion.flicker"]
    assert (flicker.n, flicker.clusters) == (8, 4)
    summary = done.summary()
    assert summary.index.name == "measure"
    assert summary.loc["motion.flicker", "value"] == flicker.value
    assert summary.loc["motion.flicker", "prompts"] == 4
    export_scores(done.path, tmp_path / "scores.parquet")
    kept = pd.read_parquet(tmp_path / "scores.parquet")
    # A column without a text has None in the one and NaN in the other: both are missing.
    first, second = (table.astype(object).where(table.notna(), None) for table in (done.frame(), kept))
    pd.testing.assert_frame_equal(first, second)
    measures = done.frame("measures")
    assert set(measures["slice"].dropna()) == {"even", "odd"}
    assert "motion.flicker" in done._repr_html_()
    assert repr(done) == f"Run({str(done.path)!r})"


def test_a_run_is_opened_by_its_path(done):
    opened = st.open_run(str(done.path))
    assert opened["motion.flicker"] == done["motion.flicker"]
    assert opened.name == "run"
    with pytest.raises(st.UsageError, match="there is no run at"):
        st.open_run(done.path / "nothing")
    with pytest.raises(st.UsageError, match=r"did you mean 'motion\.flicker'"):
        opened["motion.flickr"]
    with pytest.raises(st.UsageError, match="of 'clips' or of 'measures'"):
        opened.frame("items")


def test_a_run_resumes_and_refuses_another_plan(done, suite, generator, make_suite, tmp_path):
    asked = list(generator.asked)
    st.run(suite, generator, done.path, cache=tmp_path / "cache")
    assert generator.asked == asked
    with pytest.raises(st.UsageError, match="holds a run of another plan"):
        st.run(make_suite(seeds=1), generator, done.path, cache=tmp_path / "cache")


def test_plot_draws_every_measure_with_a_value_or_those_that_are_named(done):
    chart = done.plot()
    drawn = json.dumps(chart.to_dict())
    assert isinstance(chart, alt.VConcatChart)
    assert all(name in drawn for name in ("motion.flicker", "refusal.rate", "failure.rate"))
    assert "refusal.rate" not in json.dumps(done.plot("motion.flicker").to_dict())
    with pytest.raises(st.UsageError, match="unknown measure of this run"):
        done.plot("motion.jerk")


def test_report_writes_the_page(done, tmp_path):
    page = done.report(tmp_path / "page.html")
    assert "motion.flicker" in page.read_text()
    assert done.report() == done.path / "report.html"


def test_sync_sends_the_run_to_mlflow(done):
    first = done.sync()
    assert first == done.sync()
    assert (done.path.parent / "mlflow.db").is_file()


def test_a_run_of_a_spec_is_that_of_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--suite", "reference", "--generator", "reference:early?steps=2", "--limit", "1", "--seeds", "1"]
    words += ["--measures", "motion.flicker", "--out", "cli", "--tracking-uri", "none"]
    assert run_cli(["run", *words]) == 0
    done = st.run(
        "reference", "reference:early?steps=2", limit=1, seeds=1, measures=["motion.flicker"], device="cpu"
    )
    assert done.path.as_posix() == "runs/reference.limit-1.seeds-1-reference-early-steps-2"
    assert done["motion.flicker"] == st.open_run("cli")["motion.flicker"]


def test_mistakes_are_one_sentence(tmp_path, suite):
    with pytest.raises(st.UsageError, match="the generator is a int"):
        st.run(suite, 3, tmp_path / "run")
    with pytest.raises(
        st.UsageError, match=r"the generator is a function; .* a function under @st\.generator"
    ):
        st.run(suite, lambda prompt, seed, clip: None, tmp_path / "run")
    with pytest.raises(st.UsageError, match="a NoneType is no run"):
        st.open_run(None)
    with pytest.raises(st.UsageError, match="unknown generator 'referenc'"):
        st.run(suite, "referenc:base", tmp_path / "run")
    with pytest.raises(st.UsageError, match="unknown option 'tags'; did you mean 'tag'"):
        st.run(suite, "reference:base", tmp_path / "run", tags="x")
    assert not (tmp_path / "run").exists()
