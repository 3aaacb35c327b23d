import json
from pathlib import Path

import pytest
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.metrics import make_encoder
from screentest.metrics.encoders import weights
from screentest.metrics.encoders.weights import find_weights

ROLES = ("clip", "subject", "video")


def write(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


@pytest.mark.parametrize("role", ROLES)
def test_absent_reference_weights_are_named(role: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(weights, "REFERENCE_WEIGHTS", tmp_path)
    with pytest.raises(MissingWeightsError) as caught:
        make_encoder(role)
    sentence = str(caught.value)
    assert str(tmp_path / role) in sentence
    assert "screentest train" in sentence
    assert "\n" not in sentence


def test_reference_is_the_packaged_folder(monkeypatch: pytest.MonkeyPatch, tiny: dict[str, Path]):
    monkeypatch.setattr(weights, "REFERENCE_WEIGHTS", tiny["clip"].parent)
    assert make_encoder("clip").digest == make_encoder("clip", str(tiny["clip"])).digest


def test_a_hub_id_that_cannot_be_had_says_where_from_and_what_to_do(monkeypatch: pytest.MonkeyPatch):
    calls: list[bool] = []

    def nowhere(repo: str, *, local_files_only: bool, **_: object) -> str:
        calls.append(local_files_only)
        raise FileNotFoundError("no route to the hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", nowhere)
    with pytest.raises(MissingWeightsError) as caught:
        make_encoder("clip", "openai/clip-vit-large-patch14")
    sentence = str(caught.value)
    assert "openai/clip-vit-large-patch14" in sentence
    assert "https://huggingface.co/openai/clip-vit-large-patch14" in sentence
    assert "give their folder" in sentence
    assert "\n" not in sentence
    assert calls == [True, False]  # the cache first


def test_cached_hub_weights_are_used_without_the_network(
    monkeypatch: pytest.MonkeyPatch, tiny: dict[str, Path]
):
    def cached(repo: str, *, local_files_only: bool, revision: str | None, **_: object) -> str:
        assert (repo, revision) == ("some/clip", "refs/pr/3")
        assert local_files_only
        return str(tiny["clip"])

    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    encoder = make_encoder("clip", "some/clip@refs/pr/3")
    assert encoder.digest == make_encoder("clip", str(tiny["clip"])).digest


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path):
    with pytest.raises(MissingWeightsError, match="not a folder on this machine"):
        find_weights("clip", str(tmp_path / "nowhere"))


def test_pickled_weights_are_refused(tmp_path: Path):
    folder = write(tmp_path, "config.json", "pytorch_model.bin")
    with pytest.raises(UsageError, match="safetensors only") as caught:
        find_weights("clip", str(folder))
    assert not isinstance(caught.value, MissingWeightsError)


def test_a_folder_without_configuration_or_weights_is_missing_them(tmp_path: Path):
    with pytest.raises(MissingWeightsError, match=r"no config\.json"):
        find_weights("clip", str(tmp_path))
    write(tmp_path, "config.json")
    with pytest.raises(MissingWeightsError, match=r"lack model\.safetensors"):
        find_weights("clip", str(tmp_path))


def test_the_digest_covers_what_is_read_and_nothing_else(tmp_path: Path):
    folder = write(tmp_path, "config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json")
    before = find_weights("clip", str(folder)).digest
    write(folder, "README.md", "model.fp16.safetensors", "optimizer.pt")
    assert find_weights("clip", str(folder)).digest == before
    (folder / "tokenizer.json").write_text("{ }")
    assert find_weights("clip", str(folder)).digest != before


def test_all_shards_are_covered_and_must_be_there(tmp_path: Path):
    folder = write(tmp_path, "config.json", "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(MissingWeightsError, match="lack model-00002-of-00002"):
        find_weights("clip", str(folder))
    write(folder, "model-00002-of-00002.safetensors")
    assert len([f for f in find_weights("clip", str(folder)).files if f.startswith("model-")]) == 2
