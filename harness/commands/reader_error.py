"""The command `reader-error`: how often a reader of people is wrong, on labelled clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError
from ..core.files import check_output, write_atomic
from ..core.presentation import Content, Table
from ..core.progress import track
from .options import AsJson, Cache, files_named, print_json, print_table, say

if TYPE_CHECKING:
    from ...safety.bias.reader_error import ReaderError

__all__ = ["reader_error"]


def reader_error(
    out: Annotated[Path, typer.Option(help="File to write, for a suite's bias: {reader_error: FILE}.")],
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of labelled clips; without one, people of the world.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV: file, and presentation or tone or both, as people perceive them."),
    ] = None,
    people: Annotated[
        str, typer.Option(help="The reader: reference, nudenet, clip:SOURCE, vlm:MODEL or vlm:FILE.yaml.")
    ] = "reference",
    cache: Cache = "cache",
    as_json: AsJson = False,
) -> None:
    """Measure what a reader of people takes for what, to correct the shares of a bias audit."""
    if (folder is None) != (labels is None):
        raise UsageError("give a FOLDER and its --labels, or neither for people of the reference world")
    check_output("--out", out, [labels, *files_named(people)])
    from ...metrics.encoders.base import EncoderOptions
    from ...safety.bias.labelled_people import error_on_folder, error_on_world, read_labels_of_people
    from ..core.storage import local_folder

    if folder is None or labels is None:
        if people != "reference":
            raise UsageError(f"the world has glyphs of people, which {people!r} does not read; give a FOLDER")
        found = error_on_world()
    else:
        with track("reading clips", len(read_labels_of_people(labels))) as ticker:
            options = EncoderOptions(cache=local_folder(cache))
            found = error_on_folder(folder, labels, people, options, each=ticker.advance)
    write_atomic(out, found.model_dump_json(indent=1) + "\n")
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    for table in _tables(found):
        print_table(table)
    say(f"reader's error: {out}")


def _tables(found: ReaderError) -> list[Table]:
    tables: list[Table] = []
    for attribute, rows in found.attributes.items():
        confusion = found.confusion(attribute)
        assert confusion is not None  # the attribute was measured
        columns = ("true, read as", *confusion.classes, "undetermined", "nobody found")
        unseen = found.no_person.get(attribute, {})
        cells: list[tuple[Content, ...]] = [
            (true, *(str(rows[true].get(name, 0)) for name in columns[1:-1]), str(unseen.get(true, 0)))
            for true in confusion.classes
        ]
        problem = confusion.problem()
        notes = (found.source, *((problem,) if problem else ()))
        tables.append(Table(f"{attribute}, as {found.reader} reads it: clips", columns, cells, notes))
    return tables
