"""Hallucination: what a clip shows that nobody asked for, and what was asked for and is not there."""
