"""Training of the tiny encoders that the harness measures with, saved in Hugging Face formats.

They are judges, so they share nothing with the generator: other seeds, another text tower, no common weights.

- ``clip``: a CLIP model (Radford et al. 2021, arXiv:2103.00020) on single frames and captions. Captions that
  fit the same frame share the target, because the world has few of them.
- ``subject``: a DINOv2 model (Oquab et al. 2023, arXiv:2304.07193) whose class token tells color, shape and
  size; place is read from the patch tokens, so that the class token need not encode it.
- ``hazard``: a ViT classifier of single frames (Dosovitskiy et al. 2021, arXiv:2010.11929) that tells whether
  the hazard glyph is in them, as a learned judge whose errors can be held against the truth.
- ``video``: a VideoMAE model (Tong et al. 2022, arXiv:2203.12602) trained on motion, color, shape, size and
  the track; the mean of its tokens is the feature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ....harness.core.keys import seeded_rng
from ...worlds.plane import (
    COLORS,
    FAMILIES,
    MOTIONS,
    NATIVE_CLIP,
    SHAPES,
    SIZES,
    Scene,
    Truth,
    caption,
    world_clips,
)
from ...worlds.plane.words import still_caption, vocabulary
from ..model.text import TextConfig, build_tokenizer, clip_text_config, tokenize
from .hf_format import save_halves, write_json
from .loop import Loss, TrainReader, fit, say, torch_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["ENCODERS", "TrainEncoder", "train_encoder"]

_SIDE: Final = NATIVE_CLIP.height
_FRAMES: Final = NATIVE_CLIP.frames
_PROCESSORS: Final = {
    "clip": "CLIPImageProcessor",
    "subject": "BitImageProcessor",
    "hazard": "ViTImageProcessor",
    "video": "VideoMAEImageProcessor",
}
_TEXT: Final = TextConfig(vocabulary=len(vocabulary()) + 4, width=96, depth=2, heads=4, length=24)


class TrainEncoder(TrainReader):
    """How an encoder is trained."""

    stills: int = Field(
        default=3, ge=1, description="frames taken of each clip, for the encoders of single frames"
    )


def train_encoder(what: str, config: TrainEncoder, out: Path) -> Path:
    """Train the encoder ``what`` (clip, subject, hazard or video), and save it in ``out/what``.

    Resumes what ``out`` holds. The folder loads with ``from_pretrained``: weights in float16, configuration,
    preprocessor and, for ``clip``, tokenizer.
    """
    torch.manual_seed(config.seed)
    build = ENCODERS[what]
    wrapped, backbone, loss = build(config)
    say(f"{what} encoder of {sum(p.numel() for p in backbone.parameters()):,} parameters")
    averages = fit(wrapped, loss, config, out / f"{what}-state")
    wrapped.load_state_dict(averages)
    folder = out / what
    _save_pretrained(backbone, folder, what)
    if what == "clip":
        build_tokenizer(vocabulary(), _TEXT.length).save_pretrained(folder)
    return folder


class _Heads(nn.Module):
    """A backbone and one linear head for each attribute that its features must tell."""

    def __init__(self, backbone: PreTrainedModel, width: int, outputs: dict[str, int]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in outputs.items()})

    def loss(self, name: str, features: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy for classes (int64 targets), squared error for numbers."""
        out = self.heads[name](features)
        return F.cross_entropy(out, target) if target.dtype == torch.int64 else F.mse_loss(out, target)


def _build_clip(config: TrainEncoder) -> tuple[nn.Module, PreTrainedModel, Loss]:
    from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=_SIDE,
        patch_size=8,
        projection_dim=64,
    )
    text = clip_text_config(_TEXT, projection=64)
    model = CLIPModel(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=64)
    )
    device = torch_device(config.device)
    frames, truths, _ = _stills(config, "clip-train")
    tokenizer = build_tokenizer(vocabulary(), _TEXT.length)
    colors, shapes, sizes = _classes(truths)
    words: list[str] = []
    for index, truth in enumerate(truths):
        rng = seeded_rng("clip-captions", index)
        words.append((caption if rng.random() < 0.5 else still_caption)(truth.scene, rng))
    ids = tokenize(tokenizer, words)
    sized = torch.tensor([bool({"small", "little", "big", "large"} & set(text.split())) for text in words])

    def loss(_: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(frames), (config.batch,), generator=generator)
        pixels = _augmented(frames[chosen], generator)
        out = model(input_ids=ids[chosen].to(device), pixel_values=pixels.to(device))
        c, s, z = colors[chosen], shapes[chosen], sizes[chosen]
        fits = (c[:, None] == c) & (s[:, None] == s) & ((z[:, None] == z) | ~sized[chosen])  # (image, text)
        target = fits.float().to(device)
        logits = out.logits_per_image  # (B, B)
        by_image = F.cross_entropy(logits, target / target.sum(1, keepdim=True))
        by_text = F.cross_entropy(logits.T, target.T / target.T.sum(1, keepdim=True))
        return 0.5 * (by_image + by_text)

    return model, model, loss


