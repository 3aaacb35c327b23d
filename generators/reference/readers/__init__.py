"""Readers of generated clips: shape, color, motion, people and copies, by the world's geometry."""
