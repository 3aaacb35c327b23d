"""Records of verdicts: whatever of a run, a record or a chain is altered is found, and said in a sentence."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import canonical_json
from screentest.harness.gates.gate import Policy, gate, write_verdict
from screentest.harness.gates.record_check import verify_chain, verify_record
from screentest.harness.gates.release_record import ReleaseRecord, chain_file, keep_record, read_chain
from screentest.harness.gates.signatures import (
    fingerprint,
    is_signed_by,
    make_keys,
    public_text,
    read_private,
    read_public,
    sign,
)
from screentest.harness.run_folder.store import RunStore

RULES: list[dict[str, Any]] = [{"measure": "toy.quality", "min": 0.2}]
VERSUS: list[dict[str, Any]] = [{"measure": "toy.quality", "versus": "baseline", "margin": 0.9}]


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Any, str]:
    public = make_keys(tmp_path / "release.pem")
    return read_private(tmp_path / "release.pem"), read_public(public)


@pytest.fixture
def judge(make_run):
    """Judge a run by a policy and record its verdict."""

    def apply(run: RunStore, rules=RULES, baseline: RunStore | None = None, **more: Any) -> ReleaseRecord:
        policy = Policy.model_validate({"name": "toy", "version": 1, "rules": rules})
        verdict = gate(run, policy, baseline, registry=make_run.registry)
        write_verdict(run.folder, verdict)
        before = None if baseline is None else baseline.folder
        return keep_record(run.folder, verdict, policy, baseline=before, **more)

    return apply


@pytest.fixture
def run(make_run) -> RunStore:
    return make_run("night", {"toy.quality": lambda p, s: 0.8 + 0.01 * (p % 5)})


def alter(run: RunStore, statement: str) -> None:
    with sqlite3.connect(run.folder / "run.sqlite") as database:
        database.execute(statement)
    database.close()


def test_a_record_holds_and_says_that_it_is_not_signed(run, judge) -> None:
    record = judge(run)
    assert (record.number, record.previous, record.model, record.verdict) == (1, None, "toy:one", "PASS")
    found = verify_record(run.folder)
    assert found.record == record
    assert found.problems == ()
    assert found.notes == ("it is not signed: whoever can write these files can make it anew",)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE scores SET value = 0.99 WHERE rowid = 3", "night: 1 value of toy.quality was changed"),
        ("DELETE FROM scores WHERE rowid = 3", "night: the scores (some were added, removed or replaced)"),
        ("UPDATE clips SET outcome = 'refused' WHERE rowid = 1", "night: the records of clips"),
        ("UPDATE measures SET fields = replace(fields, 'higher', 'lower')", "night: the records of measures"),
    ],
)
def test_what_is_edited_in_the_database_is_found(run, judge, statement: str, told: str) -> None:
    judge(run)
    alter(run, statement)
    problems = verify_record(run.folder).problems
    assert len(problems) == 1
    assert problems[0].startswith(told)


def test_a_score_whose_digests_were_made_anew_is_found_by_the_record(run, judge) -> None:
    from screentest.harness.run_folder.digests import keep_digests

    judge(run)
    kept = (run.folder / "digests.json").read_bytes()
    scores = [score for score in run.scores() if score.measure == "toy.quality"]
    run.put_unit([], [replace(scores[0], value=0.99)])
    keep_digests(run)
    assert (run.folder / "digests.json").read_bytes() != kept  # a forger's run is whole in itself
    assert verify_record(run.folder).problems == (
        "night: its scores are not those that were judged: it was changed or scored again since",
    )


def test_a_changed_clip_and_a_changed_verdict_are_found(run, judge) -> None:
    judge(run)
    clip = next((run.folder / "clips").iterdir())
    clip.write_bytes(b"another")
    (run.folder / "verdict.json").write_text(
        (run.folder / "verdict.json").read_text().replace("PASS", "FAIL", 1)
    )
    told = verify_record(run.folder).problems
    assert told == (
        f"night: the clip {clip.name[:12]}... is changed",
        f"{run.folder / 'verdict.json'} is not the verdict that was recorded",
    )
    assert len(verify_record(run.folder, clips=False).problems) == 1


def test_a_signature_is_checked_by_its_key(run, judge, keys, tmp_path: Path) -> None:
    key, public = keys
    judge(run, key=key)
    assert verify_record(run.folder, public).problems == ()
    assert verify_record(run.folder, public).notes == ()
    (note,) = verify_record(run.folder).notes
    assert note.startswith(f"it is signed by the key {fingerprint(public)}, which was compared with none")
    other = read_public(make_keys(tmp_path / "other.pem"))
    assert verify_record(run.folder, other).problems == (
        f"it is signed by the key {fingerprint(public)}, and not by {fingerprint(other)}",
    )


def test_an_unsigned_record_is_not_by_a_key(run, judge, keys) -> None:
    judge(run)
    (problem,) = verify_record(run.folder, keys[1]).problems
    assert problem == f"it is not signed, and should be by the key {fingerprint(keys[1])}"


def rewrite(path: Path, line: int, **fields: Any) -> None:
    lines = path.read_text().splitlines()
    lines[line] = canonical_json({**json.loads(lines[line]), **fields})
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def chain(make_run, judge, keys) -> Path:
    """Three signed records of a model, of three runs."""
    for name in ("one", "two", "three"):
        judge(make_run(name, {"toy.quality": lambda p, s: 0.8 + 0.01 * (p % 5)}), key=keys[0])
    return chain_file(make_run.folder.resolve(), "toy:one")


def test_a_chain_holds(chain: Path, keys) -> None:
    checks = verify_chain(chain, keys[1])
    assert [check.record.number for check in checks] == [1, 2, 3]
    assert [check.problems for check in checks] == [(), (), ()]


@pytest.mark.parametrize("line", [0, 1])
def test_a_record_altered_within_a_chain_is_found(chain: Path, line: int) -> None:
    rewrite(chain, line, verdict="FAIL")
    with pytest.raises(UsageError, match=f"record {line + 2} in line {line + 2} of .* was altered, removed"):
        verify_chain(chain)


@pytest.mark.parametrize("line", [0, 1])
def test_a_record_removed_from_a_chain_is_found(chain: Path, line: int) -> None:
    lines = chain.read_text().splitlines(keepends=True)
    chain.write_text("".join(lines[:line] + lines[line + 1 :]))
    with pytest.raises(UsageError, match="was altered, removed or put in"):
        verify_chain(chain)


def test_the_last_record_altered_or_removed_is_found_by_its_run(chain: Path) -> None:
    whole = chain.read_text()
    chain.write_text("".join(whole.splitlines(keepends=True)[:2]))
    (told,) = [check.problems for check in verify_chain(chain) if check.problems]
    assert told == (f"record 3, of the run three, was removed from {chain}, or altered there",)
    assert verify_record(chain.parent.parent / "three").problems[0].startswith("record 3 is not in")
    assert verify_record(chain.parent.parent / "two").problems == ()
    chain.write_text(whole)
    rewrite(chain, 2, verdict="FAIL")
    problems = [problem for check in verify_chain(chain) for problem in check.problems]
    assert any("its signature is not of what it says" in problem for problem in problems)
    assert any("was removed from" in problem for problem in problems)


def test_a_chain_made_anew_has_another_signature(chain: Path, keys, tmp_path: Path) -> None:
    # Who has no key can chain altered records, and not sign them.
    forged = make_keys(tmp_path / "forged.pem")
    lines = [json.loads(line) for line in chain.read_text().splitlines()]
    lines[2]["verdict"] = "FAIL"
    key = read_private(tmp_path / "forged.pem")
    record = ReleaseRecord.model_validate({**lines[2], "signature": None, "public_key": public_text(key)})
    from screentest.harness.gates.release_record import signed_bytes

    rewrite(chain, 2, **record.model_copy(update={"signature": sign(key, signed_bytes(record))}).model_dump())
    assert len(read_chain(chain)) == 3
    problems = verify_chain(chain, keys[1])[2].problems
    assert problems == (
        f"it is signed by the key {fingerprint(read_public(forged))}, and not by {fingerprint(keys[1])}",
    )


def test_a_gate_does_not_append_to_an_altered_chain(chain: Path, make_run, judge) -> None:
    rewrite(chain, 0, verdict="FAIL")
    with pytest.raises(UsageError, match="restore the file from a copy"):
        judge(make_run("four", {"toy.quality": lambda p, s: 0.8}))
    chain.write_text(chain.read_text()[:-10])
    with pytest.raises(UsageError, match="was cut short"):
        judge(make_run("five", {"toy.quality": lambda p, s: 0.8}))


def test_a_policy_altered_in_a_record_is_found(run, judge) -> None:
    record = judge(run)
    path = run.folder / "record.json"
    fields = json.loads(path.read_text())
    fields["policy_fields"]["rules"][0]["min"] = 0.1
    path.write_text(json.dumps(fields))
    problems = verify_record(run.folder).problems
    assert "its policy does not give the digest of its policy: one of them was altered" in problems
    path.write_text(json.dumps({**json.loads(record.model_dump_json()), "scores": "0" * 64}))
    assert any("its digest of scores" in problem for problem in verify_record(run.folder).problems)


def test_a_baseline_that_changed_or_is_gone_is_said(make_run, judge) -> None:
    before = make_run("before", {"toy.quality": lambda p, s: 0.6 + 0.01 * (p % 5)}, prompts=30)
    now = make_run("now", {"toy.quality": lambda p, s: 0.7 + 0.01 * (p % 7)}, prompts=30, generator="toy:two")
    record = judge(now, VERSUS, before)
    assert record.baseline == "before"
    assert verify_record(now.folder).problems == ()
    alter(before, "DELETE FROM scores WHERE rowid = 3")
    assert verify_record(now.folder).problems == (
        "the baseline before is not as it was when the run was compared with it",
    )
    before.folder.rename(before.folder.with_name("elsewhere"))
    found = verify_record(now.folder)
    assert found.problems == ()
    assert "the baseline before is not beside the run, so it was not checked" in found.notes


def test_two_gates_at_once_make_one_chain(make_run, judge) -> None:
    runs = [make_run(f"r{k}", {"toy.quality": lambda p, s: 0.8}) for k in range(4)]
    policy = Policy.model_validate({"name": "toy", "version": 1, "rules": RULES})
    verdicts = [gate(one, policy, registry=make_run.registry) for one in runs]
    threads = [
        threading.Thread(target=keep_record, args=(one.folder, verdict, policy))
        for one, verdict in zip(runs, verdicts, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.number for r in read_chain(chain_file(make_run.folder.resolve(), "toy:one"))] == [1, 2, 3, 4]


# -- keys


def test_a_path_that_holds_no_record_is_named(run, judge, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text("{}")
    judge(run)
    Path("copy.json").write_bytes((run.folder / "record.json").read_bytes())
    for name, told in (
        ("nope", "there is no run, record or file of records at nope"),
        ("none.jsonl", "there is no run, record or file of records at none.jsonl"),
        ("bad.json", "bad.json is no record of a verdict"),
        ("copy.json", "copy.json is a copy of a record"),
    ):
        assert run_cli(["verify-record", name]) == 2
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1


def test_a_text_with_a_line_separator_does_not_break_the_chain(run, judge) -> None:
    first = judge(run, [{**RULES[0], "name": "by day\u2028by night\x85"}])
    second = judge(run)
    assert read_chain(chain_file(run.folder.parent, first.model)) == [first, second]
    assert not verify_record(run.folder).problems


def test_a_signature_by_rfc_8032() -> None:
    # RFC 8032, section 7.1, test 2: the message is the byte 72.
    import base64

    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    text = [base64.b64encode(part).decode() for part in (public, signature)]
    assert is_signed_by(text[0], b"\x72", text[1])
    assert not is_signed_by(text[0], b"\x73", text[1])
    assert not is_signed_by("no key", b"\x72", text[1])


def test_a_key_is_its_owners_and_is_never_replaced(tmp_path: Path) -> None:
    make_keys(tmp_path / "k.pem")
    assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="a key is never replaced"):
        make_keys(tmp_path / "k.pem")


def test_what_is_no_key_is_said(tmp_path: Path) -> None:
    make_keys(tmp_path / "k.pem")
    (tmp_path / "text.pem").write_text("no key")
    with pytest.raises(UsageError, match="is no ed25519 private key"):
        read_private(tmp_path / "k.pub.pem")
    with pytest.raises(UsageError, match="is no ed25519 public key"):
        read_public(tmp_path / "k.pem")
    with pytest.raises(UsageError, match="is no ed25519 private key"):
        read_private(tmp_path / "text.pem")
    with pytest.raises(UsageError, match="cannot be read"):
        read_private(tmp_path / "none.pem")


def test_there_is_no_record_before_a_gate(run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'screentest gate' makes one"):
        verify_record(run.folder)
    with pytest.raises(UsageError, match="there is no record in"):
        verify_chain(tmp_path / "none.jsonl")
    (run.folder / "record.json").write_text("{}")
    with pytest.raises(UsageError, match="is no record of a verdict, or was damaged"):
        verify_record(run.folder)
