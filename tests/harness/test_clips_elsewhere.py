"""Runs whose clips and features are in an object store: the same numbers, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.comparison.golden import same_seed
from screentest.harness.core import object_store, storage
from screentest.harness.core.errors import ServiceDown, UsageError
from screentest.harness.run import Settings, run, score_run
from screentest.harness.run_folder.digests import differences
from screentest.harness.run_folder.store import open_run
from screentest.harness.scoring.clips import Scorer
from screentest.reports.build import build_report
from screentest.reports.page_source import page_is_current
from screentest.reports.site import Site

from .s3_server import ENVIRONMENT, S3Server, served
from .worker_fixtures import PLUGIN, tables

pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
CLIPS, FEATURES = "s3://films/clips", "s3://films/features"


@pytest.fixture(scope="module")
def started() -> Iterator[S3Server]:
    with served() as made:
        yield made


@pytest.fixture
def server(started: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache of the user"))
    monkeypatch.setattr(object_store, "_TRIES", 2)
    started.empty()
    storage._object_store.cache_clear()
    return started


def elsewhere(**changes: object) -> Settings:
    return Settings(**{"cache": FEATURES, "clips": CLIPS, **changes})  # type: ignore[arg-type]


def clip_keys(server: S3Server) -> list[str]:
    return [key for key in server.list() if key.endswith(".mp4")]


def test_the_table_is_that_of_clips_in_the_run_folder(server, make_suite, generator):
    suite = make_suite(
        measures=["motion.flicker", "alignment.clip", "failure.rate"],
        encoders={"clip": "reference"},
        prompts=["block 1", "block 2", "refuse this", "fail this"],
    )
    here, there = Path("here"), Path("there")
    summary = run(suite, generator, here, Settings("cache"))
    assert run(suite, generator, there, elsewhere()).aggregates == summary.aggregates
    assert tables(there) == tables(here)
    assert list((there / "clips").iterdir()) == []
    files = sorted(path.name for path in (here / "clips").iterdir())
    assert sorted(key.removeprefix("clips/") for key in clip_keys(server)) == files
    assert server.get(f"clips/{files[0]}") == (here / "clips" / files[0]).read_bytes()
    assert sum(key.startswith("features/features/") for key in server.list()) == len(files)
    assert sum(key.startswith("features/text/") for key in server.list()) == 2
    assert open_run(there).record["clips"] == CLIPS
    told = "".join(path.read_text("utf-8", "replace") for path in there.glob("*.*") if path.is_file())
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in told
    assert ENVIRONMENT["AWS_ACCESS_KEY_ID"] not in told


def test_another_measure_reads_the_clips_from_the_store(server, suite, make_suite, generator):
    run(suite, generator, Path("there"), elsewhere())
    run(suite, generator, Path("here"), Settings("cache"))
    more = make_suite(measures=["motion.flicker", "quality.blur", "refusal.rate", "failure.rate"])
    for out, cache in (("there", "another cache"), ("here", "cache")):
        score_run(Path(out), more, Settings(cache))
    assert tables(Path("there")) == tables(Path("here"))
    assert len(tables(Path("there"))[0]) == 8 * 4


def test_a_clip_that_is_gone_or_overwritten_is_named_and_made_again(server, suite, generator, capsys):
    out = Path("there")
    run(suite, generator, out, elsewhere())
    whole = tables(out)
    gone, changed = clip_keys(server)[:2]
    server.delete(gone)
    server.put(changed, b"half of a clip")
    storage._object_store.cache_clear()
    with closing(open_run(out)) as store:
        states = {gone.removeprefix("clips/"): "gone", changed.removeprefix("clips/"): "changed"}
        assert store.changed_clips() == states
    run(suite, generator, out, elsewhere())
    said = capsys.readouterr().err
    for name, state in states.items():
        assert f"warning: the clip {name} of item" in said
        assert f"is {state}; restore it" in said
    run(suite, generator, out, elsewhere(retry_failed=True))
    assert tables(out) == whole
    with closing(open_run(out)) as store:
        assert store.changed_clips() == {}
    server.put(changed, b"half of a clip")
    fresh = Settings("fresh cache", clips=CLIPS)
    with pytest.raises(
        UsageError, match=r"the stored clip s3://films/clips/\w+\.mp4 (is gone|has changed); re"
    ):
        score_run(out, suite.model_copy(update={"measures": ("quality.blur",)}), fresh)


@pytest.mark.parametrize("place", [CLIPS, None])
def test_a_run_that_lost_clips_generates_no_more_unless_it_makes_them_again(
    server, suite, generator, monkeypatch, place
):
    run(suite, generator, Path("whole"), Settings("cache"))
    drawing = type(generator).generate
    asked = len(generator.asked)

    def ends(self, items):
        if len(generator.asked) > asked + 3:
            raise KeyboardInterrupt
        return drawing(self, items)

    monkeypatch.setattr(type(generator), "generate", ends)
    with pytest.raises(KeyboardInterrupt):
        run(suite, generator, Path("out"), Settings("cache", clips=place))
    monkeypatch.setattr(type(generator), "generate", drawing)
    with closing(open_run(Path("out"))) as store:
        stored = [record.file or "" for record in store.clips().values()]
        held = store.clip_files
    assert 1 < len(stored) < 8
    if place:
        server.delete(f"clips/{stored[0]}")
        storage._object_store.cache_clear()
    else:
        (Path("out") / "clips" / stored[0]).unlink()
    asked = len(generator.asked)
    with pytest.raises(
        UsageError,
        match=rf"of {len(stored)} stored clips of out, 1 cannot be used \({stored[0][:12]}\.\.\. is gone\)",
    ) as told:
        run(suite, generator, Path("out"), Settings("cache", clips=place))
    assert f"restore what is lost in {held}, or add --retry-failed" in str(told.value)
    assert len(generator.asked) == asked
    run(suite, generator, Path("out"), Settings("cache", clips=place, retry_failed=True))
    assert tables(Path("out")) == tables(Path("whole"))


def test_a_gate_reads_every_clip(server, suite, generator, tmp_path, capsys):
    run(suite, generator, Path("there"), elsewhere())
    policy = tmp_path / "policy.yaml"
    policy.write_text("name: p\nversion: 1\nrules:\n  - {measure: failure.rate, max: 0.9}\n", "utf-8")
    assert run_cli(["gate", "there", "--policy", str(policy)]) == 0
    server.put(clip_keys(server)[0], b"another clip")
    assert run_cli(["gate", "there", "--policy", str(policy)]) == 2
    told = capsys.readouterr().err
    assert "... is changed. Restore what is in s3://films/clips from a copy, or let" in told
    assert "--retry-failed, make again" in told
    run(suite, generator, Path("there"), elsewhere(retry_failed=True))
    assert run_cli(["gate", "there", "--policy", str(policy)]) == 0
    server.stop()
    assert run_cli(["gate", "there", "--policy", str(policy)]) == 75
    server.start()
    assert "s3://films/clips does not answer as it should" in capsys.readouterr().err


def test_a_server_that_goes_in_mid_run_loses_nothing(server, suite, generator, monkeypatch):
    run(suite, generator, Path("here"), Settings("cache"))
    asked = len(generator.asked)
    drawing = type(generator).generate

    def goes(self, items):
        if len(generator.asked) > asked + 2:
            server.stop()
        return drawing(self, items)

    monkeypatch.setattr(type(generator), "generate", goes)
    with pytest.raises(ServiceDown, match=r"s3://films/clips does not answer .* goes on from here"):
        run(suite, generator, Path("there"), elsewhere())
    monkeypatch.setattr(type(generator), "generate", drawing)
    server.start()
    with closing(open_run(Path("there"))) as store:
        assert 0 < len(store.clips()) < 8
    scoring = Scorer.score
    scored: list[str] = []

    def goes_later(self, item, record, file):
        scored.append(item.id)
        if len(scored) == 4:
            server.stop()
        return scoring(self, item, record, file)

    monkeypatch.setattr(Scorer, "score", goes_later)
    with pytest.raises(ServiceDown, match="goes on from here"):
        run(suite, generator, Path("there"), elsewhere())
    server.start()
    with closing(open_run(Path("there"))) as store:
        assert len(store.clips()) == 8
        assert 0 < len(store.scores()) < 8 * 3
        assert not [score for score in store.scores() if score.status == "failed"]
    run(suite, generator, Path("there"), elsewhere())
    assert tables(Path("there")) == tables(Path("here"))


def test_killed_in_mid_run_it_ends_with_the_same_table(server, tmp_path):
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
        "from screentest.harness.plugins import load_file; load_file(Path(sys.argv[2])); "
        "from screentest.generators import make_generator; from screentest.harness.run import Settings, run; "
        "from worker_fixtures import marked_suite; "
        "place = (dict(cache='s3://films/features', clips='s3://films/clips') "
        "if sys.argv[3] == 'killed' else {}); "
        "run(marked_suite(prompts=['noise 0', 'noise 1', 'end scoring scored', 'noise 2']), "
        "make_generator('marked:?end=generated'), Path(sys.argv[3]), Settings(threads=1, **place))"
    )

    def go(out: str) -> int:
        words = [sys.executable, "-c", code, str(PLUGIN.parent), str(PLUGIN), out]
        return subprocess.run(words, check=False, env=os.environ, capture_output=True).returncode

    assert go("killed") == -signal.SIGKILL  # while it generates
    assert go("killed") == -signal.SIGKILL  # while it scores
    assert Path("scored").exists()
    assert go("killed") == 0
    assert go("whole") == 0
    assert tables(Path("killed")) == tables(Path("whole"))
    assert len(tables(Path("killed"))[0]) == 8 * 3


def test_runs_that_share_a_place_reuse_clips_without_another_upload(server, suite, make_suite, generator):
    run(suite, generator, Path("first"), elsewhere())
    longer = make_suite(prompts=[*(f"block number {k}" for k in range(4)), "one more"])
    keys = clip_keys(server)
    run(longer, generator, Path("second"), elsewhere(reuse=Path("first")))
    assert len(clip_keys(server)) == len(keys) + 2
    run(suite, generator, Path("third"), Settings("cache", reuse=Path("first")))
    assert tables(Path("third")) == tables(Path("first"))
    assert len(list((Path("third") / "clips").iterdir())) == 8
    run(suite, generator, Path("fourth"), elsewhere(clips="s3://films/more", reuse=Path("third")))
    assert sum(key.startswith("more/") and key.endswith(".mp4") for key in server.list()) == 8
    server.put(keys[0], b"changed")
    with pytest.raises(
        UsageError, match=r"s3://films/clips/\w+\.mp4 (has changed|is gone, or not what was st)"
    ):
        run(longer, generator, Path("fifth"), elsewhere(reuse=Path("first")))


def test_comparisons_pages_and_views_read_the_store(server, suite, generator):
    run(suite, generator, Path("there"), elsewhere())
    run(suite, generator, Path("here"), Settings("cache"))
    with closing(open_run(Path("there"))) as there, closing(open_run(Path("here"))) as here:
        assert same_seed(there, here).verdict == "PASS"
        assert same_seed(there, here).identical == 8
    page = build_report([Path("there")]).read_text("utf-8")
    assert page.count("data:video/mp4;base64,") == 8
    site = Site(Path("there"))
    item = next(iter(open_run(Path("there")).clips()))
    assert site.answer(f"/run/there/video/{item}.mp4", {}).body[4:8] == b"ftyp"
    server.delete(*clip_keys(server))
    page = build_report([Path("there")]).read_text("utf-8")
    assert page.count("data:video/mp4;base64,") == 0
    assert page.count("cannot be shown: s3://films/clips/") == 8


def test_a_run_keeps_to_the_place_of_its_clips(server, suite, generator, tmp_path):
    run(suite, generator, Path("there"), elsewhere())
    run(suite, generator, Path("there"), Settings("cache"))
    with pytest.raises(UsageError, match=r"the clips of there are at s3://films/clips; leave --clips out"):
        run(suite, generator, Path("there"), elsewhere(clips="s3://films/other"))
    run(suite, generator, Path("here"), Settings("cache"))
    with pytest.raises(UsageError, match=r"the clips of here are in its own folder; leave --clips out"):
        run(suite, generator, Path("here"), elsewhere())


def test_a_shared_folder_is_a_place_too(server, suite, generator, tmp_path):
    run(suite, generator, Path("here"), Settings("cache"))
    for number, clips in enumerate(("shared", (tmp_path / "shared").as_uri(), "memory://films/clips")):
        run(suite, generator, Path(f"there {number}"), Settings("cache", clips=clips))
        assert tables(Path(f"there {number}")) == tables(Path("here"))
        assert list((Path(f"there {number}") / "clips").iterdir()) == []
    assert len(list(Path("shared").glob("*.mp4"))) == 8


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_made(server, suite, generator):
    with pytest.raises(UsageError, match="there is no bucket for s3://nowhere/clips"):
        run(suite, generator, Path("out"), elsewhere(clips="s3://nowhere/clips"))
    assert not Path("out").exists()
    assert generator.asked == []


def test_a_run_in_a_store_is_sent_to_mlflow_with_its_sample_clips(server, suite, generator):
    from mlflow import MlflowClient
    from screentest.harness.tracking.tracking import sync

    run(suite, generator, Path("there"), elsewhere())
    uri = "sqlite:///mlflow.db"
    sync(Path("there"), uri)
    client = MlflowClient(uri)
    [made] = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=9)
    assert len(client.list_artifacts(made.info.run_id, "clips")) == 8
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in json.dumps(made.to_dictionary(), default=str)


def test_the_record_is_whole(server, suite, generator):
    run(suite, generator, Path("there"), elsewhere())
    with closing(open_run(Path("there"))) as store:
        assert differences(store) == []


def test_a_report_names_how_many_clips_are_gone_and_is_drawn_again_then(server, suite, generator, capsys):
    run(suite, generator, Path("there"), elsewhere())
    page = build_report([Path("there")])
    assert page_is_current(Path("there"))
    assert run_cli(["report", "there"]) == 0
    assert "gone" not in capsys.readouterr().err
    server.put("clips/of another run.mp4", b"x")
    assert page_is_current(Path("there"))
    server.delete(clip_keys(server)[0])
    assert not page_is_current(Path("there"))
    capsys.readouterr()
    assert run_cli(["report", "there"]) == 0
    told = capsys.readouterr()
    assert told.out == f"page: {page}\n"
    (line,) = [line for line in told.err.splitlines() if "gone" in line]
    assert line.startswith("warning: 1 of ")
    assert "stored clips of there is gone from s3://films/clips, so that the page cannot show it" in line
    assert page_is_current(Path("there"))


def test_a_report_says_that_the_clips_cannot_be_looked_for(server, suite, generator, capsys):
    run(suite, generator, Path("there"), elsewhere())
    server.stop()
    try:
        assert run_cli(["report", "there"]) == 0
        assert "the clips of there cannot be looked for: s3://films/clips" in capsys.readouterr().err
    finally:
        server.start()
