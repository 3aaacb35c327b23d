"""Load ``NAME:PATH``, a user's own copy of a benchmark, as a suite; nothing is fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from ...core.config import explain
from ...core.errors import UsageError
from ...core.items import Prompt
from ...core.keys import digest, file_sha256
from ...core.labels import merge_labels
from ...core.text import control_character
from ..suite import Suite
from .described import BENCHMARKS, Benchmark
from .formats import READERS, Read
from .rows import script_of

__all__ = ["benchmark_of", "benchmark_suite", "dimension_rows", "weightless"]

_ALWAYS = ("motion.flicker", "failure.rate", "refusal.rate")


def benchmark_of(name: str) -> tuple[str, Path] | None:
    """Split ``NAME:PATH``; None where the name is no benchmark's."""
    kind, colon, path = name.partition(":")
    return (kind, Path(path).expanduser()) if colon and kind in BENCHMARKS else None


def weightless(benchmark: Benchmark) -> tuple[str, ...]:
    """List the measures of a benchmark that need no weights of the user's choice."""
    from ...catalog import MEASURES, encoder_of, role_of

    wanted = dict.fromkeys(name for of in benchmark.dimensions.values() for name in of)
    found = [
        name
        for name in wanted
        if not any(role_of(encoder_of(need)) for need in MEASURES.get(name).needs)
        and not MEASURES.get(name).settings
    ]
    return tuple(dict.fromkeys([*found, *_ALWAYS]))


def benchmark_suite(kind: str, path: Path) -> Suite:
    """Read a copy of a benchmark: a file of it, or the folder that has its files.

    Its measures are those that need no weights; `described` names the others.

    Raises:
        UsageError: there is no such file, it is of another benchmark or version, or a row lacks something.
    """
    benchmark = BENCHMARKS[kind]
    files = _files(benchmark, path)
    found = Read()
    for file in files:
        _read(kind, file, found)
    prompts = tuple(_distinct(found))
    if not prompts:
        raise UsageError(f"{path} has no prompts of {benchmark.title}")
    shas = [file_sha256(file) for file in files]
    sha = shas[0] if len(shas) == 1 else digest("benchmark files", {"sha256": shas})
    said = [
        f"{benchmark.title}: {files[0].name if len(files) == 1 else f'{len(files)} files'}",
        f"sha256 {sha}",
        f"licence {benchmark.licence}",
        *([benchmark.note] if benchmark.note else []),
    ]
    other = Counter(script for p in prompts if (script := p.label("script")))
    if other:
        said.append("in other scripts: " + ", ".join(f"{n} {script}" for script, n in sorted(other.items())))
    if found.left_out:
        said.append("left out: " + ", ".join(f"{n} {why}" for why, n in found.left_out.items()))
    try:
        return Suite(
            name=kind,
            version=benchmark.version,
            description="; ".join(said),
            prompts=prompts,
            measures=weightless(benchmark),
        )
    except ValidationError as error:
        raise UsageError(f"{path}: {explain(error, Suite)}") from None


def _files(benchmark: Benchmark, path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise UsageError(
            f"there is no file {path}; {benchmark.title} is offered at {benchmark.where}, and "
            "nothing is fetched"
        )
    there = [path / name for name in benchmark.files if (path / name).is_file()]
    if not there:
        names = ", ".join(benchmark.files) or "one of your own export"
        raise UsageError(
            f"the folder {path} has no file of {benchmark.title} ({names}); it is offered at "
            f"{benchmark.where}"
        )
    several = benchmark.title in ("T2V-CompBench", "T2VSafetyBench", "SafeSora", "WorldScore")
    return there if several else there[:1]


def _read(kind: str, file: Path, found: Read) -> None:
    try:
        READERS[kind](file, found)
    except ValidationError as error:
        raise UsageError(f"{file}: {explain(error, Prompt)}") from None


def _distinct(found: Read) -> Iterator[Prompt]:
    """Take each prompt once, with the labels of all its rows; note the script of those that are not Latin."""
    first: dict[tuple[str, str | None], Prompt] = {}
    for prompt in found.prompts:
        if control_character(prompt.text) is not None:
            found.leave("with control characters")
            continue
        key = (prompt.text, prompt.image)
        if key in first:
            found.leave("that repeat a prompt")
            kept = {name: values for name, values in prompt.labels.items() if name not in ("id", "base")}
            first[key] = first[key].model_copy(update={"labels": merge_labels(first[key].labels, kept)})
        else:
            first[key] = prompt
    for prompt in first.values():
        script = script_of(prompt.text)
        if script in ("", "latin"):
            yield prompt
        else:
            yield prompt.model_copy(update={"labels": {**prompt.labels, "script": (script,)}})


def dimension_rows(kind: str) -> Sequence[tuple[str, str, str]]:
    """List the dimensions of a benchmark, how each is measured here, and what that needs."""
    from ...catalog import MEASURES, encoder_of, role_of

    rows: list[tuple[str, str, str]] = []
    for name, measures in BENCHMARKS[kind].dimensions.items():
        if not measures:
            rows.append((name, "not measured here", ""))
            continue
        shown = ", ".join("judged by a viewer (judge.vlm)" if m == "judge.vlm" else m for m in measures)
        roles = dict.fromkeys(
            role
            for measure in measures
            for need in MEASURES.get(measure).needs
            if (role := role_of(encoder_of(need))) is not None
        )
        rows.append((name, shown, ", ".join(f"--encoder {role}=" for role in roles)))
    return rows
