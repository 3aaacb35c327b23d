"""Features that depend on what was asked for, and features with holes: what is cached and what made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import Item
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run
from screentest.harness.scoring.clips import PROVISIONAL
from screentest.metrics import (
    ENCODERS,
    Encoder,
    EncoderEntry,
    Feature,
    Incomplete,
    MeasureFailed,
    Sample,
    Stream,
    measure,
)

down: set[str] = set()
"""Prompts for which half of the feature cannot be had."""
opened: list[str] = []
"""Prompts for which a feature was made, in order."""


class Asking(Encoder):
    """Gives (2, 1): the length of the item's prompt twice, or NaN in the second row while it is down."""

    name = "test.asking"

    def __init__(self, prompt: str | None = None) -> None:
        self._prompt = prompt

    def identity(self) -> Mapping[str, str | None]:
        return {"prompt": self._prompt}

    def prepare(self, items: Sequence[Item]) -> None:
        if any(item.prompt == "unreadable" for item in items):
            raise UsageError("the prompt 'unreadable' cannot be asked about")

    def for_item(self, item: Item) -> Encoder:
        return Asking(item.prompt)

    def open(self, info: object) -> Stream:
        return _Answer(self._prompt or "")


class _Answer:
    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        opened.append(prompt)

    def push(self, window: object) -> None:
        pass

    def finish(self) -> Feature:
        feature = np.full((2, 1), float(len(self._prompt)))
        if self._prompt in down:
            feature[1] = np.nan
            raise Incomplete(feature)
        return feature


ENCODERS.add("test.asking", EncoderEntry("asks", lambda source, options: Asking()))


@measure("test.told", version=1, needs=("test.asking",), better="neither", bounds=(0.0, None))
def told(sample: Sample) -> float:
    """Mean of what could be had."""
    return float(np.nanmean(sample.features["test.asking"]))


@measure("test.whole", version=1, needs=("test.asking",), better="neither", bounds=(0.0, None))
def whole(sample: Sample) -> float:
    """Mean of all of it."""
    if np.isnan(sample.features["test.asking"]).any():
        raise MeasureFailed("asking_failed: one of two is missing")
    return float(sample.features["test.asking"].mean())


@pytest.fixture(autouse=True)
def _fresh():
    down.clear()
    opened.clear()


def asked(make_suite, *prompts: str):
    texts = [{"text": text} for text in prompts]
    return make_suite(seeds=1, prompts=texts, measures=["test.told", "test.whole"])


def test_what_is_missing_is_counted_and_only_that_is_asked_again(
    make_suite, make_generator, tmp_path, cache: Path
):
    suite, out = asked(make_suite, "one", "three"), tmp_path / "run"
    down.add("three")
    summary = run(suite, make_generator(), out, Settings(cache))
    whole_now, told_now = (summary.get(name) for name in ("test.whole", "test.told"))
    assert (whole_now.n, whole_now.left_out["failed"]) == (1, 1)
    assert whole_now.reasons == {"asking_failed: one of two is missing": 1}
    assert told_now.n == 2
    evidence = {s.item: s.evidence for s in open_run(out).scores() if s.measure == "test.told"}
    assert sorted(e.get(PROVISIONAL, False) for e in evidence.values()) == [False, True]

    opened.clear()
    down.clear()
    summary = run(suite, make_generator(), out, Settings(cache))
    assert opened == ["three"]
    assert (summary.get("test.whole").n, summary.get("test.told").value) == (2, 4.0)
    assert not any(s.evidence.get(PROVISIONAL) for s in open_run(out).scores())

    opened.clear()
    run(suite, make_generator(), tmp_path / "other", Settings(cache))
    assert opened == []  # both are cached now


def test_one_clip_under_two_prompts_has_two_features(make_suite, tmp_path, cache):
    from screentest.generators import make_generator as by_spec
    from screentest.harness.core.media import write_clip

    folder = tmp_path / "videos"
    folder.mkdir()
    write_clip(folder / "a.mp4", np.zeros((3, 16, 16, 3), np.uint8), 8)
    (folder / "b.mp4").write_bytes((folder / "a.mp4").read_bytes())
    (folder / "manifest.csv").write_text("file,prompt,seed\na.mp4,four,0\nb.mp4,longer,0\n")
    suite = make_suite(prompts=[], prompts_from_generator=True, measures=["test.told"])
    out = tmp_path / "run"
    run(suite, by_spec(f"folder:{folder}"), out, Settings(cache))
    assert sorted(s.value for s in open_run(out).scores()) == [4.0, 6.0]


def test_an_item_that_cannot_be_read_is_an_error_before_anything_is_made(
    make_suite, make_generator, tmp_path, cache
):
    generator = make_generator()
    with pytest.raises(UsageError, match="'unreadable' cannot be asked"):
        run(asked(make_suite, "fine", "unreadable"), generator, tmp_path / "run", Settings(cache))
    assert generator.asked == []
    assert not (tmp_path / "run").exists()
