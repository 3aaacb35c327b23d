"""The record of a verdict: digests of all that it rests on, chained to the record before it, and signed.

    records/MODEL.jsonl     beside the runs: every record of a model, one a line, only ever appended to
    RUN/record.json         the newest record of a run, the same as its line

A record holds the sha256 of the record before it, so that none can be altered or taken out without making
all later ones anew. Only a signature, or a copy that is kept elsewhere, shows that this was done. Records are
verified by `record_check`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout
from pydantic import ConfigDict, ValidationError

from ..core.config import Document
from ..core.errors import UsageError
from ..core.files import only_one, write_atomic
from ..core.keys import Json, canonical_json, digest, rows_sha256, slug
from ..run_folder.digests import read_digests
from .signatures import public_text, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ..policies.policy import Policy
    from .gate import Verdict

__all__ = [
    "RECORD",
    "ReleaseRecord",
    "chain_file",
    "keep_record",
    "read_chain",
    "read_record",
    "signed_bytes",
]

RECORD = "record.json"
_CHAINS = "records"
_FOLDERS = ("harness", "metrics", "generators", "safety", "reports")
_WAIT_S = 30


class ReleaseRecord(Document):
    """What a verdict rests on.

    Attributes:
        number: in the chain of the model, from 1.
        previous: the sha256 of the record before it; None for the first.
        model: the name of the registered model, or the generator's spec.
        run, baseline: names of the run folders; ``run_id`` is the run's own.
        run_digests, baseline_digests: of the run's record and tables, as in its ``digests.json``.
        scores: the sha256 of the two digests of values: of clips and of sets.
        policy_fields: the whole policy, as it was applied.
        verdict_digest: of the verdict, as it is in ``verdict.json``.
        harness: version and digest of the code that judged, and the version of Python.
        public_key, signature: of the key that signed it, in base64; None if it is not signed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    previous: str | None
    model: str
    created: str
    run: str
    run_id: str | None
    run_digests: dict[str, str] | None
    scores: str | None
    baseline: str | None
    baseline_digests: dict[str, str] | None
    policy: str
    policy_digest: str
    policy_fields: dict[str, Any]
    verdict: str
    verdict_digest: str
    clips_checked: bool
    waived: tuple[str, ...]
    harness: dict[str, str]
    public_key: str | None = None
    signature: str | None = None

    @property
    def sha256(self) -> str:
        """Hash the whole record, its signature included."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json")).encode()).hexdigest()


def signed_bytes(record: ReleaseRecord) -> bytes:
    """Return what the signature of a record is of: all fields but itself."""
    fields = record.model_dump(mode="json", exclude={"signature"})
    return b"screentest release record\n" + canonical_json(fields).encode()


def chain_file(runs: Path, model: str) -> Path:
    """Name the file of a model's records, beside the runs in ``runs``."""
    return runs / _CHAINS / f"{slug(model)}.jsonl"


def keep_record(
    folder: Path,
    verdict: Verdict,
    policy: Policy,
    *,
    model: str | None = None,
    baseline: Path | None = None,
    key: Ed25519PrivateKey | None = None,
) -> ReleaseRecord:
    """Append the record of a run's verdict to the chain of its model, and write it into the run folder.

    Args:
        folder: of the run.
        model: whose chain it belongs to; by default the generator's spec.
        baseline: the folder of the run that it was compared with.
        key: signs the record.

    Raises:
        UsageError: the chain is damaged or altered, cannot be written, or another process holds it.
    """
    of = model or verdict.generator
    path = chain_file(folder.resolve().parent, of)
    try:
        path.parent.mkdir(exist_ok=True)
        with only_one(path.with_suffix(".lock"), wait_s=_WAIT_S):
            before = read_chain(path)
            record = _record(folder, verdict, policy, of, before[-1] if before else None, baseline)
            if key is not None:
                record = record.model_copy(update={"public_key": public_text(key)})
                record = record.model_copy(update={"signature": sign(key, signed_bytes(record))})
            line = canonical_json(record.model_dump(mode="json")) + "\n"
            with path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            write_atomic(folder / RECORD, json.dumps(record.model_dump(mode="json"), indent=1) + "\n")
    except Timeout:
        raise UsageError(f"another process is writing {path}; wait for it and gate again") from None
    except OSError as error:
        raise UsageError(f"the record {path} cannot be written: {error.strerror or error}") from None
    return record


