"""Runs and comparisons in MLflow: projections of what is on disk."""
