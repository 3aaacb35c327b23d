"""The card behind a measure of a run: how often it is right where the truth is known, and if that holds.

A card of a frame judge is found by the judge's digest, and a card of laws, instructions or hallucination by
the identity of the tracker. The card of a judge that says how surely a clip shows its prompt is how often
people's votes agree with it. What was counted from a run's own record, such as refusals, needs no card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..core.counts import counted
from ..policies.card_rules import NoCardError, NoJudgeError, card_behind
from ..policies.checks import find_measure
from .figures import kept_votes, rests_on

if TYPE_CHECKING:
    from ...metrics.base import Measure
    from ..core.estimate import Estimate
    from ..core.registry import Registry
    from ..core.run_data import RunData

__all__ = ["MeasureCard", "card_of"]

_CLIPS: Final = {"world": "reference world", "real": "real clips", "stage": "rooms of the world stage"}
_LAWS, _SKILLS, _FAULTS = "physics.", "follows.", "hallucination."
_VQA, _FOLLOWS = "vqa", "follows"
"""The encoder that asks a model on this machine, and the question of the votes that its answers must meet."""


@dataclass(frozen=True)
class MeasureCard:
    """The card of a measure.

    Attributes:
        label: names the card in evidence.
        failed: why the measure cannot be told from chance by its card; empty if it can be.
    """

    label: str
    failed: str = ""


def card_of(
    data: RunData, name: str, registry: Registry[Measure], *, asked: bool = False
) -> MeasureCard | None:
    """Find the card of what gave a run's values of a measure; None if the measure needs none.

    A measure needs no card if it reads nothing of a clip, like the rate of refusals, unless the rule itself
    has ``asked`` for one. A card fails if the 95 % intervals of what the measure finds and of its false
    alarms overlap.

    Raises:
        NoCardError: there is no card, or it is of another version.
    """
    found = find_measure(name, registry)
    read = data.measures[name].get("encoders")
    if found is not None and not found[0].needs and not read and not asked:
        return None
    tracker = _tracker(data)
    for prefix, card in ((_LAWS, _law_card), (_SKILLS, _skill_card), (_FAULTS, _fault_card)):
        if name.startswith(prefix) and found is not None and "tracks" in found[0].needs:
            if tracker is None:
                raise NoCardError(f"{data.name} does not record the tracker that gave {name}")
            return card(data, name.removeprefix(prefix), tracker)
    if read and _VQA in read:
        return _agreement_card(data, name)
    try:
        judge = card_behind(data, name)
    except NoJudgeError:
        seen = _corruption_card(data, name) or _fault_seen_card(data, name) or _puzzle_card(data, name)
        if seen is not None:
            return seen
        raise NoCardError(
            f"{name} has no validity card: how often it is right has not been measured"
        ) from None
    wrong = 1 - judge.specificity[0].low if judge.specificity[0].low is not None else 1.0
    right = judge.sensitivity[0].low if judge.sensitivity else None
    failed = "" if right is None or right > wrong else _overlap(judge.label, right, wrong)
    return MeasureCard(judge.label, failed)


def _corruption_card(data: RunData, name: str) -> MeasureCard | None:
    """Find the card of what a measure sees of corruptions, first on the kind of clips that the run has.

    It is of the measure's version and encoders. Without a claim that was put to the test it is no card.
    """
    from ...metrics.validation.packaged_cards import is_same_encoder, packaged_measures

    fields = data.measures[name]
    encoders: Mapping[str, str] = fields.get("encoders") or {}
    reference = str(data.record.get("generator_spec", "")).startswith("reference:")
    for source in (*(("world", "real") if reference else ("real", "world")), "stage"):
        card = packaged_measures(source)
        about = None if card is None else card.measures.get(name)
        if card is None or about is None or about.version != fields.get("version"):
            continue
        known: Mapping[str, str] = card.settings.get("encoders") or {}
        tested = any(row.claimed and row.found != "unknown" for row in card.of(name))
        if not tested or not all(is_same_encoder(n, known.get(n), digest) for n, digest in encoders.items()):
            continue
        label = f"corruptions, {_CLIPS[source]}"
        blind = card.failed(name)
        told = f"the card of {name} ({label}) failed: it claims to see {', '.join(blind)}, and does not"
        return MeasureCard(label, told if blind else "")
    return None


def _fault_seen_card(data: RunData, name: str) -> MeasureCard | None:
    """Find the card of the planted faults that a measure of sound, or a sign, sees; None without one."""
    from ...metrics.validation.packaged_cards import packaged_signs, packaged_sound

    version = data.measures[name].get("version")
    for card, label in (
        (packaged_sound(), "faults of sound, drawn clips"),
        (packaged_signs(), "planted faults, world stage"),
    ):
        if card is not None and card.is_of(name, version):
            return _of_claims(name, label, card.claims(name))
    return None


def _of_claims(name: str, label: str, claims: tuple[list[str], list[str]]) -> MeasureCard:
    seen, missed = claims
    if seen:
        return MeasureCard(label)
    return MeasureCard(label, f"the card of {name} ({label}) failed: it does not see {', '.join(missed)}")


def _puzzle_card(data: RunData, name: str) -> MeasureCard | None:
    """Find the card of a measure of puzzles; None if it has none at its version and encoder."""
    from ...metrics.validation.packaged_cards import packaged_goals

    card, fields = packaged_goals(), data.measures[name]
    if card is None or not card.is_of(name, fields.get("version")):
        return None
    read: Mapping[str, str] = fields.get("encoders") or {}
    if set(read.values()) - {card.settings.get("encoder")}:
        return None
    label = "puzzles, drawn clips of the world stage"
    family = name.removeprefix("goals.")
    missed = [
        f"{fault} of a {one}"
        for one in card.families
        if family in (one, "solved")
        for fault in card.claims(f"goals.{one}")[1]
    ]
    return MeasureCard(
        label, f"the card of {name} ({label}) failed: it does not see {', '.join(missed)}" if missed else ""
    )


def _agreement_card(data: RunData, name: str) -> MeasureCard:
    """Find how often people's votes agree with the judge behind a measure, kept beside the run."""
    judge = rests_on(name, data.measures[name])
    assert judge is not None  # its encoder is a judge
    votes = None if data.folder is None else kept_votes(data.folder.absolute().parent, judge)
    found = None if votes is None else votes.agreement.get(name, {}).get(_FOLLOWS)
    if found is None or found.value is None or found.low is None:
        raise NoCardError(
            f"{name} rests on a judge whose agreement with people is not known; 'screentest rate RUN RUN "
            f"--question {_FOLLOWS}' collects votes on clips of two runs, and 'screentest votes RUN RUN' "
            "keeps the agreement beside them"
        )
    label = f"agreement with {counted(found.n, 'vote')}"
    if found.low > 0.5:
        return MeasureCard(label)
    return MeasureCard(
        label,
        f"the card of {name} failed: it calls the clip better that people chose in {found.value:.0%} of "
        f"{counted(found.n, 'vote')}, and at {found.confidence:.0%} confidence perhaps in {found.low:.0%} "
        "only, so it cannot be told from a coin",
    )


