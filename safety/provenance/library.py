"""The C2PA library, imported where it is used: it comes with the extra ``c2pa``."""

from __future__ import annotations

import importlib
from types import ModuleType

from ...harness.core.errors import UsageError

__all__ = ["c2pa_library", "sdk_version"]

INSTALL = "pip install 'screentest[c2pa]'"


def c2pa_library() -> ModuleType:
    """Import c2pa-python.

    Raises:
        UsageError: it, or ``cryptography``, is not installed; the message names the command.
    """
    try:
        import c2pa

        importlib.import_module("cryptography.x509")
    except ImportError:
        raise UsageError(f"provenance is signed and verified by c2pa-python; {INSTALL} installs it") from None
    return c2pa


def sdk_version() -> str:
    """Return the version of the C2PA implementation, which decides what verifies.

    Raises:
        UsageError: it is not installed.
    """
    return str(c2pa_library().sdk_version())
