"""Measures of sets: several features, named reference sets and values, slices, and runs of older schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from screentest.harness.catalog import MEASURES
from screentest.harness.comparison.compare import compare
from screentest.harness.core.errors import UsageError
from screentest.harness.core.estimate import RunEstimate
from screentest.harness.core.media import write_clip
from screentest.harness.core.run_data import SetScore
from screentest.harness.gates.gate import gate
from screentest.harness.policies.policy import Policy
from screentest.harness.run import Settings, run, score_run
from screentest.harness.run_folder.store import SCHEMA, RunStore, open_run, read_run
from screentest.metrics import NotApplicable, RunSample, set_measure
from screentest.metrics.base import Value

FEATURES = ("pixels", "flow")
PROMPTS = [
    {"text": f"a thing, number {k}", "labels": {"category": "ab"[k % 2], "id": f"n{k}"}, "tags": ["all"]}
    for k in range(4)
]


@pytest.fixture
def spread() -> Iterator[list[RunSample]]:
    """Register a measure of two named values that reads two features and two reference sets."""
    seen: list[RunSample] = []

    @set_measure(
        "test.spread", version=1, needs=FEATURES, better="higher", bounds=(0.0, None),
        values={"clips": Value("higher", (0.0, None)), "known": Value("lower", (0.0, 1.0), "share")},
        references=("train", "default"),
    )  # fmt: skip
    def measured(sample: RunSample) -> dict[str, RunEstimate]:
        """Count clips, and give the share of prompts of the category a."""
        seen.append(sample)
        if len(sample.items) < 3:
            raise NotApplicable("it takes three clips")
        known = [item.label("category") == "a" for item in sample.items]
        counts = {"n": len(known), "clusters": len(set(sample.clusters))}
        without = {c: float(c == sample.clusters[0]) for c in sample.clusters}
        return {
            "clips": RunEstimate(value=len(known), leave_one_out=without, **counts),
            "known": RunEstimate(value=sum(known) / len(known), low=0.0, high=1.0, method="all", **counts),
        }

    yield seen
    del MEASURES._entries["test.spread"]


@pytest.fixture
def suite_of(make_suite, tmp_path):
    for name, n in (("real", 2), ("train", 3)):
        (tmp_path / name).mkdir()
        for k in range(n):
            frames = np.full((6, 32, 32, 3), 40 * k, np.uint8)
            write_clip(tmp_path / name / f"{k}.mp4", frames, 8)

    def make(**more):
        fields = {
            "measures": ["test.spread"],
            "prompts": PROMPTS,
            "reference_set": {"folder": str(tmp_path / "real")},
            "reference_sets": {"train": {"folder": str(tmp_path / "train")}},
            "slices": ["category"],
        }
        return make_suite(**{**fields, **more})

    return make


def test_named_values_of_the_run_and_its_slices(spread, suite_of, generator, cache, tmp_path):
    summary = run(suite_of(), generator, tmp_path / "run", Settings(cache))
    whole = spread[0]
    assert set(whole.features) == set(FEATURES)
    assert all(len(rows) == len(whole.items) for rows in whole.features.values())
    assert {name: one.size for name, one in whole.references.items()} == {"train": 3, "default": 2}
    assert len(set(whole.references["train"].clips["pixels"])) == 3
    blocks = list(whole.references["train"].blocks("pixels", rows=2))
    assert np.array_equal(np.concatenate(blocks), whole.references["train"].features["pixels"])
    assert max(map(len, blocks)) <= 2
    n = len(whole.items)
    found = {(a.measure, a.tag): a for a in summary.aggregates}
    assert set(found) == {
        (f"test.spread.{name}", tag)
        for name in ("clips", "known")
        for tag in (None, "category:a", "category:b")
    }
    assert [found["test.spread.clips", tag].value for tag in (None, "category:a")] == [n, n // 2]
    assert [found["test.spread.known", tag].value for tag in (None, "category:a", "category:b")] == [
        0.5,
        1,
        0,
    ]
    known = found["test.spread.known", None]
    assert (known.better, known.bounds, known.unit, known.n, known.clusters) == (
        "lower",
        (0, 1),
        "share",
        n,
        4,
    )


def test_a_slice_that_is_too_small_says_so(spread, suite_of, generator, cache, tmp_path):
    suite = suite_of(prompts=[{**PROMPTS[0], "seeds": 1}, *({**p, "seeds": 2} for p in PROMPTS[1::2])])
    found = run(suite, generator, tmp_path / "run", Settings(cache)).get("test.spread.known", "category:a")
    assert (found.value, found.n, found.left_out["not_applicable"]) == (None, 0, 1)
    assert found.reasons == {"it takes three clips": 1}


def test_rules_and_comparisons_read_named_values_of_slices(spread, suite_of, generator, cache, tmp_path):
    for name in "ab":
        run(suite_of(), generator, tmp_path / name, Settings(cache))
    a, b = (open_run(tmp_path / name) for name in "ab")
    comparison = compare(a, b)
    row = comparison.get("test.spread.clips", "category:a")
    assert (row.difference, row.direction) == (0.0, "no difference shown")
    rule = {"measure": "test.spread.known", "max": 1.0, "where": {"label": {"category": "a"}}}
    asked = [{**rule, "max": 0.5}, {**rule, "where": {"tag": "all"}, "max": 0.5, "name": "all"}]
    rules = gate(b, Policy.model_validate({"name": "p", "version": 1, "rules": asked}))
    sliced, whole = rules.rules
    assert (sliced.value, sliced.tag) == (1.0, "category:a")
    assert "the run has no value for all; name the slice under 'slices'" in whole.sentence


def test_scoring_again_takes_nothing_anew_and_other_slices_do(spread, suite_of, generator, cache, tmp_path):
    run(suite_of(), generator, tmp_path / "run", Settings(cache))
    taken = len(spread)
    score_run(tmp_path / "run", suite_of(), Settings(cache))
    assert len(spread) == taken == 3
    score_run(tmp_path / "run", suite_of(slices=["all"]), Settings(cache))
    assert {tag for _, tag in read_run(open_run(tmp_path / "run")).sets} == {None, "all"}


def test_undeclared_values_and_broken_measures_are_failures(suite_of, generator, cache, tmp_path):
    for name, result, why in (
        ("test.other", {"x": RunEstimate(value=1.0, n=1)}, "it gave the values x, not those"),
        ("test.nan", RunEstimate(value=float("nan"), n=1), "the value was nan"),
        ("test.far", RunEstimate(value=7.0, n=1), "the value 7 is outside"),
    ):
        set_measure(
            name, version=1, needs="pixels", better="higher", bounds=(0.0, 1.0), references=()
        )(lambda sample, result=result: result)  # fmt: skip
        try:
            suite = suite_of(measures=[name], reference_set=None, reference_sets={}, slices=[])
            found = run(suite, generator, tmp_path / name, Settings(cache)).get(name)
        finally:
            del MEASURES._entries[name]
        assert found.value is None
        assert found.left_out["failed"] == 8
        (reason,) = found.reasons
        assert why in reason


def test_what_a_suite_lacks_is_said_before_generating(spread, suite_of, generator, cache, tmp_path):
    for changes, said in (
        (
            {"reference_sets": {}},
            "the reference set 'train' and .* add 'reference_sets: train",
        ),
        ({"reference_set": None}, "compares with a reference set and"),
        ({"slices": ["categry"]}, "no prompt has the tag or label 'categry'"),
    ):
        with pytest.raises(UsageError, match=said):
            run(suite_of(**changes), generator, tmp_path / "run", Settings(cache))
    assert not generator.asked


def without_digests(store: RunStore) -> dict[tuple[str, str | None], SetScore]:
    """Read the values of sets, and leave aside whether their digests are right: an older run has none."""
    return {which: one.model_copy(update={"intact": True}) for which, one in store.set_scores().items()}


def test_a_run_of_schema_3_is_read_and_brought_to_this_one_when_scored(make_run):
    store = make_run("r")
    make_run.put_set(
        store,
        SetScore(
            measure="toy.distance",
            status="ok",
            value=12.5,
            low=10.0,
            high=15.0,
            method="m",
            n=44,
            clusters=11,
        ),
    )
    expected = store.set_scores()
    ((fields, key),) = store._db.execute("SELECT fields, key FROM set_values").fetchall()
    once = {k: v for k, v in json.loads(fields).items() if k not in ("name", "slice")}
    store._db.execute("DROP TABLE set_values")
    store._db.execute(
        "CREATE TABLE set_scores (measure TEXT PRIMARY KEY, fields TEXT NOT NULL, key TEXT NOT NULL)"
    )
    store._db.execute("INSERT INTO set_scores VALUES (?, ?, ?)", ("toy.distance", json.dumps(once), key))
    store.close()
    path = store.folder / "run.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 3'))
    older = open_run(store.folder)
    assert without_digests(older) == expected
    other = SetScore(measure="toy.other", status="ok", value=1.0, slice="even", n=0)
    older.put_set_scores("toy.other", [other])
    older.close()
    newer = open_run(store.folder)
    assert newer.record["schema"] == SCHEMA
    assert without_digests(newer) == {
        **expected,
        ("toy.other", "even"): SetScore(measure="toy.other", status="ok", value=1.0, slice="even", n=0),
    }


@pytest.mark.parametrize(
    ("frames", "fps", "measure", "why"),
    [
        (16, 24.0, "fidelity.fvd", "has 3 of 3 clips at another frame rate (24 a second) than the generated"),
        (
            20,
            8.0,
            "test.lengths",
            "has 3 of 3 clips of another length (20 frames) than the generated",
        ),
        (20, 8.0, "fidelity.fvd", ""),  # the encoder reads the first 16 frames of both
        (16, 24.0, "fidelity.frame_frechet", ""),  # frames have no rate
    ],
)
def test_a_reference_set_of_another_rate_or_length_gives_no_number(
    tmp_path, make_suite, generator, cache, frames, fps, measure, why
):
    @set_measure("test.lengths", version=1, needs="pixels", better="lower", bounds=(0.0, None))
    def lengths(sample: RunSample) -> RunEstimate:
        """Count the clips of the reference set."""
        return RunEstimate(value=float(sample.references["default"].size), n=sample.clips)

    real = tmp_path / "real"
    real.mkdir()
    for k in range(3):
        noise = np.random.default_rng(k).integers(0, 256, (frames, 64, 64, 3), dtype=np.uint8)
        write_clip(real / f"{k}.mp4", noise, fps)
    suite = make_suite(
        clip={"frames": 16, "height": 64, "width": 64, "fps": 8},
        measures=[measure],
        encoders={"video": "reference", "image": "reference"},
        reference_set={"folder": str(real)},
    )
    try:
        found = run(suite, generator, tmp_path / "run", Settings(cache)).get(measure)
    finally:
        del MEASURES._entries["test.lengths"]
    assert (found.value is None) == bool(why)
    if why:
        (reason,) = found.reasons
        assert why in reason
