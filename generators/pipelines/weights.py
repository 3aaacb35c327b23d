"""The files of a pipeline: found on this machine or a hub, all of them safetensors, and hashed once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from ...harness.core.errors import MissingWeightsError, UsageError
from ...harness.core.files import user_cache, write_atomic
from ...harness.core.hub import hub_snapshot
from ...harness.core.keys import digest, file_sha256
from ...harness.core.specs import split_revision

__all__ = ["PipelineFiles", "find_pipeline"]

_INDEX = "model_index.json"
_LORA = "pytorch_lora_weights.safetensors"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_READ = (".json", ".safetensors", ".txt", ".model", ".jinja")
_LARGE = 16 << 20
"""Bytes of a file whose sha256 is kept between runs."""


@dataclass(frozen=True)
class PipelineFiles:
    """A pipeline on this machine.

    Attributes:
        whose: how messages name it.
        root: folder with ``model_index.json``.
        changed: component -> folder that takes its place, from a folder of a training checkpoint.
        lora: LoRA weights of that folder; None without any.
        pickle: whether weights that are not safetensors are allowed.
    """

    whose: str
    root: Path
    changed: Mapping[str, Path]
    lora: Path | None
    pickle: bool

    @cached_property
    def index(self) -> Mapping[str, Any]:
        """Read ``model_index.json``.

        Raises:
            UsageError: it is not one.
        """
        try:
            found: Any = json.loads((self.root / _INDEX).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.whose}: {self.root / _INDEX} cannot be read: {error}") from None
        if not isinstance(found, dict) or not isinstance(found.get("_class_name"), str):
            raise UsageError(f"{self.whose}: {self.root / _INDEX} names no class of a pipeline")
        return cast("Mapping[str, Any]", found)

    @property
    def class_name(self) -> str:
        """Name of the pipeline's class."""
        return str(self.index["_class_name"])

    @cached_property
    def components(self) -> Mapping[str, Path]:
        """List the folders of the components, by name.

        Raises:
            MissingWeightsError: one is missing.
            UsageError: one has weights that are not safetensors.
        """
        found: dict[str, Path] = {}
        for name, what in self.index.items():
            if name.startswith("_") or not isinstance(what, list) or not any(cast("list[Any]", what)):
                continue
            if Path(name).name != name:
                raise UsageError(f"{self.whose}: {self.root / _INDEX} names a component {name!r}")
            folder = self.changed.get(name, self.root / name)
            if not folder.is_dir():
                raise MissingWeightsError(
                    f"{self.whose} has no {name} in {self.root}; get the pipeline whole"
                )
            self._check(name, folder)
            found[name] = folder
        return found

    def _check(self, name: str, folder: Path) -> None:
        files = [path for path in folder.iterdir() if path.is_file()]
        safe = [path for path in files if path.suffix == ".safetensors"]
        pickled = [path.name for path in files if path.suffix in _PICKLED]
        if pickled and not safe and not self.pickle:
            raise UsageError(
                f"{self.whose} has pickled weights in {name} ({sorted(pickled)[0]}), which can run code when "
                "they are read; convert them to safetensors, or allow it with pickle=yes"
            )
        for index in (path for path in files if path.name.endswith(".safetensors.index.json")):
            shards = {str(one) for one in json.loads(index.read_text("utf-8")).get("weight_map", {}).values()}
            lacking = sorted(one for one in shards if not (folder / Path(one).name).is_file())
            if lacking:
                raise MissingWeightsError(
                    f"{self.whose} lacks {lacking[0]} in {folder}; get the pipeline whole"
                )
        weighty = (folder / "config.json").is_file() and not name.startswith(("scheduler", "tokenizer"))
        if weighty and not safe and not (pickled and self.pickle):
            raise MissingWeightsError(f"{self.whose} has no weights in {folder}; get the pipeline whole")

    @cached_property
    def digest(self) -> str:
        """Hash all files that are read, by component and content."""
        files = {_INDEX: self.root / _INDEX}
        for name, folder in self.components.items():
            for path in sorted(folder.rglob("*")):
                wanted = path.suffix in _READ or (self.pickle and path.suffix in _PICKLED)
                if path.is_file() and wanted:
                    files[f"{name}/{path.relative_to(folder).as_posix()}"] = path
        hashes = sha256_of(files.values())
        return digest("pipeline", {name: hashes[path] for name, path in files.items()})


def sha256_of(paths: Iterable[Path]) -> dict[Path, str]:
    """Hash files; the hash of a large one is kept, with its size and time, in the user's cache folder."""
    place = user_cache() / "sha256.json"
    try:
        kept: dict[str, str] = dict(json.loads(place.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        kept = {}
    new: dict[str, str] = {}
    found: dict[Path, str] = {}
    for path in paths:
        stat = path.stat()
        key = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
        sha256 = kept.get(key) if stat.st_size >= _LARGE else None
        found[path] = sha256 or file_sha256(path)
        if stat.st_size >= _LARGE and sha256 is None:
            new[key] = found[path]
    if new:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(place, json.dumps({**kept, **new}, indent=1))
        except OSError:  # a cache that cannot be written costs time alone
            pass
    return found


def find_pipeline(source: str, base: str, whose: str, *, pickle: bool) -> PipelineFiles:
    """Find a pipeline: a folder, a hub id with an optional ``@revision``, or a checkpoint of ``base``.

    The folder of a checkpoint holds components in folders of their names, such as ``transformer``, or LoRA
    weights; everything else is taken from ``base``.

    Raises:
        MissingWeightsError: it is not here and cannot be had.
        UsageError: the folder is none of these.
    """
    if not source:
        raise UsageError(f"{whose}: name a folder or a hub id after the colon, such as diffusers:Wan-AI/NAME")
    folder = Path(source).expanduser()
    if not folder.is_dir():
        if source.startswith(("/", ".", "~")) or split_revision(source)[0].count("/") != 1:
            raise MissingWeightsError(f"{whose}: there is no folder {source}")
        folder = _snapshot(source, whose, pickle=pickle)
    if not base:
        if (folder / _INDEX).is_file():
            return PipelineFiles(whose, folder, {}, None, pickle)
        hint = (
            "add base=PIPELINE, the one that it was trained from"
            if _is_checkpoint(folder)
            else ("give a folder as save_pretrained of a pipeline writes it")
        )
        raise UsageError(f"{whose}: {folder} has no {_INDEX}; {hint}")
    root = find_pipeline(base, "", f"{whose} (base)", pickle=pickle)
    changed = {name: folder / name for name in root.components if (folder / name / "config.json").is_file()}
    lora = folder / _LORA if (folder / _LORA).is_file() else None
    if not changed and lora is None:
        raise UsageError(
            f"{whose}: {folder} holds neither {_LORA} nor one of {', '.join(sorted(root.components))}"
        )
    return PipelineFiles(whose, root.root, changed, lora, pickle)


def _is_checkpoint(folder: Path) -> bool:
    return (folder / _LORA).is_file() or any(folder.glob("*/config.json"))


def _snapshot(source: str, whose: str, *, pickle: bool) -> Path:
    return hub_snapshot(
        source,
        ["*" + suffix for suffix in (*_READ, *(_PICKLED if pickle else ()))],
        lambda path: (path / _INDEX).is_file(),
        what=f"{whose}: the weights",
        then="name their folder",
    )
