"""Frozen configuration models, loaded from YAML. A mistake in a file gives one sentence that names it."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import UsageError, unknown_name

__all__ = ["Config", "load_yaml", "packaged"]


class Config(BaseModel):
    """Base of all configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


M = TypeVar("M", bound=Config)


# PyYAML's wheels include libyaml's safe loader, which is ten times as fast.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeyLoader(_SafeLoader):
    """Safe YAML that refuses a duplicate key. The library would keep the last one."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "found unhashable key", key_node.start_mark)
        if key in seen:
            raise UsageError(f"the key {key!r} is given twice (line {key_node.start_mark.line + 1})")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def packaged(folder: str) -> dict[str, Path]:
    """Find the YAML files that ship in ``harness/<folder>``: name -> file."""
    return {path.stem: path for path in sorted((Path(__file__).parent.parent / folder).glob("*.yaml"))}


def load_yaml(model: type[M], name: str, known: Mapping[str, Path], *, kind: str) -> M:
    """Load a packaged file by name, or any YAML file by path, as ``model``.

    Raises:
        UsageError: no such file, not YAML, or a key or value that the model refuses.
    """
    looks_like_path = name.endswith((".yaml", ".yml")) or "/" in name
    path = Path(name) if looks_like_path else known.get(name)
    if path is None:
        raise unknown_name(kind, name, known)
    try:
        raw = yaml.load(path.read_text("utf-8"), _UniqueKeyLoader)
    except FileNotFoundError:
        raise UsageError(f"no {kind} file at {path}; known {kind} names: {', '.join(known)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the {kind} file {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"the {kind} file {path} is not YAML: {' '.join(str(error).split())}") from None
    except UsageError as error:
        raise UsageError(f"{kind} {path}: {error}") from None
    if not isinstance(raw, dict):
        raise UsageError(f"the {kind} file {path} should be a mapping with 'name' and 'version' at its top")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise UsageError(f"{kind} {path}: {explain(error, model)}") from None


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe the first validation error in one sentence, with the nearest key for an unknown one."""
    # Unknown keys come first: a misspelt key is also why another key is missing.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    more = f" ({error.error_count() - 1} more after this)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        near = difflib.get_close_matches(key, sorted(_all_keys(model)), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"unknown key {where!r}{hint}{more}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}{more}" if where else f"{message}{more}"


def _all_keys(model: type[BaseModel]) -> set[str]:
    keys: set[str] = set()
    todo: list[type[BaseModel]] = [model]
    while todo:
        current = todo.pop()
        for name, field in current.model_fields.items():
            if (key := field.alias or name) not in keys:
                keys.add(key)
                todo.extend(_models_in(field.annotation))
    return keys


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models_in(part)]
