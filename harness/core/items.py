"""Items: one thing to generate each, and the prompt and clip settings that it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, cast

from pydantic import BeforeValidator, Field, field_serializer, model_validator

from .config import Config
from .errors import MediaError
from .keys import Json, digest
from .labels import Labels, labels_of_tags, merge_labels, read_labels, slices_of
from .limits import MAX_FPS, MAX_FRAMES, MIN_FPS, check_frames, check_size
from .text import well_formed

__all__ = ["EDIT_STRENGTH", "ClipSettings", "Item", "Prompt", "Use", "make_item"]


def _well_formed(value: object) -> object:
    return well_formed(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_well_formed)]  # before, for a str of pydantic takes no half of a pair
Tag = Annotated[Text, Field(min_length=1, max_length=80)]


Written: TypeAlias = dict[str, str | list[str]]
"""Labels as authors write them."""
Use: TypeAlias = Literal["extend", "extend-back", "edit", "connect"]
"""What is done with the video that a prompt starts from."""
EDIT_STRENGTH: Final = 0.6
"""How much an edit may change of its video where the prompt does not say."""


class ClipSettings(Config):
    """The size of the clips a suite asks for."""

    frames: int = Field(default=16, ge=1, le=MAX_FRAMES, description="frames a clip")
    height: int = Field(default=64, ge=8, le=8192, description="pixels")
    width: int = Field(default=64, ge=8, le=8192, description="pixels")
    fps: float = Field(default=8.0, ge=MIN_FPS, le=MAX_FPS, description="frames a second")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            check_size("a clip of this suite", self.width, self.height)
            check_frames("a clip of this suite", self.frames, self.width, self.height)
        except MediaError as error:
            raise ValueError(str(error)) from None
        return self


class Prompt(Config):
    """One prompt: its text, what it starts from, its tags and labels, and what a faithful clip would show.

    Text alone asks for a clip of it. With ``image`` the clip starts from a picture. With ``video`` it

    - goes on where the video ends (``use: extend``, the default),
    - leads up to where the video begins (``use: extend-back``),
    - is the video, changed after the text (``use: edit``), the more so the larger ``strength`` is, or
    - leads from the end of the video to the beginning of ``video_to`` (``use: connect``).

    Paths are taken from the working directory.
    """

    text: Text = Field(min_length=1, description="what the generator is asked for")
    tags: tuple[Tag, ...] = ()
    labels: Annotated[Labels, BeforeValidator(read_labels, json_schema_input_type=Written)] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="what is known of it by name: {category: vcr, id: x}",
    )
    expect: dict[str, Any] | None = Field(default=None, description="what the clip should show, for probes")
    image: str | None = Field(default=None, description="path of an image to start from")
    video: str | None = Field(default=None, description="path of a video to start from")
    use: Use | None = Field(default=None, description="what is done with the video; extend by default")
    video_to: str | None = Field(default=None, description="path of the video that a connection leads to")
    strength: float | None = Field(
        default=None, gt=0, le=1, description="how much of the video an edit may change; 0.6 by default"
    )
    seeds: int | None = Field(default=None, ge=1, description="seeds of this prompt, instead of the suite's")

    @model_validator(mode="before")
    @classmethod
    def _labels_once_tags(cls, given: Any) -> Any:
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
        """Give the value of a label, the first of several; None where there is none."""
        return next(iter(self.labels.get(name, ())), None)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.image is not None and self.video is not None:
            raise ValueError("give a prompt an 'image' or a 'video' to start from, not both")
        if self.use is not None and self.video is None:
            raise ValueError(f"'use: {self.use}' says what is done with a video; give the prompt a 'video'")
        if (self.video_to is not None) != (self.use == "connect"):
            raise ValueError("'video_to' and 'use: connect' belong together; give both or neither")
        if self.strength is not None and self.use != "edit":
            raise ValueError("'strength' is how much an edit may change; give it with 'use: edit' only")
        return self


@dataclass(frozen=True)
class Item:
    """One thing to generate: a prompt, a seed and settings, with a stable id.

    Attributes:
        id: 64 hex digits, the same in every run that asks for the same thing: runs are paired by it.
        cluster: id of the prompt; the items of one prompt are not independent and share it.
        prompt: the text, or None for a clip of a folder that came without one.
        tags, labels: words, and what is known of the prompt by name; see `labels`.
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
    labels: Labels = field(default_factory=dict[str, tuple[str, ...]], hash=False)
    expect: Mapping[str, Any] | None = None
    image: str | None = None
    video: str | None = None
    use: Use | None = None
    video_to: str | None = None
    strength: float | None = None
    source: str | None = None

    def label(self, name: str) -> str | None:
        """Give the value of a label, the first of several; None where there is none."""
        return next(iter(self.labels.get(name, ())), None)

    @property
    def slices(self) -> tuple[str, ...]:
        """Name the slices of a run that the item lies in: its tags, and its labels as ``category:vcr``."""
        return slices_of(self.tags, self.labels)


def make_item(prompt: str | None, seed: int, clip: ClipSettings, **more: Any) -> Item:
    """Give an item its identity: the prompt, what it starts from, the seed and the clip settings.

    ``more`` takes the remaining fields of `Item`; of those only what it starts from (``image``, ``video``,
    ``use``, ``video_to``, ``strength``) and, where there is no prompt, ``source`` are part of the identity,
    so that a new tag or label does not make a new item; tags ``category:vcr``, as they were written once, are
    read as labels. Where they are not given, ``use`` is to extend a video and
    ``strength`` is `EDIT_STRENGTH`.
    """
    prompt = None if prompt is None else well_formed(prompt)
    if more.get("video") is not None and more.get("use") is None:
        more["use"] = "extend"
    if more.get("use") == "edit" and more.get("strength") is None:
        more["strength"] = EDIT_STRENGTH
    tags, labels = labels_of_tags(more.pop("tags", ()))
    labels = merge_labels(more.pop("labels", {}), labels)
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
        tags=tags,
        labels=labels,
        **more,
    )
