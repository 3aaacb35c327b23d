"""A part of a suite, for a first look: fewer prompts, fewer seeds, one tag.

A part is a suite of its own, with a name that says what it is, so that no comparison, gate or tracker takes
it for the whole. Its items have the ids that they have in the whole suite. A part with every prompt and every
seed is the suite itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..core.errors import UsageError, unknown_name
from ..core.items import Prompt
from ..core.keys import digest
from .suite import Suite

__all__ = ["SuitePart"]

_LONGEST = 60


@dataclass(frozen=True)
class SuitePart:
    """Which part of a suite is run; None takes all.

    Attributes:
        limit: the first so many prompts.
        seeds: clips a prompt, in the place of the suite's.
        tag: prompts with this tag or this ``label:value`` only.
    """

    limit: int | None = None
    seeds: int | None = None
    tag: str | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is left out."""
        return self == SuitePart()

    def of(self, suite: Suite) -> Suite:
        """Cut a suite down to this part.

        Raises:
            UsageError: the suite has no such tag, or takes its items from the generator.
        """
        if self.whole:
            return suite
        if suite.prompts_from_generator:
            raise UsageError(
                f"the suite {suite.name!r} takes its items from a folder of videos; --limit, --seeds and "
                "--tag are for suites with prompts"
            )
        prompts = suite.prompts
        if self.tag is not None:
            prompts = tuple(p for p in prompts if self.tag in _names(p.tags, p.labels))
            if not prompts:
                known = {name for p in suite.prompts for name in _names(p.tags, p.labels)}
                raise unknown_name("tag", self.tag, known)
        prompts = prompts[: self.limit]
        if self.seeds is not None:
            prompts = tuple(p.model_copy(update={"seeds": None}) for p in prompts)
        seeds = self.seeds or suite.seeds
        if _clips(prompts, seeds) == _clips(suite.prompts, suite.seeds):
            return suite
        return suite.model_copy(update={"prompts": prompts, "seeds": seeds, "name": self._name(suite)})

    def _name(self, suite: Suite) -> str:
        parts = {"limit": self.limit, "seeds": self.seeds, "tag": self.tag}
        said = [f"{name}-{_slug(str(value))}" for name, value in parts.items() if value is not None]
        name = ".".join([suite.name, *said])
        if len(name) <= _LONGEST:
            return name
        short = digest("part", {"suite": suite.name, **parts})[:8]
        return f"{suite.name[: _LONGEST - 14]}.part-{short}"


def _clips(prompts: tuple[Prompt, ...], seeds: int) -> list[tuple[Prompt, int]]:
    """List the prompts, each with the number of its clips."""
    return [(p.model_copy(update={"seeds": None}), p.seeds or seeds) for p in prompts]


def _names(tags: tuple[str, ...], labels: dict[str, tuple[str, ...]]) -> set[str]:
    return {*tags, *(f"{name}:{value}" for name, values in labels.items() for value in values)}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or digest("slug", {"text": text})[:8]
