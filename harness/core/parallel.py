"""Work on several things at once in threads: NumPy lets go of the interpreter while it draws and sums."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_threads"]

A = TypeVar("A")
B = TypeVar("B")


def in_threads(work: Callable[[A], B], jobs: Iterable[A]) -> list[B]:
    """Do pure work on each job, as many at once as there are processors; results keep the order of jobs."""
    listed = list(jobs)
    workers = min(len(listed), os.cpu_count() or 1)
    if workers < 2:
        return [work(job) for job in listed]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, listed))
