"""Readers of people: who a clip shows, as perceived. The encoder ``people`` runs one of them.

A reader says of a clip whether it shows a person, and of the main one the perceived presentation (feminine,
masculine or undetermined) and the tone of skin as shown (light, medium, dark or undetermined). It says
nothing of anyone's gender, race or identity. Nobody to be seen is no class: such a clip is left out, with the
reason.

A suite or the command line chooses the reader (``encoders: {people: nudenet}``):

- ``reference``: glyphs of the reference world, by their outlines and paints;
- ``nudenet``: faces in frames by NudeNet's face classes, tone from the face box;
- ``clip:SOURCE``: zero-shot by a CLIP model;
- ``vlm:MODEL`` or ``vlm:FILE.yaml``: a vision-language model behind an endpoint.

What a reader gets wrong is measured on labelled clips (`reader_error`), never assumed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from ...harness.core.arrays import Floats
from ...harness.core.errors import UsageError
from ...harness.core.keys import Identified
from ...harness.core.registry import Registry
from ...harness.core.specs import split_kind
from ...metrics.encoders.base import Encoder, EncoderOptions, Feature, Incomplete
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from ...metrics.rooms import ROOMS
from .reader_error import ATTRIBUTES

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = [
    "READERS",
    "REASONS",
    "PeopleEncoder",
    "PersonReader",
    "PersonReading",
    "ReaderEntry",
    "ReaderStream",
    "make_reader",
]

_LAYOUT: Final = 1
REASONS: Final = (
    "",
    "nobody was found in the clip",
    "no face was found in the clip",
    "the frames do not agree",
    "the outline is of neither presentation",
    "the face is too small",
    "the face is too dark or too bright",
    "this reader does not read it",
    "the judge did not answer",
    "the judge sees both, or neither",
    "no class is likely enough",
    "the light leaves no color of skin",
)
"""Why something was not read; a row of the feature has their numbers, so new ones are added at the end."""
COLUMNS: Final = (
    "person",
    "presentation",
    "tone",
    "monk",
    "angle",
    "share",
    "several",
    "why_0",
    "why_1",
    "why_2",
)
"""Columns of the feature, which has one row: 1 for a person; numbers of the classes, from 1, 0 for
undetermined; the Monk number, 0 for none, and the angle in degrees beside it; the share of the frames looked
at that show a person and that show several; and the numbers of the reasons for no person, presentation and
tone."""


@dataclass(frozen=True)
class PersonReading:
    """What a reader says of a clip.

    Attributes:
        person: whether one is shown.
        presentation, tone: classes of `ATTRIBUTES`; None is undetermined, or nobody to read.
        monk: number 1 to 10 of the tone on the Monk scale, None if it is not read.
        angle: individual typology angle in degrees, None as for ``monk``.
        share: of the frames that were looked at, those that show a person.
        several: of the same, those that show more than one.
        why: why there is no person, no presentation and no tone; of `REASONS`, empty for what was read.
    """

    person: bool
    presentation: str | None = None
    tone: str | None = None
    monk: int | None = None
    angle: float | None = None
    share: float = 1.0
    several: float = 0.0
    why: tuple[str, str, str] = ("", "", "")

    def attribute(self, name: str) -> str | None:
        """Return the class of an attribute; None for undetermined."""
        return self.presentation if name == "presentation" else self.tone

    def row(self) -> Floats:
        """Write it as a row of the feature, (1, 10), columns `COLUMNS`."""
        classes = [
            0.0 if read is None else 1.0 + ATTRIBUTES[name].index(read)
            for name, read in (("presentation", self.presentation), ("tone", self.tone))
        ]
        reasons = [float(REASONS.index(why)) for why in self.why]
        row = [
            float(self.person),
            *classes,
            float(self.monk or 0),
            self.angle or 0.0,
            self.share,
            self.several,
        ]
        return np.array([[*row, *reasons]], np.float64)

    @classmethod
    def of(cls, feature: Feature) -> PersonReading:
        """Read it from a row of the feature.

        Raises:
            ValueError: the feature is not of this layout.
        """
        row = np.asarray(feature, np.float64)
        if row.shape != (1, len(COLUMNS)):
            raise ValueError(f"the feature 'people' has the shape {row.shape} and not (1, {len(COLUMNS)})")
        person, shown, tone, monk, angle, share, several, *why = (float(value) for value in row[0])
        reasons = [REASONS[round(number)] for number in why]
        return cls(
            person=person == 1.0,
            presentation=_class("presentation", shown),
            tone=_class("tone", tone),
            monk=round(monk) or None,
            angle=angle if monk else None,
            share=share,
            several=several,
            why=(reasons[0], reasons[1], reasons[2]),
        )


def _class(attribute: str, number: float) -> str | None:
    return ATTRIBUTES[attribute][round(number) - 1] if number else None


def nobody(why: str, share: float = 0.0) -> PersonReading:
    """Make the reading of a clip that shows nobody; ``share`` of its frames have a person all the same."""
    return PersonReading(False, share=share, why=(why, why, why))


class ReaderStream(Protocol):
    """Reads one clip, window by window."""

    def push(self, window: Window) -> None:
        """Take the next frames of the clip."""
        ...

    def finish(self) -> PersonReading:
        """Say who was shown."""
        ...


class PersonReader(Identified):
    """Base of readers; ``name`` is that of the registry."""

    name: str

    @abstractmethod
    def open(self) -> ReaderStream:
        """Start a clip."""

    def check(self) -> None:
        """Raise now any error that the first clip would raise."""


@dataclass(frozen=True)
class ReaderEntry:
    """A reader in the registry: a line for listings, and how it is made from its source and the options."""

    summary: str
    build: Callable[[str | None, EncoderOptions], PersonReader]
    takes_source: bool = False


READERS: Registry[ReaderEntry] = Registry("reader of people", ReaderEntry, ROOMS)


def make_reader(spec: str, options: EncoderOptions | None = None) -> PersonReader:
    """Make a reader from its spec, ``NAME`` or ``NAME:SOURCE``, without loading weights.

    Raises:
        UsageError: there is no such reader, or its source is missing or not allowed.
    """
    name, source = split_kind(spec)
    entry = READERS.get(name)
    if entry.takes_source != bool(source):
        form = f"{name}:SOURCE" if entry.takes_source else name
        raise UsageError(f"the reader of people {spec!r} should be {form} ({entry.summary})")
    return entry.build(source or None, options or EncoderOptions())


class PeopleEncoder(Encoder):
    """Read who a clip shows: one row of numbers, columns `COLUMNS`.

    Args:
        spec: of the reader.
        options: for its weights.
    """

    name = "people"

    def __init__(self, spec: str, options: EncoderOptions) -> None:
        self.reader = make_reader(spec, options)
        self.trial = "none" if self.reader.name == "vlm" else "loads"

    @property
    def fewest_frames(self) -> int:
        """One frame can show a person."""
        return 1

    def identity(self) -> Mapping[str, Json]:
        """List the reader, its identity, and the layout of the row."""
        return {"layout": _LAYOUT, "reader": self.reader.name, "of_reader": dict(self.reader.identity())}

    def open(self, info: ClipInfo) -> _PeopleStream:
        """Start a clip."""
        del info
        return _PeopleStream(self.reader.open())


class _PeopleStream:
    def __init__(self, stream: ReaderStream) -> None:
        self._stream = stream

    def push(self, window: Window) -> None:
        self._stream.push(window)

    def finish(self) -> Feature:
        reading = self._stream.finish()
        if REASONS[8] in reading.why:
            raise Incomplete(reading.row())
        return reading.row()


def _encoder(source: str | None, options: EncoderOptions) -> Encoder:
    return PeopleEncoder(source or "reference", options)


ENCODERS.add(
    "people",
    EncoderEntry(
        "who a clip shows, as perceived: presentation and tone",
        _encoder,
        True,
        settings="reference, nudenet, clip:SOURCE, or vlm:MODEL",
    ),
)
