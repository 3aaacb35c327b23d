"""Memorisation and privacy: clips, captions and texts of the training set that a generator gives back."""
