"""``run`` with several generators: a run each, one comparison, and an error does not stop the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from screentest.generators import GENERATORS
from screentest.harness.commands.main import run_cli
from screentest.harness.run_folder.store import open_run

PLUGIN = """
import numpy as np
from screentest.generators import GENERATORS, Frames, Generator, GeneratorKind
from screentest.harness.core.errors import ScreentestError

class Toy(Generator):
    starts = frozenset()
    def __init__(self, argument):
        self.spec, self.argument = f"toy:{argument}", argument
    def identity(self):
        return {"kind": "toy", "argument": self.argument}
    def generate(self, items):
        if self.argument == "broken":
            raise ScreentestError("the card is on fire; put it out")
        shade = {"dark": 10, "light": 200}.get(self.argument, 90)
        return [Frames(np.full((6, 32, 40, 3), shade + 5 * i.seed, np.uint8), 8) for i in items]

GENERATORS.add("toy", GeneratorKind(lambda argument, device, dtype: Toy(argument), "toy:NAME"))
"""
SUITE = {
    "name": "little",
    "version": 1,
    "seeds": 2,
    "clip": {"frames": 6, "height": 32, "width": 40, "fps": 8},
    "prompts": [f"prompt {k}" for k in range(3)],
    "measures": ["motion.flicker", "failure.rate"],
}
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.py").write_text(PLUGIN)
    (tmp_path / "little.yaml").write_text(json.dumps(SUITE))

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        start = ["run", "--plugin", "toy.py", "--suite", "little.yaml", "--tracking-uri", "none"]
        code = run_cli([*start, *words])
        out, err = capsys.readouterr()
        return code, out, err

    yield call
    GENERATORS._entries.pop("toy", None)


def test_two_generators_are_two_runs_and_a_comparison(cli):
    words = ("--generator", "toy:dark", "--generator", "toy:light", "--out", "both")
    code, out, err = cli(*words)
    assert code == 0, err
    assert sorted(path.name for path in Path("both").iterdir()) == [
        "little-comparison.html",
        "toy-dark",
        "toy-light",
    ]
    assert "toy-light against toy-dark, 6 items in pairs" in out
    assert len(open_run(Path("both/toy-dark")).clips()) == 6
    code, out, _ = cli(*words, "--json")  # the same command again: nothing is left to do
    told = json.loads(out)
    assert code == 0
    assert list(told["runs"]) == ["toy-dark", "toy-light"]
    assert told["comparisons"]["toy-light"]["items"] == 6
    assert told["errors"] == {}


def test_three_runs_are_one_table_and_by_default_in_runs(cli):
    code, out, _ = cli("--generator", "toy:dark", "--generator", "toy:light", "--generator", "toy:grey")
    assert code == 0
    assert "3 runs, each against little-toy-dark" in out
    assert out.count("no difference shown") >= 2
    assert Path("runs/little-comparison.html").is_file()
    assert Path("runs/little-toy-grey/run.json").is_file()


def test_one_that_ends_with_an_error_is_told_and_the_others_go_on(cli):
    generators = ("--generator", "toy:dark", "--generator", "toy:broken", "--generator", "toy:light")
    code, out, err = cli(*generators, "--out", "three")
    assert code == 1
    assert err.count("the card is on fire") == 2
    assert "error: toy-broken is not finished: the card is on fire" in err
    assert "toy-light against toy-dark" in out


def test_nothing_is_run_where_a_spec_is_wrong(cli):
    code, _, err = cli("--generator", "toy:dark", "--generator", "toi:light")
    assert code == 2
    assert "unknown generator 'toi'; did you mean 'toy'" in err
    assert not Path("runs").exists()


@pytest.mark.parametrize("words", [("--name", "x"), ("--reuse", "x"), ("--step", "3")])
def test_options_of_one_run_are_refused_with_several(cli, words):
    code, _, err = cli("--generator", "toy:dark", "--generator", "toy:light", *words)
    assert code == 2
    assert "--name, --reuse and --step are for one generator" in err


def test_a_file_gives_names_and_steps_and_a_dry_run_says_all(cli):
    Path("models.yaml").write_text(
        "generators: [{name: early, generator: 'toy:dark', step: 5}, {name: late, generator: 'toy:light'}]"
    )
    code, out, _ = cli("--generators", "models.yaml", "--out", "m", "--dry-run", "--json")
    assert code == 0
    assert [plan["out"] for plan in json.loads(out)] == ["m/early", "m/late"]
    assert not Path("m").exists()
    assert cli("--generators", "models.yaml", "--out", "m")[0] == 0
    assert open_run(Path("m/early")).record["step"] == 5
    assert "step" not in open_run(Path("m/late")).record


def test_a_sweep_of_checkpoints_is_one_command(cli, tmp_path):
    import numpy as np
    from screentest.harness.core.media import write_clip

    for step in (500, 1000):
        folder = tmp_path / "out" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        for k in range(3):
            for seed in range(2):
                frames = np.full((6, 32, 40, 3), step // 10 + 9 * k + seed, np.uint8)
                write_clip(folder / f"prompt {k}-{seed}.mp4", frames, 8.0)
    code, out, err = cli("--generator", "folder:out/checkpoint-*", "--out", "sweep")
    assert code == 0, err
    runs = sorted(Path("sweep").glob("*/run.json"))
    assert [json.loads(path.read_text())["step"] for path in runs] == [1000, 500]
    assert "checkpoint-1000 against checkpoint-500" in out
