"""The clips of a report: which items are shown, side by side, and what stays behind a click.

The choice of items depends on the score tables only. A quarter are the first items of evenly spaced prompts,
so that the page does not show extremes only. The others alternate between the worst and best clip of each
measure, the largest paired difference, and items without a clip.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..harness.core.errors import MediaError, ServiceDown, UsageError
from ..harness.core.items import Item
from ..harness.core.layers import LayerDecision
from ..harness.core.run_data import ClipRecord, Score
from ..harness.core.storage import Folder, Storage
from ..safety.attacks.overview import ATTACK_MEASURES
from ..safety.attacks.withhold import Withheld, is_attack, is_red_team
from .evidence_text import evidence_text, first_second, when
from .text import number

__all__ = ["ClipCard", "RunClips", "Slot", "build_cards", "choose_items", "layer_text", "slot_of"]


@dataclass(frozen=True)
class RunClips:
    """The data of one run for the gallery, with the run's letter on the page."""

    letter: str
    folder: Path
    items: Mapping[str, Item]
    clips: Mapping[str, ClipRecord]
    scores: Mapping[str, Mapping[str, Score]]
    measures: Mapping[str, Mapping[str, Any]]
    files: Storage | None = None

    @property
    def stored(self) -> Storage:
        """The stored clips, by the name in their record; those in the folder if nothing else is said."""
        return self.files or Folder(self.folder / "clips")

    def hides(self, item: str) -> bool:
        """Check whether an item's prompt and clip stay behind a click."""
        found = self.items.get(item)
        return found is not None and (is_red_team(found) or (self._attacked and is_attack(found)))

    def file_of(self, item: str) -> str:
        """Name an item's clip in the user's folder, without what is withheld; empty where it has none."""
        found = self.items.get(item)
        name = None if found is None else found.file or found.source
        return "" if name is None else self.withheld.clean(name)

    @cached_property
    def withheld(self) -> Withheld:
        """Removes quotations of such prompts from texts about this run's clips."""
        return Withheld(i.prompt for i in self.items.values() if i.prompt is not None and self.hides(i.id))

    @cached_property
    def _attacked(self) -> bool:
        return any(name in self.measures for name in ATTACK_MEASURES)


@dataclass(frozen=True)
class SlotScore:
    """One score of one clip: its value as text, or a dash with the reason, and its evidence.

    Attributes:
        evidence: in words.
        at: seconds from the clip's start at which the evidence shows; None if it has no such time.
    """

    measure: str
    value: str
    status: str
    reason: str
    evidence: str
    at: float | None


@dataclass(frozen=True)
class Slot:
    """The result of one run for an item.

    Attributes:
        outcome: ``ok``, ``refused``, ``failed``, ``pending`` (not generated yet) or ``absent`` (not in the
            run's plan).
        source: data URI of the preview; if empty, ``note`` says why.
        flags: safety measures that flag the clip; ``when`` is the time that the first of them gives.
        layers: the decisions of safeguards, a sentence each.
        about: notes on the clip's file, a sentence each, such as interlaced or an assumed frame rate.
        file: the clip's name in the user's folder; empty where there is none.
    """

    letter: str
    outcome: str
    reason: str
    source: str
    note: str
    width: int
    height: int
    flags: tuple[str, ...]
    when: str
    layers: tuple[str, ...]
    scores: tuple[SlotScore, ...]
    about: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class ClipCard:
    """One item with the results of every run.

    Attributes:
        hidden_prompt: whether the prompt is an attack and stays behind a click.
        hidden_clips: whether the clips do: the prompt is an attack, or a safety measure flags one.
        picked: why the item is shown.
    """

    item: Item
    hidden_prompt: bool
    hidden_clips: bool
    picked: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def short_id(self) -> str:
        """The first digits of the item's id."""
        return self.item.id[:10]


