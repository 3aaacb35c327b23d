"""Measures of single clips: alignment with the prompt, consistency, motion, refusals and failures."""
