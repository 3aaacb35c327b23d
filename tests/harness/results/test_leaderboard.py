"""A leaderboard in a file: rows by run, brought up to date, in three formats."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.results.leaderboard import add_to_leaderboard
from screentest.harness.results.summary import summarise, write_summary


@pytest.fixture
def runs(make_run):
    made = []
    for k in range(2):
        values = {
            "toy.quality": lambda p, s, k=k: 0.5 + 0.01 * p + 0.1 * k,
            "toy.drift": lambda p, s: "failed",
        }
        record = {"id": f"{k}" * 32, "created": "2026-03-04T05:06:07+00:00", "step": 100 * k}
        run = make_run(f"r|{k}", values, generator=f"toy:<{k}>", record=record)
        write_summary(run, summarise(run))
        made.append(run)
    return made


@pytest.mark.parametrize("ending", [".md", ".json", ".csv"])
def test_rows_are_added_once_and_brought_up_to_date(runs, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"board{ending}"
    assert add_to_leaderboard(path, runs[:1]) == (1, 0)
    assert add_to_leaderboard(path, runs) == (1, 1)
    text = path.read_text()
    assert add_to_leaderboard(path, runs[::-1]) == (0, 2)
    assert path.read_text() == text
    assert text.count("0" * 32) == text.count("1" * 32) == 1


def test_a_name_that_is_a_formula_is_none_in_a_spreadsheet_and_comes_back(make_run, tmp_path: Path) -> None:
    record = {"id": "7" * 32, "created": "2026-03-04T05:06:07+00:00"}
    run = make_run("=r", {"toy.drift": lambda p, s: -0.5}, record=record)
    write_summary(run, summarise(run))
    path = tmp_path / "b.csv"
    add_to_leaderboard(path, [run])
    (row,) = csv.DictReader(path.read_text().splitlines())
    assert (row["run"], float(row["toy.drift v1"])) == ("'=r", -0.5)
    text = path.read_text()
    assert add_to_leaderboard(path, [run]) == (0, 1)
    assert path.read_text() == text


def test_a_value_has_its_interval_and_n(runs, tmp_path: Path) -> None:
    add_to_leaderboard(tmp_path / "b.csv", runs)
    rows = list(csv.DictReader((tmp_path / "b.csv").read_text().splitlines()))
    assert float(rows[0]["toy.quality v1"]) == pytest.approx(0.555)
    assert float(rows[0]["toy.quality v1 low"]) < 0.555 < float(rows[0]["toy.quality v1 high"])
    assert (rows[0]["toy.quality v1 n"], rows[0]["step"], rows[1]["step"]) == ("48", "0", "100")
    assert rows[0]["toy.drift v1"] == ""  # a missing value is no zero
    add_to_leaderboard(tmp_path / "b.md", runs)
    assert "0.555 [0.53" in (tmp_path / "b.md").read_text()
    assert "| r\\|0 |" in (tmp_path / "b.md").read_text()
    add_to_leaderboard(tmp_path / "b.json", runs)
    assert json.loads((tmp_path / "b.json").read_text())["runs"][1]["generator"] == "toy:<1>"


def test_json_has_numbers_and_null(runs, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    add_to_leaderboard(path, runs)
    first, second = json.loads(path.read_text())["runs"]
    assert (first["step"], second["step"], first["toy.quality v1 n"]) == (0, 100, 48)
    assert isinstance(first["toy.quality v1"], float)
    assert first["toy.quality v1"] == pytest.approx(0.555)
    assert first["toy.drift v1"] is None
    assert second["id"] == "1" * 32  # digits of a text are no number


def test_another_version_is_another_column(make_run, tmp_path: Path) -> None:
    for k, version in enumerate((1, 2)):
        fields = {"toy.quality": {"version": version}}
        run = make_run(
            f"v{version}", {"toy.quality": lambda p, s: 0.5}, fields=fields, record={"id": f"{k}" * 32}
        )
        write_summary(run, summarise(run))
        add_to_leaderboard(tmp_path / "b.csv", [run])
    first, second = csv.DictReader((tmp_path / "b.csv").read_text().splitlines())
    assert (first["toy.quality v1"], first["toy.quality v2"]) == ("0.5", "")
    assert (second["toy.quality v1"], second["toy.quality v2"]) == ("", "0.5")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("b.txt", "", r"should end in \.md, \.json or \.csv"),
        ("b.json", "{", "is no leaderboard"),
        ("b.json", "[]", "no list of runs"),
        ("b.csv", "a,b\n1,2\n", "its first row has no 'id'"),
        ("b.csv", "id,run\n1\n", "more or fewer cells"),
        ("b.md", "# some other page\n", "its first row has no 'id'"),
        ("b.md", "| id | run |\n| --- | --- |\n| | x |\n", "a row has no id"),
    ],
)
def test_a_file_that_is_none_is_left_alone(runs, tmp_path: Path, name: str, text: str, why: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UsageError, match=why):
        add_to_leaderboard(path, runs)
    assert path.read_text() == text


def test_a_run_that_is_not_scored_to_its_end_is_refused(make_run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no summary yet"):
        add_to_leaderboard(tmp_path / "b.md", [make_run("r", {"toy.quality": lambda p, s: 0.5})])
    assert not (tmp_path / "b.md").exists()