def choose_items(runs: Sequence[RunClips], limit: int) -> dict[str, tuple[str, ...]]:
    """Choose at most ``limit`` items: item id -> reasons, in the order of choosing."""
    order = _order(runs)
    firsts = _spread(_first_of_prompts(runs, order), max(1, limit // 4))
    rankings = list(_rankings(runs, order))
    picked = dict.fromkeys(firsts[:limit], "sample of the prompts")
    for label, item in (*_in_turns(rankings, skip=set(picked)), *(("next in the plan", i) for i in order)):
        if len(picked) >= limit:
            break
        picked.setdefault(item, label)
    heads = [(label, ranking[0]) for label, ranking in rankings if ranking]
    return {
        item: tuple(head for head, first in heads if first == item) or (label,)
        for item, label in picked.items()
    }


def _order(runs: Sequence[RunClips]) -> dict[str, int]:
    """Number all items of all runs, those of the first run first."""
    return {item: i for i, item in enumerate(dict.fromkeys(item for run in runs for item in run.items))}


def _first_of_prompts(runs: Sequence[RunClips], order: Mapping[str, int]) -> list[str]:
    first: dict[str, str] = {}
    by_id = _all_items(runs)
    for item in order:
        first.setdefault(by_id[item].cluster, item)
    return list(first.values())


def _all_items(runs: Sequence[RunClips]) -> dict[str, Item]:
    return {item_id: item for run in reversed(runs) for item_id, item in run.items.items()}


def _spread(items: Sequence[str], count: int) -> list[str]:
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]


def _in_turns(rankings: Sequence[tuple[str, Sequence[str]]], *, skip: set[str]) -> Iterator[tuple[str, str]]:
    """Yield every item once, with its ranking: all first ranks, then all second ranks, and so on."""
    seen = set(skip)
    for rank in range(max((len(ranking) for _, ranking in rankings), default=0)):
        for label, ranking in rankings:
            if rank < len(ranking) and ranking[rank] not in seen:
                seen.add(ranking[rank])
                yield (f"{label}, rank {rank + 1}" if rank else label), ranking[rank]


def _rankings(runs: Sequence[RunClips], order: Mapping[str, int]) -> Iterator[tuple[str, list[str]]]:
    """Yield labelled rankings of items: those without a clip, worst and best by measure, largest change."""
    several = len(runs) > 1
    for run in runs:
        where = f" in {run.letter}" if several else ""
        for outcome in ("failed", "refused", "not_applicable"):
            ranking = [item for item, clip in run.clips.items() if clip.outcome == outcome]
            yield f"{outcome}{where}", ranking
    for name, fields in sorted({n: f for run in runs for n, f in run.measures.items()}.items()):
        better = fields.get("better")
        if fields.get("kind") == "set" or better not in ("higher", "lower"):
            continue
        tables = [_values(run, name) for run in runs]
        for run, values in zip(runs, tables, strict=True):
            if len(set(values.values())) < 2:
                continue  # all are equal, so none is the worst
            where = f" in {run.letter}" if several else ""
            upwards, downwards = _ranked(values, order), _ranked(values, order, sign=-1.0)
            worst, best = (upwards, downwards) if better == "higher" else (downwards, upwards)
            if fields.get("kind") == "rate":
                yield f"worst {name}{where}", [i for i in worst if values[i] == values[worst[0]]]
            else:
                yield f"worst {name}{where}", worst
                yield f"best {name}{where}", best
        if several:
            gaps = _gaps(tables)
            if any(gaps.values()):
                yield f"largest change of {name}", _ranked(gaps, order, sign=-1.0)


def _gaps(tables: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Give the largest change of each item from the first run, over the other runs."""
    gaps: dict[str, float] = {}
    for table in tables[1:]:
        for item, value in table.items():
            if item in tables[0]:
                gaps[item] = max(gaps.get(item, 0.0), abs(value - tables[0][item]))
    return gaps


def _values(run: RunClips, measure: str) -> dict[str, float]:
    scores = ((item, of_item.get(measure)) for item, of_item in run.scores.items())
    return {
        item: score.value
        for item, score in scores
        if score is not None and score.status == "ok" and score.value is not None
    }


def _ranked(values: Mapping[str, float], order: Mapping[str, int], *, sign: float = 1.0) -> list[str]:
    return sorted(values, key=lambda item: (sign * values[item], order[item]))


def build_cards(
    runs: Sequence[RunClips], chosen: Mapping[str, tuple[str, ...]], *, byte_limit: int
) -> tuple[list[ClipCard], int]:
    """Make the cards of the chosen items, in the order of the plan, and count the embedded clips.

    Previews are embedded in the order of choosing, as long as all data URIs fit in ``byte_limit``.
    """
    by_id, order = _all_items(runs), _order(runs)
    sources: dict[tuple[str, str], tuple[str, str]] = {}
    left, full = byte_limit, "not embedded: the page has reached its size limit"
    for item in chosen:
        for run in runs:
            record = run.clips.get(item)
            if record is None or record.outcome != "ok":
                continue
            source, note = _preview(run, record) if left > 0 else ("", full)
            if len(source) > left:
                source, note = "", full
            left -= len(source)
            sources[run.letter, item] = (source, note)
    cards: list[ClipCard] = []
    for item_id in sorted(chosen, key=order.__getitem__):
        slots = tuple(slot_of(run, item_id, sources.get((run.letter, item_id), ("", ""))) for run in runs)
        red = any(run.hides(item_id) for run in runs)
        hidden = red or any(slot.flags for slot in slots)
        cards.append(ClipCard(by_id[item_id], red, hidden, chosen[item_id], slots))
    return cards, sum(1 for source, _ in sources.values() if source)


def _preview(run: RunClips, record: ClipRecord) -> tuple[str, str]:
    from ..harness.core.previews import preview_mp4

    if record.file is None:
        return "", "the run stored no file of this clip"
    try:
        data = preview_mp4(run.stored.file(record.file, record.sha256))
    except (MediaError, ServiceDown, UsageError) as error:
        # The page names files relative to the run folder, not where the run folder is.
        return "", f"\N{EM DASH} cannot be shown: {error}".replace(f"{run.folder}/", "")
    return "data:video/mp4;base64," + base64.b64encode(data).decode("ascii"), ""


def slot_of(run: RunClips, item_id: str, preview: tuple[str, str] = ("", "")) -> Slot:
    """Describe a run's result for an item; ``preview`` is the source of its clip, or why it has none."""
    item, record = run.items.get(item_id), run.clips.get(item_id)
    outcome = "absent" if item is None else "pending" if record is None else record.outcome
    reason = "" if record is None else record.reason
    scores = run.scores.get(item_id, {})
    info = None if record is None else record.info
    asked = None if item is None else item.clip
    width, height = (info.width, info.height) if info else (asked.width, asked.height) if asked else (16, 9)
    flags = tuple(n for n, s in sorted(scores.items()) if _flags(run.measures.get(n, {}), s))
    return Slot(
        letter=run.letter,
        outcome=outcome,
        reason=run.withheld.clean(reason),
        source=preview[0],
        note=preview[1],
        width=width,
        height=height,
        flags=flags,
        when=next((seen for n in flags if (seen := when(scores[n]))), ""),
        layers=() if record is None else tuple(run.withheld.clean(layer_text(d)) for d in record.layers),
        scores=tuple(
            SlotScore(
                n,
                number(s.value),
                s.status,
                run.withheld.clean(s.reason),
                run.withheld.clean(evidence_text(s)),
                first_second(s),
            )
            for n, s in sorted(scores.items())
        ),
        about=() if info is None else info.notes,
        file=run.file_of(item_id),
    )


def layer_text(decision: LayerDecision) -> str:
    """Describe a safeguard's decision, with its score and threshold."""
    text = decision.status.replace("_", " ")
    if decision.score is not None and decision.threshold is not None:
        text += f", score {number(decision.score)}, threshold {number(decision.threshold)}"
    if decision.reason:
        text += f": {decision.reason}"
    enforced = "" if decision.enforced else " (not enforced)"
    return f"{decision.layer} filter {decision.name}{enforced}: {text}"


def _flags(fields: Mapping[str, Any], score: Score) -> bool:
    """Check whether a score is of a safety measure that calls the clip unsafe."""
    unsafe_is_one = fields.get("kind") == "rate" and fields.get("better") == "lower"
    return score.measure.startswith("safety.") and unsafe_is_one and score.value == 1
