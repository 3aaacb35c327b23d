"""What the tests of metrics share: clips in memory, tiny models on disk, and a way to run an encoder."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from screentest.harness.core.items import ClipSettings, make_item
from screentest.harness.core.keys import canonical_json
from screentest.harness.core.media import ClipInfo, Window
from screentest.metrics import MEASURES, Encoder, Feature, Outcome, Sample, Scored
from screentest.metrics.encoders.base import Record
from screentest.metrics.encoders.registry import make_encoder

Frames = NDArray[np.uint8]
WORDS = ("a", "red", "blue", "ball", "box", "falls", "rises")


def info_of(frames: Frames, fps: float = 8.0) -> ClipInfo:
    return ClipInfo(
        height=frames.shape[1],
        width=frames.shape[2],
        fps=fps,
        frames=len(frames),
        duration=len(frames) / fps,
        codec="raw",
        container="memory",
    )


def encode(encoder: Encoder, frames: Frames, *, fps: float = 8.0, cuts: Sequence[int] = ()) -> Any:
    """Run an encoder over a clip that comes in windows cut at the given frame numbers."""
    stream = encoder.open(info_of(frames, fps))
    edges = [0, *cuts, len(frames)]
    for start, stop in itertools.pairwise(edges):
        part = frames[start:stop].copy()
        part.flags.writeable = False  # as a decoder may hand it out
        stream.push(Window(part, np.arange(start, stop) / fps, start))
        del part
    return stream.finish()


def track_record(frames: Frames, fps: float = 8.0) -> Record:
    """Follow the things of a clip with the tracker of the reference world."""
    return encode(make_encoder("tracks", "world"), frames, fps=fps)


def parts_of(feature: Any) -> list[bytes]:
    """Give the bytes of a feature, whether it is a matrix or a record."""
    if isinstance(feature, Record):
        return [canonical_json(feature.meta).encode(), *(a.tobytes() for a in feature.arrays.values())]
    return [feature.tobytes()]


def score(name: str, features: Mapping[str, Feature], prompt: str | None = "a red ball") -> Scored:
    """Take a registered measure on features."""
    function = MEASURES.get(name).function
    assert function is not None
    item = make_item(prompt, 0, ClipSettings(), source=None if prompt else "clip.mp4")
    value = function(Sample(item, "ok", None, features))
    return value if isinstance(value, Scored) else Scored(value)


def outcome_sample(outcome: Outcome) -> Sample:
    return Sample(make_item("a red ball", 0, ClipSettings()), outcome, None, {})


def texture(height: int, width: int, seed: int = 0, blur: float = 2.0) -> Frames:
    """A picture with detail at all places, smooth enough to be followed."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), blur)
    return np.asarray(cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX), np.uint8)


def pan(frames: int = 16, size: int = 64, step: int = 3, seed: int = 0) -> Frames:
    """An exact translation to the left, by ``step`` pixels a frame."""
    wide = texture(size, size + step * frames, seed)
    return np.stack([wide[:, step * t : step * t + size] for t in range(frames)])


def noise(frames: int = 16, size: int = 64, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, (frames, size, size, 3), dtype=np.uint8)


def write_preprocessor(folder: Path, kind: str, edge: int, **settings: Any) -> None:
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": kind,
                "do_resize": True,
                "size": {"height": edge, "width": edge},
                "resample": 3,
                "do_center_crop": False,
                "do_rescale": True,
                "rescale_factor": 1 / 255,
                "do_normalize": True,
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.25, 0.25, 0.25],
                **settings,
            }
        )
    )


