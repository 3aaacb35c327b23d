"""The catalogue: every measure and encoder that there is, of all the rooms that have some."""

from __future__ import annotations

from ..metrics import ENCODERS, MEASURES, encoder_of, encoder_roles, make_encoder

__all__ = ["ENCODERS", "MEASURES", "encoder_of", "encoder_roles", "make_encoder"]
