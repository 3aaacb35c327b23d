"""Error cards of frame judges: how often a judge is wrong, by kind of clip, and bounds corrected by it.

A card holds only for the judge with its digest; a judge with other weights or settings has no card. Cards are
in ``safety/data/judges/cards``, one per judge, as JSON and as Markdown.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue

from ...harness.core.errors import UsageError
from ...harness.core.estimate import Estimate
from ...harness.core.keys import seeded_rng
from ...harness.core.stats import effective_sample_size, rate_bound
from .judge_error import Judgements
from .judges import make_judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...metrics.encoders.base import EncoderOptions

__all__ = [
    "CorrectedBound",
    "ErrorRow",
    "JudgeCard",
    "corrected_bound",
    "error_row",
    "judge_card",
    "no_card",
    "packaged_cards",
    "why_no_card",
    "write_card",
]

FOLDER = Path(__file__).parent.parent / "data" / "judges" / "cards"
DRAWS = 20_000


class ErrorRow(Estimate):
    """How many clips of one kind a judge gets right: the share, with its interval.

    The two-sided 95 % interval is that of Clopper and Pearson at the effective number of clips (all of them,
    if each is from another file).

    Attributes:
        kind: what the clips show, or how they were made.
        look: how they were processed: as they are, scaled, blurred or compressed.
        right: number of clips judged correctly: harmless clips passed, unsafe clips flagged.
        n, clusters: number of clips, and of the files or scenes that they come from.
    """

    model_config = ConfigDict(extra="forbid")

    kind: str
    look: str
    right: int
    effective_n: float

    @property
    def share(self) -> float:
        """The value, which no row is without."""
        assert self.value is not None
        return self.value


class JudgeCard(BaseModel):
    """The measured errors of a judge.

    Attributes:
        judge: its spec, as for ``--encoder judge=``.
        digest: of the judge that was measured.
        measures: measures that use it, other than those of the encoder ``judge``.
        settings: the settings by which it flags a clip.
        chosen: how the settings were chosen; None if they were not chosen on trial clips.
        specificity: share of harmless clips that it passes, on clips that were not used to choose settings;
            the first row is for all of them, unprocessed.
        sensitivity: share of unsafe clips that it flags; empty if not measured.
        sensitivity_note: other information on the sensitivity.
        proxies: measured instead of sensitivity: shares of harmless body parts that are detected.
        limits: limits of the card.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    judge: str
    digest: str
    measures: tuple[str, ...] = ()
    settings: dict[str, JsonValue]
    chosen: dict[str, JsonValue] | None = None
    specificity: tuple[ErrorRow, ...]
    sensitivity: tuple[ErrorRow, ...] = ()
    sensitivity_note: str = ""
    proxies: tuple[ErrorRow, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name the card in evidence: the judge, and the beginning of its digest."""
        return f"{self.judge} {self.digest[:12]}"


class CorrectedBound(BaseModel):
    """A one-sided bound on the true rate behind a judge's rate.

    Attributes:
        value: the bound.
        apparent: the judge's rate.
        corrected: the rate corrected for the judge's error.
        confidence: one-sided.
        complete: whether misses of the judge are corrected, too. If not, unsafe clips that the judge misses
            are not part of the rate.
        assumes: the assumptions of the bound, in a sentence.
    """

    model_config = ConfigDict(frozen=True)

    value: float
    apparent: float
    corrected: float
    side: Literal["upper", "lower"]
    confidence: float
    complete: bool
    assumes: str


def error_row(kind: str, look: str, right: Sequence[bool], clusters: Sequence[str]) -> ErrorRow:
    """Count correct judgements, with the 95 % interval of their share."""
    values = [float(one) for one in right]
    if not values:
        raise ValueError(f"there are no clips of the kind {kind!r}")
    return ErrorRow(
        kind=kind,
        look=look,
        right=sum(right),
        n=len(values),
        clusters=len(set(clusters)),
        value=sum(values) / len(values),
        low=rate_bound(values, clusters, 0.975, "lower"),
        high=rate_bound(values, clusters, 0.975, "upper") if not all(right) else 1.0,
        effective_n=effective_sample_size(values, clusters),
    )


@cache
def packaged_cards() -> Mapping[str, JudgeCard]:
    """Read all packaged cards, by the spec of their judge."""
    cards = (JudgeCard.model_validate_json(path.read_bytes()) for path in sorted(FOLDER.glob("*.json")))
    return {card.judge: card for card in cards}


def judge_card(spec: str, options: EncoderOptions | None = None) -> JudgeCard | None:
    """Find the card of a judge; None if it has none, or only one for another version.

    Args:
        spec: of the judge, ``NAME`` or ``NAME:SOURCE``.
        options: how it is run; the dtype is part of its digest.

    Raises:
        UsageError: there is no such judge.
        MissingWeightsError: its weights are not on this machine, so the card cannot be matched with them.
    """
    judge = make_judge(spec, options)
    card = packaged_cards().get(spec)
    if card is None:
        return None
    return card if card.digest == judge.digest else None


def why_no_card(spec: str, options: EncoderOptions | None = None) -> str | None:
    """Say in a sentence why a judge has no card; None where it has one.

    Raises:
        UsageError: no such judge.
        MissingWeightsError: as in `judge_card`.
    """
    return None if judge_card(spec, options) is not None else no_card(spec)


def no_card(spec: str) -> str:
    """Say in a sentence that no card is of a judge: there is none, or it is of another version."""
    if spec in packaged_cards():
        return f"the card of the frame judge {spec!r} is of another version of it, with other errors"
    return (
        f"the frame judge {spec!r} has no card: its errors were not measured; label clips of a run as safe "
        "or unsafe and use `screentest correct`"
    )


def corrected_bound(
    judged: Judgements,
    card: JudgeCard,
    *,
    side: Literal["upper", "lower"] = "upper",
    confidence: float = 0.95,
    kind: str | None = None,
    sensitivity: tuple[float, float] | None = None,
    seen: Judgements | None = None,
) -> CorrectedBound:
    """Bound the true rate from one side, by Rogan and Gladen's correction with a judge's card.

    A parametric bootstrap, seeded by the counts, propagates the uncertainty of the run's rate, of specificity
    and of sensitivity. An upper bound is at least the bound of as many prompts without any event. If the
    sensitivity is not measured, it is taken as 1 and the bound is not `complete`.

    Args:
        judged: the judgements of the run's clips, and their prompts.
        card: of the judge.
        side: ``upper`` for a maximum, ``lower`` for a minimum.
        confidence: one-sided.
        kind: the row of the card, by its kind, that the run's clips are like; without it, the first row.
        sensitivity: the user's own: clips found, and clips that people labelled unsafe. It goes before the
            card's.
        seen: 1 where the judge saw a clip, 0 where there was none (a refusal, judged 0), which it cannot
            flag falsely; of the same items as ``judged``. Without it, it saw all.

    Raises:
        UsageError: no judged clips, no such kind, an impossible sensitivity, or a judge no better than
            chance.
    """
    if not judged.values:
        raise UsageError(f"the frame judge {card.judge!r} judged no clip, so there is no rate to bound")
    safe = _row(card, card.specificity, kind)
    if sensitivity is not None:
        found, asked = sensitivity
        if not 0 <= found <= asked or asked < 1:
            raise UsageError(f"a sensitivity of {found:g} found of {asked:g} is not possible")
    elif card.sensitivity:
        row = _row(card, card.sensitivity, kind if kind in {r.kind for r in card.sensitivity} else None)
        found, asked = row.share * row.effective_n, row.effective_n
    else:
        found, asked = 0.0, 0.0
    complete = asked > 0
    se = found / asked if complete else 1.0
    p = sum(judged.values) / len(judged.values)
    if se + safe.share <= 1:
        raise UsageError(
            f"the frame judge {card.judge!r} is no better than chance, so no rate is corrected by it"
        )
    seed = [card.digest, safe.kind, f"{p:.17g}", len(judged.values), f"{found:.17g}", f"{asked:.17g}"]
    share = 1.0 if seen is None else sum(seen.values) / len(seen.values)
    if share < 1:
        seed.append(f"{share:.17g}")
    rng = seeded_rng("corrected bound", seed)
    right = safe.share * safe.effective_n
    p_draws = judged.draw(rng, DRAWS)
    sp_draws = rng.beta(right + 0.5, safe.effective_n - right + 0.5, DRAWS)
    se_draws = rng.beta(found + 0.5, asked - found + 0.5, DRAWS) if complete else np.ones(DRAWS)
    # Drawn apart from the rate: the two rise together, so that their difference is bounded with care.
    share_draws = seen.draw(rng, DRAWS) if seen is not None and share < 1 else np.ones(DRAWS)
    youden = se_draws + sp_draws - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        true = np.clip((p_draws - share_draws * (1 - sp_draws)) / youden, 0.0, 1.0)
    true = np.where(youden > 0, true, 1.0 if side == "upper" else 0.0)
    corrected = min(1.0, max(0.0, (p - share * (1 - safe.share)) / (se + safe.share - 1)))
    nearest = rate_bound([0.0] * len(judged.values), judged.clusters, confidence, "upper")
    if side == "upper":
        value = max(float(np.quantile(true, confidence)), corrected, nearest)
    else:
        value = min(float(np.quantile(true, 1 - confidence)), corrected, 1 - nearest)
    rests = f"specificity {safe.right} of {safe.n} ({safe.kind}, {safe.look})"
    misses = (
        f"sensitivity {found:.4g} of {asked:.4g}" if complete else "a judge that misses nothing: not measured"
    )
    return CorrectedBound(
        value=value,
        apparent=p,
        corrected=corrected,
        side=side,
        confidence=confidence,
        complete=complete,
        assumes=f"{rests}, {misses}",
    )


def _row(card: JudgeCard, rows: Sequence[ErrorRow], kind: str | None) -> ErrorRow:
    found = rows[0] if kind is None else next((row for row in rows if row.kind == kind), None)
    if found is None:
        kinds = ", ".join(dict.fromkeys(row.kind for row in rows))
        raise UsageError(f"the card of the frame judge {card.judge!r} has no kind {kind!r}; it has: {kinds}")
    return found


def write_card(card: JudgeCard, folder: Path = FOLDER) -> list[Path]:
    """Write a card as JSON and as Markdown, and return both paths."""
    from ...harness.core.files import write_atomic
    from ...harness.core.templates import render_markdown

    template = Path(__file__).parent.parent / "data" / "judges" / "card.md.j2"
    folder.mkdir(parents=True, exist_ok=True)
    name = card.judge.replace(":", "-")
    paths = [folder / f"{name}.json", folder / f"{name}.md"]
    write_atomic(paths[0], card.model_dump_json(indent=1) + "\n")
    write_atomic(paths[1], render_markdown(template, card=card))
    return paths
