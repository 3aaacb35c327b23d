"""What a store and its library raise, as sentences that say what the user can mend."""

from __future__ import annotations

import errno
import re
from typing import Any, Final
from urllib.parse import urlsplit

from .errors import ScreentestError, ServiceDown, UsageError, describe

__all__ = ["lacks_bucket", "no_bucket", "store_error"]

_REFUSED: Final = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.EROFS,
        errno.EINVAL,
        errno.ENOSYS,
        getattr(errno, "EREMCHG", errno.EPERM),
    }
)
_USER: Final = re.compile(r"(?<=:)//[^/\s]*@")
"""The user name and password of an endpoint that is quoted in a message."""
_INSTALL: Final = {
    "s3": "pip install 'screentest[s3]'",
    "s3a": "pip install 'screentest[s3]'",
    "gs": "pip install gcsfs",
    "gcs": "pip install gcsfs",
    "az": "pip install adlfs",
    "abfs": "pip install adlfs",
}


def store_error(address: str, error: Exception) -> ScreentestError:
    """Give the error for what was raised while an address was asked.

    Returns:
        UsageError for what the user can mend: the address, credentials, rights, an extra; otherwise
        ServiceDown: the store does not answer, or not as it should.
    """
    if isinstance(error, ImportError):
        how = _INSTALL.get(urlsplit(address).scheme)
        more = f"install it: {how}" if how else f"install what reads it ({_short(error)})"
        return UsageError(f"{address} needs a package that is not installed; {more}")
    kind, why = type(error).__name__, _short(error)
    if "Credentials" in kind or "Token" in kind or "ProfileNotFound" in kind:
        return UsageError(
            f"there are no credentials for {address} ({why}); give them by the environment, such as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in ~/.aws"
        )
    if isinstance(error, NotImplementedError) or kind == "ClientResponseError":
        return UsageError(f"{address} is no store that can be written ({why})")
    if isinstance(error, PermissionError):
        return UsageError(
            f"access to {address} is refused ({why}); it needs the rights to read, write and list, "
            "and credentials that are valid"
        )
    if isinstance(error, TimeoutError) and not str(error):
        why = "no answer in time"
    refused = isinstance(error, OSError) and error.errno in _REFUSED
    if refused or isinstance(error, ValueError) or kind in ("ParamValidationError", "NoRegionError"):
        return UsageError(f"{address} cannot be used: {why}")
    return ServiceDown(
        f"{address} does not answer as it should ({why}); nothing is lost, and once it does, the "
        "same command goes on from here"
    )


def lacks_bucket(error: FileNotFoundError) -> bool:
    """Say whether what is missing is the whole bucket, and not an object in it."""
    told: Any = getattr(error.__cause__, "response", None)
    return isinstance(told, dict) and str(told.get("Error", {}).get("Code", "")) == "NoSuchBucket"


def no_bucket(address: str, error: Exception) -> UsageError:
    """Give the error for an address whose bucket there is not."""
    return UsageError(f"there is no bucket for {address} ({_short(error)}); create it, or name another")


def _short(error: BaseException) -> str:
    text = _USER.sub("//", describe(error))
    return text if len(text) <= 300 else f"{text[:300]}..."