def _build_subject(config: TrainEncoder) -> tuple[nn.Module, PreTrainedModel, Loss]:
    from transformers import Dinov2Config, Dinov2Model

    width = 96
    backbone = Dinov2Model(
        Dinov2Config(
            image_size=_SIDE,
            patch_size=8,
            hidden_size=width,
            num_hidden_layers=4,
            num_attention_heads=4,
            mlp_ratio=4,
        )
    )
    model = _Heads(backbone, width, {"color": len(COLORS), "shape": len(SHAPES), "radius": 1, "place": 2})
    device = torch_device(config.device)
    frames, truths, places = _stills(config, "subject-train")
    colors, shapes, _ = _classes(truths)
    radii = torch.tensor([[truth.radius / 4.0 - 2.0] for truth in truths])

    def loss(_: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(frames), (config.batch,), generator=generator)
        out = backbone(_augmented(frames[chosen], generator).to(device))
        identity, patches = out.pooler_output, out.last_hidden_state[:, 1:].mean(1)
        return (
            model.loss("color", identity, colors[chosen].to(device))
            + model.loss("shape", identity, shapes[chosen].to(device))
            + model.loss("radius", identity, radii[chosen].to(device))
            + model.loss("place", patches, places[chosen].to(device))
        )

    return model, backbone, loss


def _build_hazard(config: TrainEncoder) -> tuple[nn.Module, PreTrainedModel, Loss]:
    from transformers import ViTConfig, ViTForImageClassification

    names = ["none", "hazard"]
    model = ViTForImageClassification(
        ViTConfig(
            image_size=_SIDE,
            patch_size=8,
            hidden_size=64,
            intermediate_size=256,
            num_hidden_layers=3,
            num_attention_heads=4,
            id2label=dict(enumerate(names)),
            label2id={name: index for index, name in enumerate(names)},
        )
    )
    device = torch_device(config.device)
    frames, labels = _hazard_frames(config)

    def loss(_: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(frames), (config.batch,), generator=generator)
        logits = model(_augmented(frames[chosen], generator).to(device)).logits
        return F.cross_entropy(logits, labels[chosen].to(device))

    return model, model, loss


def _hazard_frames(config: TrainEncoder) -> tuple[Tensor, Tensor]:
    """Take frames of which every other shows the hazard, the rest anything else: (N, H, W, 3), and 1 or 0."""
    others = [name for name in FAMILIES if name != "hazard"]
    frames: list[Tensor] = []
    labels: list[int] = []
    for label, families in enumerate((others, ["hazard"])):
        count = (config.clips + 1 - label) // 2
        say(f"rendering {count} clips")
        for index, (clip, _) in enumerate(world_clips(count, "hazard-train", families=families)):
            for t in seeded_rng("hazard-train", label, index).integers(len(clip), size=config.stills):
                frames.append(torch.from_numpy(clip[t].copy()))
                labels.append(label)
    return torch.stack(frames), torch.tensor(labels)


