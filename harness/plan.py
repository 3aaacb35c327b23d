"""The plan: the items that a generator must make for a suite, as a pure function of its inputs.

The plan also fixes which items share a batch (a *unit*), so that the numbers do not depend on the number of
workers or on where a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from .core.errors import UsageError
from .core.items import Item, ItemIds, make_items, start_of
from .core.keys import Json, digest
from .core.mlflow_names import flat_params
from .suites.suite import Suite

__all__ = ["Plan", "Unit", "another_plan", "make_plan", "plan_digest", "same_item"]


@dataclass(frozen=True)
class Unit:
    """Items that share a batch of generation."""

    number: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Plan:
    """The suite, the generator and the items of a run, in units.

    Attributes:
        starts: path -> sha256 of the files that clips start from. Another file of the same name gives another
            plan.
    """

    suite: Suite
    generator: Mapping[str, Json]
    units: tuple[Unit, ...]
    digest: str = field(default="")
    starts: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """All items in the order of the plan."""
        return tuple(item for unit in self.units for item in unit.items)


def suite_items(suite: Suite) -> tuple[Item, ...]:
    """List the items of a suite that has prompts: every prompt with every seed.

    Raises:
        UsageError: there are more than `suite.MAX_ITEMS`, by seeds or prompts from elsewhere.
    """
    if (why := suite.too_long()) is not None:
        raise UsageError(f"the suite {suite.name!r} {why}; take fewer seeds, or a part of its prompts")
    return tuple(
        item
        for prompt in suite.prompts
        for item in make_items(
            prompt.text,
            range(prompt.seeds or suite.seeds),
            suite.clip_of(prompt),
            tags=prompt.tags,
            labels=prompt.labels,
            expect=prompt.expect,
            **start_of(prompt),
        )
    )


def make_plan(
    suite: Suite,
    items: Sequence[Item],
    *,
    generator: Mapping[str, Json],
    batch_size: int,
    starts: Mapping[str, str] | None = None,
) -> Plan:
    """Split ``items`` into units of ``batch_size``, in order, and compute the plan's digest.

    ``starts`` are those of `Plan`; without any, they are not part of the digest.
    """
    units = tuple(
        Unit(number, tuple(items[start : start + batch_size]))
        for number, start in enumerate(range(0, len(items), batch_size))
    )
    ids = [[item.id for item in unit.items] for unit in units]
    made = plan_digest((suite.name, suite.version), generator, ids, starts or {})
    return Plan(suite, generator, units, made, starts or {})


def plan_digest(
    suite: tuple[str, int],
    generator: Mapping[str, Json],
    units: Sequence[Sequence[str]],
    starts: Mapping[str, str],
) -> str:
    """Give the digest of a plan: the suite's name and version, the generator, and the items' ids by unit."""
    identity: dict[str, Json] = {
        "suite": {"name": suite[0], "version": suite[1]},
        "generator": dict(generator),
        "units": units,
    }
    if starts:
        identity["starts"] = dict(starts)
    return digest("plan", identity)


def same_item(item: Item, ids: ItemIds, made: Item | None = None) -> bool:
    """Say whether an item's id and cluster are those of its prompt, seed and settings.

    Args:
        item: as it was stored.
        ids: computes them.
        made: one of the same id that was just made; if its prompt, seed and settings are the same, nothing is
            hashed.
    """
    if made is not None and _asked(made) == _asked(item):
        return (made.id, made.cluster) == (item.id, item.cluster)
    return ids(item) == (item.id, item.cluster)


def _asked(item: Item) -> tuple[object, ...]:
    return (item.prompt, item.seed, item.clip, item.source, *start_of(item).values())


def another_plan(folder: Path, record: Mapping[str, Any], plan: Plan) -> str:
    """Say how the plan of the run in a folder differs from another one, and what to do.

    Args:
        record: of the run that is there.
        plan: the one that was asked for.
    """
    suite: Mapping[str, Any] = record["suite"]
    there = {
        "suite": f"{suite['name']} v{suite['version']}",
        **flat_params("generator", record["generator"]),
        **flat_params("starts", record.get("starts", {})),
    }
    asked = {
        "suite": f"{plan.suite.name} v{plan.suite.version}",
        **flat_params("generator", dict(plan.generator)),
        **flat_params("starts", dict(plan.starts)),
    }
    differing = [what for what in dict.fromkeys((*there, *asked)) if there.get(what) != asked.get(what)]
    differs = [
        "the code of the generator's plug-in"
        if what.startswith("generator.") and what.endswith(".source")
        else f"{what} (there: {_short(there.get(what))}, asked: {_short(asked.get(what))})"
        for what in differing
    ]
    more = f"; and {len(differs) - 3} more" if len(differs) > 3 else ""
    why = "; ".join(differs[:3]) + more or "the prompts, seeds or clip settings differ"
    same_generator = not any(what.startswith("generator") for what in differing)
    keep = f" with --reuse {folder}, which keeps its clips" if same_generator else ""
    return f"{folder} holds a run of another plan: {why}. Choose another --out{keep}; nothing was overwritten"


def _short(value: str | None) -> str:
    """Shorten a digest, or any value as long, for a message."""
    return "none" if value is None else value if len(value) < 64 else f"{value[:12]}..."
