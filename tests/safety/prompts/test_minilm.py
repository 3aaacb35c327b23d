"""The MiniLM classifier: what it says without its encoder or with another, and its scores where it is."""

import numpy as np
import pytest
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.metrics.encoders import minilm as package
from screentest.safety.prompts import WEIGHTS, load_classifier, minilm


def test_a_missing_encoder_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(package, "PACKAGE", "no_such_package")
    monkeypatch.setattr(minilm, "MINILM_ID", str(tmp_path / "nowhere"))
    with pytest.raises(MissingWeightsError, match=r"screentest\[encoders\]"):
        minilm.find_encoder()
    with pytest.raises(MissingWeightsError, match="--encoder"):
        minilm.find_encoder(str(tmp_path / "nowhere"))


def test_another_encoder_is_refused_by_its_digest(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"not the encoder")
    with pytest.raises(UsageError, match="sha256"):
        minilm.find_encoder(str(tmp_path))


def test_a_head_of_another_shape_is_refused(tmp_path):
    good = {
        "inward": np.zeros((minilm.FEATURES, 3)),
        "inward_bias": np.zeros(3),
        "outward": np.zeros((3, 2)),
        "bias": np.ones(2),
    }
    head = minilm.MiniLMModel.from_tensors(good, tmp_path, None).head  # pyright: ignore
    assert head.logits(np.ones((1, minilm.FEATURES), np.float32)).tolist() == [[1.0, 1.0]]
    for name in good:
        for changed in ({k: v for k, v in good.items() if k != name}, good | {name: np.zeros((4, 4))[:1]}):
            with pytest.raises(UsageError, match="head for MiniLM"):
                minilm.MiniLMModel.from_tensors(changed, tmp_path, None)  # pyright: ignore


def test_shipped_head_scores_scenes_where_the_encoder_is_here():
    if not (WEIGHTS / "minilm").is_dir():
        pytest.skip("no head is shipped")
    try:
        judge = load_classifier("minilm")
    except MissingWeightsError as error:
        pytest.skip(str(error))
    many = ["a sailing boat leaves the harbour", "a thug beats up a bystander until he stops moving"]
    judged = judge.classify(many)
    assert judged.flagged.tolist() == [False, True]
    assert judge.classify(many[1:]).score[0] == pytest.approx(judged.score[1], abs=1e-4)
