"""Counts in words: one of a thing is written in the singular."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun, or with its noun and verb.

    Args:
        count: how many there are.
        noun: for one.
        plural: for any other number; by default the noun with an s.

    Example:
        >>> counted(1, "job"), counted(0, "job"), counted(2, "item has", "items have")
        ('1 job', '0 jobs', '2 items have')
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
