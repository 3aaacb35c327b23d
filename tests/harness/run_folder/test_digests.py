"""Digests: what was changed in a run after it was scored is refused by the gate, and named by `run`."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.run_data import SetScore
from screentest.harness.gates.gate import Policy, Verdict, gate
from screentest.harness.run import Settings, run, score_run
from screentest.harness.run_folder.digests import differences, keep_digests, read_digests, refuse_changed
from screentest.harness.run_folder.store import RunStore, open_run

TODAY = date(2027, 1, 15)
RULES = (
    {"measure": "toy.unsafe", "max": 0.3},
    {"measure": "toy.quality", "min": 0.4},
    {"measure": "toy.distance", "max": 20},
)


def sound(make_run: Any, name: str = "r", **more: Any) -> RunStore:
    values = {
        "toy.unsafe": lambda p, s: 0.0,
        "toy.quality": lambda p, s: 0.6 + 0.01 * p,
        "toy.refusal": lambda p, s: 0.0,
    }
    store = make_run(name, values, prompts=40, seeds=2, **more)
    taken = SetScore(
        measure="toy.distance",
        status="ok",
        value=12.5,
        low=10.0,
        high=15.0,
        n=80,
        clusters=40,
        leave_one_out={
            cluster: 12.5 + 0.01 * (k % 3) for k, cluster in enumerate(make_run.prompts_of(store))
        },
    )
    make_run.put_set(store, taken)
    return store


def judged(make_run: Any, folder: Path, **more: Any) -> Verdict:
    wanted = Policy.model_validate({"name": "toy", "version": 1, "rules": RULES, **more.pop("policy", {})})
    return gate(open_run(folder), wanted, today=TODAY, registry=make_run.registry, **more)


def sql(*statements: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "run.sqlite")) as db, db:
            for statement in statements:
                db.execute(statement)

    return change


def in_record(*path: str, to: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "run.json"
        record = json.loads(file.read_text())
        inner = record
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to
        file.write_text(json.dumps(record))

    return change


def each_clip(change: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda folder: [change(path) for path in (folder / "clips").iterdir()] and None


def in_items(key: str, value: str) -> str:
    return f"UPDATE items SET fields = json_set(fields, '$.{key}', {value})"


ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a value set to 0": (
        sql("UPDATE scores SET value = 0 WHERE measure = 'toy.quality'"),
        "80 values of toy.quality were changed",
    ),
    "one value": (
        sql("UPDATE scores SET value = 0.75 WHERE measure = 'toy.quality' AND value = 0.6 AND rowid % 2 = 1"),
        "1 value of toy.quality was changed",
    ),
    "a value out of range": (sql("UPDATE scores SET value = 7.5"), "values of toy.unsafe were changed"),
    "a value that is text": (sql("UPDATE scores SET value = 'low'"), "values of toy.unsafe were changed"),
    "a status": (
        sql("UPDATE scores SET status = 'not_applicable', value = NULL WHERE measure = 'toy.unsafe'"),
        "80 values of toy.unsafe were changed",
    ),
    "evidence": (sql("""UPDATE scores SET evidence = '{"frame": 1}'"""), "were changed"),
    "a key": (sql("UPDATE scores SET key = ''"), "were changed"),
    "a value of a set": (
        sql("UPDATE set_values SET fields = json_set(fields, '$.value', 1.0)"),
        "1 value of toy.distance was changed",
    ),
    "text in a set": (
        sql("UPDATE set_values SET fields = json_set(fields, '$.leave_one_out', json('{\"a\": \"b\"}'))"),
        "1 value of toy.distance was changed",
    ),
    "a row swapped for another": (
        sql(
            "UPDATE scores SET (value, digest) = (SELECT value, digest FROM scores "
            "WHERE measure = 'toy.quality' AND value > 0.9 LIMIT 1) WHERE measure = 'toy.quality'"
        ),
        "values of toy.quality were changed",
    ),
    "scores removed": (
        sql("DELETE FROM scores WHERE measure = 'toy.quality' AND value < 0.8"),
        "the scores (some were added, removed or replaced)",
    ),
    "the worst items removed": (
        sql(
            "DELETE FROM scores WHERE item IN (SELECT id FROM items WHERE position < 40)",
            "DELETE FROM clips WHERE item IN (SELECT id FROM items WHERE position < 40)",
            "DELETE FROM items WHERE position < 40",
        ),
        "its suite, generator and items do not give the digest of its plan",
    ),
    "forged items": (
        sql("INSERT INTO items SELECT position + 1000, 'f' || id, cluster, unit + 100, fields FROM items"),
        "80 items is not that of their id",
    ),
    "every item a cluster of its own": (sql("UPDATE items SET cluster = id"), "cluster of 80 items is not"),
    "another prompt": (sql(in_items("prompt", "'a kitten'")), "of 80 items is not that of their id"),
    "another seed": (sql(in_items("seed", "7")), "is not that of their id"),
    "other tags": (sql(in_items("tags", "json('[\"even\"]')")), "the items (prompts, tags, labels, order)"),
    "an outcome": (sql("UPDATE clips SET outcome = 'refused' WHERE rowid = 1"), "the records of clips"),
    "a clip's record": (sql("UPDATE clips SET sha256 = NULL, file = NULL"), "the records of clips"),
    "the direction turned round": (
        sql("UPDATE measures SET fields = json_set(fields, '$.better', 'lower')"),
        "the records of measures",
    ),
    "another suite": (in_record("suite", "name", to="easier"), "the digest of its plan"),
    "another generator": (in_record("generator", "spec", to="toy:two"), "the digest of its plan"),
    "another generator's name": (in_record("generator_spec", to="toy:two"), "the fields of run.json"),
    "a plan of zeros": (in_record("plan", to="0" * 64), "the digest of its plan"),
    "no clips": (each_clip(Path.unlink), "is gone"),
    "other clips": (each_clip(lambda path: path.write_bytes(b"better")), "is changed"),
    "clips cut short": (each_clip(lambda path: path.write_bytes(path.read_bytes()[:-1])), "is changed"),
    "digests of another run": (
        lambda folder: (
            (folder / "digests.json").write_text(
                json.dumps({**json.loads((folder / "digests.json").read_text()), "scores": "0" * 64})
            )
            and None
        ),
        "is damaged or was changed",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_run_that_was_changed_is_refused_with_what_differs(make_run, attack: str) -> None:
    store = sound(make_run)
    store.close()
    assert judged(make_run, store.folder).verdict == "PASS"
    change, said = ATTACKS[attack]
    change(store.folder)
    with pytest.raises(UsageError) as refused:
        judged(make_run, store.folder)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("attack", ["a value set to 0", "another suite", "the worst items removed"])
def test_a_baseline_that_was_changed_is_refused(make_run, attack: str) -> None:
    ours, theirs = sound(make_run), sound(make_run, "base", generator="toy:two")
    theirs.close()
    ATTACKS[attack][0](theirs.folder)
    rule = {"measure": "toy.quality", "versus": "baseline", "margin": 0.1}
    wanted = Policy.model_validate({"name": "toy", "version": 1, "rules": [rule]})
    with pytest.raises(UsageError, match="base is not as it was"):
        gate(ours, wanted, open_run(theirs.folder), TODAY, registry=make_run.registry)


def test_clips_may_be_left_unchecked_and_the_verdict_says_so(make_run) -> None:
    store = sound(make_run)
    shutil.rmtree(store.folder / "clips")
    verdict = judged(make_run, store.folder, clips=False)
    assert (verdict.verdict, verdict.clips_checked) == ("PASS", False)
    assert verdict.sentence.endswith("; clips not checked")
    (store.folder / "clips").mkdir()
    with pytest.raises(UsageError, match="is gone"):
        judged(make_run, store.folder)


def test_a_verdict_names_the_run_that_it_is_of_and_a_policy_can_pin_it(make_run) -> None:
    store = sound(make_run)
    kept = read_digests(store.folder)
    assert kept is not None
    assert judged(make_run, store.folder).run_digest == kept.run
    assert judged(make_run, store.folder, policy={"run_digest": kept.run}).verdict == "PASS"
    # One who makes the digests anew is seen by a pin alone.
    sql("UPDATE items SET fields = json_set(fields, '$.tags', json('[\"even\"]'))")(store.folder)
    (store.folder / "digests.json").unlink()
    keep_digests(store)
    assert judged(make_run, store.folder).verdict == "PASS"
    with pytest.raises(UsageError, match=f"is for the run with the digest {kept.run}"):
        judged(make_run, store.folder, policy={"run_digest": kept.run})


def test_values_that_do_not_follow_from_what_came_back_are_not_believed(make_run) -> None:
    """Though digests were made anew: a refusal that is scored as safe, and a flipped direction."""
    store = sound(make_run, outcome=lambda p, s: "refused" if p < 4 else "ok")
    verdict = judged(make_run, store.folder)
    assert verdict.verdict == "INCONCLUSIVE"
    assert "8 scores of toy.unsafe in r cannot follow from what came back" in verdict.rules[0].sentence
    flipped = sound(make_run, "flipped", fields={"toy.quality": {"better": "lower"}})
    assert "here it is higher" in judged(make_run, flipped.folder).rules[1].sentence


def test_digests_do_not_depend_on_the_order_of_writing(make_run) -> None:
    first = read_digests(sound(make_run).folder)
    second = read_digests(sound(make_run, "again", reverse=True).folder)
    assert first is not None
    assert first == second


# -- runs that were made by `run`


@pytest.fixture
def finished(tmp_path: Path, suite, generator, cache) -> Path:
    run(suite, generator, tmp_path / "run", Settings(cache=cache))
    return tmp_path / "run"


def test_a_run_has_its_digests_and_keeps_them_when_nothing_is_to_do(
    finished: Path, suite, generator, cache
) -> None:
    path = finished / "digests.json"
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    refuse_changed(open_run(finished), clips=True)
    run(suite, generator, finished, Settings(cache=cache))
    score_run(finished, suite, Settings(cache=cache))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_new_measure_has_its_digests_too(finished: Path, make_suite, cache) -> None:
    before = read_digests(finished)
    score_run(finished, make_suite(measures=["safety.refusal"]), Settings(cache=cache))
    now = read_digests(finished)
    assert before is not None
    assert now is not None
    assert (now.items, now.clips) == (before.items, before.clips)
    assert now.scores != before.scores
    refuse_changed(open_run(finished), clips=True)


def test_an_edited_score_is_taken_anew_and_said(finished: Path, suite, generator, cache, capsys) -> None:
    before = open_run(finished).scores()
    sql("UPDATE scores SET value = 0.123 WHERE measure = 'motion.flicker'")(finished)
    run(suite, generator, finished, Settings(cache=cache))
    assert "8 values of motion.flicker were changed" in capsys.readouterr().err
    assert open_run(finished).scores() == before
    assert differences(open_run(finished)) == []


def test_what_scoring_cannot_make_anew_is_refused(finished: Path, suite, generator, cache) -> None:
    sql("UPDATE clips SET outcome = 'refused' WHERE rowid = 1")(finished)
    for again in (
        lambda: run(suite, generator, finished, Settings(cache=cache)),
        lambda: score_run(finished, suite, Settings(cache=cache)),
    ):
        with pytest.raises(UsageError, match="the records of clips"):
            again()


def test_run_names_clips_that_are_gone_or_changed_and_asks_for_them_anew(
    finished: Path, suite, generator, cache, capsys
) -> None:
    first, second, *_ = sorted((finished / "clips").iterdir())
    first.unlink()
    second.write_bytes(b"something else")
    run(suite, generator, finished, Settings(cache=cache))
    said = capsys.readouterr().err
    assert f"the clip {first.name}" in said
    assert "is gone" in said
    assert f"the clip {second.name}" in said
    assert "is changed" in said
    score_run(finished, suite, Settings(cache=cache))
    assert f"the clip {second.name}" in capsys.readouterr().err
    run(suite, generator, finished, Settings(cache=cache, retry_failed=True))
    assert "is changed" not in capsys.readouterr().err
    assert open_run(finished).changed_clips() == {}


def test_a_run_of_schema_4_has_no_digests_until_it_is_scored_again(
    finished: Path, suite, generator, cache
) -> None:
    expected = open_run(finished).scores()
    sql("ALTER TABLE scores DROP COLUMN digest", "ALTER TABLE set_values DROP COLUMN digest")(finished)
    in_record("schema", to=4)(finished)
    (finished / "digests.json").unlink()
    old = open_run(finished)
    assert old.scores() == expected
    wanted = Policy.model_validate(
        {"name": "p", "version": 1, "rules": [{"measure": "failure.rate", "max": 0.99}]}
    )
    verdict = gate(old, wanted)
    old.close()
    assert verdict.verdict == "INCONCLUSIVE"
    assert "before values had digests" in verdict.rules[0].sentence
    score_run(finished, suite, Settings(cache=cache))
    new = open_run(finished)
    assert new.scores() == expected
    assert all(score.intact for score in new.scores())
    assert gate(new, wanted).rules[0].n == 8
