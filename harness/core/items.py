"""Items to generate, and the prompts and clip settings that they are made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    field_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from .config import Config
from .errors import MediaError
from .keys import Digester, Json, digest
from .labels import Labels, labels_of_tags, merge_labels, read_labels, slices_of
from .limits import MAX_FPS, MAX_FRAMES, MIN_FPS, check_frames, check_size
from .text import control_character, is_blank, printable, well_formed

__all__ = [
    "EDIT_STRENGTH",
    "ClipChange",
    "ClipSettings",
    "Item",
    "ItemIds",
    "Prompt",
    "Start",
    "Use",
    "make_item",
    "make_items",
    "start_kind",
    "start_of",
]


def _well_formed(value: object) -> object:
    return well_formed(value) if isinstance(value, str) else value


def _says_something(text: str) -> str:
    if is_blank(text):
        raise ValueError("the prompt is blank; give it a text, or leave it out")
    character = control_character(text)
    if character is not None:
        raise ValueError(
            f"the prompt {printable(text)[:60]!r} has the control character U+{ord(character):04X}; "
            "take it out"
        )
    return text


Text = Annotated[str, BeforeValidator(_well_formed)]  # before: pydantic's str refuses a lone surrogate
Tag = Annotated[Text, Field(min_length=1, max_length=80)]


Written: TypeAlias = dict[str, str | list[str]]
"""Labels as they are written in a suite file."""
Use: TypeAlias = Literal["extend", "extend-back", "edit", "connect"]
"""What is done with the video that a prompt starts from."""
Start: TypeAlias = Literal["image", Use]
"""What a clip starts from: an image, or a video with its use. A clip of text alone starts from neither."""
EDIT_STRENGTH: Final = 0.95
"""How much of its video an edit may change, unless the prompt says otherwise."""


class ClipSettings(Config):
    """The size of the clips a suite asks for."""

    frames: int = Field(default=16, ge=1, le=MAX_FRAMES, description="frames per clip")
    height: int = Field(default=64, ge=8, le=8192, description="pixels")
    width: int = Field(default=64, ge=8, le=8192, description="pixels")
    fps: float = Field(default=8.0, ge=MIN_FPS, le=MAX_FPS, description="frames per second")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            check_size("a clip of this suite", self.width, self.height)
            check_frames("a clip of this suite", self.frames, self.width, self.height)
        except MediaError as error:
            raise ValueError(str(error)) from None
        return self


class ClipChange(Config):
    """What a prompt changes of the suite's clip settings; what is not given stays as it is."""

    frames: int | None = Field(default=None, description="frames per clip")
    height: int | None = Field(default=None, description="pixels")
    width: int | None = Field(default=None, description="pixels")
    fps: float | None = Field(default=None, description="frames per second")

    def of(self, clip: ClipSettings) -> ClipSettings:
        """Apply the change.

        Raises:
            ValidationError: a value is outside the range of `ClipSettings`.
        """
        return ClipSettings.model_validate({**clip.model_dump(), **self.model_dump(exclude_none=True)})


