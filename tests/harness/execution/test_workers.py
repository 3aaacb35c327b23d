"""What a worker builds from its job, without Ray: here it is an object like any other."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from screentest.generators import make_generator
from screentest.harness.core.errors import UsageError
from screentest.harness.core.storage import Folder
from screentest.harness.execution.team import Team, made_here, refuse_unbuildable
from screentest.harness.execution.workers import Worker, WorkerJob, Workers, keep_fresh
from screentest.harness.plan import suite_items
from screentest.harness.run import Settings, plan_run, run
from screentest.harness.run_folder.clip_files import take_over
from screentest.harness.run_folder.store import RunStore
from screentest.harness.scoring.instruments import Instruments, instruments
from screentest.metrics import laws
from screentest.metrics.encoders.base import EncoderOptions
from screentest.metrics.encoders.cache import FeatureCache

from ..worker_fixtures import PLUGIN, forget, marked_suite, plugin_loaded

pytest.importorskip("ray", reason="the extra 'ray' is not installed")


@pytest.fixture(autouse=True)
def _plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with plugin_loaded():
        yield


@pytest.fixture
def driver(tmp_path: Path) -> tuple[RunStore, Instruments, WorkerJob]:
    """A run that has not begun, the driver's instruments, and the job that it would give."""
    suite, generator = marked_suite(), make_generator("marked:")
    options = EncoderOptions(cache=tmp_path / "cache")
    tools = instruments(suite, tmp_path / "cache", options)
    record = {
        "id": "0123",
        "suite": suite.model_dump(mode="json"),
        "generator": {},
        "generator_spec": "marked:",
    }
    store = RunStore.create(tmp_path / "run", plan_run(suite, generator), record)
    team = Team(Workers(2), store, suite, tools, options, generator)
    return store, tools, pickle.loads(pickle.dumps(team.job))


def test_a_worker_gives_the_bytes_of_clips_and_leaves_no_file(driver):
    store, _, job = driver
    worker = Worker(job)
    host = worker.ready("generate")
    assert host.sees_clips
    made = worker.generate(store.items()[:2])
    assert [one.record.outcome for one in made] == ["ok", "ok"]
    assert all(one.beside is None and one.data for one in made)
    assert not list((store.folder / "clips").iterdir())


def test_clips_travel_and_features_come_back_where_the_folders_are_not_shared(driver, tmp_path):
    _, tools, job = driver
    run(marked_suite(), make_generator("marked:"), tmp_path / "whole", Settings(tmp_path / "other cache"))
    whole = RunStore(tmp_path / "whole", {"schema": 5})
    items, records = whole.items()[:2], whole.clips()
    work = [(item, records[item.id], whole.clip_file(records[item.id]).read_bytes()) for item in items]

    worker = Worker(replace(job, run="/not/here", cache="/not/here"))
    assert not worker.ready("score").sees_clips
    scored = worker.score(work)
    flicker = [next(s for s in one.scores if s.measure == "motion.flicker") for one in scored]
    assert [s.status for s in flicker] == ["ok", "ok"]
    there = {(s.item, s.measure): s for s in whole.scores()}
    assert [there[s.item, s.measure] for s in flicker] == flicker
    assert not Path("/not").exists()

    cache = FeatureCache(tmp_path / "cache")
    sha = str(scored[0].record.sha256)
    assert cache.get_info(sha) is None
    for one in scored:
        keep_fresh(cache, one.fresh)
    assert cache.get_info(sha) == scored[0].record.info
    assert cache.get(sha, tools.encoders["pixels"].digest) is not None


def test_a_clip_that_is_gone_is_named_by_its_place_in_the_run(driver, tmp_path):
    _, _, job = driver
    run(marked_suite(), make_generator("marked:"), tmp_path / "whole", Settings(tmp_path / "other cache"))
    whole = RunStore(tmp_path / "whole", {"schema": 5})
    item = whole.items()[0]
    worker = Worker(replace(job, run="/not/here", cache="/not/here"))
    worker.ready("score")
    with pytest.raises(UsageError, match=r"^the stored clip /not/here/clips/\w+\.mp4 is gone; restore it"):
        worker.score([(item, whole.clip(item.id), None)])


def test_a_shared_cache_is_written_by_the_worker(driver, tmp_path):
    _, _, job = driver
    worker = Worker(job)
    worker.ready("score")
    record = run(marked_suite(), make_generator("marked:"), tmp_path / "w", Settings(tmp_path / "c2"))
    whole = RunStore(tmp_path / "w", {"schema": 5})
    item = whole.items()[0]
    clip = whole.clips()[item.id]
    [scored] = worker.score([(item, clip, whole.clip_file(clip).read_bytes())])
    assert record.items == 12
    assert scored.fresh == []
    assert FeatureCache(tmp_path / "cache").get_info(str(clip.sha256)) == scored.record.info


