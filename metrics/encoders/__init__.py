"""Encoders: they read the pixels of a clip and compute its features."""
