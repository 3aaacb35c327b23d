"""Load suites: packaged ones and files, several joined as one, with prompts from other files."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from ...safety.bias.settings import BiasSettings
from ...safety.prompt_sets import Labelled, labelled_prompts, open_set
from ...safety.sources import ColumnMap, csv_prompts, json_objects, prompt_lines
from ...safety.taxonomy import load_taxonomy
from ...safety.transforms.apply import transform
from ...safety.transforms.files import named_families
from ..core.config import explain
from ..core.errors import UsageError
from ..core.items import Prompt
from ..core.labels import Labels
from ..core.text import control_character, is_blank, well_formed
from .benchmarks.loading import benchmark_of, benchmark_suite
from .suite import Disguised, PromptSet, Suite, packaged_suites, read_suite

__all__ = [
    "filled",
    "jailbreak_suite",
    "join_suites",
    "labelled_suite",
    "load_suite",
    "read_prompts",
    "suite_in_disguise",
    "suite_of_set",
    "write_suite",
]

_KIND = re.compile(r"[A-Za-z0-9][\w.-]+")
_TEXT_NAMES = ("text", "prompt", "prompt_text")


def read_prompts(source: str) -> Iterator[tuple[str | None, str]]:
    """Yield (id, text) of a suite, a text file with one prompt per line, a CSV or a JSON lines file.

    CSV and JSON lines have the prompt under text, prompt or prompt_text, and may have an id.

    Raises:
        UsageError: the file is missing, of another kind, or malformed.
    """
    path = Path(source)
    if source in packaged_suites() or path.suffix in (".yaml", ".yml"):
        return ((prompt.label("id"), prompt.text) for prompt in load_suite(source).prompts)
    if path.suffix == ".txt":
        return ((None, record.text) for record in prompt_lines(path))
    if path.suffix == ".csv":
        return _csv(path)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _json_lines(path)
    raise UsageError(
        f"{source!r} is not a suite ({', '.join(packaged_suites())}) or a .txt, .csv, .jsonl or .yaml file"
    )


def _csv(path: Path) -> Iterator[tuple[str | None, str]]:
    header = _csv_header(path)
    text = next((name for name in _TEXT_NAMES if name in header), _TEXT_NAMES[0])
    id_column = "id" if "id" in header else None
    records = csv_prompts(path, ColumnMap(text=text, id=id_column))
    return ((record.id if id_column else None, record.text) for record in records)


def _csv_header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []  # reading the rows says what is wrong


def _json_lines(path: Path) -> Iterator[tuple[str | None, str]]:
    for number, row in json_objects(path):
        text = next((row[name] for name in _TEXT_NAMES if name in row), None)
        if not isinstance(text, str):
            raise UsageError(f"{path}, line {number}: there is no text under {', '.join(_TEXT_NAMES)}")
        yield (str(row["id"]) if "id" in row else None), well_formed(text)


def jailbreak_suite(base: Suite, names: Sequence[str], seed: int = 0, strength: float = 1.0) -> Suite:
    """Make a suite of disguised prompts, labelled with their family and their base prompt.

    Runs of both suites are paired by the base prompt's id: the label ``base`` here, ``id`` in the base suite.
    A prompt that a family does not change is left out, because the base suite has it. So is a text that
    another family made already.

    Raises:
        UsageError: nothing is left.
    """
    prompts: dict[str, Prompt] = {}
    for prompt in base.prompts:
        base_id = prompt.label("id")
        kept = {name: values for name, values in prompt.labels.items() if name != "id"}
        named = {} if base_id is None else {"base": base_id}
        for name in names:
            made = transform(prompt.text, name, seed, strength, base_id)
            if made.text != prompt.text and not is_blank(made.text) and made.text not in prompts:
                labels = {**kept, "family": name, "readability": made.readability, **named}
                fields = {"text": made.text, "tags": (*prompt.tags, "jailbreak"), "labels": labels}
                prompts[made.text] = Prompt.model_validate({**prompt.model_dump(), **fields})
    if not prompts:
        raise UsageError(f"the families leave every prompt of the suite {base.name!r} as it is")
    return base.model_copy(
        update={
            "name": f"{base.name}-jailbreak"[:60],
            "description": f"prompts of {base.name} rewritten: {', '.join(names)}",
            "prompts": tuple(prompts.values()),
        }
    )


def suite_in_disguise(suite: Suite, wanted: Disguised) -> Suite:
    """Fill a suite with the disguised prompts of another suite; it keeps its other settings.

    Raises:
        UsageError: there is no such suite or family, or the other suite is in disguise itself.
    """
    base = read_suite(wanted.suite)
    if base.disguised is not None:
        raise UsageError(
            f"the suite {suite.name!r} disguises {wanted.suite!r}, which is in disguise itself; "
            f"name a suite of plain prompts"
        )
    base = filled(base)
    made = jailbreak_suite(base, named_families(wanted.families), wanted.seed, wanted.strength)
    return suite.model_copy(update={"prompts": made.prompts, "disguised": None})


def write_suite(suite: Suite, out: Path) -> None:
    """Write a suite as ASCII YAML, atomically."""
    import yaml

    beside = out.with_name(f".{out.name}.part")
    try:
        beside.write_text(
            yaml.safe_dump(suite.model_dump(mode="json", exclude_defaults=True), sort_keys=False), "ascii"
        )
        beside.replace(out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


def labelled_suite(suite: Suite) -> tuple[list[Labelled], int]:
    """List the prompts of a suite that are tagged ``benign`` or ``red-team``, and count the others."""
    known: list[Labelled] = []
    for prompt in suite.prompts:
        benign = "benign" in prompt.tags
        if benign or "red-team" in prompt.tags:
            categories = prompt.labels.get("category", ())
            name = prompt.label("id") or prompt.text
            known.append(Labelled(name, prompt.text, not benign, categories, prompt.label("language")))
    return known, len(suite.prompts) - len(known)


def suite_of_set(suite: Suite, wanted: PromptSet) -> Suite:
    """Fill a suite with the prompts of a public set; its description says which file, and what was left out.

    Harmful prompts are tagged ``red-team``, harmless ones ``benign``, and both are labelled with their
    categories and language. Left out are prompts that the set calls neither, prompts that are for text
    filters only, and repeated texts.

    Raises:
        UsageError: the file is missing or not of its kind, or nothing is left.
    """
    source = open_set(wanted.kind, Path(wanted.file), wanted.columns)
    known, unknown = labelled_prompts(source)
    generated = set(load_taxonomy().generated)
    prompts: dict[str, Prompt] = {}
    text_only = blank = unreadable = 0
    for one in known:
        if one.harmful and not generated.issuperset(one.categories):
            text_only += 1
        elif not one.text:
            blank += 1
        elif control_character(one.text) is not None:
            unreadable += 1
        elif one.text not in prompts:
            tag = "red-team" if one.harmful else "benign"
            prompts[one.text] = Prompt(text=one.text, tags=(tag,), labels=_labels(source.name, one))
    if not prompts:
        raise UsageError(
            f"{wanted.file} calls no prompt harmful or harmless, so outcomes cannot be judged; give the set "
            "`columns` with a label and its scheme"
        )
    left_out = {
        "without a label": unknown,
        "for text filters alone": text_only,
        "without text": blank,
        "with control characters": unreadable,
        "twice": len(known) - text_only - blank - unreadable - len(prompts),
    }
    counts = ", ".join(f"{n} {why}" for why, n in left_out.items() if n)
    origin = f"{source.name}: {Path(wanted.file).name}, sha256 {source.sha256}, licence {source.licence}"
    described = [suite.description, origin, f"left out: {counts}" if counts else ""]
    return suite.model_copy(
        update={
            "prompts": tuple(prompts.values()),
            "prompt_set": None,
            "description": "; ".join(part for part in described if part),
        }
    )


def _labels(source: str, one: Labelled) -> Labels:
    labels = {"category": one.categories, "language": (one.language,) if one.language else ()}
    labels["id"] = (re.sub(r"\s+", "-", f"{source}-{one.id}")[:77],)
    return {name: values for name, values in labels.items() if values}


def join_suites(suites: Sequence[Suite]) -> Suite:
    """Join suites: all their prompts, each with its seeds, and all their measures.

    Raises:
        UsageError: their clip settings, encoders or reference sets differ, or they share a prompt.
    """
    first = suites[0]
    encoders: dict[str, str] = {}
    bias: BiasSettings | None = None
    for suite in suites:
        for what in ("clip", "reference_set", "reference_sets", "prompts_from_generator"):
            if getattr(suite, what) != getattr(first, what):
                raise UsageError(
                    f"the suites {first.name!r} and {suite.name!r} cannot be joined: {what} differs"
                )
        if suite.bias is not None and bias is not None and suite.bias != bias:
            raise UsageError("the suites cannot be joined: 'bias' differs; run them apart")
        bias = bias or suite.bias
        for role, source in suite.encoders.items():
            if encoders.setdefault(role, source) != source:
                raise UsageError(
                    f"the suites cannot be joined: the encoder {role!r} is {encoders[role]!r} or {source!r}; "
                    f"make it the same in both"
                )
    prompts = [p.model_copy(update={"seeds": p.seeds or s.seeds}) for s in suites for p in s.prompts]
    fields = {
        **first.model_dump(),
        "name": "_".join(suite.name for suite in suites)[:60],
        "version": max(suite.version for suite in suites),
        "description": "; ".join(suite.description for suite in suites),
        "purpose": None,
        "seeds": 1,
        "prompts": [prompt.model_dump() for prompt in prompts],
        "measures": tuple(dict.fromkeys(m for suite in suites for m in suite.measures)),
        "encoders": encoders,
        "bias": None if bias is None else bias.model_dump(),
        "slices": tuple(dict.fromkeys(name for suite in suites for name in suite.slices)),
    }
    try:
        return Suite.model_validate(fields)
    except ValidationError as error:
        raise UsageError(f"the suites cannot be joined: {explain(error, Suite)}") from None


def load_suite(name: str) -> Suite:
    """Load a packaged suite by name, a YAML file by path, or ``vbench:PATH``, a copy of a benchmark.

    Names with commas are joined into one suite.

    Raises:
        UsageError: there is no such suite (with the nearest names), a key or value in it is wrong, or the
            suites cannot be joined.
    """
    benchmark = benchmark_of(name)
    if benchmark is not None:
        return benchmark_suite(*benchmark)
    kind, colon, path = name.partition(":")
    if colon and path and _KIND.fullmatch(kind) and not Path(name).exists():
        raise UsageError(
            f"there is no benchmark {kind!r}, as {name!r} would need; 'screentest list benchmarks' shows them"
        )
    if "," in name and not Path(name).is_file():
        return join_suites([load_suite(part.strip()) for part in name.split(",")])
    other = Path(name)
    if "/" not in name and other.suffix not in ("", ".yaml", ".yml") and other.is_file():
        raise UsageError(
            f"{name} is no suite, which is a .yaml file; a copy of a benchmark is named NAME:{name} "
            "('screentest list benchmarks')"
        )
    return filled(read_suite(name))


def filled(suite: Suite) -> Suite:
    """Add what a suite takes from other files: prompts, and shares and a reader's error for its bias audit.

    Raises:
        UsageError: such a file is missing or wrong.
    """
    if suite.bias is not None:
        suite = suite.model_copy(update={"bias": suite.bias.filled()})
    if suite.disguised is not None:
        return suite_in_disguise(suite, suite.disguised)
    if suite.prompt_set is not None:
        return suite_of_set(suite, suite.prompt_set)
    return suite
