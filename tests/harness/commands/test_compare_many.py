"""``compare`` of several runs on the command line."""

from __future__ import annotations

import csv
import json

import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.results.summary import summarise, write_summary


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]):
    def run(*words: object) -> tuple[int, str, str]:
        code = run_cli([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def runs(make_run):
    made = []
    for k in range(3):
        quality = lambda p, s, k=k: 0.3 + 0.01 * ((7 * p + 3 * s) % 11) + 0.1 * k + 0.001 * p * k  # noqa: E731
        run = make_run(f"r{k}", {"toy.quality": quality}, generator=f"toy:{k}", record={"step": 100 * k})
        write_summary(run, summarise(run))
        made.append(run.folder)
    return made


def test_three_runs_have_tables_ranks_and_files(cli, runs, tmp_path) -> None:
    files = ("--csv", tmp_path / "d.csv", "--leaderboard", tmp_path / "board.md")
    code, out, err = cli("compare", *runs, "--margin", "toy.quality=0.05", "--slices", *files)
    assert code == 0
    for title in ("3 runs, 48 items each", "paired differences from r0", "all pairs", "ranks [95% interval]",
                  "over training steps", "items that changed most from r0", "by slice"):  # fmt: skip
        assert title in out
    assert "better; superior" in out
    assert "3 runs added" in err
    rows = list(csv.DictReader((tmp_path / "d.csv").read_text().splitlines()))
    assert [(r["of"], r["a"], r["b"]) for r in rows if not r["slice"]] == [
        ("baseline", "r0", "r1"), ("baseline", "r0", "r2"), ("pair", "r0", "r1"), ("pair", "r0", "r2"),
        ("pair", "r1", "r2"),
    ]  # fmt: skip
    assert (rows[0]["wins"], rows[0]["standing"]) == ("48", "superior")


def test_the_baseline_is_a_name_or_a_path(cli, runs) -> None:
    code, out, _ = cli("compare", *runs, "--baseline", "r2", "--json")
    assert (code, json.loads(out)["baseline"]) == (0, "r2")
    code, out, _ = cli("compare", *runs[:2], "--baseline", runs[1], "--json")
    assert (code, json.loads(out)["a"]["name"]) == (0, "r1")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--baseline", "r9"), "--baseline r9 is none of the runs"),
        (("--power", "0.8"), "--power takes two runs and 3 are given"),
        (("--same-seed",), "--same-seed takes two runs and 3 are given"),
        (("--pareto", "toy.quality"), "should be two measures"),
        (("--pareto", "toy.quality,toy.gone"), "unknown measure 'toy.gone'"),
        (("--margin", "toy.gone=1"), "unknown measure 'toy.gone'"),
        (("--leaderboard", "board.txt"), "should end in .md, .json or .csv"),
    ],
)
def test_wrong_words_are_one_sentence(cli, runs, words, sentence: str) -> None:
    code, out, err = cli("compare", *runs, *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_one_run_is_refused(cli, runs) -> None:
    code, _, err = cli("compare", runs[0])
    assert (code, "two runs or more" in err) == (2, True)


def test_suites_that_overlap_are_named(cli, runs, make_run) -> None:
    other = make_run("o", {"toy.quality": lambda p, s: 0.5 + 0.01 * p}, suite={"name": "other"}, prompts=6)
    code, _, err = cli("compare", runs[0], other.folder)
    assert (code, "only runs of one suite can be compared" in err) == (2, True)
    code, out, _ = cli("compare", runs[0], other.folder, "--intersection")
    assert code == 0
    assert "the intersection of toy v1 and other v1: 2 runs, 24 items each" in out
