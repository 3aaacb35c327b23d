"""From nothing to a generator and to encoders, in miniature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from screentest.generators import Frames
from screentest.generators.reference import TRAINABLE, ReferenceGenerator, SamplerSettings, export, train
from screentest.generators.reference.model.text import TextConditioner
from screentest.generators.reference.training.dit import TrainDit
from screentest.generators.worlds.plane import NATIVE_CLIP
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import make_item

QUIET: dict[str, Any] = {"tracking": "none"}
SMALL_VAE = {"widths": (16, 16, 16), "encoder_blocks": (0, 0, 1), "decoder_blocks": (0, 0, 1)}
VAE = {**QUIET, "steps": 2, "batch": 2, "clips": 3, "model": SMALL_VAE}
TEXT = {**QUIET, "steps": 2, "batch": 2, "clips": 3, "captions": 2, "width": 32, "depth": 1}
DIT = {**QUIET, "steps": 3, "batch": 4, "clips": 24, "captions": 2, "size": "nano", "early": 1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert train("vae", out=out, overrides=VAE) == out / "vae"
    assert train("text", out=out, overrides=TEXT) == out / "text"
    assert train("dit", out=out, overrides=DIT) == out / "base"
    return out


def clip_of(checkpoint: Path) -> np.ndarray:
    generator = ReferenceGenerator(str(checkpoint), settings=SamplerSettings(steps=2))
    (output,) = generator.generate([make_item("a red ball falls", 0, NATIVE_CLIP)])
    assert isinstance(output, Frames)
    return output.frames_THWC


def test_early_and_base_are_two_steps_of_one_run(trained: Path) -> None:
    assert (clip_of(trained / "early") != clip_of(trained / "base")).any()


def test_the_transformer_alone_trains_into_a_new_folder_on_the_shipped_parts(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    assert train("dit", out=out, overrides={**DIT, "clips": 3, "early": 0}) == out / "base"
    assert np.ptp(clip_of(out / "base")) > 0
    (coded,) = out.glob("latents-*.safetensors")
    coded.write_bytes(coded.read_bytes()[:1000])
    with pytest.raises(UsageError, match=r"coded clips .* are damaged .*; remove that file"):
        train("dit", out=out, overrides={**DIT, "clips": 3, "early": 0})


def test_clips_are_coded_in_parts_that_a_later_run_reuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed while it codes loses one part, and more clips add to the parts that there are."""
    from screentest.generators.reference.training import dit

    monkeypatch.setattr(dit, "_PART", 2)
    settings = {**DIT, "early": 0, "steps": 1}
    train("dit", out=tmp_path / "a", overrides={**settings, "clips": 4})
    parts = sorted(path.name.split("-", 2)[2] for path in (tmp_path / "a").glob("latents-*"))
    assert parts == ["0-2.safetensors", "2-4.safetensors"]
    coded = [load_file(path)["flat"] for path in sorted((tmp_path / "a").glob("latents-*"))]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").glob("latents-*")}
    train("dit", out=tmp_path / "a", overrides={**settings, "clips": 5, "name": "more"})
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list((tmp_path / "a").glob("latents-*"))) == 3
    monkeypatch.undo()
    train("dit", out=tmp_path / "b", overrides={**settings, "clips": 4})
    (whole,) = (tmp_path / "b").glob("latents-*")
    torch.testing.assert_close(load_file(whole)["flat"], torch.cat(coded), atol=2e-3, rtol=2e-3)


def test_the_same_again_is_finished_already_and_another_setting_is_another_run(trained: Path) -> None:
    before = (trained / "base" / "model.safetensors").read_bytes()
    train("dit", out=trained, overrides=DIT)
    assert (trained / "base" / "model.safetensors").read_bytes() == before
    with pytest.raises(UsageError, match=r"other settings \(lr\)"):
        train("dit", out=trained, overrides={**DIT, "lr": 0.5})


def test_a_checkpoint_can_be_gone_on_from_with_other_data(trained: Path) -> None:
    settings = {**DIT, "early": 0, "name": "safe", "data": "safe", "start": str(trained / "base"), "lr": 1e-9}
    assert train("dit", out=trained, overrides=settings) == trained / "safe"
    base, safe = (load_file(trained / name / "model.safetensors") for name in ("base", "safe"))
    for name, tensor in base.items():  # hardly moved: it did not start from nothing
        torch.testing.assert_close(safe[name].float(), tensor.float(), atol=2e-3, rtol=2e-3)


def test_what_is_exported_is_the_whole_generator_and_nothing_of_the_training(
    trained: Path, tmp_path: Path
) -> None:
    shipped = tmp_path / "weights"
    assert {"vae", "text", "early", "base"} <= set(export(trained, weights=shipped))
    identities = [
        ReferenceGenerator(str(folder / "base")).identity() | {"checkpoint": ""}
        for folder in (shipped, trained)
    ]
    assert identities[0] == identities[1]
    assert not [path for path in shipped.rglob("*") if "state" in path.name or "latents" in path.name]


def test_the_conditioner_reads_the_captions_of_the_world(trained: Path) -> None:
    words, pooled = TextConditioner.load(trained / "text")(["a red ball falls", ""])
    assert [len(row) for row in words] == [6, 2]  # the two end marks included
    assert pooled.shape == (2, 64)


@pytest.mark.parametrize("what", ["clip", "subject", "hazard", "video"])
def test_encoders_load_from_their_folder(what: str, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoModelForImageClassification, AutoTokenizer

    settings = {**QUIET, "steps": 1, "batch": 2, "clips": 2, "stills": 1}
    folder = train(what, out=tmp_path, overrides=settings)
    auto = AutoModelForImageClassification if what == "hazard" else AutoModel
    model = auto.from_pretrained(folder, local_files_only=True).eval()
    assert next(model.parameters()).dtype == torch.float32
    assert (folder / "preprocessor_config.json").exists()
    with torch.inference_mode():
        if what == "clip":
            ids = AutoTokenizer.from_pretrained(folder, local_files_only=True)(
                ["a red ball", "zebra"], padding=True, return_tensors="pt"
            )["input_ids"]
            logits = model(input_ids=ids, pixel_values=torch.zeros(1, 3, 64, 64)).logits_per_image
            assert logits.shape == (1, 2)
        elif what == "subject":
            assert model(torch.zeros(1, 3, 64, 64)).pooler_output.shape == (1, 96)
        elif what == "hazard":
            assert model(torch.zeros(1, 3, 64, 64)).logits.shape == (1, 2)
            assert model.config.id2label == {0: "none", 1: "hazard"}
        else:
            assert model(torch.zeros(1, 16, 3, 64, 64)).last_hidden_state.shape == (1, 128, 128)


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    assert set(TRAINABLE) == {"vae", "text", "dit", "refiner", "clip", "subject", "hazard", "video"}
    with pytest.raises(UsageError, match=r"unknown thing to train 'vea'.*Known: clip, dit"):
        train("vea", out=tmp_path, overrides={})
    with pytest.raises(UsageError, match="train there first"):
        export(tmp_path)
    with pytest.raises(UsageError, match="unknown key 'step'; did you mean 'steps'"):
        train("vae", out=tmp_path, overrides={"step": 3})


@pytest.mark.parametrize(("given", "steps"), [("600", (600,)), ("600,1200", (600, 1200)), ((5,), (5,))])
def test_steps_to_keep_are_given_as_on_the_command_line(given: object, steps: tuple[int, ...]) -> None:
    assert TrainDit.model_validate({"keep": given}).keep == steps
