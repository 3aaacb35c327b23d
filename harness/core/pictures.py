"""Still pictures: opened without being decoded, so that their size can be looked at first."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import MediaError
from .files import kind_of_file

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["open_picture"]


@contextmanager
def open_picture(path: Path) -> Generator[Image]:
    """Open a picture; the caller looks at its size before it reads pixels, however large it is.

    Raises:
        MediaError: it is not a file, or it cannot be read, by the caller neither.
    """
    from PIL import Image

    kind = kind_of_file(path)
    if kind is not None:
        raise MediaError(f"{path} is {kind}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(path)
        with opened as image:
            yield image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MediaError(f"{path} cannot be read: {reason}") from None
