"""``run`` on the command line: parts, notes, dry runs, options given twice, and generators that only fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from screentest.generators import GENERATORS
from screentest.harness.commands.main import run_cli
from screentest.harness.commands.options import adjusted
from screentest.harness.core import files
from screentest.harness.core.errors import UsageError
from screentest.harness.core.media import write_clip
from screentest.harness.suites.suite import ReferenceSet, Suite
from screentest.harness.votes.votes import add_votes, new_vote, voted_runs

Cli = Callable[..., tuple[int, str, str]]

PLUGIN = """
import numpy as np
from screentest.generators import GENERATORS, Frames, Generator, GeneratorKind

def shade(i):
    y, x = np.mgrid[0:32, 0:40]
    t = np.arange(6)[:, None, None]
    return np.repeat(((x + y + t + i.seed) % 64 + 60)[..., None], 3, axis=-1).astype(np.uint8)

class Toy(Generator):
    def __init__(self, argument):
        self.spec, self.argument = f"toy:{argument}", argument
    def identity(self):
        return {"kind": "toy", "argument": self.argument}
    def generate(self, items):
        if self.argument == "broken":
            raise RuntimeError("no such layer")
        return [Frames(shade(i), 8) for i in items]

GENERATORS.add("toy", GeneratorKind(lambda argument, device, dtype: Toy(argument), "toy:NAME"))
"""
SUITE = {
    "name": "little",
    "version": 1,
    "seeds": 2,
    "clip": {"frames": 6, "height": 32, "width": 40, "fps": 8},
    "prompts": [{"text": f"prompt {k}", "tags": ["even" if k % 2 == 0 else "odd"]} for k in range(3)],
    "measures": ["motion.flicker", "failure.rate"],
}


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.py").write_text(PLUGIN)
    (tmp_path / "little.yaml").write_text(json.dumps(SUITE))

    def call(*words: str, generator: str = "toy:fine") -> tuple[int, str, str]:
        capsys.readouterr()
        start = ["run", "--plugin", "toy.py", "--suite", "little.yaml", "--generator", generator]
        code = run_cli([*start, "--tracking-uri", "none", *words])
        out, err = capsys.readouterr()
        return code, out, err

    yield call
    GENERATORS._entries.pop("toy", None)


def test_runs_are_listed_newest_first_and_what_cannot_be_read_is_said(cli, tmp_path, capsys):
    for number, name in enumerate(("first", "second")):
        assert cli("--limit", "1", "--name", name, "--step", str(number))[0] == 0
        record = json.loads((tmp_path / "runs" / name / "run.json").read_text())
        record["created"] = f"2026-01-0{number + 1}T03:04:05+00:00"
        (tmp_path / "runs" / name / "run.json").write_text(json.dumps(record))
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    capsys.readouterr()
    assert run_cli(["list", "runs", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["step"], row["items"], row["ok"]) for row in rows] == [
        ("second", "1", "2", "2"),
        ("first", "0", "2", "2"),
    ]
    assert rows[0]["created"] == "2026-01-02 03:04"
    assert rows[0]["generator"] == "toy:fine"
    assert (rows[0]["verdict"], rows[0]["policy"]) == ("-", "-")
    assert run_cli(["list", "runs"]) == 0
    assert "cannot be read as a run's record" in " ".join(capsys.readouterr().out.split())
    assert run_cli(["list", "runs", "--in", "gone"]) == 2
    assert "there is no folder gone" in capsys.readouterr().err


def test_a_listed_run_names_the_policy_of_its_verdict(cli, capsys):
    assert cli("--limit", "1", "--name", "judged")[0] == 0
    assert run_cli(["gate", "runs/judged", "--policy", "smoke", "--tracking-uri", "none"]) in (0, 1, 3)
    capsys.readouterr()
    assert run_cli(["list", "runs", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["verdict"] in ("PASS", "FAIL", "INCONCLUSIVE")
    assert row["policy"] == "smoke v2"


def test_a_reference_set_of_the_command_line_replaces_the_suites(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    base = {**SUITE, "reference_set": {"world": "reference"}}
    suite = Suite.model_validate(base)
    found = adjusted(suite, None, None, reference_set=real)
    assert found.references == {"default": ReferenceSet(folder=str(real))}
    named = Suite.model_validate(
        {
            **SUITE,
            "reference_sets": {
                "default": {"world": "reference"},
                "train": {"world": "reference", "clips": 8},
            },
        }
    )
    assert adjusted(named, None, None, reference_set=real).references == {
        "default": ReferenceSet(folder=str(real)),
        "train": ReferenceSet(world="reference", clips=8),
    }
    with pytest.raises(UsageError, match=r"--reference-set .*gone: there is no such folder of videos"):
        adjusted(suite, None, None, reference_set=tmp_path / "gone")


def test_the_options_of_run_reach_the_record(cli, tmp_path):
    (tmp_path / "real").mkdir()
    assert cli("--limit", "1", "--name", "with", "--reference-set", "real")[0] == 0
    record = json.loads((tmp_path / "runs" / "with" / "run.json").read_text())
    assert record["suite"]["reference_set"]["folder"] == "real"


def test_a_part_its_name_and_its_notes_are_in_the_record(cli, tmp_path):
    code, out, _ = cli(
        "--limit", "2", "--seeds", "1", "--name", "try 1", "--meta", "branch=main", "--step", "500", "--json"
    )
    assert code == 0
    summary = json.loads(out)
    assert (summary["suite"], summary["items"]) == ("little.limit-2.seeds-1 v1", 2)
    record = json.loads((tmp_path / "runs" / "try-1" / "run.json").read_text())
    assert (record["name"], record["meta"], record["step"]) == ("try-1", {"branch": "main"}, 500)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(cli, tmp_path):
    code, out, _ = cli("--dry-run", "--json", "--tag", "odd")
    planned = json.loads(out)
    assert code == 0
    assert (planned["items"], planned["prompts"], planned["clips there"]) == (2, 1, 0)
    assert planned["measures"] == ["motion.flicker", "failure.rate"]
    assert not (tmp_path / "runs").exists()
    assert cli("--tag", "odd")[0] == 0
    code, out, _ = cli("--dry-run", "--tag", "odd")
    assert code == 0
    assert "clips there: 2" in out.splitlines()
    assert "suite: little.tag-odd v1" in out.splitlines()


def test_clips_are_reused_on_request(cli):
    assert cli("--out", "a", "--limit", "2")[0] == 0
    code, _, err = cli("--out", "b", "--reuse", "a")
    assert code == 0
    assert "reused 4 of 6 clips from a" in err
    code, _, err = cli("--out", "a")
    assert code == 2
    assert "Choose another --out with --reuse a, which keeps its clips" in err


@pytest.mark.parametrize(
    "words",
    [("--suite", "reference"), ("--seeds", "1", "--seeds", "2")],
)
def test_an_option_that_takes_one_value_may_be_given_once(cli, words, tmp_path):
    code, _, err = cli(*words)
    assert code == 2
    assert f"error: {words[0]} is given more than once, and takes one value; give it once" in err
    assert not (tmp_path / "runs").exists()


def test_options_that_take_several_values_may_be_repeated(cli):
    assert cli("-m", "motion.flicker", "-m", "failure.rate", "--meta", "a=1", "--meta", "b=2")[0] == 0


@pytest.mark.parametrize("words", [("--meta", "a=1", "--meta", "a=2"), ("--meta", "a b=1"), ("--meta", "a")])
def test_notes_that_are_none_are_wrong_usage(cli, words):
    code, _, err = cli(*words)
    assert code == 2
    assert err.startswith("error: --meta")


def test_a_run_in_which_everything_failed_is_no_success(cli):
    code, _, err = cli(generator="toy:broken")
    assert code == 1
    assert "error: all 6 items failed" in err
    assert "RuntimeError: no such layer" in Path("runs/little-toy-broken/run.log").read_text()
    code, _, err = cli("--stop-after", "3", "--out", "b", generator="toy:broken")
    assert code == 2
    assert "3 items in a row failed for the same reason: RuntimeError: no such layer" in err


def test_a_failure_of_the_only_item_is_said_of_one(cli):
    Path("little.yaml").write_text(json.dumps({**SUITE, "seeds": 1, "prompts": ["a block"]}))
    code, out, err = cli(generator="toy:broken")
    assert code == 1
    assert "error: the only item failed; " in err
    assert "warning: 1 of 1 item failed and is kept as a failure" in err
    assert "1 item (" in out


def test_the_version_is_printed(capsys):
    assert run_cli(["--version"]) == 0
    assert capsys.readouterr().out.startswith("screentest 0.")


def test_the_gate_s_table_tells_a_value_from_the_limit_that_it_misses(cli, capsys, tmp_path):
    assert cli("--out", "run")[0] == 0
    aggregates = json.loads((tmp_path / "run" / "summary.json").read_text())["aggregates"]
    value = next(a["value"] for a in aggregates if a["measure"] == "motion.flicker" and a["tag"] is None)
    limit = round(value + 0.00042, 5)
    rules = [{"measure": "motion.flicker", "min": limit}]
    (tmp_path / "p.yaml").write_text(
        json.dumps({"name": "p", "version": 1, "cards": "noted", "rules": rules})
    )
    capsys.readouterr()
    run_cli(["gate", "run", "--policy", "p.yaml", "--tracking-uri", "none"])
    assert f"{value:.5f}" in capsys.readouterr().out


def test_a_dry_run_on_a_folder_gives_no_format_that_nobody_asked_for(cli, capsys, tmp_path):
    (tmp_path / "videos").mkdir()
    write_clip(tmp_path / "videos" / "a.mp4", np.zeros((4, 16, 16, 3), np.uint8), 8)
    words = ["run", "--suite", "videos", "--generator", "folder:videos", "--dry-run", "--json"]
    assert run_cli([*words, "-m", "failure.rate"]) == 0
    assert json.loads(capsys.readouterr().out)["clip"] == "as its file is"


def test_all_files_that_commands_write_into_a_run_folder_are_known_as_its_record(
    cli, tmp_path, mlflow_template
):
    shutil.copyfile(mlflow_template, tmp_path / "mlflow.db")
    assert cli("--name", "base", generator="toy:broken")[0] == 1  # writes a log
    assert cli("--name", "other", generator="toy:other")[0] == 0
    assert cli("--name", "made")[0] == 0
    run, none = Path("runs/made"), ("--tracking-uri", "none")
    for words in (
        ["score", "runs/made", "--measures", "quality.blur", *none],
        ["gate", "runs/made", "--policy", "smoke", "--junit", "runs/made/a.xml", *none],
        ["report", "runs/made", "--out", "runs/made/mine.html"],
        ["export", "runs/made", "--out", "runs/made/scores.csv"],
        ["sync", "runs/made", "--tracking-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"],
    ):
        assert run_cli(words) in (0, 1, 3), words
    voted = voted_runs([run, Path("runs/other")])[0]
    item, clip = next((item, clip.sha256) for item, clip in voted.data.clips.items())
    sides = {"left": voted.key, "right": voted.key, "left_clip": clip, "right_clip": clip}
    add_votes(run, [new_vote(rater="ada", question="better", item=item, answer="left", gold="left", **sides)])
    outputs = {"a.xml", "mine.html", "report.html", "scores.csv"}
    known = {*files._RUN_RECORDS, *(f"{name}/" for name in files._RUN_FOLDERS)}
    found = {path.name + "/" * path.is_dir() for path in (*run.iterdir(), *Path("runs/base").iterdir())}
    assert outputs <= found
    assert found - outputs <= known, found - outputs - known
    only_sometimes = {"budget.json", "jobs.jsonl"}  # of a training run, and of a service
    only_in_between = {"run.sqlite-journal", "run.sqlite-shm", "run.sqlite-wal"}
    assert known - found == only_sometimes | only_in_between
    code = "\n".join(path.read_text() for path in Path(files.__file__).parents[1].rglob("*.py"))
    assert all(code.count(f'"{name}"') > 1 for name in only_sometimes)
