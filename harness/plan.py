"""The plan: what a suite asks of a generator, item by item, as a pure function of its inputs.

The plan also fixes which items share a batch (a *unit*), so that the same numbers come out however many
workers there are and wherever a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .core.items import Item, make_item
from .core.keys import Json, digest
from .suite import Suite

__all__ = ["Plan", "Unit", "make_plan"]


@dataclass(frozen=True)
class Unit:
    """Items that share a generation batch; a unit is generated and stored whole or not at all."""

    number: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Plan:
    """Everything a run will do, before it does any of it.

    Attributes:
        starts: sha256 of the files that clips start from, by path: another image of that name, another plan.
    """

    suite: Suite
    generator: Mapping[str, Json]
    units: tuple[Unit, ...]
    digest: str = field(default="")
    starts: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def items(self) -> tuple[Item, ...]:
        """All items in the order of the plan."""
        return tuple(item for unit in self.units for item in unit.items)


def suite_items(suite: Suite) -> tuple[Item, ...]:
    """List the items of a suite with prompts of its own: every prompt with every seed."""
    return tuple(
        make_item(
            prompt.text,
            seed,
            suite.clip,
            tags=prompt.tags,
            labels=prompt.labels,
            expect=prompt.expect,
            image=prompt.image,
            video=prompt.video,
            use=prompt.use,
            video_to=prompt.video_to,
            strength=prompt.strength,
        )
        for prompt in suite.prompts
        for seed in range(prompt.seeds or suite.seeds)
    )


def make_plan(
    suite: Suite,
    items: Sequence[Item],
    *,
    generator: Mapping[str, Json],
    batch_size: int,
    starts: Mapping[str, str] | None = None,
) -> Plan:
    """Cut ``items`` into units of ``batch_size`` in their order and give the plan its digest.

    ``starts`` are those of `Plan`; without any, the digest is that of a plan that knows of none.
    """
    units = tuple(
        Unit(number, tuple(items[start : start + batch_size]))
        for number, start in enumerate(range(0, len(items), batch_size))
    )
    identity: dict[str, Json] = {
        "suite": {"name": suite.name, "version": suite.version},
        "generator": dict(generator),
        "units": [[item.id for item in unit.items] for unit in units],
    }
    if starts:
        identity["starts"] = dict(starts)
    return Plan(suite, generator, units, digest("plan", identity), starts or {})
