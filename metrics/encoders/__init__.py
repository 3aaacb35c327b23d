"""Encoders: everything that reads the pixels of a clip, and the features that it gives."""
