"""CLAP, held to the library's own processor and model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import ClipInfo, Window
from screentest.harness.core.sound import SoundChunk
from screentest.metrics import EncoderOptions, NotApplicable, make_encoder
from screentest.metrics.encoders.base import Encoder
from screentest.metrics.sound.clap import heard_text

from ..helpers import WORDS, score, write_tokenizer

CPU = EncoderOptions(device="cpu")
RATE = 8000
INFO = ClipInfo(8, 8, 8.0, 16, 2.0, "raw", "memory")
NO_FRAMES = np.zeros((0, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLAP of random weights that hears two seconds of 8 kHz."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    where = tmp_path_factory.mktemp("clap")
    torch.manual_seed(0)
    text = {
        "vocab_size": len(WORDS) + 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 14,
        "projection_dim": 16,
        "pad_token_id": 1,
    }
    audio = {
        "spec_size": 64,
        "num_mel_bins": 16,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "window_size": 4,
        "patch_embeds_hidden_size": 16,
        "hidden_size": 32,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "projection_dim": 16,
        "enable_fusion": False,
    }
    ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=16)).save_pretrained(where)
    extractor = ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=RATE,
        hop_length=80,
        max_length_s=2,
        fft_window_size=256,
        frequency_max=4000,
        truncation="rand_trunc",
    )
    extractor.save_pretrained(where)
    write_tokenizer(where)
    return where


def item(**more: Any) -> Item:
    return make_item("a red ball", 0, ClipSettings(), **more)


def hear(encoder: Encoder, samples_CN: np.ndarray, rate: int, piece: int = 1700) -> np.ndarray:
    stream = encoder.open(INFO)
    for start in range(0, samples_CN.shape[1], piece):
        chunk = SoundChunk(samples_CN[:, start : start + piece].astype(np.float32), rate, start / rate)
        stream.push(Window(NO_FRAMES, np.zeros(0), 0, (chunk,)))
    made = stream.finish()
    assert isinstance(made, np.ndarray)
    return made


def sound(seconds: float, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (300 + 200 * time) * time))[None]


def test_windows_are_compared_as_the_library_does(folder: Path):
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    encoder = make_encoder("clap", str(folder), CPU).for_item(item())
    samples = sound(5.5)
    got = hear(encoder, samples, RATE)
    assert got[:, 1].tolist() == [2.0, 2.0, 1.5]
    model = ClapModel.from_pretrained(folder).eval()
    extractor = ClapFeatureExtractor.from_pretrained(folder)
    words = AutoTokenizer.from_pretrained(folder)("a red ball", return_tensors="pt")
    for k in range(3):
        part = samples[0, k * 2 * RATE : (k + 1) * 2 * RATE].astype(np.float32)
        given = extractor(part, sampling_rate=RATE, return_tensors="pt")
        with torch.inference_mode():
            ids = {name: words[name] for name in ("input_ids", "attention_mask")}
            made = model(**ids, **given)
        cosine = float((made.text_embeds @ made.audio_embeds.T)[0, 0])
        assert got[k, 0] == pytest.approx(cosine, abs=1e-5)
    value = score("alignment.clap", {"clap": got}).value
    expected = np.average(100 * got[:, 0].clip(0), weights=got[:, 1])
    assert value == pytest.approx(expected, abs=1e-4)


def test_sound_is_brought_to_the_models_rate_in_one_channel(folder: Path):
    encoder = make_encoder("clap", str(folder), CPU).for_item(item())
    own = hear(encoder, sound(2.0), RATE)
    other = hear(encoder, np.repeat(sound(2.0, 32_000), 2, axis=0), 32_000, piece=4096)
    assert other[0, 0] == pytest.approx(own[0, 0], abs=0.02)


def test_the_text_is_what_should_be_heard(folder: Path):
    clap = make_encoder("clap", str(folder), CPU)
    assert heard_text(item()) == heard_text(item(expect={"sound": "any"})) == "a red ball"
    assert heard_text(item(expect={"sound": "a blue box"})) == "a blue box"
    assert heard_text(item(expect={"sound": "none"})) is None
    digests = {clap.for_item(item(expect=e)).digest for e in (None, {"sound": "a blue box"})}
    assert len(digests) == 2
    assert (
        hear(clap.for_item(item()), sound(2.0), RATE)
        != hear(clap.for_item(item(expect={"sound": "a blue box"})), sound(2.0), RATE)
    ).any()


def test_it_does_not_speak_of_silence_or_without_a_text(folder: Path):
    clap = make_encoder("clap", str(folder), CPU)
    with pytest.raises(NotApplicable, match="no sound"):
        clap.for_item(item()).open(INFO).finish()
    with pytest.raises(NotApplicable, match="silent"):
        hear(clap.for_item(item()), np.zeros((1, RATE)), RATE)
    with pytest.raises(NotApplicable, match="what should be heard"):
        hear(clap.for_item(item(expect={"sound": "none"})), sound(1.0), RATE)


def test_another_model_is_refused(tiny: dict[str, Path]):
    with pytest.raises(UsageError, match="reads clap models"):
        make_encoder("clap", str(tiny["clip"]), CPU)
