"""Policies: the packaged ones, their rules as written, and how a value is held to a limit."""
