"""What a run says on stderr of its clips and encoders, beside its results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..metrics.quality.outcomes import format_differences
from .core.keys import Json
from .core.presentation import counted
from .core.progress import note
from .foreign_encoders import foreign_sentence
from .generation_log import LOG
from .store import RunStore

__all__ = ["name_lost_clips", "say_copies", "say_failures", "say_formats", "warn_of_foreign"]


def say_failures(store: RunStore) -> None:
    """Count the items that failed, and name the option that generates them again."""
    clips = store.clips().values()
    failed = sum(record.outcome == "failed" and record.file is None for record in clips)
    if failed:
        kept, them = ("is kept as a failure", "it") if failed == 1 else ("are kept as failures", "them")
        note(
            f"warning: {failed} of {counted(len(clips), 'item')} failed and {kept}; the same command with "
            f"--retry-failed generates {them} again; {store.folder / LOG} says more"
        )


def warn_of_foreign(record: Mapping[str, Json], sources: Mapping[str, str]) -> None:
    """Warn of encoders that are used outside the world that they were trained on."""
    told = foreign_sentence(record, [{"sources": sources}])
    if told:
        note(f"warning: {told}; a policy with 'foreign_encoders: refuse' passes no rule on them")


def name_lost_clips(store: RunStore) -> None:
    """Name the clips that are gone or changed: their scores stand, and no gate passes them."""
    states = store.changed_clips()
    for record in store.clips().values():
        state = states.get(record.file or "")
        if state is not None:
            note(
                f"warning: the clip {record.file} of item {record.item[:12]} is {state}; restore it, or let "
                "'screentest run' with --retry-failed ask for it anew"
            )


def say_copies(store: RunStore) -> None:
    """Count the clips of different prompts that are the same file: they are no independent evidence."""
    prompts = {item.id: item.cluster for item in store.items()}
    of: dict[str, set[str]] = {}
    for record in store.clips().values():
        if record.sha256 is not None:
            of.setdefault(record.sha256, set()).add(prompts[record.item])
    copies = sum(len(shared) for shared in of.values() if len(shared) > 1)
    if copies:
        note(
            f"warning: {copies} prompts share their clip, byte for byte, with another prompt; intervals take "
            "them for independent and are too narrow"
        )


def say_formats(store: RunStore) -> None:
    """Count the clips whose size, length or rate is not what the suite asked for."""
    clips = store.clips()
    asked = [item for item in store.items() if item.source is None]
    differs: Counter[str] = Counter()
    others = 0
    for item in asked:
        record = clips.get(item.id)
        if record is not None and record.info is not None:
            found = format_differences(item, record.info)
            others += bool(found)
            differs.update(found)
    if others:
        listed = ", ".join(f"{what} ({count})" for what, count in differs.most_common(3))
        more = f" and {len(differs) - 3} more" if len(differs) > 3 else ""
        note(
            f"warning: {others} of {len(asked)} clips are not as the suite asked: {listed}{more}; a rule on "
            "failure.format can refuse them"
        )
