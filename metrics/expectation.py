"""What a clip should show: the schema of the ``expect`` of a prompt, which states facts.

::

    expect:
      objects: [{shape: ball, color: red}, {shape: square, color: blue}]
      collides: [0, 1]          # the first runs into the second

``screentest schema expect`` prints it as a JSON schema.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from ..harness.core.colors import COLORS
from ..harness.core.config import Config, explain
from ..harness.core.errors import UsageError, unknown_name
from .base import NotApplicable
from .expected_goals import ExpectedClock, ExpectedMaze, ExpectedTower
from .judge.questions import Question

__all__ = [
    "ANY_SOUND",
    "CAMERA_MOVES",
    "KINDS",
    "MOTIONS",
    "NO_SOUND",
    "RELATIONS",
    "Expectation",
    "ExpectedPath",
    "ExpectedThing",
    "Relation",
    "Step",
    "check_expectation",
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
MOTIONS: Final = ("left", "right", "rise", "fall", "bounce", "throw-left", "throw-right", "stay")
CAMERA_MOVES: Final = ("pan-left", "pan-right", "zoom-in", "zoom-out", "still")
RELATIONS: Final = ("left", "right", "above", "below")
ANY_SOUND: Final = "any"
NO_SOUND: Final = "none"
SHAPES: Final = ("ball", "square", "triangle", "block", "wall")
_IDEAL: Final = {"drag": False, "in_depth": False, "constant_light": True, "others": "none"}
_DEEPEST: Final = 12  # levels of lists and mappings in an expectation
_LARGEST_GRAVITY: Final = 1e4
_NEAR: Final = 0.8  # likeness of a word to a known one from which it is taken for a slip of the pen


def _known(kind: str, names: tuple[str, ...]) -> Callable[[str], str]:
    """Make a check of a word that must be one of ``names``."""

    def check(word: str) -> str:
        if word not in names:
            raise ValueError(str(unknown_name(kind, word, names)))
        return word

    return check


def _not_misspelt(kind: str, names: tuple[str, ...]) -> Callable[[str], str]:
    """Make a check of a word that may be any, but not one of ``names`` with a slip of the pen."""

    def check(word: str) -> str:
        near = difflib.get_close_matches(word, names, n=1, cutoff=_NEAR)
        if word not in names and near:
            raise ValueError(
                f"unknown {kind} {word!r}; did you mean {near[0]!r}? If {word!r} is meant, write it as 'name'"
            )
        return word

    return check


def _gravity(given: Any) -> Any:
    """Read a gravity: a number above 0, or ``unknown``, which is as if none were stated."""
    if given is None or given == "unknown":
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= _LARGEST_GRAVITY:
        raise ValueError(f"should be a number above 0, in sides a second squared, or unknown; not {given!r}")
    return float(given)


Motion = Annotated[
    str, AfterValidator(_known("motion", MOTIONS)), Field(json_schema_extra={"enum": list(MOTIONS)})
]
CameraMove = Annotated[
    str,
    AfterValidator(_known("camera move", CAMERA_MOVES)),
    Field(json_schema_extra={"enum": list(CAMERA_MOVES)}),
]
Side = Annotated[
    str, AfterValidator(_known("relation", RELATIONS)), Field(json_schema_extra={"enum": list(RELATIONS)})
]
Speed = Annotated[
    str,
    AfterValidator(_known("speed", ("slow", "fast"))),
    Field(json_schema_extra={"enum": ["slow", "fast"]}),
]
Color = Annotated[
    str, AfterValidator(_known("color", tuple(COLORS))), Field(json_schema_extra={"enum": list(COLORS)})
]
ObjectNumber = Annotated[int, Field(ge=0, le=1000)]
"""Of an object in the list ``objects``, counted from 0."""
Place = Annotated[float, Field(allow_inf_nan=False)]


class ExpectedThing(Config):
    """One kind of thing that should be seen, ``count`` times."""

    kind: Annotated[str, AfterValidator(_not_misspelt("kind", tuple(KINDS)))] | None = Field(
        default=None, description="what it is; the reference world knows wall, block, biscuit, hazard, person"
    )
    shape: Annotated[str, AfterValidator(_not_misspelt("shape", SHAPES))] | None = Field(
        default=None, description="its outline; known by their form are ball, square, triangle, block, wall"
    )
    color: Color | None = Field(default=None, description="one of the named colors")
    size: Literal["small", "big"] | None = Field(default=None, description="beside others of its kind")
    name: str | None = Field(default=None, description="the noun by which a detector looks for it")
    occupation: str | None = Field(default=None, description="of a person")
    count: int = Field(default=1, ge=0, le=100, description="how many of them are seen")

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


class Relation(Config):
    """Where the first of two objects should be, seen from the second."""

    subject: ObjectNumber = Field(default=0, description="the object that is somewhere")
    where: Side = Field(alias="is", description="where it is: left, right, above or below the other")
    of: ObjectNumber = Field(default=1, description="the other object")


class Step(Config):
    """One of the events that should come in their order."""

    object: ObjectNumber = Field(default=0, description="the object that moves")
    motion: Motion = Field(description="how it moves")


class ExpectedPath(Config):
    """Where one of the objects should be, frame by frame, in sides; None where it is not known.

    A generator answers for the frames from ``first`` on; those before were given to it.
    """

    object: ObjectNumber = Field(default=0, description="the object whose places these are")
    first: int = Field(default=0, ge=0, description="the first frame that the generator answers for")
    places: tuple[tuple[Place, Place] | None, ...] = Field(
        description="[x, y] of each frame in sides, or null where it is not known"
    )


class Expectation(Config):
    """What a faithful clip shows. Every key may be left out: what is not stated is not known.

    A side, the unit of lengths, is the square root of the frame's area. Objects are meant by their number in
    ``objects``, counted from 0; the first is the subject. ``family: NAME``, a family of scenes of a simulated
    world, is read as the facts that it stands for.
    """

    objects: tuple[ExpectedThing, ...] = Field(
        default=(), description="what is seen; the first is the subject"
    )
    motion: Motion | None = Field(default=None, description="what the prompt has the subject do")
    direction: Literal["left", "right", "up", "down"] | None = Field(
        default=None,
        description="where the subject is known to move evenly; the prompt does not say it",
    )
    speed: Speed | None = Field(default=None, description="how fast the subject moves")
    relation: Relation | None = Field(default=None, description="where one object is, seen from another")
    camera: CameraMove | None = Field(default=None, description="how the camera moves")
    order: tuple[Step, ...] = Field(default=(), description="events in their order")
    ways: tuple[ExpectedPath, ...] = Field(default=(), description="where things should be, frame by frame")
    collides: tuple[ObjectNumber, ObjectNumber] | None = Field(
        default=None, description="of two objects, the first runs into the second"
    )
    passes_behind: tuple[ObjectNumber, ObjectNumber] | None = Field(
        default=None, description="of two objects, the first passes behind the second"
    )
    bitten: ObjectNumber | None = Field(
        default=None, description="the object that loses a piece during the clip, for good"
    )
    gravity: Annotated[
        float | None,
        BeforeValidator(_gravity),
        WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "unknown"}]}),
    ] = Field(
        default=None, description="the acceleration of what falls, in sides a second squared, or unknown"
    )
    ideal: bool = Field(
        default=False,
        description="states drag: false, in_depth: false, constant_light: true and others: none at once",
    )
    drag: bool | None = Field(default=None, description="the air, or the ground, slows what moves")
    in_depth: bool | None = Field(default=None, description="things come towards the camera, or go away")
    constant_light: bool | None = Field(default=None, description="the light stays as it is")
    static: bool | None = Field(
        default=None, description="rigid things at rest are all that is seen; the camera alone may move"
    )
    elastic: bool | None = Field(default=None, description="what meets springs apart without any loss")
    at_rest: tuple[ObjectNumber, ...] = Field(
        default=(), description="objects that rest until something touches them"
    )
    others: Literal["allowed", "none"] | None = Field(
        default=None, description="whether things may be seen that are not listed"
    )
    text: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] | None = Field(
        default=None, description="lines of text that should be read; an empty list for none"
    )
    sound: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="what should be heard, in words; any for any sound, none for silence"
    )
    maze: ExpectedMaze | None = Field(default=None, description="a maze to travel through, see goals.maze")
    clock: ExpectedClock | None = Field(default=None, description="a clock that goes on, see goals.clock")
    tower: ExpectedTower | None = Field(default=None, description="a tower to build, see goals.tower")
    questions: tuple[Question, ...] = Field(default=(), description="questions for a viewer, see judge.vlm")
    custom: dict[str, Any] = Field(
        default_factory=dict[str, Any], description="anything that measures of your own read"
    )

    @model_validator(mode="before")
    @classmethod
    def _summaries_as_facts(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        stated = dict(cast("Mapping[str, Any]", given))
        if "family" in stated:
            stated = _without_family(stated)
        return {**_IDEAL, **stated} if stated.get("ideal") is True else stated

    @model_validator(mode="after")
    def _objects_exist(self) -> Self:
        numbers = [part.object for part in (*self.order, *self.ways)]
        if self.relation is not None:
            numbers += [self.relation.subject, self.relation.of]
        for pair in (self.collides, self.passes_behind):
            if pair is not None:
                if pair[0] == pair[1]:
                    raise ValueError(f"two different objects meet, and {pair[0]} is given twice")
                numbers += pair
        numbers += [*self.at_rest, *([] if self.bitten is None else [self.bitten])]
        if numbers and max(numbers) >= len(self.objects):
            raise ValueError(
                f"object {max(numbers)} is meant, and there are {len(self.objects)}, counted from 0"
            )
        return self

    @model_validator(mode="after")
    def _states_one_puzzle(self) -> Self:
        stated = [name for name in ("maze", "clock", "tower") if getattr(self, name) is not None]
        if len(stated) > 1:
            raise ValueError(f"one clip solves one puzzle, and {' and '.join(stated)} are stated")
        return self

    @property
    def moves(self) -> bool:
        """Whether the subject is asked to move, or known to."""
        stated = (self.direction, self.collides, self.passes_behind)
        return self.motion not in (None, "stay") or any(fact is not None for fact in stated)


def _without_family(given: Mapping[str, Any]) -> dict[str, Any]:
    """Put the facts that a family of a simulated world stands for in its place; what is stated stays."""
    from ..generators.worlds.registry import WORLDS, find_world

    family = given["family"]
    kept = {key: value for key, value in given.items() if key != "family"}
    worlds = [find_world(name) for name in WORLDS]
    for world in worlds:
        if family in world.families:
            return {**world.facts(family, kept)}
    raise ValueError(
        str(unknown_name("family", str(family), dict.fromkeys(f for w in worlds for f in w.families)))
    )


def check_expectation(expect: Mapping[str, Any]) -> Expectation:
    """Read an ``expect`` that is not empty.

    Raises:
        UsageError: a key or value in it is wrong, with the nearest word that is known.
    """
    _refuse_odd_values(expect)
    try:
        return Expectation.model_validate(dict(expect))
    except ValidationError as error:
        raise UsageError(f"expect: {explain(error, Expectation)}") from None


def _refuse_odd_values(expect: Mapping[str, Any]) -> None:
    """Refuse what is nested too deep, or holds a number that is none.

    Raises:
        UsageError: it is, or does.
    """
    todo: list[tuple[Any, int]] = [(expect, 1)]
    while todo:
        value, depth = todo.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"expect: {value} is no number that can be held against a clip")
        inner: list[Any] = []
        if isinstance(value, Mapping):
            inner = list(cast("Mapping[Any, Any]", value).values())
        elif isinstance(value, list | tuple):
            inner = list(cast("list[Any]", value))
        if inner and depth > _DEEPEST:
            raise UsageError(f"expect: it is nested more than {_DEEPEST} levels deep")
        todo += [(part, depth + 1) for part in inner]


def read_expectation(expect: Mapping[str, Any] | None) -> Expectation:
    """Read the ``expect`` of a prompt.

    Raises:
        NotApplicable: the prompt has none.
        UsageError: a key or value in it is wrong.
    """
    if not expect:
        raise NotApplicable("the prompt does not say what to expect")
    try:
        return check_expectation(expect)
    except UsageError as error:
        raise UsageError(f"the prompt's {error}") from None
