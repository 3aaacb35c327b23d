"""Votes of people on pairs of clips, and what they say of runs and measures."""
