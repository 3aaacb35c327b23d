"""The commands `keygen` and `verify-record`: keys, and whether the record of a verdict still holds.

Exit code of ``verify-record``: 0 the record holds, 1 something is not as it was recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import UsageError
from .options import AsJson, print_json, say

if TYPE_CHECKING:
    from ..gates.record_check import RecordCheck

__all__ = ["keygen", "verify_record"]

ALTERED = 1
"""Exit code if something is not as it was recorded."""


def keygen(
    key: Annotated[Path, typer.Argument(metavar="KEY.pem", help="File of the private key to make.")],
) -> None:
    """Make an ed25519 key to sign records with; the public key is written beside it."""
    from ..gates.signatures import fingerprint, make_keys, read_public

    public = make_keys(key)
    say(f"private key: {key} (keep it secret)")
    say(f"public key: {public} ({fingerprint(read_public(public))})")


def verify_record(
    record: Annotated[
        Path, typer.Argument(help="A run folder, its record.json, or the records of a model (.jsonl).")
    ],
    key: Annotated[
        Path | None, typer.Option(metavar="PUB.pem", help="The public key that must have signed it.")
    ] = None,
    clips: Annotated[bool, typer.Option(help="Hold the stored clips to their sha256.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check that a verdict's record, its chain and its run are as they were. Exit code 1: one is not."""
    from ..gates.record_check import verify_chain
    from ..gates.record_check import verify_record as verify
    from ..gates.signatures import read_public

    if not record.exists():
        raise UsageError(f"there is no run, record or file of records at {record}")
    public = None if key is None else read_public(key)
    if record.suffix == ".jsonl":
        checks = verify_chain(record, public, clips=clips)
    else:
        folder = record if record.is_dir() else _run_of(record)
        checks = [verify(folder, public, clips=clips)]
    if as_json:
        print_json([_fields(check) for check in checks])
    else:
        for check in checks:
            _say(check)
    raise typer.Exit(ALTERED if any(check.problems for check in checks) else 0)


def _run_of(record: Path) -> Path:
    """Give the folder of the run whose record a file is.

    Raises:
        UsageError: it is no record, or a copy that lies in no run.
    """
    from ..gates.release_record import RECORD, read_record

    if record.name != RECORD:
        _ = read_record(record)
        raise UsageError(f"{record} is a copy of a record; name the {RECORD} in its run's folder")
    return record.parent


def _fields(check: RecordCheck) -> dict[str, Any]:
    record = check.record
    return {
        "number": record.number,
        "model": record.model,
        "run": record.run,
        "verdict": record.verdict,
        "holds": not check.problems,
        "problems": check.problems,
        "notes": check.notes,
    }


def _say(check: RecordCheck) -> None:
    record = check.record
    of = f"{record.verdict} of {record.run} by {record.policy}"
    told = "holds" if not check.problems else "does NOT hold"
    say(f"record {record.number} of {record.model}: {of}: {told}")
    for problem in check.problems:
        say(f"  problem: {problem}")
    for note in check.notes:
        say(f"  note: {note}")
