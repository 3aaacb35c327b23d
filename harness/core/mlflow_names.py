"""Names and values that MLflow accepts. Two different measures or slices never share a name.

The dots of a measure's name become slashes; a dot then starts a part of an aggregate. A tag goes before the
measure. Any character other than an ASCII letter, digit, ``_`` or ``-`` is written as its code point between
colons::

    fidelity.fvd                         fidelity/fvd  fidelity/fvd.low  fidelity/fvd.high  fidelity/fvd.n
    motion.flicker over the tag red team tag:red:20:team/motion/flicker
"""

from __future__ import annotations

from collections.abc import Mapping

from .keys import Json, canonical_json, digest

__all__ = ["MAX_PARAM", "MAX_TAG", "bounded_text", "flat_params", "metric_name"]

# MLflow's limits (mlflow.utils.validation); a metric's name leaves room for the longest part.
MAX_PARAM, MAX_TAG = 6000, 8000
_MAX_KEY = 250
_MAX_METRIC = _MAX_KEY - len(".left_out.not_applicable")
_MANY_PARAMS = 50


def metric_name(measure: str, tag: str | None = None) -> str:
    """Return the metric name of a measure, for the run or for the items of a tag.

    Example:
        >>> metric_name("fidelity.fvd"), metric_name("motion.flicker", "50% off")
        ('fidelity/fvd', 'tag:50:25::20:off/motion/flicker')
    """
    # An empty part would give a path that MLflow refuses; "::" is no escape of any character.
    name = "/".join(_escaped(part) or "::" for part in measure.split("."))
    return _fitted(name if tag is None else f"tag:{_escaped(tag)}/{name}", _MAX_METRIC)


def _escaped(text: str) -> str:
    plain = {"_", "-"}
    return "".join(c if c in plain or (c.isascii() and c.isalnum()) else f":{ord(c):x}:" for c in text)


def _fitted(name: str, limit: int) -> str:
    """Cut a name that is too long for MLflow; the digest of the whole keeps it apart from others."""
    if len(name) <= limit:
        return name
    mark = f":sha256:{digest('name', {'name': name})[:16]}"
    return name[: limit - len(mark)].rstrip("/") + mark


def bounded_text(value: str, limit: int) -> str:
    """Make text that any database accepts: valid UTF-8, no NUL, at most ``limit`` characters."""
    text = value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    if len(text) <= limit:
        return text
    mark = f"... (cut; {len(text)} characters, sha256 {digest('text', {'text': text})[:16]})"
    return text[: limit - len(mark)] + mark


def flat_params(name: str, value: Json) -> dict[str, str]:
    """Flatten nested settings to ``name.key.key``; a part with more than 50 leaves stays one JSON text."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        leaves: dict[str, str] = {}
        for key, child in value.items():
            leaves |= flat_params(f"{name}.{_escaped(str(key)) or '::'}", child)
        if len(leaves) <= _MANY_PARAMS:
            return leaves
    return {
        _fitted(name, _MAX_KEY): bounded_text(
            value if isinstance(value, str) else canonical_json(value), MAX_PARAM
        )
    }