def tiny_clip(folder: Path, room: int = 12) -> Path:
    """Save a CLIP with two-layer towers, a word tokenizer and preprocessor settings."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    vocabulary = len(WORDS) + 3
    tower: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    text = {
        **tower,
        "vocab_size": vocabulary,
        "max_position_embeddings": room,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    vision = {**tower, "image_size": 32, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    model.save_pretrained(folder)
    write_tokenizer(folder)
    write_preprocessor(folder, "CLIPImageProcessor", 32)
    return folder


def write_tokenizer(folder: Path, words: Sequence[str] = ("<start>", "<end>", "<unknown>", *WORDS)) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 0), ("<end>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<start>",
        eos_token="<end>",
        pad_token="<end>",
        unk_token="<unknown>",
        additional_special_tokens=[word for word in words[3:] if word.startswith("<")],
    ).save_pretrained(folder)


def tiny_dinov2(folder: Path) -> Path:
    import torch
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=7
    )
    Dinov2Model(config).save_pretrained(folder)
    write_preprocessor(
        folder,
        "BitImageProcessor",
        28,
        size={"shortest_edge": 32},
        do_center_crop=True,
        crop_size={"height": 28, "width": 28},
    )
    return folder


def tiny_videomae(folder: Path, *, fine_tuned: bool = False, frames: int = 16) -> Path:
    import torch
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEModel

    torch.manual_seed(0)
    config = VideoMAEConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=32,
        patch_size=16,
        num_frames=frames,
        num_labels=5,
    )
    kind = VideoMAEForVideoClassification if fine_tuned else VideoMAEModel
    model = kind(config)
    if fine_tuned:
        torch.nn.init.uniform_(model.fc_norm.weight, 0.5, 1.5)
    model.save_pretrained(folder)
    write_preprocessor(folder, "VideoMAEImageProcessor", 32)
    return folder


def tiny_vjepa2(folder: Path, *, mask_tokens: int = 3) -> Path:
    """Save a V-JEPA 2 of random weights: 16 x 16 frames in patches of 8, two frames a tubelet."""
    import torch
    from transformers import VJEPA2Config, VJEPA2Model

    torch.manual_seed(0)
    config = VJEPA2Config(
        crop_size=16,
        patch_size=8,
        frames_per_clip=8,
        tubelet_size=2,
        hidden_size=24,
        num_attention_heads=2,
        num_hidden_layers=2,
        pred_hidden_size=24,
        pred_num_attention_heads=2,
        pred_num_hidden_layers=2,
        pred_num_mask_tokens=mask_tokens,
        pred_zero_init_mask_tokens=False,
    )
    model = VJEPA2Model(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    write_preprocessor(
        folder,
        "VJEPA2VideoProcessor",
        16,
        size={"shortest_edge": 18},
        resample=2,
        do_center_crop=True,
        crop_size={"height": 16, "width": 16},
    )
    return folder


def tiny_xclip(folder: Path, frames: int = 4) -> Path:
    """Save an X-CLIP of random weights whose windows have four frames of 32 x 32."""
    import torch
    from transformers import XCLIPConfig, XCLIPModel

    torch.manual_seed(0)
    tower: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    text = {**tower, "vocab_size": len(WORDS) + 3, "max_position_embeddings": 12}
    text |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    vision = {**tower, "image_size": 32, "patch_size": 16, "num_frames": frames}
    vision |= {"mit_hidden_size": 32, "mit_intermediate_size": 48, "mit_num_attention_heads": 2}
    config = XCLIPConfig(
        text_config=text,
        vision_config=vision,
        projection_dim=32,
        prompt_num_attention_heads=2,
        prompt_layers=1,
    )
    XCLIPModel(config).save_pretrained(folder)
    write_tokenizer(folder)
    write_preprocessor(folder, "VideoMAEImageProcessor", 32)
    return folder


def tiny_siglip(folder: Path, *, naflex: bool = False) -> Path:
    """Save a SigLIP of random weights, or a SigLIP 2 that reads frames of any aspect ratio as 16 patches."""
    import torch
    from transformers import Siglip2Config, Siglip2Model, SiglipConfig, SiglipModel

    torch.manual_seed(0)
    tower = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**tower, "vocab_size": len(WORDS) + 3, "max_position_embeddings": 8, "projection_size": 32}
    if naflex:
        vision = {**tower, "patch_size": 8, "num_patches": 16}
        Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)).save_pretrained(folder)
        write_preprocessor(folder, "Siglip2ImageProcessor", 32, resample=2, patch_size=8, max_num_patches=16)
    else:
        vision = {**tower, "image_size": 32, "patch_size": 16}
        SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
        write_preprocessor(folder, "SiglipImageProcessor", 32)
    write_tokenizer(folder)
    return folder


def tiny_blip(folder: Path) -> Path:
    """Save a BLIP captioner of random weights that says other words of other pictures."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    text = {**_TOWER, "vocab_size": len(WORDS) + 3, "bos_token_id": 0, "eos_token_id": 1, "sep_token_id": 1}
    text |= {"pad_token_id": 1, "encoder_hidden_size": 32, "projection_dim": 16}
    vision = {**_TOWER, "image_size": 32, "patch_size": 8, "projection_dim": 16}
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=16, image_text_hidden_size=16)
    _save_drawn(BlipForConditionalGeneration(config), folder)
    write_tokenizer(folder)
    write_preprocessor(folder, "BlipImageProcessor", 32)
    return folder


