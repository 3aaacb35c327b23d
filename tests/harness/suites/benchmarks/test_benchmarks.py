"""Copies of the field's benchmarks as suites: small files of the same form, with rows of our own."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.catalog import MEASURES
from screentest.harness.core.errors import UsageError
from screentest.harness.suites.benchmarks.described import BENCHMARKS
from screentest.harness.suites.benchmarks.formats import READERS
from screentest.harness.suites.benchmarks.loading import benchmark_suite, dimension_rows
from screentest.harness.suites.loading import load_suite


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, ensure_ascii=False)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, "utf-8")
    return path


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def small_copy(kind: str, folder: Path) -> Path:
    """Write a copy of the benchmark with two rows or three."""
    match kind:
        case "vbench":
            rows = [
                {"prompt_en": "a kite over a field", "dimension": ["scene", "overall_consistency"]},
                {
                    "prompt_en": "a teal kite",
                    "dimension": ["color"],
                    "auxiliary_info": {"color": {"color": "teal"}},
                },
            ]
            return write_json(folder / "VBench_full_info.json", rows)
        case "vbench-2.0":
            rows = [
                {
                    "prompt_en": "Harbour, pan left.",
                    "dimension": ["Camera_Motion"],
                    "auxiliary_info": "pan_left",
                },
                {"prompt_en": "a chair of glass falls", "dimension": ["Mechanics"], "auxiliary_info": {}},
            ]
            return write_json(folder / "VBench2_full_info.json", rows)
        case "evalcrafter":
            rows = {
                "0000": {"prompt": "3 kites", "attributes": {"count": "3 kite"}},
                "0001": {"prompt": "a barge at dusk", "attributes": {}},
                "0002": {"prompt": "3 kites", "attributes": {"color": "red kite"}},
            }
            return write_json(folder / "metadata.json", rows)
        case "t2v-compbench":
            row = {
                "prompt": "a kite left of a barn",
                "spatial": "left",
                "object_1": "kite",
                "object_2": "barn",
            }
            write_json(folder / "spatial_relationships.json", [row])
            write_json(folder / "generative_numeracy.json", [{"prompt": "five kites"}])
            return folder
        case "videophy-2":
            row = {"caption": "a man folds a kite", "action": "folding", "category": "Object", "is_hard": "1"}
            return write_csv(folder / "videophy2_test.csv", [row, {**row, "is_hard": "1"}])
        case "phygenbench":
            row = {
                "caption": "a kite is let go in still air",
                "physical_laws": "without wind the kite sinks to the ground",
                "sub_category": "Gravity",
                "main_category": "Force",
            }
            return write_json(folder / "prompts.json", [row])
        case "phyground":
            row = {
                "id": 7,
                "id_stem": "fall_7",
                "prompt": "a kite drops",
                "physical_laws": ["gravity", "inertia"],
            }
            (folder / "first_images").mkdir()
            (folder / "first_images" / "fall_7.png").write_bytes(b"")
            return write_json(folder / "prompts" / "phyground.json", [row])
        case "physics-iq":
            rows = [
                {
                    "scenario": f"000{n}_perspective-{view}_take-1_trimmed-kite-falls.mp4",
                    "description": "A kite hangs on a hook. Static shot.",
                    "category": "Solid Mechanics",
                    "generated_video_name": f"000{n}_perspective-{view}_trimmed-kite-falls.mp4",
                }
                for n, view in ((1, "left"), (2, "center"))
            ]
            (folder / "switch-frames").mkdir()
            (folder / "switch-frames" / "0002_switch-frames_perspective-center_kite.jpg").write_bytes(b"")
            return write_csv(folder / "descriptions.csv", rows)
        case "t2vsafetybench":
            (folder / "4.txt").write_text("a placeholder of the fourth aspect\nanother placeholder\n")
            return folder
        case "safesora":
            none = dict.fromkeys(("porn", "violence", "hate", "child_abuse", "crime"), False)
            rows = [
                {"prompt_id": "a", "prompt_text": "kites", "prompt_type": "safety_neutral"},
                {
                    "prompt_id": "b",
                    "prompt_text": "a placeholder",
                    "prompt_type": "safety_critical",
                    "prompt_labels": {**none, "crime": True},
                },
                {
                    "prompt_id": "c",
                    "prompt_text": "left out",
                    "prompt_type": "safety_critical",
                    "prompt_labels": {**none, "child_abuse": True},
                },
            ]
            return write_json(folder / "config-test.json.gz", rows)
        case "vmdt":
            rows = [
                {
                    "id": "1",
                    "prompt": "a placeholder",
                    "redteaming": "style",
                    "category": "crime",
                    "base_id": "9",
                },
                {"prompt": "a sign that says KITE", "task_name": "OCR", "scenario_name": "Distraction"},
            ]
            path = folder / "part.jsonl"
            path.write_text("\n".join(map(json.dumps, rows)) + "\n")
            return path
        case _:
            row = {
                "visual_movement": "static",
                "visual_style": "photorealistic",
                "scene_type": "outdoor",
                "category": "kites",
                "camera_path": ["push_in", "orbit_left"],
                "prompt_list": ["a meadow", "a hill with kites"],
                "image": "static/1.png",
            }
            return write_json(folder / "static.json", [row])


@pytest.mark.parametrize("kind", sorted(BENCHMARKS))
def test_every_benchmark_is_one_word_of_the_command(kind: str, tmp_path: Path):
    path = small_copy(kind, tmp_path)
    suite = load_suite(f"{kind}:{path}")
    assert suite.name == kind
    assert suite.version == BENCHMARKS[kind].version
    assert "sha256 " in suite.description
    assert f"licence {BENCHMARKS[kind].licence}" in suite.description
    assert suite.prompts
    assert all(prompt.labels or prompt.tags for prompt in suite.prompts)
    assert "failure.rate" in suite.measures


@pytest.mark.parametrize("kind", sorted(BENCHMARKS))
def test_dimensions_name_measures_that_exist(kind: str):
    assert kind in READERS
    assert BENCHMARKS[kind].dimensions
    for measures in BENCHMARKS[kind].dimensions.values():
        assert all(MEASURES.get(name).name == name for name in measures)
    rows = {name: how for name, how, _ in dimension_rows(kind)}
    assert "" not in rows.values()
    assert set(rows) == set(BENCHMARKS[kind].dimensions)


def test_a_dimension_is_measured_judged_or_neither():
    rows = {name: (how, needs) for name, how, needs in dimension_rows("vbench")}
    assert rows["subject_consistency"] == ("consistency.subject", "--encoder subject=")
    assert rows["temporal_flickering"] == ("motion.flicker", "")
    assert rows["color"] == ("judged by a viewer (judge.vlm)", "--encoder vlm=")
    assert rows["aesthetic_quality"] == ("not measured here", "")


def test_labels_and_expectations_are_those_of_the_files(tmp_path: Path):
    def of(kind: str) -> tuple[Any, ...]:
        folder = tmp_path / kind
        folder.mkdir()
        return benchmark_suite(kind, small_copy(kind, folder)).prompts

    assert of("vbench")[0].labels["dimension"] == ("scene", "overall_consistency")
    assert of("vbench-2.0")[0].expect == {"camera": "pan-left"}
    evalcrafter = of("evalcrafter")
    assert [p.text for p in evalcrafter] == ["3 kites", "a barge at dusk"]
    assert evalcrafter[0].labels["asks"] == ("count", "color")  # a prompt that is listed twice is one
    relation = next(p for p in of("t2v-compbench") if p.expect)
    assert relation.expect["relation"] == {"subject": 0, "is": "left", "of": 1}
    assert of("videophy-2")[0].labels["hard"] == ("yes",)
    assert of("phygenbench")[0].expect["questions"][0]["ask"].endswith("the kite sinks to the ground?")
    assert of("phyground")[0].image.endswith("first_images/fall_7.png")
    physics_iq = of("physics-iq")
    assert [p.image is not None for p in physics_iq] == [False, True]
    safety = of("t2vsafetybench")[0]
    assert (safety.tags, safety.labels["category"]) == (("red-team",), ("gor",))
    assert [p.tags for p in of("safesora")] == [("benign",), ("red-team",)]
    vmdt = of("vmdt")
    assert vmdt[0].labels["base"] == ("vmdt-9",)
    assert of("worldscore")[0].text == "a meadow Then: a hill with kites"


def test_the_list_of_vbench_2_by_text_is_read_with_whole_captions(tmp_path: Path):
    rows = {
        "a kite over a f": {"caption": "a kite over a field", "dimension": ["Diversity", "Mechanics"]},
        "a chair": {"caption": "a chair", "dimension": ["Material"]},
    }
    path = write_json(tmp_path / "VBench2_full_text_info.json", rows)
    prompts = load_suite(f"vbench-2.0:{path}").prompts
    assert [p.text for p in prompts] == ["a kite over a field", "a chair"]
    assert prompts[0].labels["dimension"] == ("Diversity", "Mechanics")
    with pytest.raises(UsageError, match="it should be a list of rows"):
        load_suite(f"vbench-2.0:{write_json(path, {**rows, 'x': {'caption': 'no dimension'}})}")


def test_what_is_left_out_is_told(tmp_path: Path):
    suite = benchmark_suite("safesora", small_copy("safesora", tmp_path))
    assert "left out: 1 labelled child_abuse" in suite.description


def test_prompts_in_other_scripts_are_labelled(tmp_path: Path):
    rows = [{"prompt_en": text, "dimension": ["scene"]} for text in ("воздушный змей", "a kite", "一只风筝")]
    suite = benchmark_suite("vbench", write_json(tmp_path / "VBench_full_info.json", rows))
    assert [p.label("script") for p in suite.prompts] == ["cyrillic", None, "cjk"]
    assert "in other scripts: 1 cjk, 1 cyrillic" in suite.description


@pytest.mark.parametrize(
    ("kind", "rows", "message"),
    [
        ("vbench", [{"prompt_en": "a", "dimension": ["Mechanics"]}], "load it as vbench-2.0:"),
        ("vbench-2.0", [{"prompt_en": "a", "dimension": ["color"]}], "load it as vbench:"),
        ("vbench", [{"prompt_en": "a", "dimension": ["i2v_subject"]}], "no dimension 'i2v_subject'"),
        ("vbench", [{"prompt": "a"}], "row 1, is not of VBench: it has no 'prompt_en' and no 'dimension'"),
        ("vbench", {"a": 1, "b": 2}, "it should be a list of rows"),
        ("vbench", ["a"], "row 1, is not a mapping"),
        ("evalcrafter", [1], "should be a mapping of numbers"),
        ("evalcrafter", {"0000": {}}, "it has no 'prompt'"),
        ("phygenbench", [{"caption": "a"}], "no 'physical_laws' and no 'main_category'"),
        (
            "safesora",
            [{"prompt_id": "a", "prompt_text": "b", "prompt_type": "c"}],
            "prompt_type is 'c'; it should be",
        ),
        (
            "worldscore",
            [{"visual_movement": "static", "visual_style": "x"}],
            "it has no 'prompt' or 'prompt_list'",
        ),
        ("vbench", [], "has no rows; a file of VBench has one for each prompt"),
        ("vbench", {}, "it should be a list of rows"),
        ("vbench", [{"prompt_en": " ", "dimension": ["scene"]}], "the prompt is blank"),
        ("t2v-compbench", [{"prompt": "a"}], "is not a file of T2V-CompBench"),
        ("t2vsafetybench", [{"prompt": "a"}], "is not a file of T2VSafetyBench"),
    ],
)
def test_a_file_of_another_form_is_one_sentence(kind: str, rows: Any, message: str, tmp_path: Path):
    path = write_json(tmp_path / "given.json", rows)
    with pytest.raises(UsageError) as told:
        load_suite(f"{kind}:{path}")
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_a_benchmark_that_is_not_known_says_where_they_are_listed():
    with pytest.raises(UsageError, match=r"no benchmark 'nosuch'.*'screentest list benchmarks' shows them"):
        load_suite("nosuch:folder/file.json")


def test_version_1_of_videophy_is_refused(tmp_path: Path):
    path = write_csv(tmp_path / "old.csv", [{"caption": "a kite", "states_of_matter": "solid_solid"}])
    with pytest.raises(UsageError, match="version 2 is read"):
        load_suite(f"videophy-2:{path}")


@pytest.mark.parametrize("kind", sorted(BENCHMARKS))
def test_a_missing_copy_says_where_its_authors_offer_it(kind: str, tmp_path: Path):
    with pytest.raises(UsageError, match=r"offered at https://.*nothing is fetched"):
        load_suite(f"{kind}:{tmp_path / 'absent'}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no file of"):
        load_suite(f"{kind}:{tmp_path / 'empty'}")


def test_damaged_files_are_one_sentence(tmp_path: Path):
    bad = tmp_path / "VBench_full_info.json"
    bad.write_text("[{")
    with pytest.raises(UsageError, match="is not JSON"):
        load_suite(f"vbench:{bad}")
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_suite(f"vbench:{bad}")
    other = tmp_path / "notes.docx"
    other.write_text("x")
    with pytest.raises(UsageError, match=r"which are \.json, \.jsonl or \.csv"):
        load_suite(f"vbench:{other}")
    broken = tmp_path / "config.json.gz"
    broken.write_bytes(b"\x1f\x8b\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        load_suite(f"safesora:{broken}")


@pytest.mark.parametrize(
    ("header", "told"), [("caption,action,is_hard", "has no rows"), ("", "has no columns")]
)
def test_a_table_without_rows_or_columns_is_refused_in_a_sentence(tmp_path: Path, header: str, told: str):
    path = tmp_path / "empty.csv"
    path.write_text(header + "\n")
    with pytest.raises(UsageError, match=told):
        load_suite(f"videophy-2:{path}")