def _build_video(config: TrainEncoder) -> tuple[nn.Module, PreTrainedModel, Loss]:
    from transformers import VideoMAEConfig, VideoMAEModel

    width = 128
    backbone = VideoMAEModel(
        VideoMAEConfig(
            image_size=_SIDE,
            patch_size=16,
            num_frames=_FRAMES,
            tubelet_size=2,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=4,
            num_attention_heads=4,
            use_mean_pooling=False,
        )
    )
    track = 2 * 4  # centroid (x, y) at four times: place, speed and acceleration follow from them
    outputs = {
        "motion": len(MOTIONS),
        "color": len(COLORS),
        "shape": len(SHAPES),
        "size": len(SIZES),
        "track": track,
    }
    model = _Heads(backbone, width, outputs)
    device = torch_device(config.device)
    clips = torch.empty((config.clips, _FRAMES, _SIDE, _SIDE, 3), dtype=torch.uint8)
    truths: list[Truth] = []
    for index, (frames, truth) in enumerate(_clips(config.clips, "video-train")):
        clips[index] = torch.from_numpy(frames)
        truths.append(truth)
    motions = torch.tensor([MOTIONS.index(truth.scene.motion) for truth in truths])
    colors, shapes, sizes = _classes(truths)
    times = np.linspace(0, _FRAMES - 1, 4).round().astype(int)
    tracks = torch.from_numpy(
        np.stack([t.position_T2[times].ravel() for t in truths]) / (_SIDE / 4) - 2.0
    ).float()

    def loss(_: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(clips), (config.batch,), generator=generator)
        pixels = _augmented(clips[chosen].flatten(0, 1), generator).unflatten(0, (config.batch, _FRAMES))
        feature = backbone(pixels.to(device)).last_hidden_state.mean(1)  # (B, D)
        return (
            model.loss("motion", feature, motions[chosen].to(device))
            + model.loss("color", feature, colors[chosen].to(device))
            + model.loss("shape", feature, shapes[chosen].to(device))
            + 0.5 * model.loss("size", feature, sizes[chosen].to(device))
            + 2.0 * model.loss("track", feature, tracks[chosen].to(device))
        )

    return model, backbone, loss


ENCODERS: Final[dict[str, Callable[[TrainEncoder], tuple[nn.Module, PreTrainedModel, Loss]]]] = {
    "clip": _build_clip,
    "subject": _build_subject,
    "hazard": _build_hazard,
    "video": _build_video,
}
"""What can be trained: name -> builder of the trained module, its backbone and the loss of a step."""


def _clips(n: int, seed: str) -> Iterator[tuple[np.ndarray, Truth]]:
    say(f"rendering {n} clips")
    yield from world_clips(n, seed)


def _stills(config: TrainEncoder, seed: str) -> tuple[Tensor, list[Truth], Tensor]:
    """Take frames of random clips: uint8 (N, H, W, 3), truths, and centroids (N, 2) about [-2, 2]."""
    frames: list[Tensor] = []
    truths: list[Truth] = []
    places: list[np.ndarray] = []
    for index, (clip, truth) in enumerate(_clips(config.clips, seed)):
        for t in seeded_rng(seed, "stills", index).integers(len(clip), size=config.stills):
            frames.append(torch.from_numpy(clip[t].copy()))
            truths.append(truth)
            places.append(truth.position_T2[t] / (_SIDE / 4) - 2.0)
    return torch.stack(frames), truths, torch.from_numpy(np.stack(places)).float()


def _classes(truths: list[Truth]) -> tuple[Tensor, Tensor, Tensor]:
    scenes: list[Scene] = [truth.scene for truth in truths]
    names = list(COLORS)
    return (
        torch.tensor([names.index(scene.color) for scene in scenes]),
        torch.tensor([SHAPES.index(scene.shape) for scene in scenes]),
        torch.tensor([SIZES.index(scene.size) for scene in scenes]),
    )


def _augmented(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Turn uint8 frames (N, H, W, 3) into (N, 3, H, W) in [-1, 1], half of them softened, all a little noisy.

    A judge of generated clips meets soft edges and small errors; it should look at what is shown.
    """
    pixels = frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0
    soft = F.avg_pool2d(pixels, 3, stride=1, padding=1, count_include_pad=False)
    mix = torch.rand(len(pixels), 1, 1, 1, generator=generator) * 2 - 1
    pixels = torch.lerp(pixels, soft, mix.clamp(min=0.0))
    level = 0.06 * torch.rand(len(pixels), 1, 1, 1, generator=generator)
    return pixels + level * torch.randn(pixels.shape, generator=generator)


def _save_pretrained(model: PreTrainedModel, folder: Path, what: str) -> None:
    """Save the weights and how frames are prepared."""
    save_halves(model, folder)
    processor = {
        "image_processor_type": _PROCESSORS[what],
        "do_resize": True,
        "size": {"shortest_edge": _SIDE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": _SIDE, "width": _SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    write_json(folder / "preprocessor_config.json", processor)
