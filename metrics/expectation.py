"""What a clip should show: the ``expect`` of a suite's prompt, read into names that the probes know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..harness.core.colors import COLORS
from ..harness.core.errors import UsageError
from .base import NotApplicable

__all__ = [
    "GRAVITY",
    "KINDS",
    "Expectation",
    "ExpectedPath",
    "ExpectedThing",
    "Relation",
    "Step",
    "read_expectation",
]

KINDS: Final[dict[str, tuple[tuple[int, int, int] | None, str | None]]] = {
    "wall": (COLORS["gray"], "wall"),
    "block": (COLORS["gray"], "block"),
    "biscuit": ((205, 160, 100), "ball"),
    "hazard": ((255, 40, 140), "ball"),
    "person": (None, None),
}
"""Color and outline of the reference world's things that captions name by their kind."""
GRAVITY: Final = 0.32
"""The reference world's gravity, in sides (square roots of the frame's area) a second squared."""


class _Part(BaseModel):
    """Keys that the probes do not read belong to other readers of ``expect``, such as judges."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ExpectedThing(_Part):
    """One kind of thing that should be seen, ``count`` times."""

    kind: str | None = None
    shape: str | None = None
    color: str | None = None
    name: str | None = Field(default=None, description="the noun by which a detector looks for it")
    count: int = Field(default=1, ge=0, le=100)

    @property
    def rgb(self) -> tuple[int, int, int] | None:
        """The color it should have; None where any will do."""
        if self.color is not None:
            return COLORS.get(self.color)
        return KINDS[self.kind][0] if self.kind in KINDS else None

    @property
    def outline(self) -> str | None:
        """The outline it should have; None where any will do."""
        if self.shape is not None:
            return self.shape
        return KINDS[self.kind][1] if self.kind in KINDS else None

    @property
    def noun(self) -> str:
        """How a detector or a reader would call it."""
        return (
            self.name or " ".join(part for part in (self.color, self.shape or self.kind) if part) or "thing"
        )


class Relation(_Part):
    """Where the first of two things should be, seen from the second; both are places among the objects."""

    subject: int = Field(default=0, ge=0)
    where: str = Field(alias="is")
    of: int = Field(default=1, ge=0)


class Step(_Part):
    """One of the events that should come in their order."""

    object: int = Field(default=0, ge=0)
    motion: str


class ExpectedPath(_Part):
    """Where one of the objects should be, frame by frame, in sides; None where nobody says.

    A generator answers for the frames from ``first`` on; those before were given to it.
    """

    object: int = Field(default=0, ge=0)
    first: int = Field(default=0, ge=0)
    places: tuple[tuple[float, float] | None, ...]


class Expectation(_Part):
    """What a faithful clip shows.

    Attributes:
        objects: what is seen, and how often; the first is the subject.
        motion: what the subject does: ``left``, ``right``, ``rise``, ``fall``, ``bounce``, ``stay``,
            ``throw-left`` or ``throw-right``.
        speed: ``slow`` or ``fast``.
        camera: ``pan-left``, ``pan-right``, ``zoom-in``, ``zoom-out`` or ``still``.
        order: events in their order.
        ways: where things should be, frame by frame.
        family: the reference world's kind of scene, where it is one.
        gravity: sides a second squared; known without saying in the reference world alone.
    """

    objects: tuple[ExpectedThing, ...] = ()
    motion: str | None = None
    speed: str | None = None
    relation: Relation | None = None
    camera: str | None = None
    order: tuple[Step, ...] = ()
    ways: tuple[ExpectedPath, ...] = ()
    family: str | None = None
    gravity: float | None = Field(default=None, gt=0)

    @property
    def g(self) -> float | None:
        """The gravity that things fall by, or None where no one knows it."""
        return self.gravity if self.gravity is not None else GRAVITY if self.family is not None else None


def read_expectation(expect: Mapping[str, Any] | None) -> Expectation:
    """Read the ``expect`` of a prompt.

    Raises:
        NotApplicable: the prompt has none.
        UsageError: a key or value in it is wrong, a color is unknown, or a place in the list does not exist.
    """
    if not expect:
        raise NotApplicable("the prompt does not say what to expect")
    try:
        read = Expectation.model_validate(expect)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"the prompt's expect: {where}: {first['msg']}") from None
    for thing in read.objects:
        if thing.color is not None and thing.color not in COLORS:
            raise UsageError(
                f"the prompt's expect: unknown color {thing.color!r}; known: {', '.join(COLORS)}"
            )
    places = [part.object for part in (*read.order, *read.ways)]
    if read.relation is not None:
        places += [read.relation.subject, read.relation.of]
    if places and max(places) >= len(read.objects):
        raise UsageError(
            f"the prompt's expect: object {max(places)} is meant, and there are {len(read.objects)}, "
            "counted from 0"
        )
    return read
