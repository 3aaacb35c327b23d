"""Pair two runs of one suite by the items they share."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .counts import counted
from .errors import UsageError
from .items import ClipSettings, Item
from .labels import is_aggregated
from .run_data import RunData

__all__ = ["Pairing", "on_items", "pair_runs", "same_measure", "shared_items"]


@dataclass(frozen=True)
class Pairing:
    """Two runs of one suite and their shared items, in the order of run b's plan."""

    a: RunData
    b: RunData
    items: tuple[Item, ...]

    def slices(self) -> list[str]:
        """List the slices of the shared items that get aggregates, sorted."""
        return sorted(name for name in self._by_slice if name is not None and is_aggregated(name))

    def of_slice(self, name: str | None) -> Sequence[Item]:
        """List the shared items of a slice, or all of them, sorted by id."""
        return self._by_slice.get(name, ())

    @cached_property
    def _by_slice(self) -> dict[str | None, list[Item]]:
        found: dict[str | None, list[Item]] = {None: []}
        for item in sorted(self.items, key=lambda item: item.id):
            for name in {None, *item.slices}:  # a tag may be given twice
                found.setdefault(name, []).append(item)
        return found

    def same_clips(self, items: Sequence[str]) -> bool:
        """Check whether both runs hold identical files for ``items``."""
        ours = [(self.a.clips.get(i), self.b.clips.get(i)) for i in items]
        alike = all(x and y and x.outcome == y.outcome and x.sha256 == y.sha256 for x, y in ours)
        return alike and any(x and x.sha256 for x, _ in ours)


def pair_runs(left: RunData, right: RunData, *, any_suite: bool = False) -> Pairing:
    """Pair the items of two runs by their id.

    Args:
        any_suite: whether the runs may be of different suites, or versions, and meet in the items they share.

    Raises:
        UsageError: the runs are of different suites, start from different files of one name, or have no
            item in common; the message says what differs.
    """
    suites = [f"{s.record['suite']['name']} v{s.record['suite']['version']}" for s in (left, right)]
    if suites[0] != suites[1] and not any_suite:
        raise UsageError(
            f"{left.name} is a run of the suite {suites[0]} and {right.name} of {suites[1]}; "
            "only runs of one suite can be compared: run both with the same suite"
        )
    starts, others = (side.record.get("starts", {}) for side in (left, right))
    changed = sorted(path for path in starts.keys() & others.keys() if starts[path] != others[path])
    if changed:
        raise UsageError(
            f"{left.name} and {right.name} start from different files of one name "
            f"({', '.join(changed[:3])}); run both with the same files"
        )
    shared = tuple(item for item in right.items.values() if item.id in left.items)
    if not shared:
        raise UsageError(_nothing_shared(left, right))
    return Pairing(left, right, shared)


def shared_items(runs: Sequence[RunData]) -> set[str]:
    """List the ids of the items that all runs have.

    Raises:
        UsageError: there is none; the message names two runs and what differs.
    """
    shared = set(runs[0].items)
    for run in runs[1:]:
        if not shared & set(run.items):
            other = next((one for one in runs if not set(one.items) & set(run.items)), runs[0])
            raise UsageError(_nothing_shared(other, run))
        shared &= set(run.items)
    return shared


def same_measure(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> bool:
    """Say whether two runs have a measure in one version, through the same encoders.

    Args:
        a, b: the record of the measure in each run; None where one lacks it.
    """
    if a is None or b is None:
        return False
    return all(a[name] == b[name] for name in ("version", "encoders", "kind"))


def on_items(run: RunData, items: Container[str]) -> RunData:
    """Restrict a run to some of its items; values of sets are dropped, as they are of other items."""
    kept = {name: item for name, item in run.items.items() if name in items}
    if len(kept) == len(run.items):
        return run
    return replace(
        run,
        items=kept,
        clips={name: clip for name, clip in run.clips.items() if name in kept},
        scores={key: score for key, score in run.scores.items() if key[1] in kept},
        sets={},
    )


def _nothing_shared(a: RunData, b: RunData) -> str:
    clips = [sorted({_clip_text(i.clip) for i in side.items.values()}) for side in (a, b)]
    prompts = [{i.cluster for i in side.items.values()} for side in (a, b)]
    seeds = [{i.seed for i in side.items.values()} for side in (a, b)]
    if clips[0] != clips[1]:
        why = f"clip settings differ ({', '.join(clips[0])} v {', '.join(clips[1])})"
    elif not prompts[0] & prompts[1]:
        why = f"they share no prompt ({len(prompts[0])} and {len(prompts[1])} there)"
    else:
        why = f"seeds differ ({len(seeds[0])} v {len(seeds[1])}, {len(seeds[0] & seeds[1])} in common)"
    return (
        f"{a.name} ({counted(len(a.items), 'item')}) and {b.name} ({counted(len(b.items), 'item')}) "
        f"share no item: {why}; "
        "run both with the same suite and settings"
    )


def _clip_text(clip: ClipSettings) -> str:
    return f"{counted(clip.frames, 'frame')} of {clip.width}x{clip.height} at {clip.fps:g} fps"
