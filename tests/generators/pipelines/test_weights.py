"""The files of a pipeline: whole, safe to read, and hashed once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from screentest.generators.pipelines import weights
from screentest.generators.pipelines.weights import find_pipeline, sha256_of
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.harness.core.keys import file_sha256


@pytest.fixture
def copied(pipeline_folder, tmp_path) -> Path:
    return shutil.copytree(pipeline_folder("latte"), tmp_path / "latte")


def test_pickled_weights_are_refused_without_the_flag(copied):
    (copied / "vae" / "diffusion_pytorch_model.safetensors").rename(
        copied / "vae" / "diffusion_pytorch_model.bin"
    )
    with pytest.raises(UsageError, match=r"pickled weights in vae .* or allow it with pickle=yes"):
        _ = find_pipeline(str(copied), "", "it", pickle=False).components
    assert "vae" in find_pipeline(str(copied), "", "it", pickle=True).components


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("vae", "it has no vae in .*; get the pipeline whole"),
        ("transformer/diffusion_pytorch_model.safetensors", "it has no weights in .*transformer"),
    ],
)
def test_a_pipeline_that_is_not_whole_names_what_is_missing(copied, gone, sentence):
    path = copied / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(MissingWeightsError, match=sentence):
        _ = find_pipeline(str(copied), "", "it", pickle=False).components


def test_a_shard_that_is_missing_is_named(copied):
    index = {"weight_map": {"a": "part-1.safetensors", "b": "diffusion_pytorch_model.safetensors"}}
    (copied / "vae" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(MissingWeightsError, match=r"it lacks part-1\.safetensors"):
        _ = find_pipeline(str(copied), "", "it", pickle=False).components


def test_a_component_is_no_path(copied):
    index = json.loads((copied / "model_index.json").read_text())
    (copied / "model_index.json").write_text(
        json.dumps({**index, "../../up": ["diffusers", "AutoencoderKL"]})
    )
    with pytest.raises(UsageError, match="names a component"):
        _ = find_pipeline(str(copied), "", "it", pickle=False).components


def test_a_source_that_is_nothing_says_what_to_give(tmp_path):
    with pytest.raises(UsageError, match="name a folder or a hub id after the colon"):
        find_pipeline("", "", "it", pickle=False)
    with pytest.raises(MissingWeightsError, match="there is no folder out/run/checkpoint-5"):
        find_pipeline("out/run/checkpoint-5", "", "it", pickle=False)
    with pytest.raises(UsageError, match=r"has no model_index\.json; give a folder as save_pretrained"):
        find_pipeline(str(tmp_path), "", "it", pickle=False)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("gated", "are gated; accept their licence at https://huggingface.co/org/model and set HF_TOKEN"),
        ("other", r"cannot be downloaded from https://huggingface.co/org/model \(no route\); fetch them"),
        ("name", "is neither a folder nor a hub id"),
    ],
)
def test_weights_that_a_hub_does_not_give_are_one_sentence(monkeypatch, error, sentence):
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError, HFValidationError

    class Response:
        headers: dict[str, str] = {}  # noqa: RUF012
        request = None

    def give(*_: object, local_files_only: bool = False, **__: object) -> str:
        if local_files_only:
            raise OSError("not in the cache")
        if error == "gated":
            gated = GatedRepoError.__new__(GatedRepoError)
            raise gated
        raise HFValidationError("bad") if error == "name" else ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    with pytest.raises((MissingWeightsError, UsageError), match=sentence):
        find_pipeline("org/model@main", "", "it", pickle=False)


def test_a_large_file_is_hashed_once_and_again_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "_LARGE", 10)
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(b"x" * 20)
    small.write_bytes(b"x")
    first = sha256_of([large, small])
    assert first == {large: file_sha256(large), small: file_sha256(small)}
    hashed: list[Path] = []

    def hash_it(path: Path) -> str:
        hashed.append(path)
        return file_sha256(path)

    monkeypatch.setattr(weights, "file_sha256", hash_it)
    assert sha256_of([large, small]) == first
    assert hashed == [small]
    large.write_bytes(b"y" * 20)
    os.utime(large, ns=(1, 1))
    assert sha256_of([large])[large] == file_sha256(large) != first[large]
    (tmp_path / "cache" / "screentest" / "sha256.json").write_text("broken")
    assert sha256_of([large])[large] == file_sha256(large)
