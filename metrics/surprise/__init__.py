"""Surprise: the distance of a clip from a video model's prediction, for single clips and matched pairs."""
