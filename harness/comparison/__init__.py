"""Comparisons of runs, item by item, with intervals clustered by prompt, and their power."""
