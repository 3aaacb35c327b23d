import json

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import write_clip
from screentest.harness.core.run_data import Score
from screentest.harness.results.vbench import export_vbench, normalised, vbench_results, vbench_suite
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run

SWIM, DOG = "a person swimming in ocean", "a dog running: fast"


@pytest.fixture
def folder(tmp_path):
    """Videos of two prompts with VBench's names, whose colon its file system refused."""
    where = tmp_path / "videos"
    where.mkdir()
    for n, (prompt, count) in enumerate(((SWIM, 2), (DOG.replace(":", ""), 3))):
        for k in range(count):
            frames = np.random.default_rng(10 * n + k).integers(0, 60, (8, 48, 48, 3), dtype=np.uint8)
            write_clip(where / f"{prompt}-{k}.mp4", frames, 8)
    return where


@pytest.fixture
def prompts(tmp_path):
    rows = [
        {"prompt_en": SWIM, "dimension": ["dynamic_degree"]},
        {"prompt_en": DOG, "dimension": ["temporal_flickering", "dynamic_degree"]},
        {"prompt_en": "a cat", "dimension": ["color"]},
    ]
    file = tmp_path / "VBench_full_info.json"
    file.write_text(json.dumps(rows))
    return file


def scored(tmp_path, suite, folder, cache):
    from screentest.generators.folder import FolderGenerator

    run(suite, FolderGenerator(folder), tmp_path / "run", Settings(cache))
    return open_run(tmp_path / "run")


def test_a_folder_and_its_prompt_file_become_a_run_and_results(tmp_path, folder, prompts, cache):
    suite = vbench_suite(folder, prompts)
    assert [(p.text, p.seeds) for p in suite.prompts] == [(SWIM, 2), (DOG, 3)]
    assert suite.name == "vbench.2-prompts"  # a part does not pass for the whole
    store = scored(tmp_path, suite, folder, cache)
    assert export_vbench(store, tmp_path / "results.json") == {
        "temporal_flickering": "",
        "dynamic_degree": "",
    }
    found = json.loads((tmp_path / "results.json").read_text())
    mean, videos = found["temporal_flickering"]
    assert len(videos) == 3
    assert {video["video_path"] for video in videos} == {f"a dog running fast-{k}.mp4" for k in range(3)}
    assert mean == pytest.approx(np.mean([video["video_results"] for video in videos]))
    assert len(found["dynamic_degree"][1]) == 5
    about = found["screentest"]["dimensions"]["temporal_flickering"]
    assert about["measure"] == "motion.flicker"
    assert about["normalised"] == pytest.approx((mean - 0.6293) / (1 - 0.6293), abs=1e-6)
    assert "no results of VBench's own code" in found["screentest"]["note"]


def test_without_a_prompt_file_every_dimension_is_of_all_videos(tmp_path, folder, cache):
    store = scored(tmp_path, vbench_suite(folder, None), folder, cache)
    found = vbench_results(store)
    assert len(found["temporal_flickering"][1]) == len(found["dynamic_degree"][1]) == 5


def test_a_dimension_without_any_value_is_null_with_its_reason(tmp_path, folder, cache, capsys):
    suite = vbench_suite(folder, None).model_copy(update={"measures": ("motion.flicker", "failure.rate")})
    store = scored(tmp_path, suite, folder, cache)
    measure = {**store.measures()["motion.flicker"]}
    rows = [
        Score(item.id, "motion.dynamic_degree", "not_applicable", reason="one frame")
        for item in store.items()
    ]
    store.measures = lambda: {"motion.flicker": measure, "motion.dynamic_degree": measure}
    kept = list(store.scores())
    store.scores = lambda: [*kept, *rows]
    found = export_vbench(store, tmp_path / "r.json")
    assert found == {"temporal_flickering": "", "dynamic_degree": "5 one frame"}
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["dynamic_degree"] is None
    assert written["screentest"]["dimensions"]["dynamic_degree"]["reason"] == "5 one frame"
    store.scores = lambda: rows
    with pytest.raises(UsageError, match=r"has no value of a dimension that VBench shares: .*5 one frame"):
        vbench_results(store)


def test_the_table_of_vbench():
    assert normalised("subject_consistency", 0.1462) == 0.0
    assert normalised("background_consistency", 1.0) == 1.0
    assert normalised("dynamic_degree", 0.25) == 0.25


def test_what_cannot_be_read_or_written_is_a_sentence(tmp_path, folder, prompts, suite, generator, cache):
    other = tmp_path / "other"
    other.mkdir()
    write_clip(other / "clip.mp4", np.zeros((4, 32, 32, 3), np.uint8), 8)
    with pytest.raises(UsageError, match="do not have VBench's names"):
        vbench_suite(other, None)
    prompts.write_text(json.dumps([{"prompt_en": "a cat", "dimension": ["color"]}]))
    with pytest.raises(UsageError, match="is of a prompt of"):
        vbench_suite(folder, prompts)
    store = scored(tmp_path, vbench_suite(folder, None), folder, cache)
    with pytest.raises(UsageError, match=r"should end in \.json"):
        export_vbench(store, tmp_path / "results.csv")
    blank = suite.model_copy(update={"measures": ("refusal.rate",)})
    run(blank, generator, tmp_path / "none", Settings(cache))
    with pytest.raises(UsageError, match="no score of a dimension that VBench shares"):
        vbench_results(open_run(tmp_path / "none"))
