"""Surprise by a video model: what is predicted from what, on a tiny model of random weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.metrics import EncoderOptions, NotApplicable, make_encoder
from screentest.metrics.surprise.encoder import SurpriseEncoder, SurpriseSettings
from transformers import VJEPA2Model

from ..helpers import encode, noise, pan, score, tiny_vjepa2

CPU = EncoderOptions(device="cpu")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tiny products gain nothing from threads, and lose much to a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vjepa2(tmp_path_factory.mktemp("vjepa2"))


def encoder(weights: Path, **changes: int) -> SurpriseEncoder:
    settings = {"frames": 8, "context": 4, **changes}
    return SurpriseEncoder(SurpriseSettings(weights=str(weights), **settings), CPU)


def by_hand(weights: Path, frames: np.ndarray, context: int) -> float:
    """The surprise of one window, from the library's layers and nothing of ours but the preprocessing."""
    ours = encoder(weights)
    model = VJEPA2Model.from_pretrained(weights).eval()
    with torch.no_grad():
        x = torch.stack([ours.preprocess(frame) for frame in frames])[None]
        target, seen = (model.encoder(part).last_hidden_state for part in (x, x[:, :context]))
        count = seen.shape[1]
        spots = torch.arange(target.shape[1])[None]
        hidden = model.predictor.embeddings.predictor_embeddings(seen)
        token = model.predictor.embeddings.mask_tokens[0]  # the first mask token, wherever it goes
        hidden = torch.cat([hidden, token.repeat(1, target.shape[1] - count, 1)], dim=1)
        for layer in model.predictor.layer:
            hidden = layer(hidden, spots)[0]
        predicted = model.predictor.proj(model.predictor.layernorm(hidden))[:, count:]
        wanted = target[:, count:]
        wanted = (wanted - wanted.mean(-1, keepdim=True)) / (
            wanted.var(-1, unbiased=False, keepdim=True) + 1e-5
        ).sqrt()
        return float((predicted - wanted).abs().mean())


@pytest.mark.parametrize("context", [2, 4, 6])
def test_a_window_is_the_l1_of_the_prediction_from_its_first_frames(weights, context):
    frames = pan(8, size=24)
    rows = encode(encoder(weights, context=context), frames)
    assert rows.shape == (1, 2)
    assert rows[0, 0] == 0
    assert rows[0, 1] == pytest.approx(by_hand(weights, frames, context), rel=1e-5)


def test_the_context_does_not_see_the_future(weights):
    """Two clips that part after the context have one prediction; only what is found differs."""
    ours = encoder(weights)
    seen: list[torch.Tensor] = []
    hook = ours._model.predictor.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    first, other = pan(8, size=24), pan(8, size=24)
    other[4:] = noise(4, 24)
    surprises = [encode(ours, frames)[0, 1] for frames in (first, other)]
    hook.remove()
    assert torch.equal(seen[0], seen[1])
    assert surprises[0] != surprises[1]


def test_windows_start_where_the_settings_say(weights):
    frames = pan(25, size=24, step=1)
    assert encode(encoder(weights), frames)[:, 0].tolist() == list(range(0, 18, 2))
    assert encode(encoder(weights, step=3, stride=1), frames)[:, 0].tolist() == [0, 3]
    assert encode(encoder(weights, stride=5), frames)[:, 0].tolist() == [0, 5, 10, 15]
    # frames 0, 3, ... 21 are a clip of their own
    thinned = encode(encoder(weights, step=3), frames)
    assert thinned[0, 1] == encode(encoder(weights), frames[::3][:8])[0, 1]


def test_how_the_decoder_cuts_a_clip_changes_no_bit(weights):
    frames, ours = pan(15, size=24, step=1), encoder(weights)
    whole = encode(ours, frames)
    for cuts in ((1, 2), (7,), tuple(range(1, 15))):
        assert encode(ours, frames, cuts=cuts).tobytes() == whole.tobytes()


def test_measures_are_the_mean_and_the_largest_window():
    rows = np.array([[0.0, 1.0], [2.0, 4.0], [4.0, 1.0]])
    mean, largest = (score(f"surprise.{name}", {"surprise": rows}) for name in ("mean", "max"))
    assert (mean.value, largest.value) == (2.0, 4.0)
    assert mean.evidence == {"windows": 3, "first_frame": 2, "max": 4.0}
    with pytest.raises(NotApplicable, match="fewer frames than a window"):
        score("surprise.mean", {"surprise": np.empty((0, 2))})


def test_a_clip_shorter_than_a_window_has_no_rows(weights):
    assert encode(encoder(weights), pan(7, size=24)).shape == (0, 2)


def test_the_identity_holds_the_weights_and_the_window_but_no_path(weights, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for file in weights.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    assert encoder(moved).digest == encoder(weights).digest
    assert encoder(weights, stride=1).digest != encoder(weights).digest
    half = SurpriseEncoder(encoder(weights).settings, EncoderOptions("cpu", "bfloat16"))
    assert half.digest != encoder(weights).digest


def test_settings_come_from_a_file_or_are_the_defaults(weights, tmp_path):
    path = tmp_path / "surprise.yaml"
    path.write_text(yaml.safe_dump({"weights": str(weights), "frames": 4, "context": 2}))
    by_file = make_encoder("surprise", str(path), CPU)
    assert isinstance(by_file, SurpriseEncoder)
    assert by_file.settings == SurpriseSettings(weights=str(weights), frames=4, context=2)
    plain = make_encoder("surprise", str(weights), CPU)
    assert isinstance(plain, SurpriseEncoder)
    assert (plain.settings.frames, plain.settings.context) == (16, 8)
    path.write_text("weights: x\ncontxt: 2\n")
    with pytest.raises(UsageError, match="unknown key 'contxt'; did you mean 'context'"):
        make_encoder("surprise", str(path), CPU)


def test_mistakes_are_sentences(weights, tiny, tmp_path):
    with pytest.raises(MissingWeightsError, match="has no 'reference' that comes with the package"):
        make_encoder("surprise", "reference")
    with pytest.raises(UsageError, match=r"reads vjepa2 models; .* is 'videomae'"):
        make_encoder("surprise", str(tiny["video"]))
    with pytest.raises(UsageError, match="a window of 8 frames with a context of 3 is not possible"):
        encoder(weights, context=3)
    with pytest.raises(UsageError, match="the context must leave some to predict"):
        encoder(weights, context=8)
    odd = tmp_path / "odd"
    odd.mkdir()
    for file in weights.iterdir():
        (odd / file.name).write_bytes(file.read_bytes())
    settings = json.loads((odd / "preprocessor_config.json").read_text())
    settings["crop_size"] = {"height": 8, "width": 8}
    (odd / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(UsageError, match="take frames of 16 x 16, and their preprocessor gives 8 x 8"):
        encode(encoder(odd), pan(8, size=24))
