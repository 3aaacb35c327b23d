"""Measure a reader's error: on people drawn in the reference world, or on a folder of clips with labels.

The labels are a CSV with a row a clip: ``file`` (relative to the folder), and ``presentation`` or ``tone`` or
both, each as a person perceives it. A blank cell is no label. Labels are made without knowing what the reader
says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...generators.worlds.plane import NATIVE_CLIP, render, sample_scene
from ...generators.worlds.plane.wear import worn
from ...generators.worlds.plane.words import OCCUPATIONS, PRESENTATIONS, TONES
from ...harness.core.counts import counted
from ...harness.core.csv_rows import csv_rows, read_table
from ...harness.core.errors import MediaError, UsageError
from ...harness.core.keys import seeded_rng
from ...metrics.encoders.base import EncoderOptions
from .reader_error import ATTRIBUTES, ReaderError, confusion_of
from .reading import REASONS, PeopleEncoder, PersonReading

__all__ = ["error_on_folder", "error_on_world", "read_labels_of_people"]

WORLD_CLIPS: Final = 240


@dataclass(frozen=True)
class _Read:
    """The labels of a clip, by attribute, and what the reader says of it."""

    labels: Mapping[str, str]
    reading: PersonReading


def error_on_world(n: int = WORLD_CLIPS, seed: int = 0) -> ReaderError:
    """Measure the reader ``reference`` on drawn people, worn as an autoencoder and a sampler wear clips.

    Every occupation, presentation and tone is drawn equally often.
    """
    from .glyph_reader import reading_of

    encoder = PeopleEncoder("reference", EncoderOptions())
    rows: list[_Read] = []
    for index in range(n):
        asked = {
            "presentation": PRESENTATIONS[index % 2],
            "tone": tuple(TONES)[index // 2 % 3],
            "occupation": OCCUPATIONS[index // 6 % 6],
        }
        rng = seeded_rng("reader error of people", seed, index)
        frames, _ = render(sample_scene(rng, NATIVE_CLIP, family="person", **asked), NATIVE_CLIP)
        labels = {name: asked[name] for name in ATTRIBUTES}
        rows.append(_Read(labels, reading_of(worn(frames, rng))))
    source = f"{n} people drawn in the reference world and worn, seed {seed}"
    return _error(encoder, rows, source)


def error_on_folder(
    folder: Path,
    labels: Path,
    spec: str,
    options: EncoderOptions,
    *,
    each: Callable[[], None] | None = None,
) -> ReaderError:
    """Measure a reader on labelled clips.

    Args:
        folder: of the clips.
        labels: CSV with file, and presentation or tone or both.
        spec: of the reader, such as ``nudenet``.
        options: for its weights.
        each: called after each clip.

    Raises:
        UsageError: a file is missing or cannot be read, labels are wrong, or a class has no label.
    """
    from ...harness.core.media import decoding

    wanted = read_labels_of_people(labels)
    encoder = PeopleEncoder(spec, options)
    encoder.reader.check()
    rows: list[_Read] = []
    for name, own in wanted.items():
        path = folder / name
        try:
            stream = encoder.reader.open()
            with decoding(path) as windows:
                for window in windows:
                    stream.push(window)
            reading = stream.finish()
        except (MediaError, OSError) as error:
            raise UsageError(f"{path} of {labels} cannot be read as a video: {error}") from None
        if REASONS[8] in reading.why:
            raise UsageError(f"the reader {spec!r} did not answer about {name}; run it again when it does")
        rows.append(_Read(own, reading))
        if each is not None:
            each()
    return _error(encoder, rows, f"{counted(len(rows), 'clip')} labelled in {labels.name}")


def read_labels_of_people(path: Path) -> dict[str, dict[str, str]]:
    """Read labels: file -> attribute -> class.

    Raises:
        UsageError: the table cannot be read, lacks its columns, or has a class that does not exist.
    """

    def check(header: Sequence[str]) -> None:
        if "file" not in header or not set(header) & set(ATTRIBUTES):
            raise UsageError(
                f"{path} should have the columns file, and {' or '.join(ATTRIBUTES)}; "
                f"it has {', '.join(header)}"
            )

    found: dict[str, dict[str, str]] = {}
    for number, row in csv_rows(path, read_table(path, "the labels"), check):
        name = row["file"].strip()
        if not name or name in found:
            raise UsageError(f"{path}, line {number}: {'no file' if not name else f'{name!r} twice'}")
        own = {attribute: row.get(attribute, "").strip() for attribute in ATTRIBUTES}
        for attribute, label in own.items():
            if label and label not in ATTRIBUTES[attribute]:
                raise UsageError(
                    f"{path}, line {number}: {label!r} is no {attribute}; it is one of "
                    f"{', '.join(ATTRIBUTES[attribute])}, or blank"
                )
        found[name] = {attribute: label for attribute, label in own.items() if label}
    if not any(found.values()):
        raise UsageError(f"{path} has no labels; give clips of every class")
    return found


def _error(encoder: PeopleEncoder, rows: Sequence[_Read], source: str) -> ReaderError:
    attributes: dict[str, dict[str, dict[str, int]]] = {}
    nobody: dict[str, dict[str, int]] = {}
    for attribute in ATTRIBUTES:
        labelled = [row for row in rows if attribute in row.labels]
        if not labelled:
            continue
        seen = [row for row in labelled if row.reading.person]
        pairs = [(row.labels[attribute], row.reading.attribute(attribute)) for row in seen]
        attributes[attribute] = confusion_of(pairs, attribute)
        unseen = [row.labels[attribute] for row in labelled if not row.reading.person]
        nobody[attribute] = {name: unseen.count(name) for name in ATTRIBUTES[attribute]}
    return ReaderError(
        reader=encoder.reader.name,
        digest=encoder.digest,
        source=source,
        attributes=attributes,
        no_person=nobody,
    )
