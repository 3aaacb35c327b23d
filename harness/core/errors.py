"""Errors that a user can cause or mend, each with one clear sentence.

    ScreentestError            what is wrong and what to do, in one sentence
    |- UsageError              a name, an option or a file that the user can mend: exit code 2
    |- MediaError              a file that cannot be read as a video
    |- ServiceDown             a service that does not answer, or takes nothing for now: exit code 75
    |- TrackingError           an MLflow store that cannot be reached or refuses; the run itself is whole
    `- MissingWeightsError     weights that are not on this machine, and where to get them

The command line prints the sentence alone; a traceback appears only with ``--debug``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "MediaError",
    "MissingWeightsError",
    "ScreentestError",
    "ServiceDown",
    "TrackingError",
    "UsageError",
    "describe",
    "unknown_name",
]


class ScreentestError(Exception):
    """Carry one sentence that says what is wrong and what to do."""


class UsageError(ScreentestError):
    """Say that a name, option or file given by the user is wrong."""


class MediaError(ScreentestError):
    """Say why a file cannot be read as a video."""


class ServiceDown(ScreentestError):
    """Say that a service does not answer or takes nothing for now; the same command goes on later."""


class TrackingError(ScreentestError):
    """Say why a run could not be sent to MLflow; the run on disk is complete."""


class MissingWeightsError(UsageError):
    """Say which weights are missing, where they come from and where to put them."""


MOST_NAMES = 24
"""So many names, at most, are listed in one message."""


def unknown_name(
    kind: str,
    name: str,
    known: Iterable[str],
    *,
    of: str = "",
    shown_by: str = "screentest list",
    count: int | None = None,
) -> UsageError:
    """Build the error for a name that is not among ``known``, with the nearest names in it.

    Example:
        >>> print(unknown_name("suite", "refrence", ["reference", "videos"]))
        unknown suite 'refrence'; did you mean 'reference'? Known: reference, videos

    Args:
        kind: what is named, such as "suite".
        name: as given.
        known: the names that there are.
        of: what they belong to, to follow the name, such as "of the world 'stage'".
        shown_by: the command that lists all of them.
        count: how many it lists, where several of the names are of one; as many as names if None.

    Of more than `MOST_NAMES`, only the nearest names are in it, and how many there are.
    """
    names = sorted(known)
    what = f"{kind} {name!r}{of and ' '}{of}"
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.65)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    if len(names) <= MOST_NAMES:
        return UsageError(f"unknown {what}{hint} Known: {', '.join(names) or 'none'}")
    if not near:
        family = name.partition(".")[0] + "."
        same = [n for n in names if n.startswith(family)][:MOST_NAMES]
        hint = f". Those of its family: {', '.join(same)}." if same else "."
    return UsageError(f"unknown {what}{hint} There are {count or len(names)}; '{shown_by}' shows them")


def describe(error: BaseException) -> str:
    """Say in one line what went wrong; the class of an error that is not ours leads it."""
    message = " ".join(str(error).split()) or "no message"
    return message if isinstance(error, ScreentestError) else f"{type(error).__name__}: {message}"