def _tracker(data: RunData) -> Mapping[str, Any] | None:
    role: Mapping[str, Any] = (data.record.get("encoders") or {}).get("tracks") or {}
    return role.get("identity")


def _law_card(data: RunData, law: str, tracker: Mapping[str, Any]) -> MeasureCard:
    from ...metrics.validation.law_card import MEDIUM
    from ...metrics.validation.packaged_cards import packaged_card

    card = packaged_card(tracker)
    if card is None:
        raise _no_card("laws", tracker)
    digest = str(card.settings["thresholds"]["digest"])
    others = {
        str(score.evidence["thresholds"])
        for (name, _), score in data.scores.items()
        if name == _LAWS + law and "thresholds" in score.evidence
    } - {digest[:12]}
    if others:
        raise NoCardError(
            f"the validity card of {_LAWS}{law} is of the thresholds {digest[:12]}, and {data.name} was "
            f"scored with {', '.join(sorted(others))}"
        )
    wanted = (law, "plain", "native", MEDIUM)
    hit = next((c.found for c in card.cells if (c.law, c.look, c.variety, c.severity) == wanted), None)
    alarm = next(
        (a.rate for a in card.alarms if (a.law, a.look, a.variety) == (law, "plain", "native")), None
    )
    return _judged(f"{_LAWS}{law}", f"laws, tracker {_named(tracker)}", hit, alarm)


def _skill_card(data: RunData, skill: str, tracker: Mapping[str, Any]) -> MeasureCard:
    from ...metrics.validation.packaged_cards import packaged_skills

    del data
    card = packaged_skills(tracker)
    if card is None:
        raise _no_card("instructions", tracker)
    hit, alarm = (card.get(skill, asked, "plain") for asked in ("kept", "turned"))
    return _judged(f"{_SKILLS}{skill}", f"instructions, tracker {_named(tracker)}", hit, alarm)


def _fault_card(data: RunData, kind: str, tracker: Mapping[str, Any]) -> MeasureCard:
    from ...metrics.validation.packaged_cards import packaged_hallucination

    del data
    card = packaged_hallucination(tracker)
    if card is None:
        raise _no_card("hallucination", tracker)
    hit, alarm = (card.get(kind, fault) for fault in ("all", "none"))
    return _judged(f"{_FAULTS}{kind}", f"hallucination, tracker {_named(tracker)}", hit, alarm)


def _judged(name: str, label: str, hit: Estimate | None, alarm: Estimate | None) -> MeasureCard:
    if hit is None or alarm is None or hit.low is None or alarm.high is None:
        raise NoCardError(f"the validity card ({label}) does not measure {name}")
    if hit.low > alarm.high:
        return MeasureCard(label)
    return MeasureCard(label, _overlap(name, hit.low, alarm.high))


def _overlap(name: str, right: float, wrong: float) -> str:
    return (
        f"the card of {name} failed: at 95 % confidence it finds at least {right:.0%} and its false alarms "
        f"are up to {wrong:.0%}, so it cannot be told from chance"
    )


def _named(tracker: Mapping[str, Any]) -> str:
    return " ".join(str(tracker[key]) for key in ("source", "version") if key in tracker)


def _no_card(what: str, tracker: Mapping[str, Any]) -> NoCardError:
    return NoCardError(
        f"the package has no validity card of {what} for the tracker {_named(tracker)}; "
        "'screentest validate' measures it"
    )
