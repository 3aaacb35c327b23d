"""A signing generator: its clips are signed, and nothing of the inner generator is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screentest.generators import Failure, Frames, Output, Refusal, VideoFile, make_generator
from screentest.generators.signed import SignedGenerator
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import open_clip, write_clip
from screentest.safety.provenance.certificates import make_test_chain, read_anchors, read_credentials
from screentest.safety.provenance.delivery import deliver
from screentest.safety.provenance.verify import verify_clip

CLIP = ClipSettings(frames=6, height=32, width=40, fps=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ca")
    make_test_chain().write(place)
    return place


def items(*prompts: str) -> list[Item]:
    return [make_item(prompt, 0, CLIP) for prompt in prompts]


def test_frames_come_back_as_signed_files(generator: Any, folder: Path) -> None:
    credentials = read_credentials(folder / "chain.pem", folder / "key.pem")
    made = SignedGenerator(generator, credentials)
    asked = items("a block", "refuse this", "fail here")
    first, second, third = made.generate(asked)
    assert isinstance(first, VideoFile)
    assert isinstance(second, Refusal)
    assert isinstance(third, Failure)
    assert verify_clip(first.path, read_anchors(folder / "anchor.pem")).marked
    plain = generator.generate(asked[:1])[0]
    seen = next(open_clip(first.path).windows()).frames_THWC
    assert isinstance(plain, Frames)
    assert int(np.abs(seen.astype(int) - plain.frames_THWC).max()) <= 2


def test_the_files_of_a_unit_are_gone_after_the_next(generator: Any, folder: Path) -> None:
    made = SignedGenerator(generator, read_credentials(folder / "chain.pem", folder / "key.pem"))
    (first,) = made.generate(items("a block"))
    assert isinstance(first, VideoFile)
    (second,) = made.generate(items("another block"))
    assert isinstance(second, VideoFile)
    assert not first.path.exists()
    assert second.path.exists()
    place = second.path
    del made, second
    assert not place.exists()


def test_a_clip_that_cannot_be_signed_is_a_failure(folder: Path, tmp_path: Path, generator: Any) -> None:
    write_clip(tmp_path / "a.mp4", np.zeros((3, 16, 16, 3), np.uint8), 8)
    matroska = deliver("container", tmp_path / "a.mp4", tmp_path)

    class Matroska(type(generator)):
        def generate(self, items: Sequence[Item]) -> list[Output]:
            return [VideoFile(matroska) for _ in items]

    made = SignedGenerator(Matroska(), read_credentials(folder / "chain.pem", folder / "key.pem"))
    (output,) = made.generate(items("a block"))
    assert isinstance(output, Failure)
    assert "is in a container that holds no C2PA manifest" in output.reason


def test_its_identity_has_the_certificates_and_not_the_key(folder: Path) -> None:
    spec = f"signed:[reference:base]?cert={folder / 'chain.pem'},key={folder / 'key.pem'}"
    made = make_generator(spec)
    assert made.spec == spec
    assert made.world == "reference"
    identity = made.identity()
    assert identity["inner"] == make_generator("reference:base").identity()
    assert set(identity) == {"kind", "version", "inner", "certificates", "algorithm"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("signed:reference:base", "provenance certificate DIR"),
        ("signed:[reference:base]?cert=a.pem", "'key' is missing"),
        ("signed:[reference:base]?cert=a.pem,key=b.pem", "there is no file a.pem"),
        ("signed:cert=a.pem,key=b.pem", "names no generator"),
    ],
)
def test_wrong_specs_say_what_to_give(spec: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_generator(spec)
