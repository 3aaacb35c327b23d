"""The commands about prompts: disguise and classify prompts, and assess prompt classifiers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.files import check_output
from ..core.presentation import MISSING, Table, estimate_cell, level, number, p_value
from ..core.specs import parse_pairs
from .options import (
    AsJson,
    Device,
    DeviceOption,
    Dtype,
    DtypeOption,
    files_named,
    print_table,
    print_tables,
    warn,
)
from .quality_cells import QUALITY_HEADS, quality_cells

if TYPE_CHECKING:
    from ...safety.assessment import Assessed, Assessment
    from ...safety.prompts import PromptClassifier

__all__ = ["assess", "classify", "transform"]


def transform(
    prompts: Annotated[
        str | None, typer.Argument(help="A .txt, .csv or .jsonl file of prompts, or a suite.")
    ] = None,
    family: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A family, or all; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of random choices.")] = 0,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="Share of each prompt that is changed.")
    ] = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="A JSON lines file; from a suite, also a suite as .yaml.")
    ] = None,
    list_families: Annotated[bool, typer.Option("--list", help="List the families.")] = False,
    as_json: AsJson = False,
) -> None:
    """Disguise prompts in named families, to test filters; each keeps the id of its base prompt."""
    from ...safety.transforms import files
    from ..suites.loading import jailbreak_suite, load_suite, read_prompts, write_suite

    if list_families:
        print_table(family_table(), as_json)
        return
    if prompts is None:
        raise UsageError("give a file of prompts or a suite, or --list for the families")
    check_output("--out", out, files_named(prompts))
    names = files.named_families(family or ["all"])
    if out is not None and out.suffix in (".yaml", ".yml"):
        suite = jailbreak_suite(load_suite(prompts), names, seed, strength)
        write_suite(suite, out)
        warn(f"{counted(len(suite.prompts), 'prompt')}: {out}")
        return
    count = files.write_rewritten(files.rewrite(read_prompts(prompts), names, seed, strength), out)
    warn(counted(count, "prompt") + (f": {out}" if out is not None else ""))


def classify(
    prompts: Annotated[
        Path | None, typer.Argument(help="A .jsonl, .csv, .tsv or .txt file of prompts.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column or key of the prompt.")] = None,
    classifier: Annotated[
        str,
        typer.Option(help="A name (see --list), a .yaml or .json file, or a folder from 'screentest train'."),
    ] = "ngram",
    canonicalise: Annotated[bool, typer.Option(help="Undo disguises before classifying.")] = True,
    encoder: Annotated[str | None, typer.Option(help="Folder or hub id of MiniLM.")] = None,
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    list_classifiers: Annotated[bool, typer.Option("--list", help="List the classifiers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines, as it always does.")] = False,
) -> None:
    """Score prompts for harm: a JSON object per line, with probabilities and whether it is flagged."""
    from ...safety.prompts import load_classifier
    from ...safety.prompts.files import classify_file

    if list_classifiers:
        print_table(classifier_table(), as_json)
        return
    if prompts is None:
        raise UsageError("give a file of prompts, or --list for the classifiers")
    from ...metrics.encoders.base import EncoderOptions

    options = EncoderOptions(device, dtype)
    judge = load_classifier(classifier, canonical=canonicalise, encoder=encoder, options=options)
    counts = classify_file(prompts, judge, sys.stdout, column=column)
    warn(
        f"{counted(counts.judged, 'prompt')}, {counts.flagged} flagged, {counts.without_text} without text"
        + (f", {counts.judge_failed} where the judge failed" if counts.judge_failed else "")
    )
    if used := judge.usage():
        warn(", ".join(f"{what} {value:g}" for what, value in used.items()))


def assess(
    sources: Annotated[
        list[str],
        typer.Argument(help="Suites (red-team, contrast) and your copies of public sets, as KIND=FILE."),
    ],
    classifier: Annotated[
        str, typer.Option(help="As for classify: a name, a .yaml or .json file, or a folder.")
    ] = "ngram",
    disguise: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A family to try on harmful prompts, or all; may be repeated."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns of csv= and lines= sets: text=NAME,label=NAME,scheme=NAME,...")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of random choices of disguises.")] = 0,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Confidence of the intervals.")
    ] = 0.95,
    encoder: Annotated[str | None, typer.Option(help="Folder or hub id of MiniLM.")] = None,
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    as_json: AsJson = False,
) -> None:
    """Measure the quality of a prompt filter on labelled prompts, by category, and under disguises."""
    from ...metrics.encoders.base import EncoderOptions
    from ...safety.assessment import assess as assess_filter
    from ...safety.prompts import load_classifier
    from ...safety.transforms.files import named_families

    given = [_source(word, _columns(columns)) for word in sources]
    options = EncoderOptions(device, dtype)

    def load(canonical: bool) -> PromptClassifier:
        return load_classifier(classifier, canonical=canonical, encoder=encoder, options=options)

    families = named_families(disguise or [])
    found = assess_filter(load, given, families=families, seed=seed, confidence=confidence)
    if found.whole is None and not found.groups:
        if broken := found.left_out.get("judge_failed"):
            raise UsageError(
                f"the quality cannot be measured: the classifier failed on {counted(broken, 'prompt')}; "
                f"'screentest classify' says why for each"
            )
        raise UsageError(
            "the quality cannot be measured without both harmful and harmless prompts; name a source of each"
        )
    print_tables(_assessment_tables(found), _assessment_json(found) if as_json else None)


def _columns(given: str | None) -> dict[str, str]:
    options = parse_pairs(given.split(",") if given else [], "--columns", "NAME=COLUMN", "text=prompt")
    return {name.strip(): value.strip() for name, value in options.items()}


def _source(word: str, columns: Mapping[str, str]) -> Assessed:
    from ...safety import prompt_sets
    from ...safety.assessment import Assessed
    from ..suites.loading import labelled_suite, load_suite

    split = prompt_sets.split_set(word)
    if split is None:
        suite = load_suite(word)
        prompts, unlabelled = labelled_suite(suite)
        return Assessed(suite.name, prompts, unlabelled)
    kind, file = split
    source = prompt_sets.open_set(kind, file, columns if kind in ("csv", "lines") else {})
    prompts, unlabelled = prompt_sets.labelled_prompts(source)
    return Assessed(source.name, prompts, unlabelled, str(file), source.sha256, source.licence)


def _assessment_json(found: Assessment) -> dict[str, Any]:
    values = asdict(found)
    values["sources"] = [
        {
            "name": s.name,
            "file": s.file,
            "sha256": s.sha256,
            "licence": s.licence,
            "harmful": sum(p.harmful for p in s.prompts),
            "harmless": sum(not p.harmful for p in s.prompts),
            "unlabelled": s.unlabelled,
        }
        for s in found.sources
    ]
    return {"schema_version": 1, **values}


def _assessment_tables(found: Assessment) -> Iterator[Table]:
    sources = [
        (
            s.name,
            str(sum(p.harmful for p in s.prompts)),
            str(sum(not p.harmful for p in s.prompts)),
            str(s.unlabelled),
            (s.sha256 or MISSING)[:12],
            s.licence or MISSING,
        )
        for s in found.sources
    ]
    notes = tuple(f"left out, {n}: {why.replace('_', ' ')}" for why, n in found.left_out.items())
    heads = ("source", "harmful", "harmless", "without a label", "sha256", "licence")
    yield Table(f"{found.classifier}, {found.digest[:12]}", heads, sources, notes)
    rows = [("all", "", found.whole)] + ([("all", "no defence", found.bare)] if found.bare else [])
    rows += [(name, group, q) for group, of in found.groups.items() for name, q in of.items()]
    of_all = "a category or a language has its own harmful prompts and all harmless ones"
    few = any(q is not None and q.harmless < 100 for _, _, q in rows)
    hint = "1 % of fewer than 100 harmless prompts is none of them" if few else ""
    yield Table(
        f"how well it separates harmful from harmless prompts, with {level(found.confidence)} intervals",
        ("of", "", *QUALITY_HEADS),
        [(name, group, *quality_cells(q)) for name, group, q in rows if q is not None],
        tuple(note for note in (f"flagged from {number(found.threshold)} up", of_all, hint) if note),
    )
    if found.disguises:
        yield Table(
            "what disguises do, without the canonicalising defence and with it",
            (
                *("family", "readability", "harmful", "harmless", "flagged plainly", "without", "with"),
                *("harmless without", "harmless with", "evasion: plain to with", "worth: without to with"),
                "p of worth",
            ),
            [
                (
                    *(row.family, row.readability, str(row.prompts), str(row.harmless)),
                    *(number(r.value) for r in (row.plain, row.bare, row.defended)),
                    *(number(r.value) for r in (row.bare_alarms, row.defended_alarms)),
                    *(estimate_cell(r, signed=True) for r in (row.evasion, row.worth)),
                    p_value(row.p_adjusted),
                )
                for row in found.disguises
            ],
            ("shares that are flagged; p of a sign-flip test after Holm over the families",),
        )


def family_table() -> Table:
    """List the families of disguises."""
    from ...safety.transforms import families, family

    rows = [
        (name, f.readability, "yes" if f.reversible else "no", f.summary)
        for name in families()
        for f in (family(name),)
    ]
    return Table("transformation families", ("family", "readability", "reversible", "about"), rows)


def classifier_table() -> Table:
    """List the prompt classifiers by name, with what they are."""
    from ...safety.prompts.loading import listed_classifiers

    return Table("prompt classifiers", ("name", "what"), listed_classifiers())