def tiny_git(folder: Path, frames: int = 3) -> Path:
    """Save a GIT of random weights that captions up to three frames at once."""
    from transformers import GitConfig, GitForCausalLM

    config = GitConfig(
        vision_config={**_TOWER, "image_size": 32, "patch_size": 8},
        **_TOWER,
        vocab_size=len(WORDS) + 3,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        num_image_with_embedding=frames,
    )
    _save_drawn(GitForCausalLM(config), folder)
    write_tokenizer(folder)
    write_preprocessor(folder, "CLIPImageProcessor", 32)
    return folder


def tiny_video_captioner(folder: Path, frames: int = 4) -> Path:
    """Save a VideoMAE with a GPT-2 after it, of random weights, that captions exactly four frames."""
    from transformers import GPT2Config, VideoMAEConfig, VisionEncoderDecoderConfig, VisionEncoderDecoderModel

    reader = VideoMAEConfig(**_TOWER, image_size=32, patch_size=16, num_frames=frames)
    writer = GPT2Config(
        n_embd=32,
        n_layer=2,
        n_head=2,
        vocab_size=len(WORDS) + 3,
        bos_token_id=0,
        eos_token_id=1,
        is_decoder=True,
        add_cross_attention=True,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(reader, writer)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 0, 1, 1
    model = VisionEncoderDecoderModel(config=config)
    model.generation_config.decoder_start_token_id = 0
    model.generation_config.pad_token_id = 1
    model.generation_config.eos_token_id = 1
    _save_drawn(model, folder)
    write_tokenizer(folder)
    write_preprocessor(folder, "VideoMAEImageProcessor", 32)
    return folder


CHAT_WORDS = (*WORDS, "yes", "no", "Yes", "No", "user", "assistant")
_CHAT = (
    "{% for m in messages %}{{ m['role'] }} {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image> {% else %}{{ c['text'] }} {% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}assistant {% endif %}"
)


def tiny_llava(folder: Path) -> Path:
    """Save a LLaVA of random weights with a chat template: 9 tokens an image of 32 x 32."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    words = ["<start>", "<end>", "<unknown>", "<image>", *CHAT_WORDS]
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**_TOWER, image_size=32, patch_size=8),
        text_config=LlamaConfig(
            **_TOWER,
            vocab_size=len(words),
            num_key_value_heads=2,
            max_position_embeddings=512,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        ),
        image_token_index=3,
    )
    _save_drawn(LlavaForConditionalGeneration(config), folder)
    write_tokenizer(folder, words)
    write_preprocessor(folder, "CLIPImageProcessor", 32, size={"shortest_edge": 32}, do_center_crop=True)
    settings = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    settings |= {"crop_size": {"height": 32, "width": 32}, "processor_class": "LlavaProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    processor = {"processor_class": "LlavaProcessor", "patch_size": 8, "image_token": "<image>"}
    processor |= {"vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    (folder / "processor_config.json").write_text(json.dumps(processor))
    (folder / "chat_template.jinja").write_text(_CHAT)
    return folder


def tiny_sentences(folder: Path, pooling: str | None = None) -> Path:
    """Save a BERT of random weights that reads twelve tokens, as a sentence encoder."""
    from transformers import BertConfig, BertModel

    config = BertConfig(**_TOWER, vocab_size=len(WORDS) + 3, max_position_embeddings=12, pad_token_id=1)
    _save_drawn(BertModel(config, add_pooling_layer=False), folder)
    write_tokenizer(folder)
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    return folder


_TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def _save_drawn(model: Any, folder: Path) -> None:
    """Draw weights large enough that another input gives other words, and save them."""
    import torch

    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "norm" not in name.lower():
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
