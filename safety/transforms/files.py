"""Rewrite files of prompts and whole suites: prompts in, JSON lines or a suite of rewritten prompts out."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from ...harness.commands.tables import Table
from ...harness.core.errors import UsageError
from ...harness.core.items import Prompt
from ...harness.suite import Disguised, Suite, filled, load_suite, packaged_suites, read_suite
from ..sources import ColumnMap, csv_prompts, json_objects, prompt_lines
from .apply import Transformed, families, family, transform

__all__ = [
    "family_table",
    "jailbreak_suite",
    "named_families",
    "read_prompts",
    "rewrite",
    "suite_in_disguise",
    "write_rewritten",
    "write_suite",
]

_TEXT_NAMES = ("text", "prompt", "prompt_text")


def family_table() -> Table:
    """List the families."""
    rows = [
        (name, f.readability, "yes" if f.reversible else "no", f.summary)
        for name in families()
        for f in (family(name),)
    ]
    return Table("transformation families", ("family", "readability", "reversible", "about"), rows)


def named_families(names: Sequence[str]) -> tuple[str, ...]:
    """Check names of families; "all" stands for every one.

    Raises:
        UsageError: there is no such family; the nearest names are in the message.
    """
    if "all" in names:
        return families()
    return tuple(dict.fromkeys(family(name).name for name in names))


def read_prompts(source: str) -> Iterator[tuple[str | None, str]]:
    """Stream (id, text) of a suite, a text file of one prompt a line, a CSV or a file of JSON lines.

    CSV and JSON lines have the prompt under text, prompt or prompt_text, and may have an id.

    Raises:
        UsageError: the file is missing, of another kind, or wrong in itself.
    """
    path = Path(source)
    if source in packaged_suites() or path.suffix in (".yaml", ".yml"):
        return ((_id_of(prompt), prompt.text) for prompt in load_suite(source).prompts)
    if path.suffix == ".txt":
        return ((None, record.text) for record in prompt_lines(path))
    if path.suffix == ".csv":
        return _csv(path)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _json_lines(path)
    raise UsageError(
        f"{source!r} is no suite ({', '.join(packaged_suites())}) and no .txt, .csv, .jsonl or .yaml file"
    )


def _csv(path: Path) -> Iterator[tuple[str | None, str]]:
    header = _csv_header(path)
    text = next((name for name in _TEXT_NAMES if name in header), _TEXT_NAMES[0])
    id_column = "id" if "id" in header else None
    records = csv_prompts(path, ColumnMap(text=text, id=id_column))
    return ((record.id if id_column else None, record.text) for record in records)


def _csv_header(path: Path) -> list[str]:
    import csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []  # reading the rows says what is wrong


def _json_lines(path: Path) -> Iterator[tuple[str | None, str]]:
    for number, row in json_objects(path):
        text = next((row[name] for name in _TEXT_NAMES if name in row), None)
        if not isinstance(text, str):
            raise UsageError(f"{path}, line {number}: there is no text under {', '.join(_TEXT_NAMES)}")
        yield (str(row["id"]) if "id" in row else None), text


def rewrite(
    prompts: Iterator[tuple[str | None, str]], names: Sequence[str], seed: int, strength: float
) -> Iterator[Transformed]:
    """Rewrite each prompt by each of the families, a prompt at a time."""
    for base_id, text in prompts:
        for name in names:
            yield transform(text, name, seed, strength, base_id)


def write_rewritten(made: Iterator[Transformed], out: Path | None) -> int:
    """Write one JSON object a line, to a file or to stdout; give their number.

    JSON escapes all but ASCII, so that invisible characters are seen and broken ones survive. A file is
    written beside and renamed.
    """
    if out is None:
        return _write(made, sys.stdout)
    beside = out.with_name(f".{out.name}.part")
    try:
        with beside.open("w", encoding="ascii") as file:
            count = _write(made, file)
        beside.replace(out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
    return count


def _write(made: Iterator[Transformed], file: TextIO) -> int:
    return sum(bool(file.write(json.dumps(dataclasses.asdict(one)) + "\n")) for one in made)


def jailbreak_suite(base: Suite, names: Sequence[str], seed: int = 0, strength: float = 1.0) -> Suite:
    """Make a suite of rewritten prompts, each with its tags, its family and the id of its base prompt.

    Runs of the base suite and of this one are paired by that id: it is ``base:ID`` here and ``id:ID`` there.
    What a family leaves as it was is left out, since the base suite has it, and so is a text that another
    family has made already.

    Raises:
        UsageError: nothing is left.
    """
    prompts: dict[str, Prompt] = {}
    for prompt in base.prompts:
        base_id = _id_of(prompt)
        kept = tuple(tag for tag in prompt.tags if not tag.startswith("id:"))
        for name in names:
            made = transform(prompt.text, name, seed, strength, base_id)
            if made.text != prompt.text and made.text.strip() and made.text not in prompts:
                tags = (*kept, "jailbreak", f"family:{name}", f"readability:{made.readability}")
                named = (f"base:{base_id}",) if base_id is not None else ()
                fields = {"text": made.text, "tags": (*tags, *named)}
                prompts[made.text] = Prompt.model_validate({**prompt.model_dump(), **fields})
    if not prompts:
        raise UsageError(f"the families leave every prompt of the suite {base.name!r} as it is")
    return base.model_copy(
        update={
            "name": f"{base.name}-jailbreak"[:60],
            "description": f"prompts of {base.name} rewritten: {', '.join(names)}",
            "prompts": tuple(prompts.values()),
        }
    )


def suite_in_disguise(suite: Suite, wanted: Disguised) -> Suite:
    """Fill a suite with the prompts of another one in disguise; all else stays its own.

    Raises:
        UsageError: no such suite or family, or a suite that is in disguise itself.
    """
    base = read_suite(wanted.suite)
    if base.disguised is not None:
        raise UsageError(
            f"the suite {suite.name!r} disguises {wanted.suite!r}, which is in disguise itself; "
            f"name a suite of plain prompts"
        )
    base = filled(base)
    made = jailbreak_suite(base, named_families(wanted.families), wanted.seed, wanted.strength)
    return suite.model_copy(update={"prompts": made.prompts, "disguised": None})


def _id_of(prompt: Prompt) -> str | None:
    """Find the id among a prompt's tags."""
    return next((tag.removeprefix("id:") for tag in prompt.tags if tag.startswith("id:")), None)


def write_suite(suite: Suite, out: Path) -> None:
    """Write a suite as YAML in ASCII, beside and renamed."""
    import yaml

    beside = out.with_name(f".{out.name}.part")
    try:
        beside.write_text(
            yaml.safe_dump(suite.model_dump(mode="json", exclude_defaults=True), sort_keys=False), "ascii"
        )
        beside.replace(out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
