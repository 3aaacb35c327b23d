"""Verify the record of a verdict: its signature, its chain, and the run that it is of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..core.keys import digest
from ..run_folder.digests import RunDigests, differences, run_digests
from ..run_folder.store import open_run
from .release_record import (
    RECORD,
    ReleaseRecord,
    chain_file,
    harness_identity,
    read_chain,
    read_record,
    scores_digest,
    signed_bytes,
    verdict_digest,
)
from .signatures import fingerprint, is_signed_by

__all__ = ["RecordCheck", "verify_chain", "verify_record"]


@dataclass(frozen=True)
class RecordCheck:
    """What was found about a record.

    Attributes:
        problems: each says what is not as it was recorded; without any, the record holds.
        notes: what could not be checked, or is to be known.
    """

    record: ReleaseRecord
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def verify_record(folder: Path, key: str | None = None, *, clips: bool = True) -> RecordCheck:
    """Verify the newest record of a run.

    Args:
        folder: of the run.
        key: the public key that must have signed it, as `signatures.read_public` gives it.
        clips: whether the stored clips are compared with their sha256.

    Raises:
        UsageError: there is no record, or it is damaged.
    """
    record = read_record(folder / RECORD)
    problems, notes = _signature(record, key)
    problems += _place(record, chain_file(folder.resolve().parent, record.model))
    problems += _content(record)
    problems += _run(record, folder, clips=clips)
    problems += _verdict(record, folder)
    told, said = _baseline(record, folder.resolve().parent)
    notes += _harness(record) + said
    return RecordCheck(record, tuple(problems + told), tuple(notes))


def verify_chain(path: Path, key: str | None = None, *, clips: bool = True) -> list[RecordCheck]:
    """Verify all records of a model, and the runs beside them whose newest record is one of them.

    Raises:
        UsageError: there is no record, or one was altered, removed or put in.
    """
    records = read_chain(path)
    if not records:
        raise UsageError(f"there is no record in {path}; 'screentest gate' makes one")
    checks: list[RecordCheck] = []
    for record in records:
        problems, notes = _signature(record, key)
        problems += _content(record)
        folder = path.resolve().parent.parent / record.run
        newest = _newest(folder)
        if newest is None:
            notes.append(f"the run {record.run} has no record here, so its scores were not checked")
        elif newest == record:
            whole = verify_record(folder, key, clips=clips)
            problems, notes = list(whole.problems), list(whole.notes)
        else:
            notes.append(f"{record.run} was judged again since, so its scores then are not here to check")
        checks.append(RecordCheck(record, tuple(problems), tuple(notes)))
    # A record that was taken off the end of the chain is still in its run.
    for file in sorted(path.resolve().parent.parent.glob(f"*/{RECORD}")):
        newest = _newest(file.parent)
        if newest is not None and newest.model == records[-1].model and newest not in records:
            told = (
                f"record {newest.number}, of the run {newest.run}, was removed from {path}, or altered there"
            )
            checks.append(RecordCheck(newest, (told,), ()))
    return checks


def _newest(folder: Path) -> ReleaseRecord | None:
    try:
        return read_record(folder / RECORD)
    except UsageError:
        return None


def _signature(record: ReleaseRecord, key: str | None) -> tuple[list[str], list[str]]:
    if record.signature is None or record.public_key is None:
        if key is not None:
            return [f"it is not signed, and should be by the key {fingerprint(key)}"], []
        return [], ["it is not signed: whoever can write these files can make it anew"]
    own = fingerprint(record.public_key)
    if not is_signed_by(record.public_key, signed_bytes(record), record.signature):
        return ["its signature is not of what it says: the record or the signature was altered"], []
    if key is None:
        return [], [
            f"it is signed by the key {own}, which was compared with none; give the one to trust by --key"
        ]
    if record.public_key != key:
        return [f"it is signed by the key {own}, and not by {fingerprint(key)}"], []
    return [], []


def _place(record: ReleaseRecord, path: Path) -> list[str]:
    try:
        records = read_chain(path)
    except UsageError as error:
        return [str(error)]
    if not records:
        return [f"the records of {record.model} are gone: there is no {path}"]
    if record in records:
        return []
    return [f"record {record.number} is not in {path}: it was removed or altered there"]


def _content(record: ReleaseRecord) -> list[str]:
    problems: list[str] = []
    if digest("policy", record.policy_fields) != record.policy_digest:
        problems.append("its policy does not give the digest of its policy: one of them was altered")
    if record.run_digests is not None and scores_digest(record.run_digests) != record.scores:
        problems.append("its digest of scores is not that of its tables: one of them was altered")
    return problems


def _run(record: ReleaseRecord, folder: Path, *, clips: bool) -> list[str]:
    try:
        store = open_run(folder)
    except UsageError as error:
        return [f"the run cannot be checked: {error}"]
    try:
        told = [change.what for change in differences(store)]
        if record.run_digests is None:
            told.append(
                "the run had no digests when it was judged, so nobody can tell whether it was changed"
            )
        elif not told and (now := run_digests(store)) != _of(record.run_digests):
            told += _changed(record.run_digests, now)
        if store.record.get("id") != record.run_id:
            told.append(f"{folder} is another run than the one that was judged")
        if clips:
            told += [
                f"the clip {name[:12]}... is {state}" for name, state in sorted(store.changed_clips().items())
            ]
    except UsageError as error:
        told = [str(error)]
    finally:
        store.close()
    return [f"{folder.name}: {one}" for one in told]


def _of(fields: dict[str, str]) -> RunDigests | None:
    try:
        return RunDigests.model_validate({name: value for name, value in fields.items() if name != "run"})
    except ValueError:
        return None


def _changed(was: dict[str, str], now: RunDigests) -> list[str]:
    names = [name for name, value in now.model_dump().items() if was.get(name) != value]
    return [f"its {', '.join(names)} are not those that were judged: it was changed or scored again since"]


def _verdict(record: ReleaseRecord, folder: Path) -> list[str]:
    path = folder / "verdict.json"
    try:
        fields: Any = json.loads(path.read_bytes())
        same = verdict_digest(fields) == record.verdict_digest
    except (OSError, ValueError, TypeError):
        return [f"{path} is gone or damaged"]
    return [] if same else [f"{path} is not the verdict that was recorded"]


def _baseline(record: ReleaseRecord, runs: Path) -> tuple[list[str], list[str]]:
    if record.baseline is None:
        return [], []
    if record.baseline_digests is None:
        return [], [f"the baseline {record.baseline} had no digests, so it was not checked"]
    try:
        store = open_run(runs / record.baseline)
    except UsageError:
        return [], [f"the baseline {record.baseline} is not beside the run, so it was not checked"]
    try:
        now = run_digests(store)
    except UsageError as error:
        return [f"the baseline: {error}"], []
    finally:
        store.close()
    if now == _of(record.baseline_digests):
        return [], []
    return [f"the baseline {record.baseline} is not as it was when the run was compared with it"], []


def _harness(record: ReleaseRecord) -> list[str]:
    now = harness_identity()
    changed = [f"{name} {record.harness.get(name)}" for name in now if record.harness.get(name) != now[name]]
    return [f"it was judged by another screentest than this one: {', '.join(changed)}"] if changed else []
