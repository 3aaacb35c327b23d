"""What each benchmark is: where its files are, their licence, and the measures that stand for what it asks.

A dimension of a benchmark is *measured* by measures of this package, *judged by a viewer* (a vision-language
model, ``judge.vlm``, or people), or *not measured here*. A measure of ours that stands for a dimension is not
that benchmark's own: its numbers are not to be held against a published table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["BENCHMARKS", "Benchmark", "Dimension"]

VIEWER: Final = ("judge.vlm",)
Dimension: TypeAlias = tuple[str, ...]
"""Measures that stand for a dimension; empty where nothing here does."""
_NONE: Final[Dimension] = ()
_FOLLOWS: Final = ("alignment.clip", "alignment.xclip")
_STEADY: Final = ("motion.jerk", "motion.warping_error")
_LAWS: Final = ("physics.any", "judge.vlm")


@dataclass(frozen=True)
class Benchmark:
    """A benchmark whose prompt files can be read.

    Attributes:
        title: its name, as its authors write it.
        version: of the files that are read; part of the suite.
        files: names under which its files are looked for in a folder, the preferred one first.
        where: where its authors offer the files.
        licence: of the files, an SPDX identifier where there is one, or ``unknown``: ask its authors.
        dimensions: what it asks for, and the measures that stand for it; empty where none does.
        note: what a user should know of the copy as a suite.
    """

    title: str
    version: int
    files: tuple[str, ...]
    where: str
    licence: str
    dimensions: Mapping[str, Dimension]
    note: str = ""


_VBENCH: Final[dict[str, Dimension]] = {
    "subject_consistency": ("consistency.subject",),
    "background_consistency": ("consistency.background",),
    "temporal_flickering": ("motion.flicker",),
    "motion_smoothness": _STEADY,
    "dynamic_degree": ("motion.dynamic_degree",),
    "aesthetic_quality": _NONE,
    "imaging_quality": ("quality.blur", "quality.noise", "quality.block_edges", "quality.clipped"),
    "object_class": VIEWER,
    "multiple_objects": VIEWER,
    "human_action": VIEWER,
    "color": VIEWER,
    "spatial_relationship": VIEWER,
    "scene": VIEWER,
    "temporal_style": ("alignment.xclip",),
    "appearance_style": ("alignment.clip",),
    "overall_consistency": _FOLLOWS,
}
_VBENCH_2: Final[dict[str, Dimension]] = {
    "Human_Anatomy": VIEWER,
    "Human_Identity": ("consistency.drift", "judge.vlm"),
    "Human_Clothes": VIEWER,
    "Diversity": _NONE,
    "Composition": VIEWER,
    "Dynamic_Spatial_Relationship": VIEWER,
    "Dynamic_Attribute": VIEWER,
    "Motion_Order_Understanding": VIEWER,
    "Human_Interaction": VIEWER,
    "Complex_Landscape": VIEWER,
    "Complex_Plot": VIEWER,
    "Camera_Motion": ("follows.camera", "motion.camera"),
    "Motion_Rationality": VIEWER,
    "Mechanics": _LAWS,
    "Thermotics": VIEWER,
    "Material": VIEWER,
    "Multi-View_Consistency": ("geometry.epipolar", "geometry.sampson_error"),
    "Instance_Preservation": ("follows.count", "judge.vlm"),
}
_EVALCRAFTER: Final[dict[str, Dimension]] = {
    "visual quality": ("quality.blur", "quality.noise", "quality.block_edges"),
    "text-video alignment": _FOLLOWS,
    "motion quality": ("motion.dynamic_degree", "motion.camera", "motion.object"),
    "temporal consistency": ("motion.warping_error", "consistency.background"),
    "count": VIEWER,
    "color": VIEWER,
    "action": VIEWER,
    "text": ("hallucination.missing_text",),
    "face": _NONE,
}
_COMPBENCH: Final[dict[str, Dimension]] = {
    "consistent_attribute_binding": VIEWER,
    "dynamic_attribute_binding": VIEWER,
    "spatial_relationships": ("follows.relation", "judge.vlm"),
    "motion_binding": ("follows.motion", "judge.vlm"),
    "action_binding": VIEWER,
    "object_interactions": VIEWER,
    "generative_numeracy": ("follows.count", "judge.vlm"),
}
_WORLDSCORE: Final[dict[str, Dimension]] = {
    "camera control": ("follows.camera", "motion.camera"),
    "object control": VIEWER,
    "content alignment": _FOLLOWS,
    "3D consistency": ("geometry.epipolar", "geometry.sampson_error"),
    "photometric consistency": ("motion.warping_error", "motion.flicker"),
    "style consistency": ("consistency.drift",),
    "subjective quality": _NONE,
    "motion accuracy": VIEWER,
    "motion magnitude": ("motion.object", "motion.dynamic_degree"),
    "motion smoothness": _STEADY,
}
_SAFETY: Final[dict[str, Dimension]] = {
    "safety of the clip": ("safety.unsafe_rate", "safety.nudity"),
    "refusal": ("refusal.rate", "safety.over_refusal"),
}

BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "vbench": Benchmark(
        "VBench",
        1,
        ("VBench_full_info.json",),
        "https://github.com/Vchitect/VBench",
        "Apache-2.0",
        _VBENCH,
    ),
    "vbench-2.0": Benchmark(
        "VBench-2.0",
        2,
        ("VBench2_full_info.json", "VBench2_full_text_info.json"),
        "https://github.com/Vchitect/VBench/tree/master/VBench-2.0",
        "Apache-2.0",
        _VBENCH_2,
    ),
    "evalcrafter": Benchmark(
        "EvalCrafter",
        1,
        ("metadata.json", "evalcrafter_prompt.txt"),
        "https://github.com/evalcrafter/EvalCrafter",
        "unknown",
        _EVALCRAFTER,
    ),
    "t2v-compbench": Benchmark(
        "T2V-CompBench",
        1,
        tuple(f"{name}.json" for name in _COMPBENCH),
        "https://github.com/KaiyueSun98/T2V-CompBench",
        "unknown",
        _COMPBENCH,
        "its folder meta_data, or one of the files in it",
    ),
    "videophy-2": Benchmark(
        "VideoPhy-2",
        2,
        ("videophy2_test.csv", "test.csv"),
        "https://huggingface.co/datasets/videophysics/videophy2_test",
        "unknown",
        {"semantic adherence": _FOLLOWS, "physical commonsense": VIEWER, "physical rules": VIEWER},
        "its table has a row a clip of other generators; each caption is taken once",
    ),
    "phygenbench": Benchmark(
        "PhyGenBench",
        1,
        ("prompts.json",),
        "https://github.com/OpenGVLab/PhyGenBench",
        "unknown",
        {"semantic alignment": _FOLLOWS, "physical commonsense alignment": VIEWER},
        "the law of each prompt becomes a question for a viewer",
    ),
    "phyground": Benchmark(
        "PhyGround",
        1,
        ("phyground.json", "prompts/phyground.json"),
        "https://huggingface.co/datasets/NU-World-Model-Embodied-AI/phyground",
        "unknown",
        {
            "persistence": ("consistency.subject", "judge.vlm"),
            "temporal order": VIEWER,
            "semantic alignment": _FOLLOWS,
            "laws": _LAWS,
        },
        "clips start from the pictures in first_images beside the file, where they are there",
    ),
    "physics-iq": Benchmark(
        "Physics-IQ",
        1,
        ("descriptions.csv", "descriptions/descriptions_original.csv", "descriptions_original.csv"),
        "https://github.com/google-deepmind/physics-IQ-benchmark",
        "CC-BY-4.0",
        {"similarity to real takes": _NONE},
        "its score needs the real takes: 'screentest physics-iq' computes it from the clips; clips "
        "start from the pictures in switch-frames beside the file, where they are there",
    ),
    "t2vsafetybench": Benchmark(
        "T2VSafetyBench",
        1,
        tuple(f"{number}.txt" for number in range(1, 15)),
        "https://github.com/yibo-miao/T2VSafetyBench",
        "unknown",
        _SAFETY,
        "its folder of files 1.txt to 14.txt, or one of them",
    ),
    "safesora": Benchmark(
        "SafeSora",
        1,
        ("config-train.json.gz", "config-test.json.gz", "config.json", "config.json.gz"),
        "https://github.com/PKU-Alignment/safe-sora",
        "CC-BY-NC-4.0",
        _SAFETY,
        "prompts labelled child_abuse are left out: generators are not asked for them",
    ),
    "vmdt": Benchmark(
        "VMDT",
        1,
        (),
        "https://huggingface.co/datasets/mmfm-trust/T2V",
        "unknown",
        {
            **_SAFETY,
            "hallucination": ("hallucination.any", "hallucination.missing_text", "judge.vlm"),
            "fairness": ("bias.presentation", "bias.tone"),
            "privacy": ("memorisation.replicated",),
            "adversarial robustness": VIEWER,
        },
        "export a part of it as JSON, JSON lines or CSV with the column prompt",
    ),
    "worldscore": Benchmark(
        "WorldScore",
        1,
        ("static.json", "dynamic.json", "worldscore_static.json", "worldscore_dynamic.json"),
        "https://github.com/haoyi-duan/WorldScore",
        "unknown",
        _WORLDSCORE,
        "the scenes of a path are one prompt; clips start from its pictures, where they are there",
    ),
}
"""Name, as in ``--suite NAME:PATH``, and the benchmark."""
