"""Digests of what a run rests on, and what differs from them.

Each stored value has a digest of its row; ``digests.json`` has one of the run's record and one of each table,
written when the run is scored to its end. They show what was changed afterwards, by accident or in passing.
They are no signatures: who changes a value can compute its digests anew, and only a digest that is kept
elsewhere (in a policy, in the log of a build) shows that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.files import write_atomic
from ..core.items import Item, ItemIds
from ..core.keys import rows_sha256
from ..plan import plan_digest, same_item
from .store import DIGESTS, RunStore

__all__ = [
    "SCORES",
    "WITH_DIGESTS",
    "RunDigests",
    "differences",
    "keep_digests",
    "read_digests",
    "refuse_changed",
    "run_digests",
    "why_unchecked",
]

WITH_DIGESTS = 5
"""The first schema of a run that has digests."""
SCORES = frozenset({"scores", "sets"})
"""The parts of a run that scoring makes anew."""
_NAMED = 3
_ROWS = {
    "items": "SELECT position, id, cluster, unit, fields FROM items ORDER BY position",
    "clips": "SELECT c.item, outcome, reason, sha256, file, info, seconds, decisions FROM clips c "
    "LEFT JOIN layers l ON l.item = c.item ORDER BY c.item",
    "measures": "SELECT name, fields FROM measures ORDER BY name",
    "scores": "SELECT item, measure, digest FROM scores ORDER BY item, measure",
    "sets": "SELECT measure, name, slice, digest FROM set_values ORDER BY measure, name, slice",
}
_WORDS = {
    "record": "the fields of run.json (suite, generator, encoders, versions)",
    "items": "the items (prompts, tags, labels, order)",
    "clips": "the records of clips (outcomes, reasons, files)",
    "measures": "the records of measures (versions, ranges, directions)",
    "scores": "the scores (some were added, removed or replaced)",
    "sets": "the values of sets (some were added, removed or replaced)",
}


class TableChange(NamedTuple):
    """Something that is not as it was: the part of the run, and a clause that says what."""

    part: str
    what: str


class RunDigests(BaseModel):
    """The sha256 of a run's record and of each of its tables, and ``run``, of all of them together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: str
    items: str
    clips: str
    measures: str
    scores: str
    sets: str

    @property
    def run(self) -> str:
        """The one digest that stands for the whole run."""
        return rows_sha256([list(self.model_dump().values())])


def run_digests(store: RunStore) -> RunDigests:
    """Make the digests of a run as it is now."""
    parts = {name: rows_sha256(store.each_row(query)) for name, query in _ROWS.items()}
    return RunDigests(record=rows_sha256([[json.dumps(store.record, sort_keys=True)]]), **parts)


def keep_digests(store: RunStore) -> None:
    """Write ``digests.json`` beside a run that is scored to its end, unless it is there.

    The store removes it before it writes anything.
    """
    path = store.folder / DIGESTS
    if not path.exists() and store.record["schema"] >= WITH_DIGESTS:
        digests = run_digests(store)
        told = {"run": digests.run, **digests.model_dump()}
        write_atomic(path, json.dumps(told, indent=1) + "\n")


def read_digests(folder: Path) -> RunDigests | None:
    """Read ``digests.json``; None where there is none.

    Raises:
        UsageError: it is damaged.
    """
    path = folder / DIGESTS
    try:
        told: Any = json.loads(path.read_bytes())
        digests = RunDigests.model_validate({k: v for k, v in dict(told).items() if k != "run"})
        if told.get("run") != digests.run:
            raise ValueError
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, ValidationError):
        raise UsageError(
            f"{path} is damaged or was changed; restore it, or run again into a new folder"
        ) from None
    return digests


