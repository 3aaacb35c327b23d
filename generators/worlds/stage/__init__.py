"""The world `stage`: scenes in three dimensions, with the mechanics and pictures of MuJoCo."""

from __future__ import annotations

from .draw import can_draw
from .families import FAMILIES, sample_scene
from .scene import NATIVE_CLIPS, STAGE_VERSION, Camera, Scene, Violation
from .truth import StageTruth, expectation, projected, truth_of
from .violations import BREAKABLE, LAWS, violate
from .world import Stage

__all__ = [
    "BREAKABLE",
    "FAMILIES",
    "LAWS",
    "NATIVE_CLIPS",
    "STAGE_VERSION",
    "Camera",
    "Scene",
    "Stage",
    "StageTruth",
    "Violation",
    "can_draw",
    "expectation",
    "projected",
    "sample_scene",
    "truth_of",
    "violate",
]
