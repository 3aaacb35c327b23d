"""Captions of clips by a captioner, and what they have in common with the prompt."""
