"""The command `doctor`: what is installed, which weights are here, what is missing and where to get it."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import ScreentestError
from ..core.presentation import Table

__all__ = ["examine"]

_CORE = (
    "torch", "torchmetrics", "transformers", "scipy", "pandas", "nudenet", "onnxruntime", "mlflow", "av",
    "opencv-python-headless", "pydantic", "altair", "pymunk", "httpx2",
)  # fmt: skip


_EXTRAS = {
    "diffusers": "diffusers",
    "accelerate": "diffusers",
    "peft": "diffusers",
    "ray": "ray",
    "s3fs": "s3",
}
"""Library -> the extra that installs it."""


def examine() -> Table:
    """Check libraries, devices, weights and disk: a row each, ``ok`` or ``missing`` with what to do.

    A library of an extra that is not installed is ``optional``.
    """
    libraries = (*_libraries(), *_optional())
    rows = [("python", "ok", platform.python_version()), *libraries, *_device(), *_weights(), _disk()]
    missing = [row for row in rows if row[1] == "missing"]
    note = f"{len(missing)} missing" if missing else "everything that the packaged suites need is here"
    return Table("doctor", ("what", "state", "about"), rows, (note,))


def _libraries() -> Iterator[tuple[str, str, str]]:
    for name in _CORE:
        try:
            yield name, "ok", importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, "missing", f"pip install {name}"


def _optional() -> Iterator[tuple[str, str, str]]:
    for name, extra in _EXTRAS.items():
        try:
            yield name, "ok", importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, "optional", f"pip install 'screentest[{extra}]'"


def _device() -> Iterator[tuple[str, str, str]]:
    try:
        import torch
    except Exception as error:  # not installed, or one of its libraries cannot be loaded
        yield "device", "missing", f"torch cannot be imported: {_sentence(error)}"
        return
    if torch.cuda.is_available():
        yield "device", "ok", f"{torch.cuda.get_device_name()}, and {torch.get_num_threads()} CPU threads"
    else:
        yield "device", "ok", f"cpu, {torch.get_num_threads()} threads; no GPU"


def _weights() -> Iterator[tuple[str, str, str]]:
    from ...generators import make_generator
    from ...generators.reference.model.parts import CHECKPOINTS
    from ..catalog import ENCODERS, make_encoder

    for name in ENCODERS:
        entry = ENCODERS.get(name)
        source = "reference" if entry.takes_source else None
        try:
            if source is not None and not entry.shipped:
                yield f"encoder {name}", "ok", f"no weights ship with it, name a source: {entry.summary}"
                continue
            digest = make_encoder(name, source).digest
        except Exception as error:  # whatever is broken here is what the user wants to know
            yield f"encoder {name}", "missing", _sentence(error)
        else:
            yield f"encoder {name}", "ok", f"{source or 'built in'}, digest {digest[:12]}"
    for spec in (f"reference:{name}" for name in CHECKPOINTS):
        try:
            make_generator(spec).identity()
        except Exception as error:
            yield f"generator {spec}", "missing", _sentence(error)
        else:
            yield f"generator {spec}", "ok", "shipped"


def _sentence(error: Exception) -> str:
    message = " ".join(str(error).split())
    return message if isinstance(error, ScreentestError) else f"{type(error).__name__}: {message}"


def _disk() -> tuple[str, str, str]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    state = "ok" if free > 1 else "missing"
    return "disk", state, f"{free:.1f} GiB free where runs/ and cache/ go"
