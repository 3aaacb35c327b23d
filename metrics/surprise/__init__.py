"""Surprise: how far a clip is from what a video model predicts, for single clips and for matched pairs."""
