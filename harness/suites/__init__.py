"""Suites: the packaged ones, and how suite files are read, checked, translated and cut to a part."""
