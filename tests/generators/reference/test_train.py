from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from screentest.generators import Frames
from screentest.generators.reference import TRAINABLE, ReferenceGenerator, SamplerSettings, export, train
from screentest.generators.reference.world import NATIVE_CLIP
from screentest.harness.errors import UsageError
from screentest.harness.plan import make_item

SMALL_VAE = {"widths": (16, 16, 16), "encoder_blocks": (0, 0, 1), "decoder_blocks": (0, 0, 1)}


def test_from_nothing_to_a_generator(tmp_path: Path) -> None:
    vae = train("vae", out=tmp_path, overrides={"steps": 2, "batch": 2, "clips": 3, "model": SMALL_VAE})
    assert vae == tmp_path / "vae"
    settings = {"steps": 3, "batch": 2, "clips": 3, "size": "nano", "early": 1}
    assert train("dit", out=tmp_path, overrides=settings) == tmp_path / "late"
    clips: list[np.ndarray] = []
    for name in ("early", "late"):
        generator = ReferenceGenerator(str(tmp_path / name), settings=SamplerSettings(steps=2))
        (output,) = generator.generate([make_item("a red ball falls", 0, NATIVE_CLIP)])
        assert isinstance(output, Frames)
        clips.append(output.frames_THWC)
    assert (clips[0] != clips[1]).any()
    # The same again is finished already; another setting is another run.
    train("dit", out=tmp_path, overrides=settings)
    with pytest.raises(UsageError, match="other settings"):
        train("dit", out=tmp_path, overrides={**settings, "lr": 0.5})
    # What is exported is the whole generator, and nothing of the training.
    shipped = tmp_path / "weights"
    assert export(tmp_path, weights=shipped) == ["vae", "early", "late"]
    assert (
        ReferenceGenerator(str(shipped / "late")).identity()
        == ReferenceGenerator(str(tmp_path / "late")).identity()
    )
    assert sorted(path.name for path in shipped.iterdir()) == ["early", "late", "vae"]


@pytest.mark.parametrize("what", ["clip", "subject", "video"])
def test_encoders_load_from_their_folder(what: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = train(what, out=tmp_path, overrides={"steps": 1, "batch": 2, "clips": 2, "stills": 1})
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    assert next(model.parameters()).dtype == torch.float32
    assert (folder / "preprocessor_config.json").exists()
    with torch.inference_mode():
        if what == "clip":
            ids = AutoTokenizer.from_pretrained(folder, local_files_only=True)(
                ["a red ball", "zebra"], padding=True, return_tensors="pt"
            )["input_ids"]
            assert model(input_ids=ids, pixel_values=torch.zeros(1, 3, 64, 64)).logits_per_image.shape == (
                1,
                2,
            )
        elif what == "subject":
            assert model(torch.zeros(1, 3, 64, 64)).pooler_output.shape == (1, 96)
        else:
            assert model(torch.zeros(1, 16, 3, 64, 64)).last_hidden_state.shape == (1, 128, 128)


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    assert set(TRAINABLE) == {"vae", "dit", "clip", "subject", "video"}
    with pytest.raises(UsageError, match=r"unknown thing to train 'vea'.*Known: clip, dit"):
        train("vea", out=tmp_path, overrides={})
    with pytest.raises(UsageError, match="train there first"):
        export(tmp_path)
    with pytest.raises(UsageError, match="unknown key 'step'; did you mean 'steps'"):
        train("vae", out=tmp_path, overrides={"step": 3})
