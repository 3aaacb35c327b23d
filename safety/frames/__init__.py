"""Frame judges: whether frames show forbidden content, and how often a judge is wrong."""
