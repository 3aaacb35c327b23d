"""Detectors of random weights go the way of large ones; from boxes to tracks is tested on drawn truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import MissingWeightsError, UsageError
from screentest.metrics import EncoderOptions, make_encoder
from screentest.metrics.expectation import read_expectation
from screentest.metrics.instructions.motion import motion
from screentest.metrics.instructions.skills import attributes
from screentest.metrics.tracking.detectors import Boxes, Detector, keep_best, overlap
from screentest.metrics.tracking.named_object_tracker import NamedTracker, OpenVocabularySource, read_source
from screentest.metrics.tracking.role_assignment import assign_roles
from screentest.metrics.tracking.sam2 import Masker, MaskerRun, MaskOfFrame
from screentest.metrics.tracking.tracks import ClipShape, Tracks

from ..helpers import encode, parts_of, tiny_dinov2
from .scenes import BLUE, RED, Frames, Shape, draw, still
from .tiny import tiny_grounding_dino, tiny_owlv2, tiny_sam2

CPU = EncoderOptions(device="cpu")
CLIP = np.random.default_rng(0).integers(0, 255, (11, 40, 60, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("detectors")
    makers = {"owlv2": tiny_owlv2, "dino": tiny_grounding_dino, "sam": tiny_sam2}
    return {name: make(root / name) for name, make in makers.items()}


def as_clip(tracker: NamedTracker, frames: Frames) -> Tracks:
    tracker.push(frames)
    return tracker.finish(
        ClipShape(frames.shape[1], frames.shape[2], 8.0, np.arange(len(frames)) / 8.0),
    )


# -- the models


def test_owlv2_boxes_and_scores_are_those_of_the_library(models):
    import torch
    from transformers import AutoTokenizer, Owlv2ForObjectDetection, Owlv2ImageProcessorPil

    found = Detector(str(models["owlv2"]), ("ball", "red wall"), 0.3, CPU)(CLIP[:2])
    processor = Owlv2ImageProcessorPil.from_pretrained(models["owlv2"])
    tokens = AutoTokenizer.from_pretrained(models["owlv2"])(
        ["a photo of a ball", "a photo of a red wall"],
        padding="max_length",
        max_length=10,
        return_tensors="pt",
    )
    model = Owlv2ForObjectDetection.from_pretrained(models["owlv2"]).eval()
    with torch.inference_mode():
        output = model(
            pixel_values=processor(images=[CLIP[0]], return_tensors="pt")["pixel_values"],
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
        )
    (truth,) = processor.post_process_object_detection(output, threshold=0.3, target_sizes=[(40, 60)])
    assert len(found[0].scores_M)
    for box, score, noun in zip(found[0].edges_M4, found[0].scores_M, found[0].nouns_M, strict=True):
        clipped = truth["boxes"].numpy().clip(0, [60, 40, 60, 40])
        alike = (np.abs(clipped - box).max(axis=1) < 0.01) & (truth["labels"].numpy() == noun)
        assert np.abs(truth["scores"].numpy()[alike] - score).min() < 1e-4


def test_grounding_dino_gives_each_box_its_best_noun(models):
    import torch
    from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessorPil

    (found,) = Detector(str(models["dino"]), ("ball", "red wall"), 0.05, CPU)(CLIP[:1])
    processor = GroundingDinoImageProcessorPil.from_pretrained(models["dino"])
    model = GroundingDinoForObjectDetection.from_pretrained(models["dino"]).eval()
    ids = torch.tensor([[1, 9, 11, 7, 10, 11, 2]])  # <start> ball . red wall . <end>
    with torch.inference_mode():
        output = model(
            **processor(images=[CLIP[0]], return_tensors="pt"),
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            token_type_ids=torch.zeros_like(ids),
        )
    scores = output.logits[0].sigmoid().numpy()
    by_noun = np.stack([scores[:, 1], scores[:, 3:5].max(axis=1)], axis=1)
    best = int(by_noun.max(axis=1).argmax())
    assert found.scores_M[0] == pytest.approx(by_noun[best].max(), abs=1e-4)
    assert found.nouns_M[0] == by_noun[best].argmax()
    x, y, w, h = output.pred_boxes[0, best].numpy() * [60, 40, 60, 40]
    expected = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, [60, 40, 60, 40])
    assert found.edges_M4[0] == pytest.approx(expected, abs=0.01)


def followed(masker: Masker, forget: Callable[[MaskerRun], None] | None) -> list[list[MaskOfFrame | None]]:
    run = masker.open()
    if forget is not None:
        run._forget = lambda: forget(run)  # type: ignore[method-assign]
    none, box = np.empty((0, 4)), np.array([[5.0, 5.0, 25.0, 30.0]])
    return [run.next(frame, box if t in (1, 4) else none, (20, 30)) for t, frame in enumerate(CLIP)]


def test_masks_come_from_the_first_box_on_and_forgetting_changes_none(models):
    masker = Masker(str(models["sam"]), CPU)
    seen = followed(masker, None)
    assert [len(things) for things in seen] == [0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    everything = followed(masker, lambda run: None)
    pairs = [pair for one, two in zip(seen, everything, strict=True) for pair in zip(one, two, strict=True)]
    assert any(one is not None for one, _ in pairs)
    for one, two in pairs:
        assert (one is None) == (two is None)
        if one is not None and two is not None:
            assert one.mask_HW.shape == (20, 30)
            assert (one.mask_HW == two.mask_HW).all()
            assert one.confidence == two.confidence


@pytest.mark.parametrize(
    "pattern", ["{owlv2}#ball,red wall@0.3", "{dino}#ball", "{owlv2}+{sam}#ball,red wall"]
)
def test_a_clip_goes_through_in_any_windows(models, pattern):
    source = pattern.format(**models)
    encoder = make_encoder("tracks", source, CPU)
    whole = encode(encoder, CLIP)
    tracks = Tracks.from_record(whole)
    assert (tracks.frames, tracks.height, tracks.width) == (11, 40, 60)
    assert parts_of(encode(encoder, CLIP, cuts=(3, 9))) == parts_of(whole)
    assert set(tracks.nouns) <= {"ball", "red wall"}


def test_identity_is_of_the_weights_the_nouns_and_the_score(models, tmp_path):
    owl = str(models["owlv2"])
    digests = {
        make_encoder("tracks", source, CPU).digest
        for source in (
            f"{owl}#ball",
            f"{owl}#ball@0.2",
            f"{owl}#ball,wall",
            f"{models['dino']}#ball",
            f"{owl}+{models['sam']}#ball",
        )
    }
    assert len(digests) == 5
    copy = shutil.copytree(owl, tmp_path / "elsewhere")
    assert make_encoder("tracks", f"{copy}#ball", CPU).digest in digests
    assert OpenVocabularySource(f"{owl}#ball", CPU).identity()["source"] == "open vocabulary"


# -- boxes


def test_of_boxes_that_are_one_thing_the_best_is_kept():
    edges = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [20, 0, 30, 11], [5, 5, 5, 9]], float)
    scores = np.array([[0.6, 0.1], [0.8, 0.1], [0.5, 0.2], [0.1, 0.7], [0.9, 0.1]])
    kept = keep_best(edges, scores, 0.3)
    assert kept.scores_M.tolist() == [0.8, 0.7]
    assert kept.nouns_M.tolist() == [0, 1]
    assert len(keep_best(edges, scores, 0.95).scores_M) == 0
    apart = np.array([[0, 0, 10, 10], [4, 0, 14, 10]], float)  # 6 of 14: two of one noun may be as near
    assert len(keep_best(apart, np.ones((2, 1)), 0.5).scores_M) == 2
    assert overlap(apart[0], apart[1]) == pytest.approx(6 / 14)


# -- from boxes and masks to tracks

BALL = Shape("ball", RED, 8.0, lambda t: (20.0 + 3 * t, 40.0))
BOX = Shape("square", BLUE, 7.0, still(60, 70))
SCENE = draw([BALL, BOX], 16, (40, 44, 48), 96)


class Knowing:
    """A detector that knows where things are, and misses one in frame 7; it is shown every so many frames."""

    nouns = ("red ball", "box")

    def __init__(self, every: int = 1) -> None:
        self._done, self._every = 0, every

    def __call__(self, frames: Frames) -> list[Boxes]:
        found: list[Boxes] = []
        for _ in frames:
            t = self._done
            self._done += self._every
            edges = [[12.0 + 3 * t, 32.0, 28.0 + 3 * t, 48.0], [53.0, 63.0, 67.0, 77.0]]
            if t == 7:
                edges[1:] = []
            found.append(Boxes(np.array(edges) + 0.5, np.full(len(edges), 0.9), np.arange(len(edges))))
        return found


def test_boxes_are_linked_to_named_things():
    tracks = as_clip(NamedTracker(Knowing(), None), SCENE)
    assert tracks.things == 2
    named = {noun: n for n, noun in enumerate(tracks.nouns)}
    ball, box = named["red ball"], named["box"]
    expected = np.stack([20.0 + 3 * np.arange(16), np.full(16, 40.0)], axis=1)
    assert tracks.position_NT2[ball] == pytest.approx(expected, abs=0.01)
    assert np.flatnonzero(~tracks.seen_NT[box]).tolist() == [7]
    assert tracks.area_NT[ball, 0] == 256
    assert np.linalg.norm(np.median(tracks.color_NT3[ball], axis=0) - RED) < 10
    assert np.isfinite(tracks.shape_NTS[ball]).all()


def test_prompts_call_things_by_the_nouns_that_were_looked_for():
    tracks = as_clip(NamedTracker(Knowing(), None), SCENE)
    ball = {"shape": "ball", "color": "red"}
    cast = assign_roles(tracks, read_expectation({"objects": [ball, {"name": "box"}], "motion": "right"}))
    assert not cast.missing
    assert not cast.uninvited
    assert motion(cast).followed
    assert attributes(cast).followed
    unasked = assign_roles(tracks, read_expectation({"objects": [{**ball, "name": "box"}]}))
    with pytest.raises(Exception, match="which does not say 'red'; name it in the noun"):
        attributes(unasked)


class Painted:
    """Masks that are known from the colors; a thing that comes later is added when its box comes."""

    def __init__(self) -> None:
        self.boxes: list[int] = []

    def next(self, frame: Frames, boxes: np.ndarray, size: tuple[int, int]) -> list[MaskOfFrame | None]:
        self.boxes.append(len(boxes))
        colors = [np.linalg.norm(frame.astype(float) - color, axis=2) < 60 for color in (RED, BLUE)]
        return [MaskOfFrame(mask, 0.95) for mask in colors[: sum(self.boxes)]]


def test_masks_are_followed_by_their_own_identities():
    masks = Painted()
    tracks = as_clip(NamedTracker(Knowing(every=8), masks), SCENE)
    assert masks.boxes == [2, *[0] * 15]  # what is followed already is not added again at frame 8
    assert tracks.things == 2
    ball = tracks.nouns.index("red ball")
    assert tracks.area_NT[ball, 0] == pytest.approx(np.pi * 64, rel=0.1)
    assert tracks.shape_NTS[ball, 0].argmax() == 0
    assert tracks.position_NT2[ball, :, 0] == pytest.approx(20.0 + 3 * np.arange(16), abs=0.3)


def test_large_frames_are_given_in_their_own_pixels():
    large = SCENE.repeat(5, axis=1).repeat(5, axis=2)

    class Large(Knowing):
        def __call__(self, frames: Frames) -> list[Boxes]:
            return [Boxes(b.edges_M4 * 5, b.scores_M, b.nouns_M) for b in super().__call__(frames)]

    tracks = as_clip(NamedTracker(Large(), None), large)
    small = as_clip(NamedTracker(Knowing(), None), SCENE)
    assert (tracks.position_NT2 + 0.5) / 5 == pytest.approx(small.position_NT2 + 0.5, nan_ok=True, abs=0.01)


# -- mistakes


def test_how_a_source_is_read():
    assert read_source("a/b#ball,Gray  Wall") == ("a/b", None, ("ball", "gray wall"), None)
    assert read_source("a/b+c/d#ball@0.25") == ("a/b", "c/d", ("ball",), 0.25)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("google/owlv2-base-patch16", "does not say what to detect; add the nouns, as in 'google/owlv2"),
        ("a/b#", "does not say what to detect"),
        ("a/b#ball,,wall", "does not say what to detect"),
        ("a/b#ball,Ball", "names the noun 'ball' twice"),
        ("a/b#ball@much", "ends in the score 'much'"),
        ("a/b#ball@1.5", "between 0 and 1"),
    ],
)
def test_mistakes_in_a_source_are_one_sentence(source, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_encoder("tracks", source, CPU)


def test_models_of_other_kinds_are_refused(models, tmp_path):
    other = tiny_dinov2(tmp_path / "dinov2")
    with pytest.raises(UsageError, match=r"looks for nouns by owlvit, owlv2, .* is 'dinov2'"):
        make_encoder("tracks", f"{other}#ball", CPU)
    with pytest.raises(UsageError, match=r"follows masks by sam2_video models; .* is 'dinov2'"):
        make_encoder("tracks", f"{models['owlv2']}+{other}#ball", CPU)
    with pytest.raises(MissingWeightsError, match="are not a folder on this machine"):
        make_encoder("tracks", "./nowhere#ball", CPU)
    long = Detector(str(models["owlv2"]), ("a red ball of a red wall of a ball",), None, CPU)
    with pytest.raises(UsageError, match="reads 10 tokens"):
        long(CLIP[:1])
