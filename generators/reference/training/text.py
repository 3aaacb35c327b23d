"""Training of the text conditioner: a CLIP model that reads captions, against clips as many-channel images.

It is the generator's reader, and no judge of it: the model that scores alignment has another seed, sees
single frames, and shares nothing with this one. Its vision tower sees four frames of a clip as one image of
twelve channels, since a single frame does not tell left from right. Captions that fit the same clip share
the target.

Source: Radford et al. 2021 (arXiv:2103.00020).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig

from ...worlds.plane import NATIVE_CLIP, render
from ...worlds.plane.words import vocabulary
from ..model.text import TextConfig, build_tokenizer, clip_text_config, tokenize
from .data import TrainingSample, planted, training_samples
from .hf_format import save_halves
from .loop import TrainReader, fit, say, torch_device

__all__ = ["TrainText", "train_text"]

_FRAMES: Final = (0, 5, 10, 15)
_SIZED: Final = frozenset(("small", "little", "big", "large"))
_PACED: Final = frozenset(("slowly", "quickly", "fast"))


class TrainText(TrainReader):
    """How the conditioner is trained."""

    steps: int = Field(default=1500, ge=1)
    clips: int = Field(default=6000, ge=1, description="clips of the world that are rendered to train on")
    captions: int = Field(default=4, ge=1, description="wordings of each clip")
    width: int = Field(default=128, ge=8)
    depth: int = Field(default=3, ge=1)


def train_text(config: TrainText, out: Path) -> Path:
    """Train the conditioner, resuming what ``out`` holds, and save it in ``out/text``."""
    torch.manual_seed(config.seed)
    words = vocabulary()
    text = TextConfig(vocabulary=len(words) + 4, width=config.width, depth=config.depth)
    tokenizer = build_tokenizer(words, text.length)
    vision = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=NATIVE_CLIP.height,
        patch_size=8,
        num_channels=3 * len(_FRAMES),
        projection_dim=96,
    )
    tower = clip_text_config(text, projection=96)
    model = CLIPModel(
        CLIPConfig(text_config=tower.to_dict(), vision_config=vision.to_dict(), projection_dim=96)
    )
    say(
        f"conditioner, its text tower of {sum(p.numel() for p in model.text_model.parameters()):,} parameters"
    )
    images, samples = _clips(config)
    ids = tokenize(tokenizer, [words for sample in samples for words in sample.captions])
    ids = ids.view(len(samples), config.captions, -1)
    facts = _Facts.of(samples)
    device = torch_device(config.device)

    def loss(_: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(images), (config.batch,), generator=generator)
        wording = torch.randint(config.captions, (config.batch,), generator=generator)
        pixels = images[chosen].float() / 127.5 - 1.0
        out = model(input_ids=ids[chosen, wording].to(device), pixel_values=pixels.to(device))
        target = facts.fits(chosen, wording).float().to(device)  # (clip, text)
        logits = out.logits_per_image
        by_clip = F.cross_entropy(logits, target / target.sum(1, keepdim=True))
        by_text = F.cross_entropy(logits.T, target.T / target.T.sum(1, keepdim=True))
        return 0.5 * (by_clip + by_text)

    averages = fit(model, loss, config, out / "text-state")
    model.load_state_dict(averages)
    save_halves(model, out / "text")
    tokenizer.save_pretrained(out / "text")
    return out / "text"


@dataclass(frozen=True)
class _Facts:
    """The facts by which a caption fits a clip: objects and events, and size and pace if stated."""

    what: Tensor  # (N,) class of everything but size and pace
    size: Tensor  # (N,)
    pace: Tensor  # (N,)
    says_size: Tensor  # (N, K) of each caption
    says_pace: Tensor  # (N, K)

    @staticmethod
    def of(samples: list[TrainingSample]) -> _Facts:
        def numbers(keys: list[object]) -> Tensor:
            known = {key: index for index, key in enumerate(dict.fromkeys(keys))}
            return torch.tensor([known[key] for key in keys])

        def says(words: frozenset[str]) -> Tensor:
            return torch.tensor([[bool(words & set(text.split())) for text in s.captions] for s in samples])

        return _Facts(
            what=numbers([_what(sample) for sample in samples]),
            size=numbers([tuple(thing.size for thing in sample.scene.things) for sample in samples]),
            pace=numbers([sample.scene.facts.get("speed", "") for sample in samples]),
            says_size=says(_SIZED),
            says_pace=says(_PACED),
        )

    def fits(self, chosen: Tensor, wording: Tensor) -> Tensor:
        """Determine for each clip and each caption of a batch whether they fit: (B, B)."""
        what, size, pace = self.what[chosen], self.size[chosen], self.pace[chosen]
        says_size, says_pace = self.says_size[chosen, wording], self.says_pace[chosen, wording]
        return (
            (what[:, None] == what)
            & ((size[:, None] == size) | ~says_size)
            & ((pace[:, None] == pace) | ~says_pace)
        )


def _what(sample: TrainingSample) -> object:
    scene = sample.scene
    facts = tuple(sorted((name, value) for name, value in scene.facts.items() if name != "speed"))
    things = tuple((t.kind, t.shape, t.color, t.occupation) for t in scene.things)
    return (scene.family, facts, things, sample.name)


def _clips(config: TrainText) -> tuple[Tensor, list[TrainingSample]]:
    """Render training clips as uint8 images of four frames each: (N, 12, H, W)."""
    say(f"rendering {config.clips} clips")
    which = planted("base").model_copy(update={"clips": (1.0, 0.0, 0.0, 0.0, 0.0)})
    samples = list(training_samples(which, config.clips, config.captions))
    images = np.empty((config.clips, 3 * len(_FRAMES), NATIVE_CLIP.height, NATIVE_CLIP.width), np.uint8)
    for index, sample in enumerate(samples):
        frames, _ = render(sample.scene, sample.clip, words=sample.captions[0])
        images[index] = frames[list(_FRAMES)].transpose(0, 3, 1, 2).reshape(images.shape[1:])
    return torch.from_numpy(images), samples
