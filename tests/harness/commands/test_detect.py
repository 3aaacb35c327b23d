"""The commands `detect`, `assess-detector` and `train detector`."""

import json
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.commands.detect import class_folders
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import seeded_rng
from screentest.harness.core.media import write_clip


def block(name: str, spread: float = 0.0) -> np.ndarray:
    rng = seeded_rng("detect command", name)
    ground = np.kron(rng.integers(60, 180, (16, 16, 3)), np.ones((4, 4, 1)))
    clip = np.repeat(ground[None], 16, axis=0)
    for t, frame in enumerate(clip):
        frame[20:36, 4 + 2 * t : 20 + 2 * t] = (220, 50, 40)
    return np.clip(np.rint(clip + rng.normal(0, spread, clip.shape)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("detect")
    for k in range(8):
        for part, spread in (("real", 0.0), ("one", 6.0), ("two", 9.0)):
            if part == "real" or k < 4:
                (place / part).mkdir(exist_ok=True)
                write_clip(place / part / f"scene-{k}.mp4", block(f"{part} {k}", spread), 8)
    return place


SMALL = ("--size", 64, "--bits-per-pixel", 0.5)


def cli(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = run_cli([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    words = ["train", "detector", "--real", folder / "real", "--generated", folder / "one", "--generated"]
    words += [
        folder / "two",
        "--kind",
        "differences",
        "--name",
        "flicker",
        *SMALL,
        "--cache",
        folder / "cache",
    ]
    assert run_cli([str(word) for word in (*words, "--out", folder / "flicker.json")]) == 0
    return folder / "flicker.json"


def test_a_trained_detector_judges_files_and_folders(trained: Path, folder: Path, capsys) -> None:
    capsys.readouterr()
    code, out, _ = cli(
        capsys, "detect", folder / "one", folder / "real/scene-0.mp4", "--detector", trained, "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert found["schema_version"] == 2
    assert {"threshold", "false_alarms", "recall", "auc", "metadata_auc_after"} <= found["detector"].keys()
    assert found["detector"]["false_alarms"]["n"] == 2
    assert [clip["flagged"] for clip in found["clips"]] == [True] * 4 + [False]
    assert all((clip["status"], clip["reasons"]) == ("ok", []) for clip in found["clips"])
    assert all(0 < clip["score"] < 1 for clip in found["clips"])
    assert all(clip["by_metadata"]["score"] is not None for clip in found["clips"])


def test_the_table_says_what_a_score_is_worth(trained: Path, folder: Path, capsys) -> None:
    write_clip(folder / "short.mp4", block("short")[:6], 8)
    code, out, _ = cli(
        capsys, "detect", folder / "two/scene-1.mp4", folder / "short.mp4", "--detector", trained
    )
    text = " ".join(out.split())
    assert code == 3
    assert "a score is not a verdict" in text
    assert "of the real" in text
    assert "(n 2)" in text
    assert "short.mp4: it lasts 0.75 s, and the detector reads 2 s" in text


def test_of_a_clip_of_another_kind_nothing_is_said(folder: Path, capsys) -> None:
    large = np.kron(block("large"), np.ones((1, 4, 4, 1), np.uint8))
    write_clip(folder / "large.mp4", large, 8)
    code, out, _ = cli(capsys, "detect", folder / "large.mp4", "--json")
    assert code == 3
    (clip,) = json.loads(out)["clips"]
    assert (clip["status"], clip["score"], clip["flagged"], clip["by_metadata"]) == (
        "not_applicable", None, None, None,
    )  # fmt: skip
    assert "its shorter side is 256 pixels" in clip["reasons"][0]
    code, out, _ = cli(capsys, "detect", folder / "large.mp4")
    text = " ".join(out.split())
    assert code == 3
    assert "not judged" in text
    assert "flagged" not in text.partition("flagged from a score")[0]


def test_a_clip_of_other_frames_than_those_it_knows_is_not_judged(
    trained: Path, folder: Path, capsys
) -> None:
    noise = seeded_rng("detect command", "noise").integers(0, 255, (16, 64, 64, 3), dtype=np.uint8)
    write_clip(folder / "noise.mp4", noise, 8)
    code, out, _ = cli(capsys, "detect", folder / "noise.mp4", "--detector", trained, "--json")
    (clip,) = json.loads(out)["clips"]
    assert (code, clip["status"], clip["flagged"]) == (3, "not_applicable", None)
    assert "deviations from those of the clips it was calibrated on" in clip["reasons"][0]


def test_what_cannot_be_read_is_told_beside_what_was_judged(
    trained: Path, folder: Path, tmp_path: Path, capsys
) -> None:
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "picture.png")
    write_clip(tmp_path / "short.mp4", block("short")[:6], 8)
    words = ("detect", tmp_path / "picture.png", tmp_path / "short.mp4", tmp_path / "none.mp4")
    code, out, err = cli(capsys, *words, folder / "one/scene-1.mp4", "--detector", trained, "--json")
    assert code == 2
    assert [(clip["status"], clip["flagged"]) for clip in json.loads(out)["clips"]] == [
        ("failed", None), ("not_applicable", None), ("failed", None), ("ok", True),
    ]  # fmt: skip
    assert err.splitlines() == [
        f"error: {tmp_path / 'picture.png'} is a still image, not a video",
        f"error: {tmp_path / 'none.mp4'} is missing; give a video file",
    ]


def test_mistakes_of_detect_are_one_sentence(folder: Path, tmp_path: Path, capsys) -> None:
    for words, message in (
        ((tmp_path,), "there is no video in the folder"),
        ((folder / "real", "--detector", "wrld"), "unknown detector 'wrld'; did you mean 'world'"),
    ):
        code, out, err = cli(capsys, "detect", *words)
        assert (code, out) == (2, "")
        assert message in err
        assert "Traceback" not in err


def test_generators_are_held_out_and_metadata_stand_beside(folder: Path, capsys) -> None:
    words = ["assess-detector", "--real", folder / "real", "--generated", folder / "one"]
    words += ["--generated", folder / "two", "--kind", "differences", *SMALL, "--delivery", "crf40"]
    code, out, _ = cli(capsys, *words, "--cache", folder / "cache", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["real"] == {f"scene-{k}.mp4": 1 for k in range(8)}
    assert found["generated"] == {"one": 4, "two": 4}
    trials = {trial["detector"]: trial for trial in found["detectors"]}
    assert list(trials) == ["differences", "metadata before", "metadata after"]
    assert set(trials["differences"]["generators"]) == {"one", "two"}
    assert trials["differences"]["all_generators"]["auc"]["value"] == 1
    assert trials["metadata before"]["all_generators"]["auc"]["value"] > 0.9
    assert 0.2 <= trials["metadata after"]["all_generators"]["auc"]["value"] <= 0.8
    assert set(trials["differences"]["deliveries"]) == {"crf40"}
    code, out, _ = cli(capsys, *words, "--cache", folder / "cache")
    assert code == 0
    assert "a generator held out" in " ".join(out.split())


def test_one_generator_is_not_held_out_and_the_page_says_so(folder: Path, capsys) -> None:
    words = ["assess-detector", "--real", folder / "real", "--generated", folder / "one", *SMALL]
    code, out, _ = cli(capsys, *words, "--kind", "differences", "--cache", folder / "cache")
    assert code == 0
    text = " ".join(out.split())
    assert "with one generator nothing can be said of another one" in text
    assert "a generator held out" not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("assess-detector", "--real", "real"), "no clips are generated"),
        (("assess-detector", "--generated", "one"), "no clips are real"),
        (("assess-detector", "--real", "real", "--generated", "real"), "named both real and generated"),
        (("assess-detector", "--real", "real", "--generated", "none"), "there is no folder"),
        (("assess-detector", "--real", "real", "--generated", "one", "--kind", "d3"), "name their encoder"),
        (
            ("assess-detector", "--real", "real", "--generated", "one", "--delivery", "crf1"),
            "unknown delivery",
        ),
        (("assess-detector", "--real", "real", "--generated", "one", "--size", "65"), "should be even"),
        (("train", "detector", "--real", "real", "--out", "x.json"), "no clips are generated"),
        (("train", "detector", "--real", "real", "--generated"), "--out"),
        (
            ("train", "detector", "--real", "real", "--generated", "one", "--out", "x.json", "--sise", "64"),
            "'size'",
        ),
    ],
)
def test_wrong_use_is_one_sentence(words, message, folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    code, _, err = cli(capsys, *words)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_settings_of_a_detector_are_listed(capsys) -> None:
    code, out, _ = cli(capsys, "train", "detector", "--settings")
    assert code == 0
    assert "--bits-per-pixel" in out


def test_folders_of_classes_are_taken_out_of_the_words() -> None:
    real, generated, rest = class_folders(
        ["--real", "a", "--size", "64", "--generated=b", "--generated", "c"]
    )
    assert ([str(p) for p in real], [str(p) for p in generated]) == (["a"], ["b", "c"])
    assert rest == ["--size", "64"]
    with pytest.raises(UsageError, match="--real needs a folder"):
        class_folders(["--real"])