def test_the_source_of_a_plugin_travels(driver):
    _, _, job = driver
    assert job.plugins == {str(PLUGIN): PLUGIN.read_bytes()}
    forget()  # a worker that has nothing of it
    moved = {"/nowhere/worker_plugin.py": job.plugins[str(PLUGIN)]}
    worker = Worker(replace(job, plugins=moved))
    worker.ready("generate")
    assert [one.record.outcome for one in worker.generate(suite_items(marked_suite())[:1])] == ["ok"]


@pytest.mark.parametrize(
    ("role", "change", "sentence"),
    [
        ("generate", {"plugins": {}}, "unknown generator 'marked'"),
        ("score", {"plugins": {}}, "unknown measure 'marked.length'"),
        ("generate", {"identity": {"kind": "marked", "source": ["0"]}}, "other weights, settings or source"),
        ("score", {"digests": {"pixels": "0"}}, "levels, pixels have other weights"),
        ("generate", {"versions": {"screentest": "0.0.1"}}, "the driver has 0.0.1; install the same version"),
    ],
)
def test_a_worker_that_lacks_something_says_what(driver, role, change, sentence):
    _, _, job = driver
    forget()
    with pytest.raises(UsageError, match=sentence):
        Worker(replace(job, **change)).ready(role)


def test_the_thresholds_of_laws_travel(driver, tmp_path):
    store, _, _ = driver
    source = Path(str(laws.__file__)).parent / "data" / "thresholds.json"
    file = tmp_path / "thresholds.json"
    file.write_bytes(source.read_bytes())
    suite = marked_suite(
        measures=["physics.inertia"], encoders={"tracks": "world"}, thresholds="thresholds.json"
    )
    options = EncoderOptions(cache=tmp_path / "cache")
    tools = instruments(suite, tmp_path / "cache", options)
    job = Team(Workers(2), store, suite, tools, options).job
    assert job.thresholds == source.read_bytes()
    file.unlink()
    Worker(job).ready("score")
    with pytest.raises(UsageError):
        Worker(replace(job, thresholds=None)).ready("score")


@pytest.mark.parametrize(
    ("workers", "device", "generator", "sentence"),
    [
        (Workers(2), "cuda", None, "--gpus-per-worker"),
        (Workers(2), "auto", "drawing", "no spec that they know"),
    ],
)
def test_what_no_worker_can_do_is_refused_at_once(workers, device, generator, sentence, make_generator):
    made = None if generator is None else make_generator()
    with pytest.raises(UsageError, match=sentence):
        refuse_unbuildable(workers, EncoderOptions(device), made)


def test_a_run_that_cannot_reach_its_cluster_leaves_no_folder(tmp_path):
    settings = Settings(tmp_path / "cache", workers=Workers(1, "127.0.0.1:1"))
    with pytest.raises(UsageError, match="nothing answers at --ray-address"):
        run(marked_suite(), make_generator("marked:"), tmp_path / "new", settings)
    assert not (tmp_path / "new").exists()


def test_one_worker_in_the_process_needs_nothing_of_this(make_generator):
    refuse_unbuildable(Workers(), EncoderOptions("cuda"), make_generator())


def test_folders_of_clips_and_services_stay_in_the_driver(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()
    assert made_here(make_generator(f"folder:{tmp_path / 'videos'}"))
    assert not made_here(make_generator("marked:"))


def test_a_worker_stores_clips_and_features_where_the_run_has_them(tmp_path):
    clips, features = (tmp_path / "clips").as_uri(), (tmp_path / "features").as_uri()
    suite, generator = marked_suite(), make_generator("marked:")
    tools = instruments(suite, features, EncoderOptions())
    record = {
        "id": "0123",
        "suite": suite.model_dump(mode="json"),
        "generator": {},
        "generator_spec": "marked:",
        "clips": clips,
    }
    store = RunStore.create(tmp_path / "run", plan_run(suite, generator), record)
    job = Team(Workers(2), store, suite, tools, EncoderOptions(), generator).job
    for seen, told in ((True, job), (False, replace(job, clips_id="another", cache_id="another"))):
        worker = Worker(told)
        assert worker.ready("generate").sees_clips is seen
        made = worker.generate(store.items()[:2])
        assert [one.stored for one in made] == [seen, seen]
        assert [one.data is None for one in made] == [seen, seen]
        records = [take_over(one, store.clip_files, store.staging) for one in made]
        assert all(store.clip_file(one).is_file() for one in records)
        worker.ready("score")
        data = [None if seen else store.clip_file(one).read_bytes() for one in records]
        scored = worker.score(list(zip(store.items()[:2], records, data, strict=True)))
        assert [one.status for each in scored for one in each.scores] == ["ok"] * 6
        assert [bool(each.fresh) for each in scored] == [not seen] * 2
        assert len(list((tmp_path / "features" / "features").rglob("*.arrays"))) == 2
    assert not list(store.staging.iterdir())


def test_a_cache_keeps_its_id(tmp_path):
    assert Folder(tmp_path / "c").identify() == Folder(tmp_path / "c").identify()
    assert Folder(tmp_path / "d").identify() != Folder(tmp_path / "c").identify()
