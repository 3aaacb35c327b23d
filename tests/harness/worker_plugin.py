"""A plug-in for the tests of workers: noise as clips, and a measure; both can end their process on request.

marked:?pause=0.1                 waits so long in each unit
marked:?end=FILE                  ends its process once: the first time that FILE is not there
prompt 'crash ...'                ends its process each time
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from screentest.generators import GENERATORS, Frames, Generator, GeneratorKind, Output, Refusal
from screentest.harness.core.items import Item
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.specs import parse_argument
from screentest.metrics import Sample, measure


class MarkedGenerator(Generator):
    batch_size = 2

    def __init__(self, argument: str) -> None:
        options = parse_argument(argument, "marked").options
        self.spec = f"marked:{argument}"
        self._pause = float(options.get("pause", 0))
        self._end = options.get("end")

    def identity(self) -> Mapping[str, Any]:
        return {"kind": "marked"}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        time.sleep(self._pause)
        end_once(self._end)
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Output:
        prompt = item.prompt or ""
        if prompt.startswith("crash"):
            os.kill(os.getpid(), signal.SIGKILL)
        if prompt.startswith("refuse"):
            return Refusal("not here")
        rng = seeded_rng("marked", item.id)
        size = (item.clip.frames, item.clip.height, item.clip.width, 3)
        return Frames(rng.integers(0, 256, size, dtype=np.uint8), item.clip.fps)


def end_once(mark: str | None) -> None:
    if mark is not None and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)


GENERATORS.add(
    "marked", GeneratorKind(lambda argument, device, dtype: MarkedGenerator(argument), "marked: for tests")
)


@measure("marked.length", version=1, better="neither", bounds=(0.0, None))
def length(sample: Sample) -> float:
    """Count the letters of a prompt; 'end scoring FILE' ends the process once."""
    prompt = sample.item.prompt or ""
    if prompt.startswith("end scoring "):
        end_once(prompt.removeprefix("end scoring "))
    return float(len(prompt))
