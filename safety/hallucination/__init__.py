"""Hallucination audit: what nobody asked for and is there, and what was asked for and is not."""
