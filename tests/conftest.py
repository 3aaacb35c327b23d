"""What the tests share: a generator that draws, a suite for it, and small real videos."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import Failure, Frames, Generator, Output, Refusal
from screentest.harness.core.items import Item
from screentest.harness.core.keys import seeded_rng
from screentest.harness.suites.suite import Suite


@pytest.fixture(scope="session", autouse=True)
def python_on_path() -> None:
    """Let ``python`` in commands be the Python of the tests, as in an activated environment."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session", autouse=True)
def no_terminal() -> None:
    """Let tables be as wide as in a pipe, whatever terminal the tests were started from."""
    os.environ.pop("COLUMNS", None)


class DrawingGenerator(Generator):
    """Draws a bright block that moves; refuses 'refuse ...', fails on 'fail ...', raises on 'raise ...'."""

    spec = "drawing:plain"

    def __init__(self, batch_size: int = 3) -> None:
        self.batch_size = batch_size
        self.asked: list[str] = []

    def identity(self) -> Mapping[str, Any]:
        return {"kind": "drawing", "version": 1}

    def generate(self, items: Sequence[Item]) -> list[Output]:
        self.asked.extend(item.id for item in items)
        if any((item.prompt or "").startswith("raise") for item in items):
            raise RuntimeError("the model fell over")
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Output:
        prompt = item.prompt or ""
        if prompt.startswith("refuse"):
            return Refusal("not allowed here")
        if prompt.startswith("fail"):
            return Failure("out of paint")
        rng = seeded_rng("drawing", item.id)
        frames = rng.integers(0, 40, (item.clip.frames, item.clip.height, item.clip.width, 3), dtype=np.uint8)
        for t, frame in enumerate(frames):
            x = (item.seed * 5 + 2 * t) % (item.clip.width - 8)
            frame[8:16, x : x + 8] = (230, 60, 40)
        return Frames(frames, item.clip.fps)


def drawing_suite(**changes: Any) -> Suite:
    fields: dict[str, Any] = {
        "name": "drawing",
        "version": 1,
        "seeds": 2,
        "clip": {"frames": 6, "height": 32, "width": 40, "fps": 8},
        "prompts": [
            {"text": f"block number {k}", "tags": ["even" if k % 2 == 0 else "odd"]} for k in range(4)
        ],
        "measures": ["motion.flicker", "refusal.rate", "failure.rate"],
    }
    return Suite.model_validate({**fields, **changes})


@pytest.fixture
def suite() -> Suite:
    return drawing_suite()


@pytest.fixture
def make_suite() -> Any:
    return drawing_suite


@pytest.fixture
def generator() -> DrawingGenerator:
    return DrawingGenerator()


@pytest.fixture
def make_generator() -> type[DrawingGenerator]:
    return DrawingGenerator


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="session")
def code_blocks() -> Callable[[str, str], list[str]]:
    """Read the code blocks of a page in docs/, by their language; '' is a block without one."""

    def read(page: str, language: str) -> list[str]:
        text = (DOCS / page).read_text("utf-8")
        found = [(name, code) for name, code in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)]
        return [code for name, code in found if name == language]

    return read
