"""The ``screentest`` command as ``python -m screentest``."""

from __future__ import annotations

from screentest.harness.commands.__main__ import main

if __name__ == "__main__":
    main()
