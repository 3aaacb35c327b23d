"""Frozen configuration models, loaded from YAML. A mistake in a file gives one sentence that names it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    LiteralString,
    Self,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

import yaml
from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from .errors import UsageError, unknown_name

__all__ = ["Config", "Document", "checked", "explain", "load_yaml", "packaged"]


class Config(BaseModel):
    """Base of all configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _as_meant(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse what YAML reads as another kind of value: ``yes`` is no number, ``12:30`` is no text."""
        misread: dict[Any, str] = {}
        if isinstance(given, Mapping):
            for name, value in cast("Mapping[Any, Any]", given).items():
                read = _misread(value, _kinds(cls, name)) if type(value) in _READ_AS else None
                if read is not None:
                    misread[name] = read
        if not misread:
            return handler(given)
        found = [_line("value_error", f"'{name}' {read}") for name, read in misread.items()]
        try:
            handler(given)
        except ValidationError as error:
            found += [
                _line(e["type"], e["msg"], e["loc"], e["input"], e.get("ctx"))
                for e in error.errors(include_url=False)
                if not e["loc"] or e["loc"][0] not in misread
            ]
        raise ValidationError.from_exception_data(cls.__name__, found)


def _line(
    kind: str,
    message: str,
    loc: tuple[int | str, ...] = (),
    given: object = None,
    context: dict[str, Any] | None = None,
) -> InitErrorDetails:
    """Make one line of a validation error, as the validation library has them."""
    told = PydanticCustomError(cast("LiteralString", kind), cast("LiteralString", message), context)
    return InitErrorDetails(type=told, loc=loc, input=given)


_ANY = frozenset({bool, int, float, str, date})
_READ_AS = {bool: "yes or no", int: "the number", float: "the number", date: "the day", datetime: "the time"}


@cache
def _kinds(model: type[BaseModel], name: Any) -> frozenset[Any]:
    field = model.model_fields.get(name)
    return frozenset() if field is None else _scalars(field.annotation)


def _scalars(annotation: Any) -> frozenset[Any]:
    """List the kinds of plain values that a field takes by itself, not within a list or mapping."""
    if annotation in (Any, object):
        return _ANY
    if annotation in _ANY:
        return frozenset({annotation})
    origin = get_origin(annotation)
    if origin is Literal:
        return frozenset(type(value) for value in get_args(annotation))
    if origin in (Annotated, Union, UnionType):
        return frozenset().union(*(_scalars(part) for part in get_args(annotation)))
    return frozenset()


def _misread(value: Any, kinds: frozenset[Any]) -> str | None:
    """Say, after the name of a key, what is wrong with a plain value of another kind; None if nothing is."""
    told = _READ_AS[type(value)]
    if not kinds or type(value) in kinds or (type(value) is int and float in kinds):
        return None
    shown = told if isinstance(value, bool) else f"{told} {value}"
    if str in kinds:
        return f"is text, and YAML reads what stands there as {shown}; put it in quotes"
    if isinstance(value, bool) and kinds & {int, float}:
        return f"is a number, and YAML reads what stands there as {shown}"
    if date in kinds and not isinstance(value, date):
        return f"is a day, such as 2027-03-01, and YAML reads what stands there as {shown}"
    return None


MAX_DEPTH = 60
"""Levels of lists and mappings in a YAML file."""
MAX_CHARACTERS = 64_000_000
MAX_VALUES = 5_000_000
"""Values of a YAML file with its aliases written out."""


class Document(BaseModel):
    """Base of the JSON files of a run: frozen, with the version of their schema first."""

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1


M = TypeVar("M", bound=Config)
B = TypeVar("B", bound=BaseModel)


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


# An escaped pair of surrogates, as JSON writes a character beyond 16 bits; YAML escapes it as one.
_ESCAPED_PAIR: Final = re.compile(
    r"(?<!\\)(?P<before>(?:\\\\)*)(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)


def _parsed(text: str) -> Any:
    """Read YAML, of which JSON is taken for a part."""
    try:
        return yaml.load(text, _UniqueKeyLoader)
    except yaml.YAMLError:
        joined = _ESCAPED_PAIR.sub(lambda m: m["before"] + json.loads(f'"{m["pair"]}"'), text)
        if joined == text:
            raise
        return yaml.load(joined, _UniqueKeyLoader)


def packaged(folder: str) -> dict[str, Path]:
    """Find the YAML files that ship in ``harness/<folder>``: name -> file."""
    found = {path.stem: path for path in (Path(__file__).parent.parent / folder).glob("*.yaml")}
    return dict(sorted(found.items()))


def load_yaml(model: type[M], name: str, known: Mapping[str, Path], *, kind: str) -> M:
    """Load a packaged file by name, or any YAML file by path, as ``model``.

    Raises:
        UsageError: no such file, not YAML, or a key or value that the model refuses.
    """
    looks_like_path = name.endswith((".yaml", ".yml")) or "/" in name or not known
    path = Path(name) if looks_like_path else known.get(name)
    if path is None:
        raise unknown_name(kind, name, known)
    try:
        text = path.read_text("utf-8")
        if len(text) > MAX_CHARACTERS:
            raise UsageError(f"it has {len(text):,} characters, and {MAX_CHARACTERS:,} are read")
        raw = _parsed(text)
    except FileNotFoundError:
        names = f"known {kind} names: {', '.join(known)}" if known else "check its name and folder"
        raise UsageError(f"there is no {kind} file at {path}; {names}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the {kind} file {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"the {kind} file {path} is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UsageError(
            f"the {kind} file {path} is nested too deeply; {MAX_DEPTH} levels are read"
        ) from None
    except (ValueError, OverflowError, AttributeError, TypeError) as error:
        # The loader's own way to say that a value does not match its tag is an AttributeError.
        why = " ".join(str(error).split()) if isinstance(error, ValueError) else "it is not of its tag"
        raise UsageError(f"the {kind} file {path} has a date or number that cannot be: {why}") from None
    except UsageError as error:
        raise UsageError(f"{kind} {path}: {error}") from None
    _refuse_too_large(raw, f"the {kind} file {path}")
    if not isinstance(raw, dict):
        raise UsageError(f"the {kind} file {path} should be a mapping with 'name' and 'version' at its top")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise UsageError(f"{kind} {path}: {explain(error, model)}") from None


def _refuse_too_large(raw: object, what: str) -> None:
    """Refuse a file that is nested too deeply, or that grows without measure as its aliases are written out.

    Raises:
        UsageError: with the limit.
    """
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(value: object, depth: int) -> int:
        if not isinstance(value, Mapping | list | tuple | set | frozenset):
            return 1
        if id(value) in sizes:
            return sizes[id(value)]
        if depth > MAX_DEPTH or id(value) in open_:
            raise UsageError(f"{what} is nested too deeply, or within itself; {MAX_DEPTH} levels are read")
        open_.add(id(value))
        parts: list[object] = list(cast("Iterable[object]", value))
        if isinstance(value, Mapping):
            parts += cast("Mapping[object, object]", value).values()
        total = 1 + sum(size(part, depth + 1) for part in parts)
        open_.discard(id(value))
        sizes[id(value)] = total
        if total > MAX_VALUES:
            raise UsageError(
                f"{what} has over {MAX_VALUES:,} values with its aliases written out; none are read"
            )
        return total

    size(raw, 0)


_RANGES = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


_LENGTHS = {
    "too_short": ("at least", "min_length", "entries", "entry"),
    "too_long": ("at most", "max_length", "entries", "entry"),
    "string_too_short": ("at least", "min_length", "characters", "character"),
    "string_too_long": ("at most", "max_length", "characters", "character"),
}
_TYPES = (
    ("string_type", "text"),
    ("int_", "a whole number"),
    ("float_", "a number"),
    ("finite_number", "a finite number"),
    ("bool_", "true or false"),
    ("tuple_type", "a list"),
    ("list_type", "a list"),
    ("dict_type", "a mapping"),
    ("mapping_type", "a mapping"),
    ("model_", "a mapping"),
    ("date_", "a day, such as 2027-03-01"),
)
"""Beginnings of the names of errors, and what the value should be."""
_LISTED = 20
"""Mistakes of one file that are told; further ones are counted."""


def checked(model: type[B], fields: Mapping[str, Any], whose: str) -> B:
    """Read fields that are not from a file of their own as ``model``.

    Raises:
        UsageError: an unknown field or a wrong value; ``whose`` it is comes first in the sentence.
    """
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        raise UsageError(f"{whose}: {explain(error, model)}") from None


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Describe all validation errors on one line, with the nearest key for an unknown one."""
    # Unknown keys come first: a misspelt key is also why another key is missing.
    errors = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    told = list(dict.fromkeys(_explain_one(cast("Mapping[str, Any]", one), model) for one in errors))
    if len(told) == 1:
        return told[0]
    more = [f"and {len(told) - _LISTED} more"] if len(told) > _LISTED else []
    numbered = [f"({number}) {one}" for number, one in enumerate(told[:_LISTED], start=1)]
    return f"{len(told)} mistakes: " + "; ".join([*numbered, *more])


def _explain_one(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    kind, loc = error["type"], error["loc"]
    where = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        known = _keys_at(model, loc[:-1]) or _all_keys(model)
        near = difflib.get_close_matches(str(loc[-1]), sorted(known), n=1, cutoff=0.5)
        return f"unknown key {where!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if kind == "missing":
        return f"the key {where!r} is missing"
    message = _in_words(kind, error.get("ctx") or {}, error.get("input"))
    message = message or str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _in_words(kind: str, context: Mapping[str, Any], given: object) -> str | None:
    """Say what a value should be, for the kinds of errors of the validation library."""
    is_now = f" and is {given!s:.40}" if isinstance(given, str | int | float) else ""
    if kind in _RANGES:
        words, end = _RANGES[kind]
        return f"it should be {words} {context[end]:g}{is_now}"
    if kind in _LENGTHS:
        words, end, what, one = _LENGTHS[kind]
        return f"it should have {words} {context[end]} {what if context[end] != 1 else one}"
    if kind == "literal_error":
        return f"it should be {context['expected']}{is_now}"
    if kind == "string_pattern_mismatch":
        return f"it should match {context['pattern']}{is_now}"
    what = next((what for start, what in _TYPES if kind.startswith(start)), None)
    if what is None:
        return None
    comma = "," if is_now and "," in what else ""
    quote = ""
    if kind == "string_type" and isinstance(given, bool | int | float | date):
        shown = _READ_AS[type(given)] + ("" if isinstance(given, bool) else f" {given}")
        is_now, quote = f", and YAML reads what stands there as {shown}", "; put it in quotes"
    elif given is None:
        is_now = " and is empty"
    return f"it should be {what}{comma}{is_now}{quote}"


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> set[str]:
    """List the keys that are allowed at a place; empty if the place cannot be followed."""
    models: list[type[BaseModel]] = [model]
    for part in path:
        fields = [
            one.model_fields[part] for one in models if isinstance(part, str) and part in one.model_fields
        ]
        if isinstance(part, int):
            continue
        models = [found for field in fields for found in _models_in(field.annotation)]
    return {field.alias or name for one in models for name, field in one.model_fields.items()}


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
