"""Worlds: simulated scenes of which everything is known, behind one protocol."""
