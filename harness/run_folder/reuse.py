"""Reuse the clips of an earlier run, by item and generator: a longer suite costs only its new part."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.items import Item
from ..core.keys import canonical_json, file_sha256
from ..core.progress import note
from ..core.run_data import ClipRecord
from ..core.storage import opened
from ..plan import Plan
from .store import RunStore, open_run

__all__ = ["refuse_other_generator", "reuse_clips"]


def reuse_clips(plan: Plan, store: RunStore, earlier: Path) -> Collection[str]:
    """Take from an earlier run what it has for the items of a plan: clips and refusals.

    Returns:
        The ids of the items whose clip comes from there, those of an interrupted call included.

    Raises:
        UsageError: there is no run, it is of another generator, or a clip of it is not what was stored.
    """
    refuse_other_generator(plan, earlier)
    source = open_run(earlier)
    try:
        there, here = source.clips(), store.clips()
        starts = dict(source.record.get("starts") or {})
        taken: list[str] = []
        new: list[ClipRecord] = []
        for item in plan.items:
            record = there.get(item.id)
            if record is None or record.outcome not in ("ok", "refused"):
                continue
            if not _same_starts(item, starts, plan):
                continue
            if item.id in here and here[item.id].sha256 != record.sha256:
                continue
            if item.id not in here:
                if record.file is not None:
                    _take(source, store, record, record.file)
                new.append(replace(record, info=None))
            taken.append(item.id)
        if new:
            store.put_clips(new)
    finally:
        source.close()
    note(f"reused {len(taken)} of {counted(len(plan.items), 'clip')} from {earlier}")
    return frozenset(taken)


def refuse_other_generator(plan: Plan, earlier: Path) -> None:
    """Refuse to reuse the clips of another generator.

    Raises:
        UsageError: there is no run, or it is of another generator, or of other settings or weights.
    """
    source = open_run(earlier)
    source.close()
    if canonical_json(source.record["generator"]) != canonical_json(dict(plan.generator)):
        raise UsageError(
            f"{earlier} was made by another generator, or by other settings or weights of this one, so "
            "none of its clips can be reused; leave --reuse out"
        )


def _same_starts(item: Item, starts: dict[str, str], plan: Plan) -> bool:
    paths = [path for path in (item.image, item.video, item.video_to) if path]
    return all(path in plan.starts and starts.get(path) == plan.starts[path] for path in paths)


def _take(source: RunStore, store: RunStore, record: ClipRecord, name: str) -> None:
    """Add a clip to the new run; where both store their clips in one place, it is there already."""
    file = source.clip_files.file(name)
    with opened(file) as path:
        if not path.is_file() or file_sha256(path) != record.sha256:
            raise UsageError(f"{file} is gone, or not what was stored; restore it, or leave --reuse out")
        if str(store.clip_files) != str(source.clip_files):
            store.clip_files.add(path, name)
