"""The commands about prompts: disguise them, judge them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .errors import UsageError
from .options import AsJson, Device, DeviceOption, Dtype, DtypeOption, print_table, warn

__all__ = ["classify", "transform"]


def transform(
    prompts: Annotated[
        str | None, typer.Argument(help="A .txt, .csv or .jsonl file of prompts, or a suite.")
    ] = None,
    family: Annotated[list[str] | None, typer.Option(help="A family, or all; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(help="Which variant of what is left to chance.")] = 0,
    strength: Annotated[float, typer.Option(min=0, max=1, help="Share that is changed.")] = 1.0,
    out: Annotated[
        Path | None, typer.Option(help="A file of JSON lines; or, from a suite, a suite in .yaml.")
    ] = None,
    list_families: Annotated[bool, typer.Option("--list", help="List the families.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rewrite prompts in named families, to test filters; each keeps the id of its base prompt."""
    from ..safety import transforms_files as files

    if list_families:
        print_table(files.family_table(), as_json)
        return
    if prompts is None:
        raise UsageError("give a file of prompts or a suite, or --list for the families")
    names = files.named_families(family or ["all"])
    if out is not None and out.suffix in (".yaml", ".yml"):
        from .suite import load_suite

        suite = files.jailbreak_suite(load_suite(prompts), names, seed, strength)
        files.write_suite(suite, out)
        warn(f"{len(suite.prompts)} prompts: {out}")
        return
    count = files.write_rewritten(files.rewrite(files.read_prompts(prompts), names, seed, strength), out)
    warn(f"{count} prompts" + (f": {out}" if out is not None else ""))


def classify(
    prompts: Annotated[
        Path | None, typer.Argument(help="A .jsonl, .csv, .tsv or .txt file of prompts.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Column or key of the prompt.")] = None,
    classifier: Annotated[
        str,
        typer.Option(help="A name (see --list), a .yaml or .json file, or a folder from 'screentest train'."),
    ] = "ngram",
    canonicalise: Annotated[bool, typer.Option(help="Undo disguises before a prompt is read.")] = True,
    encoder: Annotated[str | None, typer.Option(help="Folder or hub id of MiniLM.")] = None,
    device: DeviceOption = Device.auto,
    dtype: DtypeOption = Dtype.float32,
    list_classifiers: Annotated[bool, typer.Option("--list", help="List the classifiers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, which it always prints.")] = False,
) -> None:
    """Score prompts for harm: a JSON object a line, with probabilities and whether it is flagged."""
    from ..safety.classifier_specs import classifier_table
    from ..safety.prompt_files import classify_file
    from ..safety.prompts import load_classifier

    if list_classifiers:
        print_table(classifier_table(), as_json)
        return
    if prompts is None:
        raise UsageError("give a file of prompts, or --list for the classifiers")
    from ..metrics.features import EncoderOptions

    options = EncoderOptions(device, dtype)
    judge = load_classifier(classifier, canonical=canonicalise, encoder=encoder, options=options)
    counts = classify_file(prompts, judge, sys.stdout, column=column)
    warn(
        f"{counts.judged} prompts, {counts.flagged} flagged, {counts.without_text} without text"
        + (f", {counts.judge_failed} where the judge failed" if counts.judge_failed else "")
    )
    if used := judge.usage():
        warn(", ".join(f"{what} {value:g}" for what, value in used.items()))
