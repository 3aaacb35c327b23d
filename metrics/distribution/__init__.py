"""Distances between the features of two sets of clips."""
