"""Settings of the training of a prompt filter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ...harness.core.config import Config

__all__ = ["PromptFilterSettings"]


class PromptFilterSettings(Config):
    """What can be set when a prompt filter is trained."""

    data: Path
    kind: Literal["ngram", "minilm"] = "ngram"
    seed: int = 0
    variants: int = Field(default=4, ge=1, description="styles in which each scene is written")
    fpr: float = Field(
        default=0.01, gt=0, lt=0.5, description="false alarms allowed on each source of benign scenes"
    )
    balance: float = Field(
        default=1.0, ge=0, le=1, description="a source weighs as its rows to this power; 0: all alike"
    )
    draws: int = Field(default=200, ge=20, description="of the bootstrap")
    disguises: bool = Field(default=True, description="whether the card says what disguises do")
    encoder: str | None = Field(default=None, description="folder or hub id of MiniLM")
    cache: Path | None = Field(default=None, description="folder of features of the encoder; by default OUT")
    l2: float = Field(default=1e-4, gt=0, description="of ngram: the penalty on n-grams")
    l2_words: float = Field(default=3e-2, gt=0, description="of ngram: the penalty on word vectors")
    steps: int = Field(default=80, ge=1, description="of ngram: the most iterations of a fit")
    buckets: int = Field(default=1 << 17, ge=2, le=1 << 18, description="of ngram: rows of its table")
    vectors: bool = Field(default=True, description="of ngram: whether words have vectors in training")
    width: int = Field(default=256, ge=1, le=1024, description="of minilm: hidden units of each network")
    epochs: int = Field(default=12, ge=1, description="of minilm: passes over the rows")
