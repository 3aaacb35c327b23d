"""The base of what detectors look at."""

from __future__ import annotations

from abc import abstractmethod

from ...harness.core.arrays import Floats
from ...harness.core.keys import Identified, digest
from .preparation import PreparedClip

__all__ = ["Extractor"]


class Extractor(Identified):
    """Turn a prepared clip into a vector.

    Attributes:
        kind: of detector.
        columns: names of the numbers.
        falling: whether, without training, a *lower* number means a generated clip; None if the weights of
            the numbers are learned.
        groups: sizes of the groups of numbers, in their order, in each of which the deviation of a clip from
            the real ones counts beside the learned weights; empty where it does not.
    """

    kind: str
    columns: tuple[str, ...] = ()
    falling: bool | None = None
    groups: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """64 hex digits of the kind and the identity."""
        return digest("detector extractor", {"kind": self.kind, **self.identity()})

    @abstractmethod
    def extract(self, clip: PreparedClip) -> Floats:
        """Compute the vector of a clip, (k,)."""
