"""The card of the reader of names: what it finds in other people's prompts, and what it flags wrongly."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...harness.core.arrays import Bools
from ...harness.core.errors import UsageError
from ...harness.core.keys import file_sha256
from ...harness.core.stats import rate_interval
from ...harness.core.templates import render_markdown
from ..prompts.gazetteer import Gazetteer
from ..prompts.names import NamesClassifier
from .card_page import NAME_LIMITS

__all__ = ["evaluate_names", "names_card_page", "write_names_card"]

_TEMPLATE: Final = Path(__file__).parent.parent / "data" / "names_card.md.j2"
_COLUMNS = {
    "i2p_prompts.csv": ("prompt", ","),
    "parti_prompts.tsv": ("Prompt", "\t"),
    "hatecheck.csv": ("test_case", ","),
    "coco_captions.csv": ("prompt", ","),
    "vbench_prompts.csv": ("prompt", ","),
    "xstest.csv": ("prompt", ","),
}
_HARMLESS = ("coco_captions.csv", "vbench_prompts.csv", "xstest.csv")


def evaluate_names(data: Path, sample: Path) -> dict[str, Any]:
    """Measure the reader on labelled prompts, and on whole files of harmless ones.

    Args:
        data: folder of the public files.
        sample: the labels: which rows of which file name what, and which flagged harmless rows name nothing.

    Raises:
        UsageError: a file is not the one that the labels are of.
    """
    reader = NamesClassifier("names")
    labels: Mapping[str, Any] = json.loads(sample.read_text("utf-8"))
    texts: list[str] = []
    named: list[list[str]] = []
    for file, part in labels["sets"].items():
        if file_sha256(data / file) != part["sha256"]:
            raise UsageError(f"{data / file} is not the file that {sample} labels")
        rows = _texts(data / file)
        texts += [rows[int(row)] for row in part["rows"]]
        named += part["rows"].values()
    judged = reader.classify(texts)
    out: dict[str, Any] = {"categories": {}, "harmless": {}}
    for k, category in enumerate((*reader.harms, "any")):
        truth = np.array([bool(names) if category == "any" else category in names for names in named])
        found = judged.flagged if category == "any" else judged.harms[:, k] >= reader.threshold
        out["categories"][category] = {
            "recall": _rate(found[truth]),
            "precision": _rate(truth[found]),
            "false_alarms": _rate(found[~truth]),
        }
    for file in _HARMLESS:
        rows = _texts(data / file)
        flagged = reader.classify(rows).flagged
        nameless = np.zeros(len(rows), np.bool_)
        nameless[labels["flagged_without_a_name"][file]] = True
        out["harmless"][file] = {"flagged": _rate(flagged), "without_a_name": _rate(flagged & nameless)}
    out["sample"] = {file: len(part["rows"]) for file, part in labels["sets"].items()}
    out["classifier"] = reader.digest
    out["lists"] = {
        group.what: len({*group.names, *group.ambiguous, *group.common}) for group in Gazetteer().groups
    }
    return out


def _texts(file: Path) -> list[str]:
    column, delimiter = _COLUMNS[file.name]
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=delimiter))
    return [row[column] for row in rows if file.name != "xstest.csv" or row["label"] == "safe"]


def _rate(flags: Bools | Sequence[bool]) -> dict[str, Any]:
    found = rate_interval([float(flag) for flag in flags], [str(i) for i in range(len(flags))], 0.95)
    return {"rate": found.value, "low": found.low, "high": found.high, "n": len(flags)}


def names_card_page(card: Mapping[str, Any]) -> str:
    """Write the card as Markdown."""
    return render_markdown(_TEMPLATE, card=card, limits=NAME_LIMITS)


def write_names_card(data: Path, sample: Path, out: Path) -> None:
    """Measure, and write ``card.json`` and ``CARD.md`` into the folder ``out``."""
    card = evaluate_names(data, sample)
    (out / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / "CARD.md").write_text(names_card_page(card), "utf-8")
