"""Entity models: labels of tokens, places of entities, label maps, what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.metrics.encoders.base import EncoderOptions
from screentest.safety.prompts import load_classifier
from screentest.safety.prompts.entities import EntitiesClassifier, EntitiesConfig, entity_of

from . import tiny_models

LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
TAGS = {"blade": "B-PER", "stone": "I-PER", "lamp": "B-ORG"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """An entity model of one layer that reads a word's label off the word."""
    return tiny_models.entities(tmp_path_factory.mktemp("ner"), LABELS, TAGS)


def load(folder: Path, **settings) -> EntitiesClassifier:
    return EntitiesClassifier(
        "tiny", EntitiesConfig(model=str(folder), **settings), options=EncoderOptions("cpu")
    )


def test_entities_are_found_with_their_places(model) -> None:
    judged = load(model).classify(["a blade stone over the lamp", "a kite flies", ""])
    assert [(m.category, m.text, m.entry) for m in judged.found[0]] == [
        ("lik", "blade stone", "PER"),
        ("tmk", "lamp", "ORG"),
    ]
    assert judged.flagged.tolist() == [True, False, False]
    assert (judged.harms[0] > 0.9).all()
    assert judged.harms[1].tolist() == [0, 0]
    assert np.isnan(judged.score[2])


def test_two_persons_side_by_side_are_two(model) -> None:
    judged = load(model).classify(["blade stone blade"])
    assert [m.text for m in judged.found[0]] == ["blade stone", "blade"]


def test_a_long_prompt_is_read_in_windows_to_its_end(model) -> None:
    judged = load(model).classify(["a kite flies over the river " * 30 + "blade"])
    assert {m.text for m in judged.found[0]} == {"blade"}


def test_batches_change_nothing(model) -> None:
    texts = ["a blade", "the lamp over a river", "a kite"] * 15
    together, alone = load(model).classify(texts), [load(model).classify([text]) for text in texts[:3]]
    np.testing.assert_allclose(together.score[:3], [one.score[0] for one in alone], atol=1e-6)


def test_a_map_of_labels_decides_the_categories(model) -> None:
    reader = load(model, labels={"PER": ["lik", "civ"], "ORG": "none"})
    assert reader.harms == ("lik", "civ")
    assert reader.classify(["a lamp"]).flagged.tolist() == [False]
    assert reader.digest != load(model).digest


@pytest.mark.parametrize(
    ("labels", "said"),
    [({"PER": "lik"}, "lacks labels"), ({"PER": "lik", "ORG": "tmk", "X": "tmk"}, "X"),
     ({"PER": "none", "ORG": "none"}, "nothing could be flagged"), ({"PER": "nope", "ORG": "tmk"}, "nope")],
)  # fmt: skip
def test_a_wrong_map_gets_a_sentence(model, labels, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(model, labels=labels)


def test_by_name_without_a_file(model, tmp_path) -> None:
    reader = load_classifier(f"entities:{model}", options=EncoderOptions("cpu"))
    assert reader.harms == ("lik", "tmk")
    assert reader.classify(["a blade"]).flagged.tolist() == [True]
    (tmp_path / "e.yaml").write_text(
        f"name: e\nentities: {{model: {model}, labels: {{PER: lik, ORG: none}}}}\n"
    )
    assert load_classifier(str(tmp_path / "e.yaml")).harms == ("lik",)
    with pytest.raises(UsageError, match="names no model"):
        load_classifier("entities:")
    with pytest.raises(MissingWeightsError):
        load_classifier("entities:nobody/such-model")


def test_a_model_without_known_labels_asks_for_a_map(tmp_path) -> None:
    folder = tiny_models.entities(tmp_path, ("O", "B-THING"), {})
    with pytest.raises(UsageError, match="no label PER, PERSON or ORG"):
        load(folder)


def test_a_window_that_is_not_finite_fails_its_prompt(model) -> None:
    reader = load(model)
    with torch.no_grad():
        reader._model[0].classifier.bias.fill_(float("nan"))
    judged = reader.classify(["a kite"])
    assert judged.failed == {0: "the model gave an output that is not finite"}
    assert np.isnan(judged.score[0])


def test_the_model_is_loaded_with_the_first_prompt(model) -> None:
    reader = load(model)
    assert "_model" not in vars(reader)
    reader.classify(["a kite"])
    assert "_model" in vars(reader)


@pytest.mark.parametrize(
    ("label", "kind"), [("B-PER", "PER"), ("O", "O"), ("PERSON", "PERSON"), ("X-RAY", "X-RAY")]
)
def test_the_entity_of_a_label(label: str, kind: str) -> None:
    assert entity_of(label) == kind
