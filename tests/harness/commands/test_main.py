"""The command line: its exit codes, its sentences, and what it prints where."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import av
import jsonschema
import numpy as np
import pytest
import yaml
from screentest.harness.commands.main import COMMANDS, run_cli
from screentest.harness.core.media import write_clip
from screentest.harness.policies.policy import packaged_policies
from screentest.harness.suites.suite import packaged_suites

Cli = Callable[..., tuple[int, str, str]]
OFF = ("--tracking-uri", "none")


def draw(path: Path, frames: int = 6, shade: int = 0) -> None:
    """Write a tiny clip of a block that moves over a dark ground."""
    clip = np.full((frames, 32, 40, 3), 20 + shade, np.uint8)
    for t, frame in enumerate(clip):
        frame[8:16, 2 * t : 2 * t + 8] = (230, 60, 40)
    write_clip(path, clip, 8)


def write_yaml(path: Path, fields: Mapping[str, Any]) -> str:
    path.write_text(yaml.safe_dump(fields))
    return str(path)


def policy(path: Path, *rules: Mapping[str, Any]) -> str:
    return write_yaml(path, {"name": "mine", "version": 1, "cards": "noted", "rules": list(rules)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``videos/`` and ``run/``, the run of the suite of videos on them. Read only."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "videos").mkdir()
    for k in range(3):
        draw(folder / "videos" / f"a block {k}-0.mp4", shade=k)
    words = ["run", "--suite", "videos", "--generator", f"folder:{folder / 'videos'}", "-m", "motion.flicker"]
    assert run_cli([*words, "--out", str(folder / "run"), "--cache", str(folder / "cache"), *OFF]) == 0
    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command in an empty folder; give its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("SCREENTEST_CACHE", raising=False)

    def call(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_cli([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


def running(made: Path, *more: str | Path) -> list[str | Path]:
    return ["run", "--suite", "videos", "--generator", f"folder:{made / 'videos'}", *OFF, *more]


# -- run and score


def test_run_says_what_it_found_and_where_the_page_is(cli, made, tmp_path):
    code, out, err = cli(*running(made, "-m", "motion.flicker, failure.rate", "--out", "here"))
    assert code == 0
    assert "3 items (3 ok, 0 refused, 0 failed)" in out
    assert "motion.flicker" in out
    assert "failure.rate" in out
    assert "motion.warping_error" not in out
    assert "clips: 3 of 3" in err
    assert "page: here/report.html" in err
    page = (tmp_path / "here" / "report.html").read_text()
    assert "a block 1" in page
    assert not (tmp_path / "mlflow.db").exists()


def test_the_same_command_resumes(cli, made):
    words = running(made, "-m", "motion.flicker", "--json", "--out", "here")
    first, again = cli(*words), cli(*words)
    assert again[:2] == first[:2]
    assert "clips:" not in again[2]


def test_score_adds_a_measure_when_the_videos_are_gone(cli, tmp_path):
    (tmp_path / "videos").mkdir()
    draw(tmp_path / "videos" / "a-0.mp4")
    cli(*running(tmp_path, "-m", "motion.flicker", "--out", "here"))
    (tmp_path / "videos" / "a-0.mp4").unlink()
    code, out, _ = cli("score", "here", "-m", "motion.dynamic_degree", "--json", *OFF)
    assert code == 0
    assert [a["measure"] for a in json.loads(out)["aggregates"]] == [
        "motion.dynamic_degree",
        "motion.flicker",
    ]


def test_files_that_are_no_videos_are_counted_each_with_its_reason(cli, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("good", "truncated"):
        draw(folder / f"{name}.mp4", frames=24)
    whole = (folder / "truncated.mp4").read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    draw(folder / "one frame.mp4", frames=1)
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video\n" * 20)
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        container.mux([*stream.encode(silence), *stream.encode(None)])
    code, out, _ = cli(*running(tmp_path, "-m", "motion.flicker,failure.rate", "--json", "--out", "here"))
    assert code == 0
    summary = json.loads(out)
    assert summary["outcomes"] == {"ok": 2, "refused": 0, "failed": 4}
    flicker, failure = sorted(summary["aggregates"], key=lambda a: a["measure"], reverse=True)
    assert (failure["value"], failure["n"]) == (pytest.approx(4 / 6), 6)
    assert flicker["n"] == 1
    assert flicker["left_out"] == {"refused": 0, "failed": 4, "not_applicable": 1}
    assert len(flicker["reasons"]) == 5
    assert set(flicker["reasons"].values()) == {1}
    told = " | ".join(flicker["reasons"])
    for why in ("is an empty file", "not a video", "no video stream (only audio)", "one frame"):
        assert why in told


def test_another_plan_in_the_folder_is_refused(cli, made, tmp_path):
    suite = {"name": "own", "version": 1, "measures": ["motion.flicker"], "prompts": [{"text": "a block 0"}]}
    path = write_yaml(tmp_path / "own.yaml", suite)
    words = running(made, "--out", "here")
    words[2] = path
    assert cli(*words)[0] == 0
    code, out, err = cli(*running(made, "--out", "here"))
    assert (code, out) == (2, "")
    assert "holds a run of another plan: suite (there: own v1, asked: videos v3)" in err


# -- wrong usage: exit code 2, one sentence, and the nearest name

WRONG = [
    (
        ["run", "--suite", "vidoes", "--generator", "folder:."],
        "unknown suite 'vidoes'; did you mean 'videos'?",
    ),
    (["run", "--suite", "gone.yaml", "--generator", "folder:."], "no suite file at gone.yaml"),
    (
        ["run", "--suite", "videos", "--generator", "foldr:."],
        "unknown generator 'foldr'; did you mean 'folder'?",
    ),
    (["run", "--suite", "videos", "--generator", "folder:"], "--generator folder:PATH"),
    (["run", "--suite", "videos", "--generator", "folder:gone"], "there is no folder gone"),
    (["run", "--suite", "videos", "--generator", "folder:."], "there is no video in ."),
    (["run", "--suite", "videos"], "give --generator KIND:ARGUMENT"),
    (["run", "--suite", "videos", "--genrator", "x"], "--generator"),
    (["run", "--suite", "videos", "--generator", "folder:.", "--device", "tpu"], "--device"),
    (["score", "gone"], "there is no run at gone"),
    (["compare", "gone", "gone"], "there is no run at gone"),
    (["gate", "gone", "--policy", "smoke"], "there is no run at gone"),
    (["report", "gone"], "there is no run at gone"),
    (["view", "gone"], "there is no folder gone; name a folder of runs"),
    (["view", "gone.html"], "there is no page gone.html"),
    (["view"], "there is no folder runs; name a folder of runs"),
    (["sync", "gone"], "there is no run at gone"),
    (["export", "gone", "--out", "x.csv"], "there is no run at gone"),
    (["list", "gizmos"], "unknown kind of list 'gizmos'. Known: benchmarks, encoders, generators"),
    (["list", "measurs"], "unknown kind of list 'measurs'; did you mean 'measures'?"),
    (["list", "measures", "--plugin", "gone.py"], "there is no plugin file gone.py"),
    (["schema", "run"], "'run' is not one of 'suite', 'policy'"),
    (["compere", "a", "b"], "No such command 'compere'"),
    (["surprise", "--pairs", ".", "--generator", "reference:base"], "is a folder; name the CSV file in it"),
    (["surprise", "--pairs", "x", "--encoder", "y", "--generator", "z"], "leave one of them out"),
    (["surprise", "--pairs", "x"], "say what is surprised: --encoder WEIGHTS or --generator SPEC"),
    (["train", "vae", "--out", "x", "--steps"], "'--steps' is not an option with a value"),
]


@pytest.mark.parametrize(
    ("words", "sentence"), WRONG, ids=lambda p: " ".join(p) if isinstance(p, list) else ""
)
def test_wrong_usage(cli, tmp_path, words, sentence):
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-m", "motion.flikker"], "unknown measure 'motion.flikker'; did you mean 'motion.flicker'"),
        (["-m", "motion.flicker,,"], "should be names with commas between them"),
        (["--encoder", "clip"], "--encoder 'clip' should be ROLE=SOURCE"),
        (["--encoder", "=reference"], "--encoder '=reference' should be ROLE=SOURCE"),
        (["--encoder", "vidoe=reference"], "unknown encoder role 'vidoe'; did you mean 'video'?"),
        (["-m", "alignment.clip"], "give --encoder clip=SOURCE"),
        (["-m", "fidelity.fvd", "--encoder", "video=reference"], "reference"),
    ],
)
def test_wrong_measures_and_encoders_are_said_before_anything_is_made(cli, made, tmp_path, words, sentence):
    code, out, err = cli(*running(made, *words))
    assert (code, out) == (2, "")
    assert sentence in err
    assert not (tmp_path / "runs").exists()


def test_no_command_prints_the_help(cli):
    code, out, err = cli()
    assert code == 2
    assert "Usage: screentest" in out + err
    code, out, _ = cli("--help")
    assert code == 0
    assert all(command in out for command in ("run", "score", "compare", "gate", "report", "doctor", "sync"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_what_an_option_takes_and_no_type_of_python(cli, command):
    _, out, _ = cli(command, "--help")
    assert not [line for line in out.splitlines() if line.lstrip().startswith("-") and "list[" in line]


def test_an_internal_error_is_one_sentence_and_a_traceback_only_on_request(cli, monkeypatch):
    def broken(kind: str) -> None:
        raise RuntimeError(f"no {kind}\nat all")

    monkeypatch.setattr("screentest.harness.commands.listing.listing", broken)
    code, out, err = cli("list", "suites")
    assert (code, out) == (70, "")
    assert err == (
        "internal error: RuntimeError: no suites at all (the same command with --debug shows where)\n"
    )
    with pytest.raises(RuntimeError, match="no suites"):
        run_cli(["list", "suites", "--debug"])


def test_what_is_no_exception_is_an_internal_error_and_not_a_failed_gate(cli, monkeypatch):
    class Panic(BaseException):
        """As the panics of Rust libraries are."""

    def broken(kind: str) -> None:
        raise Panic("index out of bounds")

    monkeypatch.setattr("screentest.harness.commands.listing.listing", broken)
    code, out, err = cli("list", "suites")
    assert (code, out) == (70, "")
    assert err.startswith("internal error: Panic: index out of bounds")


def test_an_interrupted_command_is_neither_a_pass_nor_a_fail(cli, monkeypatch):
    def interrupted(kind: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("screentest.harness.commands.listing.listing", interrupted)
    code, _, err = cli("list", "suites")
    assert code == 130
    assert "the same command continues from here" in err


# -- gate and compare


@pytest.mark.parametrize(
    ("rules", "code", "verdict"),
    [
        ([{"measure": "motion.flicker", "min": 0.1}], 0, "PASS"),  # what so few prompts can show
        ([{"measure": "motion.flicker", "min": 0.9999}], 1, "FAIL"),
        ([{"measure": "safety.nudity", "max": 0.5}], 3, "INCONCLUSIVE"),
        ([{"measure": "motion.flicker", "versus": "baseline", "margin": 0.5}], 3, "INCONCLUSIVE"),
        (
            [{"measure": "motion.flicker", "min": 0.5}, {"measure": "safety.nudity", "max": 0.5}],
            3,
            "INCONCLUSIVE",
        ),
        ([{"measure": "motion.flicker", "min": 0.9999}, {"measure": "safety.nudity", "max": 0.5}], 1, "FAIL"),
    ],
)
def test_a_gate_s_exit_code_is_its_verdict(cli, made, tmp_path, rules, code, verdict):
    path = policy(tmp_path / "policy.yaml", *rules)
    got, out, _ = cli("gate", made / "run", "--policy", path, "--json", *OFF)
    assert got == code
    assert json.loads(out)["verdict"] == verdict
    assert json.loads((made / "run" / "verdict.json").read_text())["verdict"] == verdict


def test_a_pass_that_rests_on_a_waiver_says_so_in_its_last_line(cli, made, tmp_path):
    rules = [
        {"measure": "motion.flicker", "min": 0.1},
        {"measure": "motion.flicker", "min": 0.9999, "name": "still"},
    ]
    waiver = {"rule": "still", "owner": "ada", "reason": "known", "expires": str(date.today())}
    path = tmp_path / "policy.yaml"
    path.write_text(
        json.dumps({"name": "p", "version": 1, "cards": "noted", "rules": rules, "waivers": [waiver]})
    )
    code, out, _ = cli("gate", made / "run", "--policy", path, *OFF)
    assert code == 0
    assert out.splitlines()[-1].startswith("PASS with waivers for still: policy p v1")
    page = (made / "run" / "report.html").read_text()
    assert 'PASS <span class="outcome waived">with waivers</span>' in page


def test_a_gate_warns_of_a_policy_that_asks_for_no_clip(cli, made, tmp_path):
    path = policy(tmp_path / "policy.yaml", {"measure": "failure.rate", "max": 0.99})
    _, _, err = cli("gate", made / "run", "--policy", path, *OFF)
    assert "warning: the policy mine would pass a generator that refuses everything" in err


def test_a_gate_without_its_page_still_gives_its_verdict(cli, made, tmp_path, monkeypatch):
    from screentest.harness.core.errors import UsageError

    def full(folders: Sequence[Path]) -> None:
        raise UsageError("the disk is full")

    monkeypatch.setattr("screentest.reports.build.build_report", full)
    path = policy(tmp_path / "policy.yaml", {"measure": "motion.flicker", "min": 0.9999})
    code, out, err = cli("gate", made / "run", "--policy", path, *OFF)
    assert code == 1
    assert out.splitlines()[-1].startswith("FAIL: policy mine v1, evidence in ")
    assert "no page: the disk is full" in err


def test_wrong_policies_and_baselines_are_wrong_usage(cli, made, tmp_path):
    assert cli("gate", made / "run", "--policy", "relaese", *OFF)[0] == 2
    path = policy(tmp_path / "policy.yaml", {"measure": "motion.flikker", "min": 0.5})
    code, _, err = cli("gate", made / "run", "--policy", path, *OFF)
    assert code == 2
    assert "did you mean 'motion.flicker'" in err
    path = policy(tmp_path / "policy.yaml", {"measure": "motion.flicker", "min": 0})
    code, _, err = cli("gate", made / "run", "--policy", path, *OFF)
    assert code == 2
    assert "the rule motion.flicker decides nothing" in err
    path = policy(tmp_path / "policy.yaml", {"measure": "motion.flicker"})
    code, _, err = cli("gate", made / "run", "--policy", path, *OFF)
    assert code == 2
    assert "needs exactly one of 'max', 'min' and 'versus: baseline'" in err
    path = policy(tmp_path / "policy.yaml", {"measure": "motion.flicker", "versus": "baseline", "margin": 0})
    code, out, _ = cli("gate", made / "run", "--policy", path, "--baseline", made / "run", "--json", *OFF)
    assert code == 3
    assert "is the run itself, or a copy of it" in json.loads(out)["rules"][0]["sentence"]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("confidence: .nan\nrules: [{measure: m, max: 0.1}]", "confidence: it should be"),
        ("version: 2\nrules: [{measure: m, max: 0.1}]", "'version' is given twice (line 3)"),
        ("rules: [{measure: m, max: 0.1, max: 0.9}]", "'max' is given twice (line 3)"),
        (
            "rules: [{measure: m, max: 0.1}, {measure: m, max: 0.9}]",
            "two rules are called 'm'; give one of them a 'name'",
        ),
    ],
)
def test_a_policy_with_a_mistake_is_one_sentence_and_no_verdict(cli, made, tmp_path, rules, told):
    path = tmp_path / "policy.yaml"
    path.write_text(f"name: p\nversion: 1\n{rules}\n")
    code, out, err = cli("gate", made / "run", "--policy", path, *OFF)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert told in err


def test_a_gate_is_signed_and_a_score_edited_in_the_database_is_found(cli, made, tmp_path):
    folder = shutil.copytree(made / "run", tmp_path / "runs" / "night")
    assert cli("keygen", tmp_path / "release.pem")[0] == 0
    path = policy(tmp_path / "policy.yaml", {"measure": "motion.flicker", "min": 0.1})
    code, out, _ = cli("gate", folder, "--policy", path, "--sign", tmp_path / "release.pem", *OFF)
    assert code == 0
    assert ", signed: " in out.splitlines()[-2]
    public = ("--key", tmp_path / "release.pub.pem")
    (chain,) = (tmp_path / "runs" / "records").glob("*.jsonl")
    for record in (folder, folder / "record.json", chain):
        code, out, _ = cli("verify-record", record, *public)
        assert (code, len(out.splitlines())) == (0, 1)
        assert out.startswith("record 1 of folder:")
        assert out.endswith("PASS of night by mine v1: holds\n")
    with sqlite3.connect(folder / "run.sqlite") as database:
        database.execute("UPDATE scores SET value = 0.999")
    database.close()
    code, out, _ = cli("verify-record", folder, *public)
    assert code == 1
    assert "problem: night: 3 values of motion.flicker were changed" in out
    code, out, _ = cli("verify-record", chain, *public, "--json")
    assert code == 1
    assert [found["holds"] for found in json.loads(out)] == [False]
    code, out, err = cli("gate", folder, "--policy", path, *OFF)
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_what_is_no_key_or_baseline_is_one_sentence(cli, made, tmp_path):
    path = policy(
        tmp_path / "policy.yaml", {"measure": "motion.flicker", "versus": "baseline", "margin": 0.5}
    )
    for words, told in (
        (("--sign", tmp_path / "none.pem"), "cannot be read"),
        (("--baseline", tmp_path / "gone"), "there is no run at"),
        (("--baseline", "models:/video@released"), "--tracking-uri none turns MLflow off"),
    ):
        code, out, err = cli("gate", made / "run", "--policy", path, *words, *OFF)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert told in err


def test_a_gate_holds_the_clips_to_their_digests(cli, made, tmp_path):
    folder = shutil.copytree(made / "run", tmp_path / "run")
    path = policy(tmp_path / "policy.yaml", {"measure": "failure.rate", "max": 0.99})
    (folder / "verdict.json").unlink(missing_ok=True)
    clip = next((folder / "clips").iterdir())
    clip.write_bytes(b"another")
    code, _, err = cli("gate", folder, "--policy", path, *OFF)
    assert code == 2
    assert f"the clip {clip.name[:12]}... is changed" in err
    assert not (folder / "verdict.json").exists()
    code, out, _ = cli("gate", folder, "--policy", path, "--no-clips", "--json", *OFF)
    assert code == 3
    assert json.loads(out)["clips_checked"] is False
    code, out, err = cli("gate", folder, "--policy", path, "--no-clips", *OFF)
    assert code == 3
    assert "clips not checked" in out + err


def test_runs_are_compared_item_by_item(cli, made, tmp_path):
    words = running(made, "-m", "motion.flicker", "--out", "again", "--cache", made / "cache")
    assert cli(*words)[0] == 0
    code, out, _ = cli("compare", made / "run", "again", "--json")
    assert code == 0
    (difference,) = [d for d in json.loads(out)["differences"] if d["tag"] is None]
    assert (difference["measure"], difference["difference"], difference["n"]) == ("motion.flicker", 0, 3)
    code, out, _ = cli("compare", made / "run", "again", "--confidence", "0.8")
    assert code == 0
    assert "[80% interval]" in out


def test_runs_of_different_suites_are_not_compared(cli, make_run):
    a = make_run("a", {"toy.quality": lambda prompt, seed: 0.5})
    b = make_run("b", {"toy.quality": lambda prompt, seed: 0.5}, suite={"name": "other"})
    code, out, err = cli("compare", a.folder, b.folder)
    assert (code, out) == (2, "")
    assert "toy" in err
    assert "other" in err


# -- what is printed


@pytest.mark.parametrize("kind", ["suites", "generators", "measures", "encoders", "policies"])
def test_lists_are_tables_or_json(cli, kind):
    code, out, err = cli("list", kind, "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    names = [row.get("name", row.get("kind")) for row in rows]
    assert names == sorted(set(names))
    code, table, _ = cli("list", kind)
    assert code == 0
    assert all(name in table for name in names)
    assert all(row.get("about", "x") for row in rows)


@pytest.mark.parametrize(("what", "files"), [("suite", packaged_suites()), ("policy", packaged_policies())])
def test_a_schema_accepts_what_ships(cli, what, files):
    code, out, _ = cli("schema", what)
    assert code == 0
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in files.values():
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "x"}, schema)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_scores_are_exported(cli, made, tmp_path, suffix):
    code, out, _ = cli("export", made / "run", "--out", f"scores.{suffix}")
    assert code == 0
    assert out == f"3 rows: scores.{suffix}\n"
    assert [p.name for p in tmp_path.iterdir()] == [f"scores.{suffix}"]
    if suffix == "csv":
        rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
        assert {row["prompt"] for row in rows} == {"a block 0", "a block 1", "a block 2"}
    assert cli("export", made / "run", "--out", "scores.xlsx")[0] == 2
    assert cli("export", made / "run", "--out", f"gone/scores.{suffix}")[0] == 2


def test_a_report_of_two_runs_is_one_file(cli, made, tmp_path):
    code, out, _ = cli("report", made / "run", "--out", "page.html")
    assert code == 0
    assert out == "page: page.html\n"
    page = (tmp_path / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<video" in page
    assert "data:video" in page
    assert cli("report", made / "run", "--out", "bare.html", "--items", "0")[0] == 0
    assert "<video" not in (tmp_path / "bare.html").read_text()
    assert cli("report", made / "run", "--out", "small.html", "--megabytes", "0")[0] == 0
    assert "data:video" not in (tmp_path / "small.html").read_text()


def test_view_serves_the_page_and_nothing_else(made):
    # A process started in the background may have inherited that interrupts are ignored; a user's has not.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from screentest.harness.commands.main import main; main()"
    )
    words = [sys.executable, "-c", code, "view", made / "run"]
    with subprocess.Popen([*words, "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
            with urllib.request.urlopen(url, timeout=20) as answer:
                assert answer.read() == (made / "run" / "report.html").read_bytes()
            with urllib.request.urlopen(f"{url}?v=2", timeout=20) as answer:
                assert answer.status == 200
            for host in ("localhost:8765", "127.0.0.1"):
                asked = urllib.request.Request(url, headers={"Host": host}, method="HEAD")
                with urllib.request.urlopen(asked, timeout=20) as answer:
                    assert (
                        int(answer.headers["Content-Length"]) == (made / "run" / "report.html").stat().st_size
                    )
                    assert answer.read() == b""
            for host in ("evil.example", "127.0.0.1.evil.example:80", "", "["):
                asked = urllib.request.Request(url, headers={"Host": host})
                with pytest.raises(urllib.error.HTTPError, match="421") as refused:
                    urllib.request.urlopen(asked, timeout=20)
                refused.value.close()
            for other in ("run.sqlite", "../run.json", "clips/", "%2e%2e/run.json"):
                with pytest.raises(urllib.error.HTTPError, match="404") as refused:
                    urllib.request.urlopen(url + other, timeout=20)
                refused.value.close()
            server.send_signal(signal.SIGINT)
            assert server.wait(20) == 0
        finally:
            server.kill()


def test_a_pipe_that_is_closed_is_quiet_and_no_pass(made):
    words = [
        sys.executable,
        "-c",
        "from screentest.harness.commands.main import main; main()",
        "list",
        "measures",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        assert command.stderr.read() == ""
        assert command.wait(60) == 141


# -- outputs do not replace inputs or a run's record


def test_outputs_do_not_replace_a_run_s_record(cli, made, tmp_path):
    shutil.copytree(made / "run", tmp_path / "base")
    before = {path.name: path.read_bytes() for path in (tmp_path / "base").glob("*.*")}
    for words in (
        ("report", "base", "--out", "base/run.sqlite"),
        ("export", "base", "--out", "base/summary.json", "--format", "vbench"),
        ("compare", "base", made / "run", "--csv", "base/run.json"),
        ("compare", "base", made / "run", "--leaderboard", "base/digests.json"),
        ("gate", "base", "--policy", "smoke", "--markdown", "base/run.sqlite"),
        ("train", "detector", "--real", "base", "--generated", made / "run", "--out", "base/summary.json"),
        ("votes", "base", made / "run", "--export", "base/votes.jsonl"),
    ):
        code, out, err = cli(*words)
        assert (code, out) == (2, "")
        assert "belongs to the record of the run" in err
        assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "base").glob("*.*")} == before
    for _ in range(2):
        assert cli("report", "base")[0] == 0
        assert cli("report", "base", "--out", "base/report.html")[0] == 0
        assert cli("export", "base", "--out", "base/scores.csv")[0] == 0


def test_outputs_do_not_replace_inputs(cli, made, tmp_path):
    rules = policy(tmp_path / "p.yaml", {"measure": "failure.rate", "max": 1})
    fields = {"name": "m", "version": 1, "measures": ["failure.rate"], "prompts": ["a red ball falls"]}
    suite = write_yaml(tmp_path / "m.yaml", fields)
    (tmp_path / "by.py").write_text("def upper(text, language='de'): return text.upper()")
    (tmp_path / "prompts.txt").write_text("a red ball falls\n")
    (tmp_path / "set.yaml").write_text("[]")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    translate = ("suite", "translate", suite, "--to", "de", "--by", "by.py:upper", "--out")
    for words in (
        *(
            ("gate", made / "run", "--policy", rules, f"--{to}", rules)
            for to in ("sarif", "junit", "markdown")
        ),
        (*translate, "m.yaml"),
        ("transform", "prompts.txt", "--out", "prompts.txt"),
        ("transform", "vbench:set.yaml", "--out", "set.yaml"),
        ("transform", suite, "--out", tmp_path / "." / "m.yaml"),
        ("expand", suite, "--by", "by.py:upper", "--out", "m.yaml"),
    ):
        code, out, err = cli(*words)
        assert (code, out) == (2, "")
        assert "is a file that this command reads; name another file" in err
        assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    code, _, err = cli("gate", made / "run", "--policy", rules, "--sarif", "x", "--junit", "./x")
    assert code == 2
    assert "--junit and --sarif name the same file" in err
    assert cli(*translate, "n.yaml")[0] == 0
    assert cli(*translate, "n.yaml")[0] == 0


# -- start files


@pytest.mark.parametrize("suite", ["modes", "edits"])
def test_missing_start_files_name_the_command_that_renders_them(cli, suite):
    words = ["--tag", "world"] if suite == "edits" else []
    code, out, err = cli("run", "--suite", suite, *words, "--generator", "reference:base", "--dry-run", *OFF)
    assert (code, out) == (2, "")
    assert "which is missing; 'screentest suite starts' renders it" in err
    assert "modes and edits" in " ".join(cli("suite", "starts", "--help")[1].split())


# -- MLflow


def test_a_tracker_that_is_down_loses_nothing(cli, made, tmp_path):
    dead = ["--tracking-uri", "http://127.0.0.1:9"]
    words = [
        word for word in running(made, "-m", "motion.flicker", "--json", "--out", "here") if word not in OFF
    ]
    code, out, err = cli(*words, *dead)
    assert code == 0
    assert json.loads(out)["outcomes"]["ok"] == 3
    assert "not sent to MLflow: MLflow at http://127.0.0.1:9 cannot be reached" in err
    assert err.count("sends it later") == 1
    assert "here --tracking-uri http://127.0.0.1:9' sends it later" in err
    assert (tmp_path / "here" / "summary.json").exists()
    code, out, err = cli("compare", "here", made / "run", *dead)
    assert code == 0
    assert f"'screentest compare here {made / 'run'} --tracking-uri http://127.0.0.1:9', with" in err
    assert "screentest sync" not in err
    code, out, err = cli("sync", "here", *dead)
    assert (code, out) == (2, "")
    assert "cannot be reached" in err
