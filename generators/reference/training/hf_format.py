"""Saving of small trained models in the Hugging Face format, so that they load like the big ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.checkpoint import write_beside

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["save_halves", "write_json"]


def save_halves(model: PreTrainedModel, folder: Path) -> None:
    """Save weights in float16, to be loaded as float32."""
    copy.deepcopy(model).cpu().half().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["dtype"] = "float32"
    write_json(folder / "config.json", config)


def write_json(path: Path, body: object) -> None:
    """Write indented JSON, whole or not at all."""
    text = json.dumps(body, indent=2, sort_keys=True) + "\n"
    write_beside(path, lambda beside: beside.write_text(text, "utf-8"))