class Prompt(Config):
    """One prompt: its text, the image or video it starts from, tags, labels and the expected content.

    In a file, a prompt that is text alone may stand without the key ``text``.

    With text alone, the clip is made from the text. With ``image`` it starts from that. With ``video`` it

    - goes on where the video ends (``use: extend``, the default),
    - leads up to where the video begins (``use: extend-back``),
    - is the video, changed as the text says (``use: edit``); a larger ``strength`` changes more, or
    - leads from the end of the video to the beginning of ``video_to`` (``use: connect``).

    Paths are relative to the working directory.
    """

    text: Annotated[Text, AfterValidator(_says_something)] = Field(
        description="what the generator is asked for"
    )
    tags: tuple[Tag, ...] = Field(default=(), description="words for slices and rules, such as [physics]")
    labels: Annotated[Labels, BeforeValidator(read_labels, json_schema_input_type=Written)] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="named values, such as {category: vcr, id: x}",
    )
    expect: dict[str, Any] | None = Field(
        default=None, description="what the clip should show; see 'screentest schema expect'"
    )
    image: str | None = Field(default=None, description="path of an image to start from")
    video: str | None = Field(default=None, description="path of a video to start from")
    use: Use | None = Field(default=None, description="how the video is used; extend by default")
    video_to: str | None = Field(default=None, description="path of the video that a connection leads to")
    strength: float | None = Field(
        default=None, gt=0, le=1, description="how much of the video an edit may change; 0.95 by default"
    )
    seeds: int | None = Field(
        default=None, ge=1, le=10_000, description="seeds of this prompt, instead of the suite's"
    )
    clip: ClipChange | None = Field(
        default=None, description="size, length or rate of this prompt's clips, instead of the suite's"
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Let the JSON schema accept a plain string, as `_as_mapping` does."""
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(schema)]}

    @model_validator(mode="before")
    @classmethod
    def _as_mapping(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"text": given}
        if isinstance(given, bool | int | float | date):
            shown = "yes or no" if isinstance(given, bool) else str(given)
            raise ValueError(
                f"a prompt is text, or a mapping with 'text', and YAML reads what stands there as {shown}; "
                "put it in quotes"
            )
        if not isinstance(given, Mapping):
            return given
        fields = cast("Mapping[str, Any]", given)
        if not isinstance(fields.get("tags"), list | tuple):
            return fields
        tags, labels = labels_of_tags(fields["tags"])
        if not labels:
            return fields
        return {**fields, "tags": tags, "labels": merge_labels(read_labels(fields.get("labels")), labels)}

    @field_serializer("labels", when_used="json")
    def _as_written(self, labels: Labels) -> Written:
        return {name: values[0] if len(values) == 1 else list(values) for name, values in labels.items()}

    def label(self, name: str) -> str | None:
        """Return the first value of a label; None if the label is absent."""
        return next(iter(self.labels.get(name, ())), None)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.image is not None and self.video is not None:
            raise ValueError("give a prompt an 'image' or a 'video' to start from, not both")
        if self.use is not None and self.video is None:
            raise ValueError(f"'use: {self.use}' needs a video; give the prompt a 'video'")
        if (self.video_to is not None) != (self.use == "connect"):
            raise ValueError("'video_to' and 'use: connect' belong together; give both or neither")
        if self.strength is not None and self.use != "edit":
            raise ValueError("'strength' is how much an edit may change; give it with 'use: edit' only")
        return self


@dataclass(frozen=True, slots=True)
class Item:
    """One clip to generate: a prompt, a seed and settings, with a stable id.

    Attributes:
        id: 64 hex digits, the same in every run that asks for the same clip. Runs are paired by it.
        cluster: id of the prompt. The items of one prompt share it, because they are not independent.
        prompt: the text; None for a clip of a folder that has no prompt.
        tags, labels: words, and named values; see `labels`.
        expect: facts that the clip should show, as measures of laws and instructions read them.
        image, video, video_to: paths of the files that the clip starts from, if any; see `Prompt`.
        use: how the video is used; None without a video.
        strength: how much of the video an edit may change, in (0, 1]; None without an edit.
        source: name of the file, in a folder of clips, that is this item's clip, if there is one.
        file: name that the item's clip has in the user's folder, whether the folder or the suite gave the
            prompt. It is not part of the identity.
        given: text that the generator is given instead of the prompt; None where it is given the prompt. It
            is not part of the identity either: the generator's has what it does to prompts.
    """

    id: str
    cluster: str
    prompt: str | None
    seed: int
    clip: ClipSettings
    tags: tuple[str, ...] = ()
    labels: Labels = field(default_factory=dict[str, tuple[str, ...]], hash=False)
    expect: Mapping[str, Any] | None = None
    image: str | None = None
    video: str | None = None
    use: Use | None = None
    video_to: str | None = None
    strength: float | None = None
    source: str | None = None
    file: str | None = None
    given: str | None = None

    def label(self, name: str) -> str | None:
        """Return the first value of a label; None if the label is absent."""
        return next(iter(self.labels.get(name, ())), None)

    def with_seed(self, item_id: str, seed: int) -> Item:
        """Make the item of another seed, the rest being the same; `replace` takes twice as long."""
        return Item(
            item_id,
            self.cluster,
            self.prompt,
            seed,
            self.clip,
            self.tags,
            self.labels,
            self.expect,
            self.image,
            self.video,
            self.use,
            self.video_to,
            self.strength,
            self.source,
            self.file,
            self.given,
        )

    @property
    def slices(self) -> tuple[str, ...]:
        """List the slices that the item belongs to: its tags, and its labels as ``category:vcr``."""
        return slices_of(self.tags, self.labels)


def start_of(asked: Prompt | Item) -> dict[str, Any]:
    """Take what a clip starts from, and how it uses that: fields that prompts and items share."""
    return {name: getattr(asked, name) for name in ("image", "video", "use", "video_to", "strength")}


def start_kind(asked: Prompt | Item) -> Start | None:
    """Name what a clip starts from; None for a clip of text alone."""
    if asked.image is not None:
        return "image"
    return None if asked.video is None else asked.use or "extend"


def make_item(prompt: str | None, seed: int, clip: ClipSettings, **more: Any) -> Item:
    """Make an item and its id, from the prompt, the start, the seed and the clip settings.

    ``more`` takes the other fields of `Item`. Part of the identity are ``image``, ``video``, ``use``,
    ``video_to`` and ``strength``, and ``source`` if there is no prompt; so a new tag or label does not make a
    new item. Tags such as ``category:vcr``, from older suites, are read as labels. By default ``use`` is to
    extend the video, and ``strength`` is `EDIT_STRENGTH`.
    """
    item, asked = _without_id(prompt, seed, clip, more)
    return replace(item, id=digest("item", {**asked, "seed": seed, "clip": clip.model_dump()}))


def make_items(prompt: str | None, seeds: Iterable[int], clip: ClipSettings, **more: Any) -> Iterator[Item]:
    """Make the items of one prompt that differ in their seed alone, as `make_item` makes each of them.

    They share their texts and labels, and what they have in common is hashed once.
    """
    item, asked = _without_id(prompt, 0, clip, more)
    item_id = Digester("item", {**asked, "clip": clip.model_dump()}, ("seed",))
    for seed in seeds:
        yield item.with_seed(item_id({"seed": seed}), seed)


class ItemIds:
    """Compute the ids that items should have; what items of one prompt in a row share is hashed once."""

    def __init__(self) -> None:
        self._asked: tuple[object, ...] = ()
        self._cluster = ""
        self._id: Digester | None = None

    def __call__(self, item: Item) -> tuple[str, str]:
        """Give the id and the cluster of an item by its prompt, start, seed and settings."""
        start = start_of(item)
        asked = (item.prompt, item.clip, item.source, *start.values())
        if self._id is None or asked != self._asked:
            made, fields = _without_id(item.prompt, 0, item.clip, {"source": item.source, **start})
            self._asked, self._cluster = asked, made.cluster
            self._id = Digester("item", {**fields, "clip": item.clip.model_dump()}, ("seed",))
        return self._id({"seed": item.seed}), self._cluster


def _without_id(
    prompt: str | None, seed: int, clip: ClipSettings, more: dict[str, Any]
) -> tuple[Item, dict[str, Json]]:
    """Make an item that lacks its id, and the fields of the id that are the prompt's."""
    prompt = None if prompt is None else well_formed(prompt)
    if more.get("video") is not None and more.get("use") is None:
        more["use"] = "extend"
    if more.get("use") == "edit" and more.get("strength") is None:
        more["strength"] = EDIT_STRENGTH
    tags, labels = labels_of_tags(more.pop("tags", ()))
    labels = merge_labels(more.pop("labels", {}), labels)
    asked: dict[str, Json] = {"prompt": prompt, "image": more.get("image"), "video": more.get("video")}
    # Absent and default fields stay out of the key, so that ids are the same in every release.
    later = {name: more.get(name) for name in ("use", "video_to", "strength")}
    asked |= {name: value for name, value in later.items() if value not in (None, "extend")}
    if prompt is None:
        asked["source"] = more.get("source")
    cluster = digest("prompt", asked)
    return Item("", cluster, prompt, seed, clip, tags=tags, labels=labels, **more), asked
