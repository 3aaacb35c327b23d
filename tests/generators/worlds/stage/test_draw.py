"""Pictures of the stage agree with the truth, and a twin differs in nothing else."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from screentest.generators.worlds.registry import World, find_world
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings
from screentest.harness.core.keys import seeded_rng

if find_spec("mujoco") is None:
    pytest.skip("the world 'stage' needs the extra stage (MuJoCo)", allow_module_level=True)

from screentest.generators.worlds.stage import can_draw, sample_scene, truth_of, violate
from screentest.generators.worlds.stage import draw as drawing
from screentest.generators.worlds.stage.draw import draw_frames, draw_masks
from screentest.generators.worlds.trials import TrialRequest

CLIP = ClipSettings(frames=12, height=64, width=64, fps=8.0)
PLAIN = {"noise": "0", "blur": "1", "crf": "none"}
_why = can_draw()
draws = pytest.mark.skipif(_why is not None, reason=_why or "")


@draws
def test_a_scene_is_drawn_the_same_twice_and_its_twin_only_differs_from_the_fault_on():
    scene = sample_scene(seeded_rng("draw", 1), CLIP, "glide", {"noise": "4", "blur": "1", "crf": "none"})
    broken = violate(scene, "color", 1.0, seeded_rng("draw", 2), CLIP)
    lawful, again, other = draw_frames(scene, CLIP), draw_frames(scene, CLIP), draw_frames(broken, CLIP)
    assert (lawful == again).all()
    fault = truth_of(broken, CLIP, "", None).first_fault
    differs = [bool((a != b).any()) for a, b in zip(lawful, other, strict=True)]
    assert fault is not None
    assert differs == [t >= fault for t in range(CLIP.frames)]


@draws
def test_masks_depth_and_projection_agree():
    for family in ("orbit", "behind"):
        scene = sample_scene(seeded_rng("masks", family), CLIP, family, PLAIN)
        masks, depth, frames = draw_masks(scene, CLIP)
        truth = truth_of(scene, CLIP, "", masks)
        assert frames.shape == (12, 64, 64, 3)
        whole = truth.visible_NT[0] > 0.8
        assert whole.any()
        for t in np.flatnonzero(whole):
            rows, columns = np.nonzero(masks[t] == 0)
            assert (
                np.hypot(
                    columns.mean() - truth.position_NT2[0, t, 0], rows.mean() - truth.position_NT2[0, t, 1]
                )
                < 1.5
            )
            assert depth[t][masks[t] == 0].mean() == pytest.approx(truth.distance_NT[0, t], abs=0.7)
        if family == "behind":
            assert truth.visible_NT[0].min() < 0.1


@draws
def test_blur_noise_compression_and_light_change_the_pictures():
    looks = [PLAIN, {**PLAIN, "blur": "5"}, {**PLAIN, "noise": "8"}, {**PLAIN, "crf": "35"}]
    clips = [draw_frames(sample_scene(seeded_rng("look"), CLIP, "glide", look), CLIP) for look in looks]
    assert len({clip.tobytes() for clip in clips}) == 4
    dims = draw_frames(sample_scene(seeded_rng("look"), CLIP, "dimming", PLAIN), CLIP)
    assert dims[-1].mean() < 0.75 * dims[0].mean()


@draws
def test_a_warped_room_bends_and_nothing_else_changes():
    scene = sample_scene(seeded_rng("room"), CLIP, "room-orbit", PLAIN)
    bent = violate(scene, "warp", 0.5, seeded_rng("warp"), CLIP)
    one, two = draw_frames(scene, CLIP), draw_frames(bent, CLIP)
    assert (one[0] == two[0]).all()
    assert np.abs(one[6].astype(int) - two[6]).mean() > 2


@draws
def test_a_shadow_that_stays_behind_changes_the_ground_alone():
    scene = sample_scene(seeded_rng("draw", 10), CLIP, "glide", {**PLAIN, "shadows": "yes", "floor": "cloth"})
    broken = violate(scene, "shadow", 1.0, seeded_rng("draw", 6), CLIP)
    masks, _, lawful = draw_masks(scene, CLIP)
    left = draw_frames(broken, CLIP)
    fault = truth_of(broken, CLIP, "", None).first_fault
    assert fault is not None
    differs = np.abs(lawful.astype(int) - left).max(axis=3) > 0
    assert differs.any(axis=(1, 2)).tolist() == [t >= fault for t in range(CLIP.frames)]
    inside = np.stack([mask[1:-1, 1:-1] >= 0 for mask in masks])
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        inside &= masks[:, dy : dy + CLIP.height - 2, dx : dx + CLIP.width - 2] >= 0
    assert not (differs[:, 1:-1, 1:-1] & inside).any()
    darker = (left.astype(int) - lawful).sum(axis=3)[-1]
    assert (darker < -60).sum() > 20  # where the shadow stayed
    assert (darker > 60).sum() > 5  # where it should be
    none = sample_scene(seeded_rng("draw", 10), CLIP, "glide", {"shadows": "no"})
    with pytest.raises(UsageError, match="casts no shadow; fix shadows=yes"):
        violate(none, "shadow", 1.0, seeded_rng("draw", 6), CLIP)


@draws
def test_folders_of_clips_are_rendered_with_their_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "clips"
    words = ["world", "render", "--world", "stage", "--family", "glide", "--violate", "teleport"]
    assert run_cli([*words, "--size", "64x64x12", "--fps", "8", "--out", str(out)]) == 0
    assert "2 clips with their truth" in capsys.readouterr().out
    truth = json.loads((out / "glide-00000-teleport.json").read_text())
    assert truth["violation"]["first_frame"] == round(truth["violation"]["time"] * 8)
    assert len(truth["position_px"][0]) == 12
    assert len((out / "pairs.csv").read_text().splitlines()) == 2
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert len({(row["prompt"], row["seed"]) for row in rows}) == 2  # so that a run takes both


def test_the_stage_is_a_world_and_makes_trials_in_their_colors():
    stage = find_world("stage")
    assert isinstance(stage, World)
    request = TrialRequest(("card", 0, "glide", 0), "glide", 0, CLIP, ("yellow", "purple"), (0.9, 0.9))
    clip = stage.trial_clip(request)
    assert clip is not None
    assert clip.expect["objects"][0]["color"] in ("yellow", "purple")
    assert not clip.takes_texture
    assert stage.violations_of("causality") == (("causality", "collision"),)


def test_where_nothing_can_be_drawn_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    class NoScreen:
        def __getattr__(self, name: str):
            return getattr(drawing_library, name)

        @staticmethod
        def Renderer(*_: object):
            raise RuntimeError("cannot initialize an EGL device display")

    drawing_library = drawing.mujoco()
    monkeypatch.setattr(drawing, "mujoco", NoScreen)
    assert "apt-get install libegl1 libgl1-mesa-dri" in (can_draw() or "")
    words = ["world", "render", "--world", "stage", "--family", "glide", "--size", "64x64x12"]
    assert run_cli([*words, "--out", str(tmp_path / "none")]) == 2
    error = capsys.readouterr().err
    assert "cannot draw here: there is no GL (RuntimeError)" in error
    assert "Traceback" not in error