def why_unchecked(store: RunStore) -> str | None:
    """Say why it cannot be told whether a run was changed; None where it can be."""
    if store.record["schema"] < WITH_DIGESTS:
        return (
            f"{store.folder.name} was scored before values had digests, so that nobody can tell whether they "
            f"were changed; 'screentest score {store.folder}' takes them anew from its clips"
        )
    if read_digests(store.folder) is None:
        return (
            f"{store.folder.name} has no {DIGESTS}: it is not scored to its end, or the file is gone; the "
            f"same 'screentest run', or 'screentest score {store.folder}', ends it"
        )
    return None


def differences(store: RunStore, planned: Sequence[Item] = ()) -> list[TableChange]:
    """List what of a run is not as it was when it was scored, clips aside.

    The plan is computed anew from the items, whatever the schema. A run without ``digests.json`` is held to
    the digests of its rows alone.

    Args:
        store: the run.
        planned: items that were just made of their prompts; those of the run need not be made again, only
            compared.
    """
    found = _of_plan(store, planned)
    if store.record["schema"] < WITH_DIGESTS:
        return found
    for part, rows in (
        ("scores", store.changed_scores()),
        ("sets", Counter(one.full_name for one in store.set_scores().values() if not one.intact)),
    ):
        found += [
            TableChange(
                part,
                f"{count} value{'s' if count > 1 else ''} of {name} {'were' if count > 1 else 'was'} changed",
            )
            for name, count in sorted(rows.items())
        ]
    kept = read_digests(store.folder)
    if kept is not None:
        now, told = run_digests(store).model_dump(), {change.part for change in found}
        found += [
            TableChange(part, f"{_WORDS[part]} are not those that were scored")
            for part, was in kept.model_dump().items()
            if now[part] != was and part not in told
        ]
    return found


def _of_plan(store: RunStore, planned: Sequence[Item]) -> list[TableChange]:
    items, record = store.items(), store.record
    found: list[TableChange] = []
    made = {item.id: item for item in planned}
    ids = ItemIds()
    others = [item.id[:12] for item in items if not same_item(item, ids, made.get(item.id))]
    if others:
        named = ", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
        found.append(
            TableChange(
                "items",
                f"the prompt, seed, settings or cluster of {counted(len(others), 'item')} is not that of "
                f"{'its' if len(others) == 1 else 'their'} id "
                f"({named})",
            )
        )
    units: dict[int, list[str]] = {}
    numbers = store.each_row("SELECT unit FROM items ORDER BY position")
    for (number,), item in zip(numbers, items, strict=True):
        units.setdefault(number, []).append(item.id)
    suite: Mapping[str, Any] = record["suite"]
    ids, starts = list(units.values()), record.get("starts") or {}
    if plan_digest((suite["name"], suite["version"]), record["generator"], ids, starts) != record["plan"]:
        found.append(
            TableChange(
                "plan",
                "its suite, generator and items do not give the digest of its plan (one was renamed, or "
                "items were added or removed)",
            )
        )
    return found


def refuse_changed(
    store: RunStore,
    *,
    but: frozenset[str] = frozenset(),
    clips: bool = False,
    changes: Sequence[TableChange] | None = None,
) -> None:
    """Refuse a run that is not as it was when it was scored, with what differs.

    Args:
        but: parts that may differ.
        clips: whether the stored files are read and compared too.
        changes: what `differences` found, if it was asked already.

    Raises:
        UsageError: something differs.
    """
    changes = differences(store) if changes is None else changes
    changes = [change for change in changes if change.part not in but]
    found = [change.what for change in changes]
    if clips:
        found += [
            f"the clip {name[:12]}... is {state}" for name, state in sorted(store.changed_clips().items())
        ]
    if found:
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        again = len(changes) == len(found) and {change.part for change in changes} <= SCORES
        cure = (
            "let the same 'screentest run', with --retry-failed, make again what is gone or changed"
            if not changes
            else f"let 'screentest score {store.folder}' take them anew"
            if again
            else "run again into a new folder"
        )
        what = "it" if changes else f"what is in {store.clip_files}"
        raise UsageError(
            f"{store.folder} is not as it was when it was made: {'; '.join(found[:5])}{more}. Restore {what} "
            f"from a copy, or {cure}"
        )
