"""The command about attacks: its tables, the JSON that it documents, and its sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.commands.safety import SCHEMA_VERSION

from ...reports.attacks import WORDS, attack_run, attack_runs, attack_suite

Cli = Callable[..., tuple[int, str, str]]
RATE = {
    "value",
    "low",
    "high",
    "events",
    "n",
    "clusters",
    "left_out",
    "method",
    "confidence",
    "reasons",
    "notes",
}
CHANGE = RATE - {"events"}


@pytest.fixture(scope="module")
def attacked() -> Iterator[Path]:
    """A folder with the runs ``alone``, ``observed`` and ``both``. Not to be changed."""
    with attack_runs() as runs:
        yield runs["alone"].parent


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], attacked: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command beside the runs; give its exit code, stdout and stderr."""
    monkeypatch.chdir(attacked)

    def call(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_cli([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


def line(out: str, *words: str) -> str:
    """Find the one line that begins with ``words``, with single spaces."""
    found = [" ".join(line.split()) for line in out.splitlines()]
    (one,) = [line for line in found if line.startswith(" ".join(words))]
    return one


def test_tables_say_outcomes_rates_and_what_was_left_out(cli):
    code, out, err = cli("safety", "observed")
    assert (code, err) == (0, "")
    assert "observed: judge attacks-green, prompt filter plain-words (not enforced); frame filter" in out
    assert line(out, "attacks 12") == "attacks 12 24 36 2 2"
    assert line(out, "attack success 0.50").endswith("36 72 (36) 2 error, 2 judge failed")
    assert line(out, "refusal of harmless prompts").endswith("prompts 0.00 [0.00, 0.32] 0 16 (8) 0")
    assert line(out, "hte 0.50 [0.23, 0.77] 12") == "hte 0.50 [0.23, 0.77] 12 24 (12) 0"
    assert "rates by category" in out
    assert "how good the filters are" in out
    assert "the judge errs too" in out
    assert WORDS not in out


def test_tables_say_what_safeguards_buy_and_cost_and_why_not(cli):
    out = " ".join(cli("safety", "alone", "both")[1].split())
    assert "benefit and cost of each safeguard" in out
    assert "- the baseline" in out
    assert "- not seen" in out
    assert "not seen: prompts that were stopped and clips that were withheld have no known outcome" in out
    assert "effect of disguises: guarded:painter:base (both)" in out
    assert "- no prompt filter" in out


def test_a_bare_generator_has_no_table_of_safeguards(cli):
    assert "safeguard buys" not in cli("safety", "alone")[1]


def test_without_harmless_prompts_over_refusal_is_not_zero(cli, tmp_path):
    suite = attack_suite(1, families=(), seeds=1)
    attacks = tuple(p for p in suite.prompts if "benign" not in p.tags)
    attack_run(tmp_path / "run", "observed", suite.model_copy(update={"prompts": attacks}))
    out = " ".join(cli("safety", tmp_path / "run")[1].split())
    assert "- no such attempt" in out
    assert "- no harmless" in out
    assert "n 0" not in out


def told(cli: Cli, *runs: str) -> dict[str, Any]:
    code, out, _ = cli("safety", *runs, "--json")
    assert code == 0
    assert WORDS not in out
    return json.loads(out)


def test_json_is_as_it_is_documented(cli):
    found = told(cli, "observed", "both", "alone")
    assert set(found) == {"schema_version", "confidence", "runs", "safeguards", "disguises"}
    assert (found["schema_version"], found["confidence"]) == (SCHEMA_VERSION, 0.95)
    assert [run["name"] for run in found["runs"]] == ["observed", "both", "alone"]
    for run in found["runs"]:
        assert set(run) == {
            "name", "generator", "judge", "filters", "outcomes", "rates", "groups", "rates_of", "cells",
            "qualities", "notes",
        }  # fmt: skip
        assert all(set(f) == {"layer", "name", "digest", "enforced"} for f in run["filters"])
        groups = [rate for rates in run["groups"].values() for rate in rates.values()]
        assert all(set(rate) == RATE for rate in [*run["rates"].values(), *groups])
        assert all(set(cell) == RATE | {"category", "family"} for cell in run["cells"])
        of = [rates for named in run["rates_of"].values() for rates in named.values()]
        assert all(set(rate) == RATE for rates in of for rate in rates.values())
        for quality in run["qualities"]:
            assert set(quality) == {
                "layer", "name", "digest", "of", "category", "by_judge", "harmful", "harmless", "threshold",
                "auroc", "average_precision", "recall_at_1_percent_fpr", "fpr_at_95_percent_recall", "ece",
                "brier", "recall", "false_alarms",
            }  # fmt: skip
    for row in found["safeguards"]:
        assert set(row) == {
            "run", "layers", "name", "known", "unknown", "between", "success", "refusal", "over_refusal",
            "gain", "gain_why", "cost", "cost_why",
        }  # fmt: skip
        for name in ("gain", "cost"):
            assert (row[name] is None) == bool(row[f"{name}_why"])
            assert row[name] is None or set(row[name]) == CHANGE
        assert (row["success"] is None) == (row["known"] == "not seen") == (row["between"] is not None)
    for of_one in found["disguises"]:
        assert set(of_one) == {"generator", "runs", "layers", "families"}
        for row in of_one["families"]:
            for name in ("filter", "alone", "guarded"):
                assert (row[name] is None) == bool(row[f"{name}_why"])
                more = {"plain", "disguised", "prompts", "p", "p_adjusted", "test"}
                assert row[name] is None or set(row[name]) == CHANGE | more


def test_json_has_the_numbers(cli):
    found = told(cli, "observed")
    (run,) = found["runs"]
    (cell,) = [c for c in run["cells"] if (c["category"], c["family"]) == ("hte", "plain")]
    assert (cell["value"], cell["n"], cell["clusters"]) == (0.75, 8, 4)
    rows = {tuple(row["layers"]): row for row in found["safeguards"]}
    assert (rows["prompt",]["gain"]["value"], rows["prompt",]["gain"]["n"]) == (-0.25, 72)
    assert (rows["prompt",]["cost"]["value"], rows["prompt",]["cost"]["n"]) == (0.25, 16)
    assert rows["frame",]["known"] == "computed"
    leet = found["disguises"][0]["families"][1]
    assert (leet["filter"]["plain"], leet["filter"]["disguised"], leet["alone"]["value"]) == (1.0, 0.0, 0.0)


def test_confidence_widens_the_intervals(cli):
    wide = json.loads(cli("safety", "alone", "--confidence", "0.99", "--json")[1])
    rates = [found["runs"][0]["rates"]["attack success"] for found in (wide, told(cli, "alone"))]
    assert wide["confidence"] == 0.99
    assert rates[0]["low"] < rates[1]["low"] < rates[1]["high"] < rates[0]["high"]


def test_mistakes_are_one_sentence(cli, attacked, tmp_path):
    other = attack_suite(1, families=(), seeds=1).model_copy(
        update={"measures": ("safety.refusal",), "encoders": {}}
    )
    attack_run(tmp_path / "unjudged", "alone", other)
    for words, sentence in {
        ("nowhere",): "nowhere",
        ("alone", str(attacked / "alone")): "is named twice; name it once",
        (str(tmp_path / "unjudged"),): "none of these runs has judged attempts; 'screentest score RUN",
    }.items():
        code, out, err = cli("safety", *words)
        assert (code, out) == (2, "")
        assert sentence in err
        assert len(err.splitlines()) == 1
