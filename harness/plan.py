"""The plan: what a suite asks of a generator, item by item, as a pure function of its inputs.

The plan also fixes which items share a batch (a *unit*), so that the same numbers come out however many
workers there are and wherever a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .keys import Json, digest
from .suite import EDIT_STRENGTH, ClipSettings, Suite, Use

__all__ = ["Item", "Plan", "Unit", "make_item", "make_plan"]


@dataclass(frozen=True)
class Item:
    """One thing to generate: a prompt, a seed and settings, with a stable id.

    Attributes:
        id: 64 hex digits, the same in every run that asks for the same thing: runs are paired by it.
        cluster: id of the prompt; the items of one prompt are not independent and share it.
        prompt: the text, or None for a clip of a folder that came without one.
        expect: what a faithful clip shows, for probes.
        image, video, video_to: paths of what the clip starts from, where it does; see `Prompt`.
        use: what is done with the video; None where there is none.
        strength: how much of the video an edit may change, in (0, 1]; None where there is no edit.
        source: name of the file in a folder of clips that is to be this item's clip, where there is one.
    """

    id: str
    cluster: str
    prompt: str | None
    seed: int
    clip: ClipSettings
    tags: tuple[str, ...] = ()
    expect: Mapping[str, Any] | None = None
    image: str | None = None
    video: str | None = None
    use: Use | None = None
    video_to: str | None = None
    strength: float | None = None
    group: str | None = None
    source: str | None = None


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


def make_item(prompt: str | None, seed: int, clip: ClipSettings, **more: Any) -> Item:
    """Give an item its identity: the prompt, what it starts from, the seed and the clip settings.

    ``more`` takes the remaining fields of `Item`; of those only what it starts from (``image``, ``video``,
    ``use``, ``video_to``, ``strength``) and, where there is no prompt, ``source`` are part of the identity,
    so that a new tag does not make a new item. Where they are not given, ``use`` is to extend a video and
    ``strength`` is `EDIT_STRENGTH`.
    """
    if more.get("video") is not None and more.get("use") is None:
        more["use"] = "extend"
    if more.get("use") == "edit" and more.get("strength") is None:
        more["strength"] = EDIT_STRENGTH
    asked: dict[str, Json] = {"prompt": prompt, "image": more.get("image"), "video": more.get("video")}
    # What is not given, or as it was before it could be given, stays out: ids are the same in every release.
    later = {name: more.get(name) for name in ("use", "video_to", "strength")}
    asked |= {name: value for name, value in later.items() if value not in (None, "extend")}
    if prompt is None:
        asked["source"] = more.get("source")
    identity = {**asked, "seed": seed, "clip": clip.model_dump()}
    return Item(
        id=digest("item", identity),
        cluster=digest("prompt", asked),
        prompt=prompt,
        seed=seed,
        clip=clip,
        **more,
    )


def suite_items(suite: Suite) -> tuple[Item, ...]:
    """List the items of a suite with prompts of its own: every prompt with every seed."""
    return tuple(
        make_item(
            prompt.text,
            seed,
            suite.clip,
            tags=prompt.tags,
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
