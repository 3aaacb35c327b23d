"""The run folder: what is written is read back, and what is damaged is said."""

from __future__ import annotations

import errno
import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screentest.harness.core.errors import UsageError
from screentest.harness.core.files import write_atomic
from screentest.harness.core.items import ClipSettings, make_item, make_items
from screentest.harness.core.media import ClipInfo
from screentest.harness.core.run_data import ClipRecord, Score, SetScore
from screentest.harness.plan import Plan, make_plan
from screentest.harness.run_folder import score_group
from screentest.harness.run_folder.store import SCHEMA, RunStore, open_run, single_writer
from screentest.harness.suites.suite import Suite

CLIP = ClipSettings(frames=4, height=16, width=16, fps=8)
INFO = ClipInfo(16, 16, 23.976, 4, 0.16683, "h264", "mp4", True)
STRANGE = [
    "plain",
    "é 漢字 \U0001f3ac",
    "'; DROP TABLE items; --",
    'a "quote"',
    "two\nlines\r\t",
    "\x00 nul",
    "\ud800 lone",
]


def planned(prompts: list[str], **more) -> Plan:
    fields = {"name": "toy", "version": 1, "clip": CLIP.model_dump(), "measures": ["m"]}
    suite = Suite.model_validate({**fields, "prompts": [{"text": "unused"}]})
    items = [make_item(text, 0, CLIP, **more) for text in prompts]
    return make_plan(suite, items, generator={"kind": "toy"}, batch_size=2)


def created(folder: Path, plan: Plan) -> RunStore:
    record = {
        "suite": plan.suite.model_dump(mode="json"),
        "generator": {"kind": "toy"},
        "generator_spec": "toy",
    }
    return RunStore.create(folder, plan, record)


def test_items_come_back_as_they_were_planned(tmp_path):
    more = {
        "tags": ("a", "b c"),
        "expect": {"objects": [{"color": "red"}]},
        "labels": {"group": ("g",)},
        "image": "i.png",
    }
    plan = planned(STRANGE, **more)
    created(tmp_path / "run", plan).close()
    assert tuple(open_run(tmp_path / "run").items()) == plan.items


def test_labels_of_a_run_from_before_there_were_any_are_read_from_its_tags(tmp_path):
    plan = planned(["a"], tags=("red-team",))
    store = created(tmp_path / "run", plan)
    (fields,) = store._db.execute("SELECT fields FROM items").fetchone()
    once = json.loads(fields)
    del once["labels"]
    once |= {"tags": ["red-team", "category:vcr", "category:hte", "id:x", "base:y"], "group": "g"}
    store._db.execute("UPDATE items SET fields = ?", (json.dumps(once),))
    store.close()
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 2'))
    (item,) = open_run(tmp_path / "run").items()
    labels = {"category": ("vcr", "hte"), "id": ("x",), "base": ("y",), "group": ("g",)}
    assert item == replace(plan.items[0], labels=labels)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(codec=None)), min_size=1, max_size=5, unique=True))
def test_any_prompt_comes_back(tmp_path_factory, prompts):
    plan = planned(prompts)
    folder = tmp_path_factory.mktemp("any") / "run"
    created(folder, plan).close()
    assert tuple(open_run(folder).items()) == plan.items


@pytest.mark.parametrize("text", STRANGE)
def test_clips_and_scores_come_back(tmp_path, text):
    plan = planned(["a", "b", "c"])
    ids = [item.id for item in plan.items]
    store = created(tmp_path / "run", plan)
    clips = [
        ClipRecord(ids[0], "ok", sha256="0" * 64, file="x.mp4", info=INFO, seconds=0.1 + 0.2),
        ClipRecord(ids[1], "refused", text),
    ]
    scores = [
        Score(ids[0], "m", "ok", 0.1 + 0.2, evidence={"why": [text, 1, None], text: True}, key="k"),
        Score(ids[1], "m", "refused", reason=text),
    ]
    store.put_clips(clips)
    store.put_unit([], scores)
    store.put_measure("m", {"version": 1, "summary": text})
    store.put_set_scores(
        "s",
        [
            SetScore(
                measure="s", status="failed", reason=text, notes=(text,), leave_one_out={"c": 1e-300}, n=0
            )
        ],
    )
    store.close()
    again = open_run(tmp_path / "run")
    shown = text.replace("\ud800", "\\ud800")  # a reason is for people, and has to be Unicode
    assert list(again.clips().values()) == [clips[0], replace(clips[1], reason=shown)]
    assert again.scores() == [scores[0], replace(scores[1], reason=shown)]
    assert again.measures() == {"m": {"version": 1, "summary": text}}
    assert again.set_scores()["s", None] == SetScore(
        measure="s", status="failed", reason=text, notes=(text,), leave_one_out={"c": 1e-300}, n=0
    )


