"""Probes: what follows things through a clip, and what holds their ways against laws and prompts."""
