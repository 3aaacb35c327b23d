"""Detectors of generated video, and how they are tried: whole generators and real sources held out."""
