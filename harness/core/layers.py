"""Decisions of the safeguards around a generator about one attempt, as a run stores them.

A safeguard is a *layer*: a filter of prompts before the generator, or of clips after it. A layer that is not
enforced still decides, and its decision is stored, so that the run shows what it would have refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from .keys import Json

__all__ = ["Layer", "LayerDecision", "LayerStatus", "from_json", "refused_by", "to_json"]

Layer: TypeAlias = Literal["prompt", "frame"]
LayerStatus: TypeAlias = Literal["passed", "flagged", "failed", "not_applicable"]


@dataclass(frozen=True)
class LayerDecision:
    """One decision of one layer about one attempt.

    Attributes:
        name: of the classifier or judge; ``digest`` covers everything that changes its scores.
        status: ``failed`` if it could not decide; ``not_applicable`` if there was nothing to decide on
            (an item without a prompt).
        enforced: whether a flag refuses the attempt.
        score, threshold: flagged if the score is at least the threshold; None if there is no score.
        reason: why the layer failed or does not apply.
        evidence: plain JSON, such as the likeliest harm, the share of frames, the seconds taken.
    """

    layer: Layer
    name: str
    digest: str
    status: LayerStatus
    enforced: bool
    score: float | None = None
    threshold: float | None = None
    reason: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict[str, "Json"])

    def __post_init__(self) -> None:
        """Check that a passed or flagged decision has a score.

        Raises:
            ValueError: it passed or flagged an attempt without a finite score.
        """
        decided = self.status in ("passed", "flagged")
        if decided and not (self.score is not None and math.isfinite(self.score)):
            raise ValueError(f"the layer {self.layer!r} cannot have {self.status} something without a score")

    @property
    def stops(self) -> bool:
        """Whether the attempt ends here: an enforced layer flagged it or could not decide."""
        return self.enforced and self.status in ("flagged", "failed")


def refused_by(layers: Sequence[LayerDecision]) -> str:
    """Name what refused an attempt: a layer, or the ``generator`` itself."""
    found = next((d.layer for d in layers if d.enforced and d.status == "flagged"), None)
    return found or "generator"


def to_json(layers: Sequence[LayerDecision]) -> list[dict[str, Any]]:
    """Convert decisions to plain JSON, in order."""
    return [asdict(decision) for decision in layers]


def from_json(values: Sequence[Mapping[str, Any]]) -> tuple[LayerDecision, ...]:
    """Read decisions that `to_json` wrote."""
    return tuple(LayerDecision(**value) for value in values)
