"""Simulated worlds with known ground truth, behind one protocol."""
