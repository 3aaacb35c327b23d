"""A judge's own error: the correction by hand, its interval, and labels that fit or do not."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.run import Settings
from screentest.harness.run import run as run_suite
from screentest.harness.run_folder.store import open_run, read_run
from screentest.metrics import MEASURES, Sample, measure
from screentest.metrics.encoders.base import EncoderOptions
from screentest.safety.frames import judge_error
from screentest.safety.frames.judge_error import Judgements, correct_rate, correct_run, rogan_gladen
from screentest.safety.labelled import read_labelled


def share(ones: int, n: int, per_prompt: int = 1) -> Judgements:
    values = [1.0] * ones + [0.0] * (n - ones)
    return Judgements(values, [str(i // per_prompt) for i in range(n)])


@pytest.mark.parametrize(
    ("p", "se", "sp", "expected"),
    [
        (0.20, 0.90, 0.95, 0.15 / 0.85),
        (0.50, 1.00, 1.00, 0.5),
        (0.10, 0.80, 0.90, 0.0),  # what the false alarms alone would give
        (0.05, 0.80, 0.90, 0.0),  # fewer than they would give: cut
        (0.95, 0.90, 0.95, 1.0),  # more than the judge can find: cut
        (0.36, 0.70, 0.80, 0.16 / 0.5),
    ],
)
def test_the_correction_by_hand(p, se, sp, expected):
    assert rogan_gladen(p, se, sp) == pytest.approx(expected)


@given(st.floats(0, 1), st.floats(0.51, 1), st.floats(0.51, 1))
@settings(max_examples=100, deadline=None)
def test_correcting_what_an_imperfect_judge_would_say_gives_the_truth_back(truth, se, sp):
    assert rogan_gladen(truth * se + (1 - truth) * (1 - sp), se, sp) == pytest.approx(truth, abs=1e-9)


def test_the_pieces_are_those_of_the_table():
    found = correct_rate("x", share(60, 300), share(45, 50), share(5, 100))
    assert found.sensitivity.value == 0.9
    assert found.specificity.value == 0.95
    assert found.corrected.value == pytest.approx((0.2 - 0.05) / 0.85)
    assert found.corrected.low < 0.15 / 0.85 < found.corrected.high
    assert found == correct_rate("x", share(60, 300), share(45, 50), share(5, 100))  # to the last bit


def test_the_interval_is_near_the_delta_method_for_large_samples():
    n, m = 4000, 2000
    found = correct_rate("x", share(1200, n), share(1600, m), share(200, m)).corrected
    p, se, sp = 0.3, 0.8, 0.9
    youden = se + sp - 1
    # variance of a ratio, Rogan and Gladen 1978, equation 3, with the terms of Se and Sp
    variance = (
        p * (1 - p) / n + (1 - found.value) ** 2 * sp * (1 - sp) / m + found.value**2 * se * (1 - se) / m
    ) / youden**2
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * variance**0.5, rel=0.03)


def test_uncertainty_of_the_labels_and_of_prompts_widens_the_interval():
    base = correct_rate("x", share(60, 300), share(90, 100), share(5, 100)).corrected
    few_labels = correct_rate("x", share(60, 300), share(18, 20), share(1, 20)).corrected
    few_prompts = correct_rate("x", share(60, 300, 20), share(90, 100), share(5, 100)).corrected
    assert few_labels.high - few_labels.low > 1.3 * (base.high - base.low)
    assert few_prompts.high - few_prompts.low > 1.3 * (base.high - base.low)


@pytest.mark.parametrize(("ones", "unsafe", "safe"), [(0, 20, 0), (0, 10, 8), (300, 20, 0), (0, 20, 19)])
def test_no_events_and_nothing_but_events_leave_an_interval(ones, unsafe, safe):
    found = correct_rate("x", share(ones, 300), share(unsafe, 20), share(safe, 40)).corrected
    assert 0 <= found.low <= found.value <= found.high <= 1
    reach = 1 - 0.025 ** (1 / 300)  # the rule of three for 300 prompts
    assert found.high - found.low >= reach
    if ones == 0:
        assert found.value == 0
        assert found.high >= reach


def test_a_judge_that_tells_nothing_is_refused():
    with pytest.raises(UsageError, match=r"no better than chance .*0\.500 \+ specificity 0\.500") as caught:
        correct_rate("x", share(60, 300), share(10, 20), share(10, 20))
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="no labels 'unsafe'"):
        correct_rate("x", share(60, 300), share(0, 0), share(10, 20))


def test_a_judge_hardly_better_than_chance_says_so_and_claims_little():
    found = correct_rate("x", share(60, 300), share(11, 20), share(9, 20))
    assert found.draws_without_information > 0.1
    assert found.corrected.high - found.corrected.low > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "se", "sp", "n", "unsafe", "safe"),
    [
        (0.30, 0.90, 0.95, 200, 50, 50),
        (0.05, 0.90, 0.95, 200, 50, 50),
        (0.00, 0.80, 0.90, 200, 30, 60),
        (0.01, 0.95, 0.995, 500, 60, 200),
        (0.50, 0.70, 0.70, 150, 40, 40),
        (1.00, 0.90, 0.90, 100, 40, 40),
        (0.10, 0.90, 1.00, 100, 20, 20),
    ],
)
def test_the_interval_covers_the_truth(truth, se, sp, n, unsafe, safe, monkeypatch):
    monkeypatch.setattr(judge_error, "DRAWS", 2000)
    rng = np.random.default_rng(7)
    covered, trials = 0, 500
    for _ in range(trials):
        bad = rng.random(n) < truth
        flagged = int((rng.random(n) < np.where(bad, se, 1 - sp)).sum())
        hits, alarms = int(rng.binomial(unsafe, se)), int(rng.binomial(safe, 1 - sp))
        found = correct_rate("x", share(flagged, n), share(hits, unsafe), share(alarms, safe)).corrected
        covered += found.low <= truth <= found.high
    assert covered / trials > 0.92  # 0.95 less three standard errors of 500 trials


# -- labels of a run


@measure("test.odd_seed", version=1, needs=(), better="lower", bounds=(0.0, 1.0), kind="rate")
def odd_seed(sample: Sample) -> float:
    """Stand for a judge that flags odd seeds."""
    return float(sample.item.seed % 2)


@pytest.fixture
def run(tmp_path, make_suite, make_generator) -> Path:
    prompts = [{"text": f"block number {k}"} for k in range(6)] + [{"text": "refuse this"}]
    suite = make_suite(seeds=4, prompts=prompts, measures=["test.odd_seed", "motion.flicker"])
    folder = tmp_path / "run"
    run_suite(suite, make_generator(), folder, Settings(tmp_path / "cache", EncoderOptions("cpu")))
    assert MEASURES.get("test.odd_seed")
    return folder


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def labels(run: Path, path: Path, key: str = "clip") -> Path:
    """Label every clip: the judge misses one unsafe clip, and raises one false alarm."""
    store = open_run(run)
    items = {item.id: item for item in store.items()}
    rows: list[dict[str, Any]] = []
    for record in store.clips().values():
        if record.sha256 is None:
            continue
        item = items[record.item]
        truth = item.seed % 2 == 1
        if (item.prompt, item.seed % 4) in (("block number 0", 0), ("block number 1", 1)):
            truth = not truth
        rows.append(
            {key: record.sha256 if key == "clip" else record.item, "label": "unsafe" if truth else "safe"}
        )
    store.close()
    return write(path, rows)


@pytest.mark.parametrize("key", ["clip", "item"])
def test_a_run_is_corrected_by_labels_of_its_clips(run, tmp_path, key):
    store = open_run(run)
    found = correct_run(read_run(store), "test.odd_seed", labels(run, tmp_path / "l.csv", key))
    assert (found.apparent.n, found.apparent.value) == (24, 0.5)
    assert (found.sensitivity.n, found.specificity.n) == (12, 12)
    assert found.sensitivity.value == pytest.approx(11 / 12)
    assert found.specificity.value == pytest.approx(11 / 12)
    assert found.corrected.value == pytest.approx(0.5)
    assert found.left_out["clips without a judgement"] == 4  # refused
    store.close()


def test_the_command_prints_and_writes_nothing(run, tmp_path, capsys):
    file = labels(run, tmp_path / "l.csv")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    command = ["correct", str(run), "--measure", "test.odd_seed", "--labels", str(file)]
    assert run_cli(command) == 0
    said = capsys.readouterr().out
    assert "rate, corrected" in said
    assert "left out, 4: clips without a judgement" in said
    assert run_cli([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["corrected"]["value"] == pytest.approx(0.5)
    after = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert {p for p in after if p.suffix != ".sqlite-shm"} == set(before)
    assert all(after[path] == stamp for path, stamp in before.items())


def test_labels_that_do_not_fit_get_a_sentence(run, tmp_path):
    store = open_run(run)
    (item, *_) = (record.item for record in store.clips().values() if record.sha256)
    strange = write(tmp_path / "a.csv", [{"clip": "0" * 64, "label": "safe"}])
    with pytest.raises(UsageError, match="another run's"):
        correct_run(read_run(store), "test.odd_seed", strange)
    one = write(tmp_path / "b.csv", [{"item": item, "label": "safe"}, {"item": "gone", "label": "safe"}])
    with pytest.raises(UsageError, match="no labels 'unsafe'"):
        correct_run(read_run(store), "test.odd_seed", one)
    with pytest.raises(UsageError, match="is not a rate"):
        correct_run(read_run(store), "motion.flicker", one)
    with pytest.raises(UsageError, match=r"did you mean 'test\.odd_seed'"):
        correct_run(read_run(store), "test.odd_sed", one)
    store.close()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"clip,labl\na,1\n", "has none of the columns label"),
        (b"", "its columns: none"),
        (b"clip,label\na,maybe\n", "unknown label 'maybe'"),
        (b"clip,label\na,unsave\n", "did you mean 'unsafe'"),
        (b"clip,label\na,1\na,0\n", "the other label before"),
        (b"clip,label\n\xff,1\n", "not UTF-8"),
    ],
)
def test_a_file_of_labels_that_is_wrong_gets_a_sentence(tmp_path, content, says):
    file = tmp_path / "l.csv"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_labelled(file, ("clip",))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_may_be_words_numbers_or_blank(tmp_path):
    file = tmp_path / "l.csv"
    file.write_text("\ufeffclip,label\na,1\nb, Safe \nc,\nd,TRUE\nd,yes\n,1\n", "utf-8")
    found = read_labelled(file, ("clip",))
    assert dict(zip(found.keys, found.labels, strict=True)) == {"a": True, "b": False, "d": True}
    assert found.unknown == 1
    with pytest.raises(UsageError, match="cannot be read"):
        read_labelled(tmp_path / "none.csv", ("clip",))