def test_the_order_is_the_plan_s_whatever_the_order_of_writing(tmp_path):
    plan = planned(["a", "b", "c"])
    store = created(tmp_path / "run", plan)
    ids = [item.id for item in plan.items]
    store.put_clips([ClipRecord(i, "refused", "no") for i in reversed(ids)])
    store.put_unit([], [Score(i, m, "refused") for i in reversed(ids) for m in ("z", "a")])
    assert list(store.clips()) == ids
    assert [(s.item, s.measure) for s in store.scores()] == [(i, m) for i in ids for m in ("a", "z")]


def test_a_unit_is_stored_whole_or_not_at_all(tmp_path):
    plan = planned(["a", "b"])
    store = created(tmp_path / "run", plan)
    good = ClipRecord(plan.items[0].id, "refused", "no")
    with pytest.raises(Exception, match="FOREIGN KEY"):
        store.put_clips([good, ClipRecord("an item of another plan", "refused", "no")])
    assert store.clips() == {}
    store.put_clips([good])
    assert list(store.clips()) == [plan.items[0].id]


def test_scores_are_stored_in_groups_and_counted_only_once_they_are_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(score_group, "GROUP_ITEMS", 3)
    monkeypatch.setattr(score_group, "GROUP_S", 1e9)
    plan = planned(list("abcdefg"))
    store = created(tmp_path / "run", plan)
    records = [ClipRecord(item.id, "refused", "no") for item in plan.items]
    store.put_clips(records)
    other = open_run(tmp_path / "run")
    seen: list[tuple[int, int]] = []

    def score_all(stop: int) -> None:
        with store.grouped(lambda done: seen.append((done, len(other.scores())))) as group:
            for number, record in enumerate(records):
                if number == stop:
                    raise KeyboardInterrupt
                group.add(record, [Score(record.item, "m", "refused", reason="no", key="k")])

    with pytest.raises(KeyboardInterrupt):
        score_all(5)
    assert seen == [(1, 1), (3, 4), (1, 5)]  # the first at once, and what is left in spite of the interrupt
    assert len(store.scores()) == 5
    seen.clear()
    score_all(len(records))
    assert [done for done, _ in seen] == [1, 3, 3]
    assert len(other.scores()) == 7


def test_a_group_waits_no_longer_than_stated(tmp_path, monkeypatch):
    monkeypatch.setattr(score_group, "GROUP_S", 0.0)
    plan = planned(list("abc"))
    store = created(tmp_path / "run", plan)
    store.put_clips([ClipRecord(item.id, "refused", "no") for item in plan.items])
    with store.grouped(lambda done: None) as group:
        for number, record in enumerate(store.clips().values()):
            group.add(record, [Score(record.item, "m", "refused", reason="no", key="k")])
            assert len(store.scores()) == number + 1


def test_what_was_read_is_kept_apart_from_what_a_caller_does_with_it(tmp_path):
    plan = planned(["a", "b"])
    store = created(tmp_path / "run", plan)
    store.put_clips([ClipRecord(item.id, "refused", "no") for item in plan.items])
    store.clips().clear()
    store.items().clear()
    assert [item.id for item in store.items()] == list(store.clips()) == [item.id for item in plan.items]


def test_only_items_without_a_file_are_forgotten(tmp_path):
    plan = planned(["a", "b", "c"])
    a, b, c = (item.id for item in plan.items)
    store = created(tmp_path / "run", plan)
    store.put_clips(
        [
            ClipRecord(a, "failed", "no answer"),
            ClipRecord(
                b, "failed", "damaged", sha256=hashlib.sha256(b"damaged, and here").hexdigest(), file="b.mp4"
            ),
            ClipRecord(c, "refused", "no"),
        ]
    )
    store.put_unit([], [Score(i, "m", "failed", reason="x") for i in (a, b, c)])
    (tmp_path / "run" / "clips" / "b.mp4").write_bytes(b"damaged, and here")
    assert store.forget_failures() == 1
    assert list(store.clips()) == [b, c]
    assert [s.item for s in store.scores()] == [b, c]


def test_what_a_kill_left_is_swept_and_known_files_stay(tmp_path):
    plan = planned(["a"])
    store = created(tmp_path / "run", plan)
    clips = tmp_path / "run" / "clips"
    known, unknown, item = f"{'0' * 64}.mp4", f"{'1' * 64}.mp4", plan.items[0].id
    for name in (known, unknown, f".{item}.tmp", f"..{item}.tmp.0123abcd", "a user's.mp4"):
        (clips / name).write_bytes(b"x")
    (clips / "folder").mkdir()
    store.put_clips([ClipRecord(item, "ok", sha256="0" * 64, file=known)])
    store.sweep()
    assert sorted(p.name for p in clips.iterdir()) == sorted([known, "a user's.mp4", "folder"])


