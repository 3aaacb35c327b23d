"""Base of generators around another generator, which is named in their spec: filters, signers, watermarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .base import Generator
from .jobs import JobGenerator

if TYPE_CHECKING:
    from ..harness.core.items import ClipSettings, Item

__all__ = ["Wrapper"]


class Wrapper(Generator):
    """A generator that does something with the outputs of an inner one, and has its items and checks."""

    def __init__(self, inner: Generator, spec: str) -> None:
        self.inner = inner
        self.spec = spec
        self.batch_size = inner.batch_size
        self.sources = inner.sources
        self.starts = inner.starts
        self.world = inner.world

    def own_items(self, clip: ClipSettings) -> tuple[Item, ...] | None:
        """List the generator's own items, if it has any."""
        return self.inner.own_items(clip)

    def file_of(self, item: Item) -> str | None:
        """Name the user's file that is an item's clip, as the generator does."""
        return self.inner.file_of(item)

    def why_not(self, item: Item) -> str:
        """Say why an item cannot be given to the inner generator."""
        return self.inner.why_not(item)

    def check(self, items: Sequence[Item]) -> list[str]:
        """Run the generator's checks, and warn that the jobs of a service are not kept."""
        warnings = list(self.inner.check(items))
        if isinstance(self.inner, JobGenerator):
            warnings.append(
                f"jobs of a service within a {self.spec.partition(':')[0]} generator are not kept: a run "
                "that is killed submits, and pays for, those of its last unit again"
            )
        return warnings
