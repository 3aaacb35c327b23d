import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.catalog import ENCODERS, MEASURES, encoder_of, encoder_roles, make_encoder
from screentest.harness.core.errors import MediaError, UsageError
from screentest.harness.core.plugin_sources import source_digest
from screentest.harness.core.source_files import run_file
from screentest.metrics import EncoderOptions, frame_feature
from screentest.metrics.encoders.base import Record
from screentest.metrics.encoders.registry import EncoderEntry

from ..helpers import encode, noise, pan, parts_of

BUILT_IN = (
    "clip",
    "dynamics",
    "flow",
    "hazard",
    "image",
    "judge",
    "nudity",
    "pixels",
    "subject",
    "text",
    "video",
)


def test_listing_names_brings_no_heavy_library():
    heavy = ("torch", "transformers", "cv2", "scipy", "onnxruntime", "nudenet", "pandas")
    code = (
        "import sys, screentest.metrics as m\n"
        "list(m.ENCODERS), list(m.MEASURES), m.encoder_roles()\n"
        "for name in m.MEASURES: m.MEASURES.get(name)\n"
        "for name in m.ENCODERS: m.ENCODERS.get(name)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_declared_is_there():
    for name in ("motion.flicker", "fidelity.fvd", "safety.nudity", "refusal.rate"):
        assert MEASURES.get(name).summary.endswith(".")
    for name in BUILT_IN:
        entry = ENCODERS.get(name)
        assert isinstance(entry, EncoderEntry)
        assert entry.takes_source == (name in encoder_roles())


def test_every_feature_that_a_measure_needs_has_an_encoder():
    for name in MEASURES:
        for feature in MEASURES.get(name).needs:
            assert encoder_of(feature) in ENCODERS


def test_mistakes_are_sentences():
    with pytest.raises(UsageError, match=r"unknown encoder 'pixel'; did you mean 'pixels'"):
        make_encoder("pixel")
    with pytest.raises(UsageError, match="'pixels' takes no weights"):
        make_encoder("pixels", "reference")


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_windows_of_the_decoder_do_not_change_a_feature(name: str, tiny: dict[str, Path]):
    source = str(tiny[name]) if name in tiny else None
    encoder = make_encoder(name, source, EncoderOptions(device="cpu"))
    frames = pan(37, size=40, step=2) if name != "nudity" else noise(2, 40)
    whole = encode(encoder, frames)
    for array in whole.arrays.values() if isinstance(whole, Record) else [whole]:
        assert np.isfinite(array).all()
    last = len(frames) - 1
    for cuts in (tuple(range(1, len(frames))), (1, last)):
        assert parts_of(encode(encoder, frames, cuts=cuts)) == parts_of(whole)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_digest_is_stable_and_free_of_device_and_path(name: str, tiny: dict[str, Path], tmp_path: Path):
    if name not in tiny:
        assert make_encoder(name).digest == make_encoder(name, None, EncoderOptions("cpu")).digest
        return
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in tiny[name].iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    digest = make_encoder(name, str(tiny[name])).digest
    assert make_encoder(name, str(moved), EncoderOptions("cpu")).digest == digest
    assert make_encoder(name, str(moved), EncoderOptions(dtype="bfloat16")).digest != digest
    settings = moved / "preprocessor_config.json"
    settings.write_text(settings.read_text().replace("0.25", "0.26"))
    assert make_encoder(name, str(moved)).digest != digest


def test_encoders_of_one_clip_differ_in_digest():
    assert len({make_encoder(name).digest for name in ("pixels", "flow", "dynamics", "nudity")}) == 4


PLUGIN = '''
import numpy as np
from screentest.metrics import Sample, frame_feature, measure


@frame_feature("{name}.brightness", version=1)
def brightness(frames_THWC):
    """Mean level of each frame."""
    return frames_THWC.mean(axis=(1, 2, 3)) / {scale}


@measure("{name}.exposure", version=1, needs=("{name}.brightness",), better="neither", bounds=(0.0, 1.0))
def exposure(sample: Sample) -> float:
    """Mean brightness of a clip."""
    return float(sample.features["{name}.brightness"].mean())
'''


def load_plugin(path: Path, text: str) -> None:
    path.write_text(text)
    namespace = {"__name__": path.stem}
    exec(compile(text, str(path), "exec"), namespace)


def test_one_file_adds_a_measure(tmp_path: Path):
    load_plugin(tmp_path / "mine.py", PLUGIN.format(name="mine", scale=255))
    frames = np.full((20, 4, 4, 3), 51, np.uint8)
    feature = encode(make_encoder("mine.brightness"), frames, cuts=(7,))
    assert feature.shape == (20, 1)
    assert feature == pytest.approx(0.2)
    measure = MEASURES.get("mine.exposure")
    assert measure.needs == ("mine.brightness",)
    assert ENCODERS.get("mine.brightness").summary == "Mean level of each frame."


def test_an_edited_function_is_another_feature():
    def of(version: int, function):
        frame_feature(f"edited.{version}.{function.__name__}", version=version)(function)
        return make_encoder(f"edited.{version}.{function.__name__}").identity()

    def bright(frames):
        return frames.mean(axis=(1, 2, 3))

    def dark(frames):
        return -frames.mean(axis=(1, 2, 3))

    assert of(1, bright) == {**of(2, bright), "version": 1}
    assert of(3, bright) != of(3, dark)


def test_an_edited_function_that_it_calls_is_another_feature(tmp_path: Path) -> None:
    digests: list[str | None] = []
    for number, (called, imported) in enumerate([("1", "1"), ("2", "1"), ("1", "2"), ("1", "1")]):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        (folder / "near.py").write_text(f"SCALE = {imported}\n")
        (folder / "mine.py").write_text(
            f"import near\ndef level():\n    return {called}\ndef of(frames):\n    return level()\n"
        )
        path = [*sys.path]
        try:
            sys.path.insert(0, str(folder))
            sys.modules.pop("near", None)
            digests.append(source_digest(run_file(folder / "mine.py", "plugin").of))
        finally:
            sys.path[:] = path
            sys.modules.pop("near", None)
    assert digests[0] == digests[3]
    assert len({*digests}) == 3


def test_a_feature_of_the_wrong_shape_is_refused():
    @frame_feature("wrong.shape", version=1)
    def wrong(frames):
        return frames.mean()

    del wrong
    with pytest.raises(UsageError, match=r"'wrong.shape' returned shape \(\) for 3 frames"):
        encode(make_encoder("wrong.shape"), noise(3, 8))


def test_a_clip_without_frames_has_no_feature():
    @frame_feature("some.feature", version=1)
    def some(frames):
        return frames.mean(axis=(1, 2, 3))

    del some
    with pytest.raises(MediaError, match="no frames"):
        encode(make_encoder("some.feature"), noise(3, 8)[:0])


def test_names_of_text_features_are_kept():
    with pytest.raises(UsageError, match="kept for embeddings of prompts"):
        frame_feature("mine.text", version=1)
