"""What went wrong while clips were made: ``run.log`` in the run folder, and when to stop asking.

A failed item's reason, one sentence, is in the run; the log has what a person needs to mend it (a traceback).
Prompts are not written to it.
"""

from __future__ import annotations

import time
from pathlib import Path

from ..core.counts import counted
from ..core.errors import ScreentestError
from ..core.run_data import ClipRecord

__all__ = ["LOG", "GenerationLog"]

LOG = "run.log"


class GenerationLog:
    """Log the failures of a generator, and stop a run whose items all fail alike.

    Args:
        folder: of the run.
        stop_after: so many failures with the same reason, one item after another, stop the run; 0 never does.
        again: how to run again once the generator is mended.
    """

    def __init__(self, folder: Path, stop_after: int, again: str) -> None:
        self._path = folder / LOG
        self._stop_after = stop_after
        self._again = again
        self._reason = ""
        self._alike = 0

    def see(self, record: ClipRecord, details: str = "") -> None:
        """Log what came back for an item, if it failed; ``details`` are logged once for failures alike."""
        if record.outcome != "failed":
            self._alike = 0
            return
        self._alike = self._alike + 1 if record.reason == self._reason else 1
        self._reason = record.reason
        lines = [f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} item {record.item} failed: {record.reason}"]
        if details and self._alike == 1:
            lines.append(details.rstrip())
        with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(lines) + "\n")

    def check(self) -> None:
        """Stop where failures are alike.

        Raises:
            ScreentestError: the last `stop_after` items failed for one reason.
        """
        if self._stop_after and self._alike >= self._stop_after:
            raise ScreentestError(
                f"{counted(self._alike, 'item')} in a row failed for the same reason: {self._reason}; "
                "more is in "
                f"{self._path}. Mend the generator and run again {self._again} "
                "(--stop-after 0 goes on whatever fails)"
            )
