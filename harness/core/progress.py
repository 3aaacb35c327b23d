"""Progress of long work on stderr: a bar on a terminal, elsewhere a plain line about every 10 s."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol, TextIO

from .text import printable

__all__ = ["Ticker", "note", "track"]

_EVERY_S = 10.0


class Ticker(Protocol):
    """A counter of finished work."""

    def advance(self, done: int = 1) -> None:
        """Add ``done`` to the count."""
        ...


def note(text: str) -> None:
    """Print one line on stderr."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


@contextmanager
def track(what: str, total: int, *, stream: TextIO | None = None) -> Generator[Ticker]:
    """Show how many of ``total`` are done and the time left, while the block runs."""
    out = stream or sys.stderr
    if not out.isatty():
        yield _Lines(what, total, out)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=out)) as bar:
        task = bar.add_task(what, total=total)

        class _Bar:
            def advance(self, done: int = 1) -> None:
                bar.advance(task, done)

        yield _Bar()


class _Lines:
    def __init__(self, what: str, total: int, out: TextIO) -> None:
        self._what, self._total, self._out = what, total, out
        self._done = 0
        self._began = self._said = time.monotonic()

    def advance(self, done: int = 1) -> None:
        self._done += done
        now = time.monotonic()
        finished = self._done >= self._total
        if not finished and now - self._said < _EVERY_S:
            return
        self._said = now
        each = (now - self._began) / max(1, self._done)
        left = (
            f"took {now - self._began:.0f} s"
            if finished
            else f"about {each * (self._total - self._done):.0f} s left"
        )
        self._out.write(f"{self._what}: {self._done} of {self._total}, {left}\n")
        self._out.flush()
