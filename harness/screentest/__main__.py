"""The ``screentest`` command as ``python -m screentest``."""

# Installed beside the folders that it names; in the source tree it lies elsewhere.
# pyright: reportMissingImports=false, reportUnknownVariableType=false

from __future__ import annotations

from .harness.commands.__main__ import main

if __name__ == "__main__":
    main()
