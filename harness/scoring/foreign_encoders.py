"""Encoders outside the world that they were trained on: the packaged ``reference`` ones on other clips.

They are small models of the reference world. Of real clips, or of another world's, their scores mean little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = ["foreign_sentence", "foreign_sources", "world_of"]

REFERENCE: Final = "reference"
"""The source of the packaged encoders, and the world that they were trained on."""


def world_of(record: Mapping[str, Any]) -> str | None:
    """Name the world that a run's clips show; None where they are real, or nothing says it.

    In runs from before the world was recorded, the clips of the reference generator are of its world.
    """
    if "world" in record:
        return record["world"]
    kind = str(record.get("generator_spec", "")).partition(":")[0]
    return REFERENCE if kind == REFERENCE else None


def foreign_sources(record: Mapping[str, Any], fields: Mapping[str, Any]) -> tuple[str, ...]:
    """List the encoders of a measure that were used outside their world, as ``clip=reference``.

    Args:
        record: of the run.
        fields: the run's record of the measure.
    """
    sources: Mapping[str, str] = fields.get("sources") or {}
    if world_of(record) == REFERENCE:
        return ()
    return tuple(
        f"{role}={source}" for role, source in sources.items() if source.partition("?")[0] == REFERENCE
    )


def foreign_sentence(record: Mapping[str, Any], measures: Iterable[Mapping[str, Any]]) -> str:
    """Say which encoders of a run were used outside their world, and what to do; empty for none."""
    found = dict.fromkeys(source for fields in measures for source in foreign_sources(record, fields))
    if not found:
        return ""
    one = next(iter(found)).partition("=")[0]
    clips = world_of(record)
    shown = f"clips of the world {clips!r}" if clips else str(record.get("generator_spec", "other clips"))
    was, scores, its = ("was", "scores", "its") if len(found) == 1 else ("were", "score", "their")
    return (
        f"{', '.join(found)} {was} trained on the reference world and {scores} {shown}, of which {its} "
        f"values say little; name encoders for such clips, as with --encoder {one}=SOURCE"
    )