def test_a_folder_killed_before_its_record_was_written_is_begun_again(tmp_path):
    plan = planned(["a"])
    created(tmp_path / "run", plan).close()
    (tmp_path / "run" / "run.json").unlink()
    created(tmp_path / "run", planned(["b"])).close()
    assert [i.prompt for i in open_run(tmp_path / "run").items()] == ["b"]


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ("", "cannot be read as a run's record"),
        ("{", "cannot be read as a run's record"),
        ("[]", "cannot be read as a run's record"),
        ("{}", "cannot be read as a run's record"),
        ('{"schema": "one"}', "cannot be read as a run's record"),
        ('{"schema": null}', "cannot be read as a run's record"),
        (
            json.dumps({"schema": SCHEMA + 1}),
            f"written in schema {SCHEMA + 1} and this screentest reads up to {SCHEMA}",
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_said(tmp_path, record, sentence):
    created(tmp_path / "run", planned(["a"])).close()
    (tmp_path / "run" / "run.json").write_text(record)
    with pytest.raises(UsageError, match=sentence) as caught:
        open_run(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_no_run_and_a_lost_or_damaged_database_are_said(tmp_path):
    with pytest.raises(UsageError, match="there is no run at"):
        open_run(tmp_path / "run")
    created(tmp_path / "run", planned(["a"])).close()
    database = tmp_path / "run" / "run.sqlite"
    whole = database.read_bytes()
    for damaged in (b"", b"not a database " * 100, whole[:4096], whole[:100] + bytes(len(whole) - 100)):
        database.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"run.sqlite is damaged"):
            open_run(tmp_path / "run")
    database.unlink()
    with pytest.raises(UsageError, match=r"has lost its run.sqlite"):
        open_run(tmp_path / "run")


def test_another_process_cannot_write_meanwhile(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from screentest.harness.run_folder.store import single_writer\n"
        "with single_writer(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(UsageError, match="another process is writing"), single_writer(tmp_path / "run"):
            pass
        other.communicate()
    with single_writer(tmp_path / "run"):
        pass


def test_a_file_system_without_locks_is_one_sentence(tmp_path, monkeypatch):
    import fcntl

    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(UsageError, match=r"has no file locks .*; use a folder on another one$"),
        single_writer(tmp_path / "run"),
    ):
        pass


def test_a_reader_reads_while_a_writer_writes(tmp_path):
    plan = planned(["a", "b"])
    with single_writer(tmp_path / "run"):
        writer = created(tmp_path / "run", plan)
        reader = open_run(tmp_path / "run")
        assert reader.clips() == {}
        writer.put_clips([ClipRecord(plan.items[0].id, "refused", "no")])
        assert list(reader.clips()) == [plan.items[0].id]


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot write a run at"), single_writer(tmp_path / "file"):
        pass
    with pytest.raises(UsageError, match="there is no run at"):
        open_run(tmp_path / "file")


def test_a_file_is_replaced_at_once_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "x.json"
    write_atomic(path, json.dumps({"a": 1}))
    write_atomic(path, "\ud800")
    assert path.read_bytes() == b"\xed\xa0\x80"
    assert list(tmp_path.iterdir()) == [path]


def test_items_are_those_of_the_plan_and_hold_the_texts_of_a_prompt_once(tmp_path):
    items = list(make_items("a ball", range(3), CLIP, labels={"category": ("x",)}))
    plan = make_plan(planned(["a ball"]).suite, items, generator={"kind": "toy"}, batch_size=2)
    stored = created(tmp_path / "run", plan)
    assert all(one is other for one, other in zip(stored.items(), plan.items, strict=True))
    first, second, *_ = open_run(tmp_path / "run").items()
    assert first is not plan.items[0]
    assert first == plan.items[0]
    assert first.prompt is second.prompt
    assert first.labels is second.labels


def test_changed_scores_are_counted_anew_after_a_change(tmp_path):
    plan = planned(["a ball", "a cube"])
    store = created(tmp_path / "run", plan)
    first, second = (item.id for item in plan.items)
    store.put_clips([ClipRecord(item.id, "refused") for item in plan.items])
    store.put_unit([], [Score(first, "m", "ok", 0.5, key="k"), Score(second, "m", "ok", 0.5, key="k")])
    assert store.changed_scores() == {}
    assert [score.intact for score in store.each_score()] == [True, True]
    store.put_unit([], [Score(first, "m", "ok", 0.25, key="k")])
    assert [score.intact for score in store.each_score()] == [True, True]
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as other, other:
        other.execute("UPDATE scores SET value = 0.9 WHERE item = ?", (second,))
    assert [score.intact for score in store.each_score()] == [True, False]
    assert store.changed_scores() == {"m": 1}
    assert [score.intact for score in store.each_score()] == [True, False]
    assert store.values_of("m")[second].value == 0.9
    assert [score.intact for score in store.scores_of(second)] == [False]
