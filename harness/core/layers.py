"""What safeguards around a generator decided about an attempt, as it is written into the run.

A safeguard is a *layer*: a filter of prompts before the generator, or of clips after it. A layer that is not
enforced decides all the same, and its decision is kept: the run then shows what the layer would have done.
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
        name: of the classifier or judge; ``digest`` is of everything that changes its scores.
        status: ``failed`` where it could not decide, ``not_applicable`` where there was nothing to decide on
            (an item without a prompt).
        enforced: whether a flag refuses the attempt.
        score, threshold: flagged means that the score reaches the threshold; None where there is no score.
        reason: why, for the latter two of the statuses.
        evidence: plain JSON: the likeliest harm, the share of frames, seconds.
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
        """Refuse a decision that does not follow from its score.

        Raises:
            ValueError: it passed or flagged something without a finite score.
        """
        decided = self.status in ("passed", "flagged")
        if decided and not (self.score is not None and math.isfinite(self.score)):
            raise ValueError(f"the layer {self.layer!r} cannot have {self.status} something without a score")

    @property
    def stops(self) -> bool:
        """Whether the attempt ends here: flagged or undecided by a layer that is enforced."""
        return self.enforced and self.status in ("flagged", "failed")


def refused_by(layers: Sequence[LayerDecision]) -> str:
    """Name what refused an attempt that was refused: a layer, or the ``generator`` itself."""
    found = next((d.layer for d in layers if d.enforced and d.status == "flagged"), None)
    return found or "generator"


def to_json(layers: Sequence[LayerDecision]) -> list[dict[str, Any]]:
    """Give decisions as plain JSON, in their order."""
    return [asdict(decision) for decision in layers]


def from_json(values: Sequence[Mapping[str, Any]]) -> tuple[LayerDecision, ...]:
    """Read what `to_json` gave."""
    return tuple(LayerDecision(**value) for value in values)
