"""Rows of a run's tables: how items, clips, scores and values of sets are stored, and read again."""

from __future__ import annotations

import functools
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields as fields_of
from typing import Any, cast

from ..core.items import ClipSettings, Item
from ..core.keys import row_sha256
from ..core.labels import labels_of_tags, merge_labels, read_labels
from ..core.layers import from_json
from ..core.media import ClipInfo
from ..core.run_data import ClipRecord, Outcome, Score, SetScore, Status

__all__ = [
    "clip_info",
    "info_text",
    "item_fields",
    "read_clip",
    "read_items",
    "read_score",
    "read_set_score",
    "score_row",
    "set_row",
    "storable",
]


_EVIDENCE = json.JSONEncoder(allow_nan=False)


def storable(reason: str) -> str:
    """Escape what is not Unicode, such as a byte of a file name in an error message."""
    return reason.encode("utf-8", "backslashreplace").decode("utf-8")


def item_fields(item: Item) -> str:
    """Write the fields of an item, but its id and cluster, as JSON."""
    fields = {name: getattr(item, name) for name in _ITEM_FIELDS}
    fields["clip"] = item.clip.model_dump()
    if item.given is None:  # as in runs from before there were expansions
        del fields["given"]
    return json.dumps(fields)


def read_items(rows: Iterable[tuple[str, str, str]]) -> Iterator[Item]:
    """Read items, each from its id, cluster and fields.

    Items of one prompt that follow each other share its texts, and are parsed once but for their seeds.
    """
    item, before = None, ("", "", "")
    for name, cluster, fields in rows:
        found = _BY_SEED.fullmatch(fields)
        head, seed, tail = found.groups() if found else (fields, "", "")
        if item is not None and found and (cluster, head, tail) == before:
            item = item.with_seed(name, int(seed))
        else:
            item = _read_item(name, cluster, fields, item)
            before = (cluster, head, tail)
        yield item


_BY_SEED = re.compile(r'(\{"prompt": (?:null|"(?:[^"\\]|\\.)*"), "seed": )(-?[0-9]{1,20})(, .*)')
"""An item's fields: the prompt as it is written in JSON, the seed, and the rest."""


def _read_item(item_id: str, cluster: str, fields: str, like: Item | None) -> Item:
    """Read an item; in older runs labels are read from its tags, and its group from a field of its own.

    What is equal in ``like``, the item before it in the run, is shared with that: items of one prompt hold
    its texts once.
    """
    values = json.loads(fields)
    values["clip"] = _clip_settings(**values["clip"])
    values["tags"], once_tags = labels_of_tags(values["tags"])
    group = values.pop("group", None)  # of schema 2 and less
    once_group = {"group": (group,)} if group else {}
    values["labels"] = merge_labels(read_labels(values.get("labels")), once_tags, once_group)
    if like is not None:
        cluster = like.cluster if cluster == like.cluster else cluster
        for name in ("prompt", "tags", "labels", "expect"):
            known = getattr(like, name)
            values[name] = known if known == values.get(name) else values.get(name)
    return Item(id=item_id, cluster=cluster, **values)


_ITEM_FIELDS = tuple(one.name for one in fields_of(Item) if one.name not in ("id", "cluster"))


@functools.lru_cache(maxsize=1024)
def _clip_settings(**fields: Any) -> ClipSettings:
    """Make the settings of a clip, which most items of a run share, once."""
    return ClipSettings(**fields)


def info_text(record: ClipRecord) -> str | None:
    """Write what decoding told of a clip as JSON; None before it is decoded."""
    return None if record.info is None else json.dumps(vars(record.info))


def read_clip(row: Sequence[Any]) -> ClipRecord:
    """Read the record of a clip: item, outcome, reason, sha256, file, info, seconds and decisions."""
    item, outcome, reason, sha256, file, info, seconds, decisions = row
    layers = from_json(json.loads(decisions)) if decisions else ()
    decoded = clip_info(info) if info else None
    return ClipRecord(
        item, cast(Outcome, sys.intern(outcome)), reason, sha256, file, decoded, seconds, layers
    )


@functools.lru_cache(maxsize=1024)
def clip_info(text: str) -> ClipInfo:
    """Read what decoding told of a clip, which is the same of most clips of a run, once."""
    return ClipInfo(**json.loads(text))


def score_row(score: Score) -> tuple[str | float | None, ...]:
    """Write a score, with the digest of its row."""
    # SQLite stores NaN as no value.
    value = None if score.value is None or math.isnan(score.value) else float(score.value)
    evidence = _EVIDENCE.encode(score.evidence) if score.evidence else "{}"
    row = (score.item, score.measure, score.status, value, storable(score.reason), evidence, score.key)
    return (*row, row_sha256(row))


def read_score(row: Sequence[Any], *, sound: bool = False) -> Score:
    """Read a score and whether its row has the digest that it was stored with; no number is a failure.

    Args:
        sound: it is known to have it.
    """
    item, measure, status, value, reason, evidence, key, kept = row
    intact = sound or kept == row_sha256(row[:-1])
    if value is not None and not isinstance(value, float):
        status, value, reason = "failed", None, f"the stored value is {value!r:.40}, which is no number"
    evidence = {} if evidence == "{}" else dict(json.loads(evidence))
    # The names and reasons of many scores are the same text, held once.
    return Score(
        item,
        sys.intern(measure),
        cast(Status, sys.intern(status)),
        value,
        sys.intern(reason),
        evidence,
        key,
        intact,
    )


def set_row(score: SetScore) -> tuple[str, ...]:
    """Write a value of a set, with the digest of its row."""
    fields = json.dumps(score.model_dump(exclude={"key"}))
    row = (score.measure, score.name, score.slice or "", fields, score.key)
    return (*row, row_sha256(row))


def read_set_score(row: Sequence[Any]) -> SetScore:
    """Read a value of a set as `read_score` does a score."""
    *_, fields, key, kept = row
    known = dict(json.loads(fields))
    without = dict(known.get("leave_one_out") or {})
    numbers: list[Any] = [known.get(name) for name in ("value", "low", "high", "confidence")]
    numbers += without.values()
    strange = next((n for n in numbers if isinstance(n, bool) or not isinstance(n, int | float | None)), None)
    if strange is None:
        return SetScore(**known, key=key, intact=kept == row_sha256(row[:-1]))
    return SetScore(
        measure=known["measure"],
        status="failed",
        reason=f"a stored value is {strange!r:.40}, which is no number",
        n=0,
        key=key,
        name=known.get("name", ""),
        slice=known.get("slice"),
        intact=False,
    )
