"""Bias audit: who is shown, compared with a named reference, and who is treated otherwise."""