def _record(
    folder: Path,
    verdict: Verdict,
    policy: Policy,
    model: str,
    before: ReleaseRecord | None,
    baseline: Path | None,
) -> ReleaseRecord:
    run = _digests(folder)
    record = json.loads((folder / "run.json").read_text("utf-8", "surrogatepass"))
    judged_against = baseline if verdict.baseline is not None else None
    return ReleaseRecord(
        number=1 if before is None else before.number + 1,
        previous=None if before is None else before.sha256,
        model=model,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        run=folder.resolve().name,
        run_id=record.get("id"),
        run_digests=run,
        scores=None if run is None else scores_digest(run),
        baseline=None if judged_against is None else judged_against.resolve().name,
        baseline_digests=None if judged_against is None else _digests(judged_against),
        policy=verdict.policy,
        policy_digest=verdict.policy_digest,
        policy_fields=policy.model_dump(mode="json"),
        verdict=verdict.verdict,
        verdict_digest=verdict_digest(verdict.model_dump(mode="json")),
        clips_checked=verdict.clips_checked,
        waived=verdict.waived,
        harness=harness_identity(),
    )


def _digests(folder: Path) -> dict[str, str] | None:
    found = read_digests(folder)
    return None if found is None else {"run": found.run, **found.model_dump()}


def scores_digest(digests: Mapping[str, str]) -> str:
    """Hash the digests of a run's values, of clips and of sets, together."""
    return rows_sha256([[digests["scores"], digests["sets"]]])


def verdict_digest(fields: Mapping[str, Json]) -> str:
    """Hash a verdict as it is in ``verdict.json``."""
    return digest("verdict", fields)


@cache
def harness_identity() -> dict[str, str]:
    """Give the version of screentest, the digest of its Python files, and the version of Python."""
    root = Path(__file__).parents[2]
    files = sorted(path for name in _FOLDERS for path in (root / name).rglob("*.py"))
    rows = [[str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()] for path in files]
    return {
        "version": importlib.metadata.version("screentest"),
        "source": rows_sha256(rows),
        "python": platform.python_version(),
    }


def read_record(path: Path) -> ReleaseRecord:
    """Read the record in a run folder.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    try:
        return ReleaseRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"there is no record at {path}; 'screentest gate' makes one") from None
    except (OSError, ValidationError):
        raise UsageError(
            f"{path} is no record of a verdict, or was damaged; restore it from a copy"
        ) from None


def read_chain(path: Path) -> list[ReleaseRecord]:
    """Read all records of a model, the oldest first; none if there is no file.

    Raises:
        UsageError: a line is damaged, or a record does not follow the one before it.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{path} cannot be read as records; restore it from a copy") from None
    if text and not text.endswith("\n"):
        raise UsageError(f"the last record of {path} was cut short; restore it from a copy")
    records: list[ReleaseRecord] = []
    # By line feeds alone: a text in a record may hold the other characters that end lines, such as U+2028.
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            record = ReleaseRecord.model_validate_json(line)
        except ValidationError:
            raise UsageError(f"line {number} of {path} is no record; restore it from a copy") from None
        before = records[-1] if records else None
        if (record.number, record.previous) != (number, None if before is None else before.sha256):
            raise UsageError(
                f"record {record.number} in line {number} of {path} does not follow the one before it: a "
                "record was altered, removed or put in; restore the file from a copy"
            )
        records.append(record)
    return records
