"""What a program or a server of the user is asked for, and what it may answer: plain JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from ..harness.core.errors import unknown_name
from .base import ANY_START, Failure, NotApplicable, Refusal

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json

__all__ = ["PROTOCOL", "STATUSES", "outcome_of", "paths_of", "read_starts", "request_of"]

PROTOCOL: Final = 1
"""Version of what is asked for."""
STATUSES: Final = ("ok", "refused", "failed", "not_applicable")


def read_starts(given: object) -> object:
    """Read an option such as ``[image,extend]``, or ``any``.

    Raises:
        UsageError: there is no such start; the nearest one is named.
    """
    if not isinstance(given, str):
        return given
    if given == "any":
        return ANY_START
    names = [name.strip() for name in given.split(",")]
    wrong = next((name for name in names if name not in ANY_START), None)
    if wrong is not None:
        raise unknown_name("start", wrong, [*ANY_START, "any"])
    return frozenset(names)


def request_of(item: Item) -> dict[str, Json]:
    """Write what is asked for as plain JSON; what there is not is null."""
    return {
        "protocol": PROTOCOL,
        "id": item.id,
        "prompt": item.prompt,
        "seed": item.seed,
        "clip": cast("dict[str, Json]", item.clip.model_dump()),
        "use": item.use,
        "strength": item.strength,
    }


def paths_of(item: Item) -> dict[str, Json]:
    """Give the absolute paths of the files that a clip starts from; null without one."""
    paths = {"image": item.image, "video": item.video, "video_to": item.video_to}
    return {name: None if path is None else str(Path(path).absolute()) for name, path in paths.items()}


def outcome_of(status: object, reason: str, who: str) -> Refusal | Failure | NotApplicable | None:
    """Give the outcome that an answer states; None for a clip, or where it states none."""
    if status == "refused":
        return Refusal(reason or f"the {who} refuses, and gives no reason")
    if status == "not_applicable":
        return NotApplicable(reason or f"the {who} says that the item does not apply to it")
    if status == "failed":
        return Failure(reason or f"the {who} failed, and gives no reason")
    return None
