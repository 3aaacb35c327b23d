"""Extractors by kind: their numbers, their identity, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.detectors.extractors import (
    METADATA_COLUMNS,
    MetadataExtractor,
    make_extractor,
    metadata_numbers,
)
from screentest.safety.detectors.preparation import FileFacts, PreparedClip

from .conftest import moving_block

FACTS = FileFacts(25.0, 50, 256, 320, "gif", 3.0)


def prepared(clip: np.ndarray | None = None) -> PreparedClip:
    frames = moving_block("one") if clip is None else clip
    return PreparedClip(frames, 8.0, FACTS, FileFacts(8.0, 16, 64, 64, "h264", 0.2))


@pytest.mark.parametrize(
    "kind",
    [
        "spectral",
        "differences",
        "residual",
        "interpolation",
        "edges",
        "combined",
        "metadata",
        "d3",
        "path",
        "probe",
    ],
)
def test_an_extractor_gives_its_columns(kind: str) -> None:
    encoder = "subject=reference" if kind in ("d3", "path", "probe") else None
    extractor = make_extractor(kind, encoder)
    found = extractor.extract(prepared())
    assert found.ndim == 1
    assert np.isfinite(found).all()
    if extractor.columns:
        assert len(found) == len(extractor.columns)
    assert extractor.digest == make_extractor(kind, encoder).digest


def test_detectors_of_one_encoder_share_its_features() -> None:
    clip = prepared()
    path, probe = (make_extractor(kind, "subject=reference") for kind in ("path", "probe"))
    path.extract(clip)
    (rows,) = clip._rows.values()
    rows[:] = 0
    assert not probe.extract(clip).any()


def test_another_encoder_is_another_digest() -> None:
    assert (
        make_extractor("probe", "subject=reference").digest
        != make_extractor("probe", "clip=reference").digest
    )
    assert make_extractor("probe", "subject").digest == make_extractor("probe", "subject=reference").digest


def test_metadata_reads_files_before_or_after_and_no_pixels() -> None:
    before, after = MetadataExtractor(before=True), MetadataExtractor(before=False)
    assert before.digest != after.digest
    black = np.zeros((16, 64, 64, 3), np.uint8)
    for extractor in (before, after):
        assert np.array_equal(extractor.extract(prepared()), extractor.extract(prepared(black)))
    told = dict(zip(METADATA_COLUMNS, before.extract(prepared()).tolist(), strict=True))
    assert told["fps"] == pytest.approx(np.log10(25))
    assert told["seconds"] == pytest.approx(np.log10(2))
    assert (told["codec_gif"], told["codec_h264"]) == (1, 0)
    with pytest.raises(UsageError, match="reads files"):
        before.extract(PreparedClip(black, 8.0, None, FACTS))


def test_bits_a_pixel_are_told_in_steps_of_a_tenth() -> None:
    numbers = [metadata_numbers(FileFacts(8, 16, 64, 64, "h264", bits))[4] for bits in (0.148, 0.15, 0.2)]
    assert numbers[0] == numbers[1] != numbers[2]


@pytest.mark.parametrize(
    ("kind", "encoder", "label", "message"),
    [
        ("spektral", None, None, "unknown kind of detector 'spektral'; did you mean 'spectral'"),
        ("spectral", "subject=reference", None, "reads no encoder"),
        ("d3", None, None, "name their encoder, such as subject=reference"),
        ("path", "video=reference", None, "gives no feature for each frame by itself"),
        ("probe", "subjekt=reference", None, "unknown encoder 'subjekt'"),
        ("d3", "subject=reference", "fake", "a label is for detectors of the kind 'classifier'"),
        ("classifier", "some/model", None, "and the label that means generated"),
    ],
)
def test_what_does_not_go_together_is_refused(
    kind: str, encoder: str | None, label: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_extractor(kind, encoder, label)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(3)
    where = tmp_path_factory.mktemp("vit")
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        id2label={0: "real", 1: "fake", 2: "unsure"},
        label2id={"real": 0, "fake": 1, "unsure": 2},
    )
    model = ViTForImageClassification(config)
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    model.save_pretrained(where)
    settings = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    (where / "preprocessor_config.json").write_text(json.dumps(settings))
    return where


def test_a_classifier_gives_the_log_odds_of_its_label(classifier: Path) -> None:
    odds = {
        label: make_extractor("classifier", str(classifier), label).extract(
            prepared(moving_block("s", step=0))
        )
        for label in ("real", "fake", "unsure")
    }
    shares = [1 / (1 + np.exp(-float(one[0]))) for one in odds.values()]
    assert sum(shares) == pytest.approx(1, abs=1e-4)  # the clip stands still, so each frame says the same
    fake = make_extractor("classifier", str(classifier), "fake")
    assert fake.falling is False
    assert fake.digest != make_extractor("classifier", str(classifier), "real").digest


def test_a_video_classifier_reads_the_whole_clip(tmp_path: Path) -> None:
    import torch
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    torch.manual_seed(3)
    config = VideoMAEConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        num_frames=8,
        id2label={0: "real", 1: "fake"},
        label2id={"real": 0, "fake": 1},
    )
    model = VideoMAEForVideoClassification(config)
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    model.save_pretrained(tmp_path)
    settings = {"image_processor_type": "VideoMAEImageProcessor", "size": {"shortest_edge": 32}}
    settings["crop_size"] = {"height": 32, "width": 32}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    real, fake = (
        float(make_extractor("classifier", str(tmp_path), label).extract(prepared())[0])
        for label in ("real", "fake")
    )
    assert real == pytest.approx(-fake, abs=1e-5)
    assert abs(real) > 1e-6


def test_a_classifier_of_other_labels_or_none_is_refused(classifier: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'fake'"):
        make_extractor("classifier", str(classifier), "fakee")
    from screentest.metrics.encoders.weights import REFERENCE_WEIGHTS

    with pytest.raises(UsageError, match="reads models for image or video classification"):
        make_extractor("classifier", str(REFERENCE_WEIGHTS / "subject"), "fake")
