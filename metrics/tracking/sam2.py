"""Masks of objects through a clip by SAM 2, from a box in the frame of their first detection.

The library's video model gets one frame at a time, and keeps only the past frames that it attends to, so that
memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders.base import EncoderOptions
from ..encoders.weights import find_weights, load_model, model_type, torch_device, torch_dtype

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json

__all__ = ["MaskOfFrame", "Masker", "MaskerRun"]

_VERSION: Final = 1
_MEAN: Final = (0.485, 0.456, 0.406)
_STD: Final = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet, with which every SAM 2 was trained."""
_CORNERS: Final = ((2, 3),)  # the model's prompt labels of the two corners of a box


@dataclass(frozen=True)
class MaskOfFrame:
    """One object in one frame: its mask (H, W), and the model's confidence that it is there, in [0, 1]."""

    mask_HW: NDArray[np.bool_]
    confidence: float


class Masker:
    """A SAM 2 video model.

    Args:
        source: a folder or a hub id of a ``sam2_video`` model.
        options: device and dtype.

    Raises:
        UsageError: another kind of model.
        MissingWeightsError: the weights are not on this machine.
    """

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self.options = options
        self._weights = find_weights("tracks", source)
        model_type(self._weights, "tracks", ("sam2_video",), "follows masks by")

    @cached_property
    def _identity(self) -> Mapping[str, Json]:
        return {"masks": _VERSION, "weights": self._weights.digest}

    def identity(self) -> Mapping[str, Json]:
        """List the version and the digest of the weights."""
        return self._identity

    @cached_property
    def model(self) -> Any:
        """The model, loaded at first use."""
        from transformers import Sam2VideoModel

        return load_model(self._weights, Sam2VideoModel, self.options)

    def open(self) -> MaskerRun:
        """Start a clip."""
        return MaskerRun(self)


class MaskerRun:
    """Segments one clip, frame by frame."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._session: Any = None
        self._number = -1

    @property
    def things(self) -> int:
        """Number of tracked objects; they are numbered from 0 in the order of adding."""
        return 0 if self._session is None else int(self._session.get_obj_num())

    def next(
        self, frame_HWC: NDArray[np.uint8], boxes_M4: NDArray[np.float64], size: tuple[int, int]
    ) -> list[MaskOfFrame | None]:
        """Take the next frame, and boxes of new objects in it; return the mask of every object.

        An object that the model calls occluded is None. Masks have the height and width of ``size``.
        """
        self._number += 1
        height, width = frame_HWC.shape[:2]
        if self._session is None:
            if not len(boxes_M4):
                return []
            self._session = self._opened(height, width)
        session = self._session
        self._add(boxes_M4, height, width)
        output = self._masker.model(session, frame_idx=self._number, frame=self._pixels(frame_HWC))
        self._forget()
        logits = _resized(output.pred_masks, size)
        sure = output.object_score_logits.float().sigmoid().reshape(-1).tolist()
        return [
            MaskOfFrame(mask, float(score)) if score > 0.5 and mask.any() else None
            for mask, score in zip(logits > 0, sure, strict=True)
        ]

    def _opened(self, height: int, width: int) -> Any:
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        device, dtype = torch_device(self._masker.options), torch_dtype(self._masker.options)
        return Sam2VideoInferenceSession(
            video_height=height,
            video_width=width,
            dtype=dtype,
            **dict.fromkeys(("inference_device", "inference_state_device", "video_storage_device"), device),
        )

    def _add(self, boxes_M4: NDArray[np.float64], height: int, width: int) -> None:
        """Add objects by the two corners of their boxes, in pixels of the model's square input."""
        import torch

        session, side = self._session, self._side
        fresh = list(range(self.things, self.things + len(boxes_M4)))
        scale = np.array([side / width, side / height] * 2)
        for thing, box in zip(fresh, boxes_M4 * scale, strict=True):
            place = session.obj_id_to_idx(thing)
            corners = torch.tensor(box.reshape(1, 1, 2, 2), dtype=torch.float32)
            labels = torch.tensor([_CORNERS], dtype=torch.int32)
            session.add_point_inputs(place, self._number, {"point_coords": corners, "point_labels": labels})
        session.obj_with_new_inputs = fresh

    @property
    def _side(self) -> int:
        size = self._masker.model.config.image_size
        return int(size if isinstance(size, int) else size[0])

    def _pixels(self, frame_HWC: NDArray[np.uint8]) -> torch.Tensor:
        """Resize to the model's square input (bilinear), and normalise."""
        import torch
        from torch.nn.functional import interpolate

        device = torch_device(self._masker.options)
        x_BCHW = torch.tensor(frame_HWC, device=device).permute(2, 0, 1)[None].float() / 255
        x_BCHW = interpolate(x_BCHW, size=(self._side, self._side), mode="bilinear", antialias=True)
        mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (_MEAN, _STD))
        return (x_BCHW - mean) / std

    def _forget(self) -> None:
        """Drop the frames and memories that the model no longer attends to."""
        session, config = self._session, self._masker.model.config
        session.processed_frames.pop(self._number)
        oldest = self._number - max(int(config.num_maskmem), int(config.max_object_pointers_in_encoder))
        for memories in session.output_dict_per_obj.values():
            memories["non_cond_frame_outputs"].pop(oldest, None)
        for tracked in session.frames_tracked_per_obj.values():
            tracked.pop(oldest, None)


def _resized(masks: torch.Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize the logits of masks (N, 1, h, w), bilinear: (N, H, W)."""
    from torch.nn.functional import interpolate

    whole = interpolate(masks.float(), size=size, mode="bilinear", align_corners=False)
    return np.asarray(whole[:, 0].cpu().numpy(), np.float32)
