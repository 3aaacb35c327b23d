"""Options and output that the commands share. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.specs import parse_pair
from ..core.text import printable

if TYPE_CHECKING:
    from ..core.presentation import Table
    from ..execution.workers import Workers
    from ..run import Settings
    from ..suites.suite import ReferenceSet, Suite

__all__ = [
    "AsJson",
    "Cache",
    "ClipsOption",
    "Confidence",
    "Device",
    "DeviceOption",
    "Dtype",
    "DtypeOption",
    "EncoderOption",
    "GpusPerWorker",
    "MeasuresOption",
    "Plugins",
    "RayAddress",
    "ReferenceSetOption",
    "ThresholdsOption",
    "TrackingUri",
    "WorkersOption",
    "adjusted",
    "check_address",
    "extra_options",
    "files_named",
    "load_plugins",
    "print_json",
    "print_table",
    "print_tables",
    "references",
    "refuse_other_ending",
    "say",
    "settings",
    "warn",
]


class Device(StrEnum):
    """The device that models run on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Dtype(StrEnum):
    """The floating-point type of weights and activations."""

    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Cache = Annotated[
    str,
    typer.Option(
        metavar="DIR|URL",
        help="Feature cache: a folder, or a prefix of an object store.",
        envvar="SCREENTEST_CACHE",
    ),
]
ClipsOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|URL",
        help="Where a new run stores its clips if not in its own folder: another folder, or a prefix of an "
        "object store, such as s3://bucket/prefix.",
    ),
]
Confidence = Annotated[float, typer.Option(min=0.5, max=0.9999, help="Confidence of the intervals.")]
DeviceOption = Annotated[Device, typer.Option(help="Device that models run on.")]
DtypeOption = Annotated[Dtype, typer.Option(help="Type of weights and activations.")]
EncoderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder", metavar="ROLE=SOURCE", help="Encoder of a role: reference, a hub id or a folder."
    ),
]
MeasuresOption = Annotated[
    list[str] | None,
    typer.Option(
        "--measures",
        "-m",
        metavar="NAME,...",
        help="Measures, separated by commas, instead of the suite's; +NAME adds one to them.",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="FILE", help="Python file with measures, encoders or generators to add."
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option("--workers", min=1, max=4096, help="Processes that generate and score; 2 or more need Ray."),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", metavar="HOST:PORT", help="Ray cluster to work on; auto finds one here."),
]
GpusPerWorker = Annotated[
    float,
    typer.Option("--gpus-per-worker", min=0, help="GPUs that a worker asks for; with 0.5, two share one."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads of PyTorch; stored in the run's record.")
]
ThresholdsOption = Annotated[
    Path | None,
    typer.Option(
        "--thresholds", help="Thresholds file of the laws; by default the suite's, else the packaged one."
    ),
]
ReferenceSetOption = Annotated[
    Path | None,
    typer.Option(
        "--reference-set",
        metavar="DIR",
        help="Folder of real videos, instead of the suite's set.",
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        envvar="MLFLOW_TRACKING_URI",
        help="MLflow server or database; by default mlflow.db beside the run; 'none' turns MLflow off.",
    ),
]


def adjusted(
    suite: Suite,
    measures: list[str] | None,
    encoders: list[str] | None,
    thresholds: Path | None = None,
    reference_set: Path | None = None,
) -> Suite:
    """Replace the suite's measures, encoders, thresholds and reference set by those of the command line."""
    changes: dict[str, Any] = {}
    if measures:
        names = [name.strip() for part in measures for name in part.split(",")]
        if not all(names):
            raise UsageError(f"--measures {','.join(measures)!r} should be names with commas between them")
        added = [name.removeprefix("+") for name in names if name.startswith("+")]
        chosen = [name for name in names if not name.startswith("+")] or list(suite.measures)
        changes["measures"] = tuple(dict.fromkeys([*chosen, *added]))
    for pair in encoders or []:
        role, source = parse_pair(pair, "--encoder", "ROLE=SOURCE", "clip=reference")
        from ..catalog import encoder_roles
        from ..core.errors import unknown_name

        if role not in encoder_roles():
            raise unknown_name("encoder role", role, encoder_roles())
        changes["encoders"] = {**suite.encoders, **changes.get("encoders", {}), role: source}
    if thresholds is not None:
        changes["thresholds"] = str(thresholds)
    if reference_set is not None:
        from ..suites.suite import DEFAULT_SET, ReferenceSet

        if not reference_set.is_dir():
            raise UsageError(f"--reference-set {reference_set}: there is no such folder of videos")
        changes["reference_set"] = ReferenceSet(folder=str(reference_set))
        others = {name: one for name, one in suite.reference_sets.items() if name != DEFAULT_SET}
        changes["reference_sets"] = others
    return suite.model_copy(update=changes)


def check_address(tracking_uri: str | None) -> None:
    """Refuse an MLflow address at which no run can be kept, before any work is done.

    Raises:
        UsageError: with the address to give.
    """
    from ..core.mlflow_store import wrong_address

    wrong = wrong_address(tracking_uri) if tracking_uri not in (None, "none") else None
    if wrong is not None:
        raise UsageError(wrong)


def settings(
    cache: str, device: str, dtype: str, threads: int | None, workers: Workers | None = None
) -> Settings:
    """Collect the settings of a run that are not part of its suite."""
    from ...metrics.encoders.base import EncoderOptions
    from ..execution.workers import Workers
    from ..run import Settings

    return Settings(cache, EncoderOptions(device, dtype), threads=threads, workers=workers or Workers())


def references(pairs: list[str] | None) -> dict[str, ReferenceSet]:
    """Read the named folders of videos of ``--reference NAME=DIR``.

    Raises:
        UsageError: a pair is malformed, or names no folder.
    """
    from ..suites.suite import ReferenceSet

    found: dict[str, ReferenceSet] = {}
    for pair in pairs or ():
        name, place = parse_pair(pair, "--reference", "NAME=DIR", "train=path/to/videos")
        if not Path(place).is_dir():
            raise UsageError(f"--reference {pair!r}: there is no such folder of videos")
        found[name] = ReferenceSet(folder=place)
    return found


def load_plugins(files: list[Path] | None) -> None:
    """Load installed plugins, with a warning for each that fails, and the files that the user named."""
    from ..plugins import load_entry_points, load_files

    for problem in load_entry_points():
        warn(f"warning: {problem}")
    load_files(files or [])


def extra_options(words: list[str]) -> dict[str, str]:
    """Read ``--steps 10 --seed 3`` as a mapping; the training configuration checks names and values."""
    options: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not (equals or rest):
            raise UsageError(f"{word!r} is not an option with a value, such as --steps 1000")
        options[name.replace("-", "_")] = value if equals else rest.pop(0)
    return options


def files_named(text: str) -> list[str]:
    """List what may be files in ``FILE``, ``FILE,FILE``, ``KIND:FILE`` and ``FILE:NAME``."""
    parts = [text, *text.split(",")]
    return [one for part in parts for one in (part, part.partition(":")[2], part.rpartition(":")[0]) if one]


def refuse_other_ending(file: Path) -> None:
    """Refuse a file to write that is not YAML by its name."""
    if file.suffix not in (".yaml", ".yml"):
        raise UsageError(f"the file {file} should end in .yaml")


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    text = json.dumps(value, indent=1, ensure_ascii=False, default=_plain)
    # JSON itself escapes the control characters up to U+001F alone.
    sys.stdout.write(re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def _plain(value: Any) -> Any:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def print_table(table: Table, as_json: bool = False) -> None:
    """Print a table, or its rows as JSON."""
    if as_json:
        print_json(table.records())
    else:
        from .terminal import print_rows

        print_rows(table)


def print_tables(tables: Iterable[Table], as_json: Any = None) -> None:
    """Print tables one below the other; or, where there is one, their JSON instead."""
    if as_json is not None:
        print_json(as_json)
    else:
        for table in tables:
            print_table(table)


def say(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(printable(text) + "\n")
    sys.stdout.flush()  # 'view' says where it serves and then waits, perhaps into a file


def warn(text: str) -> None:
    """Print a line to stderr."""
    sys.stderr.write(printable(text) + "\n")
