"""The ``screentest`` command, also as ``python -m screentest.harness.commands``.

Loading the command line takes a moment. Ctrl-C during it ends like Ctrl-C later, without a traceback.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_INTERRUPTED = 130  # 128 plus the signal's number, as in shells


def main() -> None:
    """Load the command line, run it, and exit with its code."""
    try:
        from .main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
