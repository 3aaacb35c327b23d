"""What a run says on stderr of its clips and encoders, beside its results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ...metrics.quality.outcomes import format_differences
from ..core.counts import counted
from ..core.errors import ServiceDown, UsageError
from ..core.items import Item
from ..core.keys import Json
from ..core.progress import note
from ..run_folder.generation_log import LOG
from ..run_folder.rows import clip_info
from ..run_folder.store import RunStore
from ..scoring.foreign_encoders import foreign_sentence

__all__ = [
    "count_absent_clips",
    "name_lost_clips",
    "say_copies",
    "say_failures",
    "say_formats",
    "warn_of_foreign",
    "warn_of_unasked",
]

_NAMED: Final = 5
"""Clips that are gone or changed that are named one by one."""


def say_failures(store: RunStore) -> None:
    """Count the items that failed, and name the option that generates them again."""
    ((failed,),) = store.rows("SELECT COUNT(*) FROM clips WHERE outcome = 'failed' AND file IS NULL")
    if failed:
        items = counted(sum(store.outcomes().values()), "item")
        kept, them = ("is kept as a failure", "it") if failed == 1 else ("are kept as failures", "them")
        note(
            f"warning: {failed} of {items} failed and {kept}; the same command with "
            f"--retry-failed generates {them} again; {store.folder / LOG} says more"
        )


def warn_of_foreign(record: Mapping[str, Json], sources: Mapping[str, str]) -> None:
    """Warn of encoders that are used outside the world that they were trained on."""
    told = foreign_sentence(record, [{"sources": sources}])
    if told:
        note(f"warning: {told}; a policy with 'foreign_encoders: refuse' passes no rule on them")


def warn_of_unasked(items: Sequence[Item], measures: Iterable[str]) -> None:
    """Count the prompts that have questions for a viewer where no measure of the run asks one."""
    if any(name.startswith("judge.") for name in measures):
        return
    prompts = {item.cluster: bool((item.expect or {}).get("questions")) for item in items}
    unasked = sum(prompts.values())
    if unasked:
        verb, they = ("needs", "it was not asked") if unasked == 1 else ("need", "they were not asked")
        note(
            f"warning: {unasked} of {counted(len(prompts), 'prompt')} {verb} a viewer; {they}. To ask one, "
            "add --measures +judge.vlm --encoder vlm=SETTINGS"
        )


def count_absent_clips(store: RunStore) -> str:
    """Say in one sentence how many clips of a run are gone from where they were stored; empty for none."""
    try:
        gone = len(store.absent_clips())
    except ServiceDown as error:
        return f"the clips of {store.folder} cannot be looked for: {error}"
    if not gone:
        return ""
    ((stored,),) = store.rows("SELECT COUNT(DISTINCT file) FROM clips WHERE file IS NOT NULL")
    verb, them = ("is", "it") if gone == 1 else ("are", "them")
    return (
        f"{gone} of {counted(stored, 'stored clip')} of {store.folder} {verb} gone from {store.clip_files}, "
        f"so that the page cannot show {them}; restore {them}, or let 'screentest run' with --retry-failed "
        f"make {them} again"
    )


def name_lost_clips(store: RunStore, *, unfinished: bool = False) -> None:
    """Name the clips that are gone or changed: their scores stand, and no gate passes them.

    Args:
        store: the run.
        unfinished: whether further clips are to be generated, which would end in an error for these.

    Raises:
        UsageError: the run is unfinished, and some clips are gone or changed.
    """
    states = store.changed_clips()
    if states and unfinished:
        ((stored,),) = store.rows("SELECT COUNT(DISTINCT file) FROM clips WHERE file IS NOT NULL")
        shown = ", ".join(f"{file[:12]}... is {state}" for file, state in sorted(states.items())[:3])
        more = f", and {len(states) - 3} more" if len(states) > 3 else ""
        raise UsageError(
            f"of {counted(stored, 'stored clip')} of {store.folder}, {len(states)} cannot be used "
            f"({shown}{more}); restore what is lost in {store.clip_files}, or add --retry-failed to make it "
            "again. Nothing was generated"
        )
    told = 0
    for record in store.each_clip() if states else ():
        state = states.get(record.file or "")
        if state is None:
            continue
        told += 1
        if told <= _NAMED:
            note(
                f"warning: the clip {record.file} of item {record.item[:12]} is {state}; restore it, or let "
                "'screentest run' with --retry-failed ask for it anew"
            )
    if told > _NAMED:
        more = told - _NAMED
        note(
            f"warning: and so {'is' if more == 1 else 'are'} {counted(more, 'further clip')}, gone or changed"
        )


def say_copies(store: RunStore) -> None:
    """Count the clips of different prompts that are the same file: they are no independent evidence."""
    ((copies,),) = store.rows(
        "SELECT COUNT(DISTINCT i.cluster) FROM clips c JOIN items i ON i.id = c.item WHERE c.sha256 IN "
        "(SELECT c.sha256 FROM clips c JOIN items i ON i.id = c.item WHERE c.sha256 IS NOT NULL "
        "GROUP BY c.sha256 HAVING COUNT(DISTINCT i.cluster) > 1)"
    )
    if copies:
        note(
            f"warning: {copies} prompts share their clip, byte for byte, with another prompt; intervals take "
            "them for independent and are too narrow"
        )


def say_formats(store: RunStore) -> None:
    """Count the clips whose size, length or rate is not what the suite asked for."""
    asked = {item.id: item for item in store.items() if item.source is None}
    differs: Counter[str] = Counter()
    others = 0
    for name, info in store.each_row(
        "SELECT c.item, c.info FROM items i JOIN clips c ON c.item = i.id WHERE c.info IS NOT NULL "
        "ORDER BY i.position"
    ):
        if name in asked:
            found = format_differences(asked[name], clip_info(info))
            others += bool(found)
            differs.update(found)
    if others:
        listed = ", ".join(f"{what} ({count})" for what, count in differs.most_common(3))
        more = f" and {len(differs) - 3} more" if len(differs) > 3 else ""
        note(
            f"warning: {others} of {counted(len(asked), 'clip')} not as the suite asked: {listed}{more}; "
            "a rule on "
            "failure.format can refuse them"
        )
