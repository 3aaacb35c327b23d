"""Rewrite files of prompts and whole suites: prompts in, JSON lines or a suite of rewritten prompts out."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from ...harness.core.errors import UsageError
from .apply import Transformed, families, family, transform

__all__ = ["named_families", "rewrite", "write_rewritten"]


def named_families(names: Sequence[str]) -> tuple[str, ...]:
    """Check names of families; "all" stands for every one.

    Raises:
        UsageError: there is no such family; the nearest names are in the message.
    """
    if "all" in names:
        return families()
    return tuple(dict.fromkeys(family(name).name for name in names))


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
