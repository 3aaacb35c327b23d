"""Pipelines of the library diffusers as generators: any that makes video from text or from an image."""

from __future__ import annotations
