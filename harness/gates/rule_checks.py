"""Checks of what a run holds, before any number of it counts for a rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..core.counts import counted
from ..core.run_data import RunData
from ..policies.checks import find_measure
from ..scoring.foreign_encoders import foreign_sources

if TYPE_CHECKING:
    from ...metrics.base import Measure
    from ..core.registry import Registry

__all__ = ["Undecidable", "check_encoders", "check_finished", "check_record"]


class Undecidable(Exception):
    """Say why a rule cannot be decided, with the evidence so far."""

    def __init__(self, reason: str, **evidence: Any) -> None:
        super().__init__(reason)
        self.evidence = evidence


def check_finished(data: RunData) -> None:
    """Refuse a run in which items have no clip yet."""
    if data.without_clip:
        raise Undecidable(
            f"{data.name} is not finished: {data.without_clip} of "
            f"{counted(len(data.items), 'item')} without a clip so far"
        )


def check_encoders(runs: Iterable[RunData], name: str) -> None:
    """Refuse scores by encoders of the reference world of clips that are not of it."""
    for data in runs:
        found = foreign_sources(data.record, data.measures.get(name, {}))
        if found:
            was = "was" if len(found) == 1 else "were"
            raise Undecidable(
                f"{', '.join(found)} of {name} in {data.name} {was} trained on the reference world, and "
                "the clips are not of it; the policy accepts no such score, so score the run again with "
                "an encoder for its clips ('screentest score --encoder ROLE=SOURCE')"
            )


def check_record(data: RunData, name: str, registry: Registry[Measure]) -> None:
    """Hold what a run says of a measure, and its scores, to what is known of the measure here."""
    found, fields = find_measure(name, registry), data.measures[name]
    assert found is not None  # a policy with an unknown measure is refused before
    now = found[0]
    if (fields["version"], fields["kind"]) != (now.version, now.kind):
        raise Undecidable(
            f"{data.name} holds version {fields['version']} of {name} and this screentest has "
            f"{now.version}; 'screentest score' computes it again"
        )
    own = now.values.get(name.removeprefix(f"{now.name}.")) or now
    told = (fields["better"], tuple(fields["bounds"]))
    if told != (own.better, tuple(own.bounds)):
        raise Undecidable(
            f"{data.name} says of {name} that {told[0]} is better, in {list(told[1])}, and here it is "
            f"{own.better}, in {list(own.bounds)}; 'screentest score' takes it anew"
        )
    _check_keys(data, name, now)
    _check_outcomes(data, name, now)


def _check_outcomes(data: RunData, name: str, measure: Measure) -> None:
    """Refuse scores that do not follow from what came back for their items."""
    if measure.kind == "set":
        return
    from ..scoring.clips import score_without_clip

    wrong = 0
    for item in data.items.values():
        score, clip = data.scores.get((name, item.id)), data.clips.get(item.id)
        if score is not None and clip is not None:
            made = score_without_clip(measure, item, clip)
            wrong += made is not None and (made.status, made.value) != (score.status, score.value)
    if wrong:
        raise Undecidable(
            f"{counted(wrong, 'score')} of {name} in {data.name} cannot follow from what came back for "
            "the item; "
            "'screentest score' takes them anew"
        )


def _check_keys(data: RunData, name: str, measure: Measure) -> None:
    """Refuse scores of other clips, encoders or versions than recorded, as after a stopped rescore."""
    if measure.kind == "set" or (measure.every_outcome and not measure.needs):
        return
    from ..scoring.clips import score_key

    stale, fields = 0, data.measures[name]
    for item in data.items.values():
        score, clip = data.scores.get((name, item.id)), data.clips.get(item.id)
        if score is not None and score.status == "ok" and clip is not None:
            now = score_key(measure, clip, item.prompt, fields["encoders"], fields.get("settings"))
            stale += score.key != now
    if stale:
        raise Undecidable(
            f"{counted(stale, 'score')} of {name} in {data.name}: outdated, of other clips, encoders or "
            "another version than the run records; 'screentest score' computes them again"
        )
