"""The catalogue: every measure and encoder that there is, of all the rooms that have some."""

from __future__ import annotations

from .. import safety  # its import announces its rooms, of which metrics, a floor below, does not know
from ..metrics import ENCODERS, MEASURES, encoder_of, encoder_roles, make_encoder

__all__ = ["ENCODERS", "MEASURES", "encoder_of", "encoder_roles", "make_encoder", "safety"]
