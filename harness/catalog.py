"""Add the rooms of all built-in measures and encoders to the registries."""

from __future__ import annotations

from .. import safety  # its import announces its rooms, of which metrics, a floor below, does not know
from ..metrics import ENCODERS, MEASURES, encoder_of, encoder_roles, make_encoder, role_of

__all__ = ["ENCODERS", "MEASURES", "encoder_of", "encoder_roles", "make_encoder", "role_of", "safety"]
