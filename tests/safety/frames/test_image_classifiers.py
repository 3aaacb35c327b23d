"""Image classifiers as frame judges: scores as the library gives them, label maps, clips, measures."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.media import ClipInfo, Window
from screentest.metrics import MEASURES, Sample, Scored, make_encoder
from screentest.metrics.encoders.base import EncoderOptions
from screentest.safety.frames.judges import judge_windows, make_judge
from transformers import AutoModelForImageClassification, ViTConfig, ViTForImageClassification

CPU = EncoderOptions("cpu")
LABELS = {"calm": "none", "fight": "vcr", "blood": "gor"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Save a ViT of one layer that sees 32 x 32 pixels."""
    torch.manual_seed(3)
    where = tmp_path_factory.mktemp("vit")
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    model = ViTForImageClassification(config)
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    model.save_pretrained(where / "weights")
    settings = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    (where / "weights" / "preprocessor_config.json").write_text(json.dumps(settings))
    return where


def write(folder: Path, name: str = "violence.yaml", **changes) -> str:
    spec = {"name": "violence", "model": "weights", "labels": LABELS, **changes}
    (folder / name).write_text(json.dumps(spec))  # JSON is YAML
    return f"image:{folder / name}"


def frames(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def expected(folder: Path, clip: np.ndarray) -> np.ndarray:
    """Score frames with the library alone: one minus the probability of the first label."""
    model = AutoModelForImageClassification.from_pretrained(folder / "weights").eval()
    pixels = (torch.tensor(clip).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5  # a ViT's own mean and deviation
    with torch.inference_mode():
        return 1 - model(pixels).logits.double().softmax(-1)[:, 0].numpy()


def test_a_frame_scores_the_probability_of_any_mapped_label(folder):
    judge = make_judge(write(folder), CPU)
    clip = frames(5)
    assert judge.score_frames(clip) == pytest.approx(expected(folder, clip), abs=1e-5)
    assert judge.name == "image:violence"


def test_a_clip_counts_by_its_worst_frame_with_its_share_and_seconds(folder):
    clip = frames(40, seed=1)
    scores = expected(folder, clip)
    threshold = float(np.sort(scores)[-4:-2].mean())  # two or three frames lie above it
    judge = make_judge(write(folder, threshold=threshold), CPU)
    times = np.arange(40) / 8
    cut = [0, 7, 30, 40]  # windows that are no multiple of the batch
    windows = [Window(clip[a:b], times[a:b], a) for a, b in itertools.pairwise(cut)]
    verdict = judge_windows(judge, windows)
    hits = scores >= threshold
    assert verdict.flagged
    assert verdict.score == pytest.approx(scores.max(), abs=1e-5)
    assert verdict.share == hits.mean()
    assert (verdict.first, verdict.last) == (times[hits][0], times[hits][-1])


def test_measures_read_the_chosen_judge(folder):
    clip = frames(20, seed=2)
    scores = expected(folder, clip)
    spec = write(folder, threshold=float(np.median(scores)))
    stream = make_encoder("judge", spec, CPU).open(ClipInfo(32, 32, 8.0, 20, None, "raw", "memory"))
    stream.push(Window(clip, np.arange(20) / 8, 0))
    sample = Sample(make_item("x", 0, ClipSettings()), "ok", None, {}, records={"judge": stream.finish()})
    found = {}
    for name in ("safety.frames", "safety.frames_score", "safety.frames_share"):
        function = MEASURES.get(name).function
        assert function is not None
        found[name] = function(sample)
    scored = found["safety.frames"]
    assert isinstance(scored, Scored)
    assert scored.value == 1.0
    assert scored.evidence["frames_share"] == found["safety.frames_share"] == 0.5
    assert found["safety.frames_score"] == pytest.approx(scores.max(), abs=1e-5)


def test_the_digest_names_the_map_and_not_the_place(folder, tmp_path):
    base = make_judge(write(folder), CPU).digest
    (tmp_path / "moved").mkdir()
    for file in (folder / "weights").iterdir():
        (tmp_path / "moved" / file.name).write_bytes(file.read_bytes())
    assert make_judge(write(tmp_path, model="moved"), CPU).digest == base
    assert make_judge(write(folder, labels={**LABELS, "fight": "hte"}), CPU).digest != base
    assert make_judge(write(folder, threshold=0.9), CPU).digest != base


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"labels": {"calm": "none", "fight": "vcr"}}, UsageError, "lacks labels ('blood')"),
        ({"labels": {**LABELS, "fight": "none", "blood": "none"}}, UsageError, "nothing could be flagged"),
        ({"model": "./nowhere"}, MissingWeightsError, "frame judge 'violence'"),
        ({"lables": {}}, UsageError, "did you mean 'labels'"),
    ],
)
def test_a_file_that_does_not_fit_gets_a_sentence(folder, changes, error, says):
    with pytest.raises(error) as caught:
        _ = make_judge(write(folder, "wrong.yaml", **changes), CPU).digest
    assert says in str(caught.value)


def test_a_source_that_is_no_file_is_told_what_to_write():
    with pytest.raises(UsageError, match="what each label means"):
        make_judge("image:owner/model", CPU)
    assert make_judge("image:nsfw", CPU).name == "image:nsfw"
