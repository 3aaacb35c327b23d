"""``gate --plan`` and ``compare --power`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from screentest.harness.commands.main import run_cli


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]):
    def run(*words: object) -> tuple[int, str, str]:
        code = run_cli([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_policy_alone_is_planned(cli) -> None:
    code, out, err = cli("gate", "--policy", "safety", "--plan", "--json")
    assert (code, err) == (0, "")
    rules = {rule["rule"]: rule for rule in json.loads(out)["rules"]}
    assert rules["safety.unsafe_rate[red-team]"]["prompts"] == 59
    assert rules["safety.over_refusal[benign]"]["prompts"] == 29
    code, out, _ = cli("gate", "--policy", "safety", "--plan")
    assert "prompts to pass with 80% probability at 95% confidence" in out


def test_a_suite_that_is_too_small_is_code_3(cli, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    rules = [{"measure": "safety.nudity", "max": 0.001}]
    policy.write_text(json.dumps({"name": "p", "version": 1, "rules": rules}))
    code, out, _ = cli("gate", "--policy", policy, "--plan", "--suite", "reference")
    assert code == 3
    assert "2,995" in out
    assert "reference v" in out.splitlines()[-1]
    assert out.endswith(" cannot decide safety.nudity\n")


def write(tmp_path: Path, *rules: dict[str, object]) -> Path:
    policy = tmp_path / "policy.yaml"
    policy.write_text(json.dumps({"name": "p", "version": 1, "cards": "noted", "rules": rules}))
    return policy


ENOUGH, FEW = {"measure": "failure.rate", "max": 0.1}, {"measure": "failure.rate", "max": 0.001}
SPREAD = {"measure": "motion.flicker", "min": 0.5}


@pytest.mark.parametrize(
    ("rules", "words", "code", "told"),
    [
        ([ENOUGH], (), 0, ""),
        ([ENOUGH], ("--suite", "reference"), 0, "has the prompts that these rules need"),
        ([ENOUGH, FEW | {"name": "few"}], ("--suite", "reference"), 3, "cannot decide few"),
        ([ENOUGH, FEW | {"name": "few", "severity": "warn"}], ("--suite", "reference"), 0, "has the prompts"),
        ([ENOUGH, SPREAD], (), 3, "prompts decide motion.flicker"),
        ([ENOUGH, SPREAD], ("--suite", "reference"), 3, "prompts decide motion.flicker"),
        ([ENOUGH], ("--suite", "reference", "--expect", "failure.rate=0.1"), 3, "it is not known how many"),
        ([ENOUGH], ("--suite", "videos"), 3, "it is not known how many prompts decide failure.rate"),
        ([FEW | {"max": 0.0}], (), 3, "it is not known how many prompts decide failure.rate"),
        ([{"measure": "bias.tone.excess", "max": 0.1}], ("--suite", "reference"), 3, "cannot decide bias"),
    ],
)  # fmt: skip
def test_the_exit_code_says_whether_each_rule_can_be_decided(cli, tmp_path, rules, words, code, told) -> None:
    found, out, err = cli("gate", "--policy", write(tmp_path, *rules), "--plan", *words)
    assert (found, err) == (code, "")
    assert told in out
    found, out, _ = cli("gate", "--policy", write(tmp_path, *rules), "--plan", *words, "--json")
    document = json.loads(out)
    assert found == code
    assert bool(document["too_few"] or document["without_count"]) == (code == 3)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"measure": "failure.rat", "max": 0.1}, "did you mean 'failure.rate'"),
        ({"measure": "failure.rate", "max": 1.0}, "decides nothing"),
        ({"measure": "motion.flicker", "min": 2}, "no run passes the rule motion.flicker: its min is 2"),
        ({"measure": "bias.tone", "max": 0.1}, "has several values"),
    ],
)
def test_a_policy_that_the_gate_refuses_is_wrong_usage(cli, tmp_path, rule, told: str) -> None:
    code, out, err = cli("gate", "--policy", write(tmp_path, rule), "--plan")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--policy", "release"), "name the run to judge, or add --plan"),
        (("--policy", "release", "--plan", "--expect", "safety.nudity=few"), "'few' is not a number"),
        (("--policy", "release", "--plan", "--expect", "safety.nudity=nan"), "'nan' is not a number"),
        (("--policy", "release", "--plan", "--expect", "safety.nudity"), "should be RULE=VALUE"),
        (("--policy", "accessibility", "--plan", "--expect", "motion.flicker=2"), "lie between 0 and 1"),
        (("--policy", "release", "--plan", "--baseline", "gone"), "--baseline needs a pilot run"),
        (("--policy", "release", "--plan", "--suite", "gone"), "unknown suite 'gone'"),
        (("gone", "--policy", "release", "--plan"), "there is no run at gone"),
        (("--policy", "release", "--plan", "--junit", "x.xml"), "there is no verdict for --junit"),
        (("gone", "--policy", "release", "--power", "0.9"), "--power is for --plan; add it, or leave it out"),
        (
            ("gone", "--policy", "release", "--power", "0.9", "--seeds", "2"),
            "--seeds and --power are for --plan; add it, or leave them out",
        ),
    ],
)
def test_wrong_words_are_one_sentence(cli, words, sentence: str) -> None:
    code, out, err = cli("gate", *words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_a_comparison_says_what_it_can_show(cli, make_run) -> None:
    error = lambda shift: lambda p, s: 1 + shift + 0.1 * ((p * 7 + s * 3) % 5)  # noqa: E731
    first = make_run("a", {"toy.error": error(0.0)}, generator="toy:a")
    second = make_run("b", {"toy.error": lambda p, s: error(0.2)(p + s, s)}, generator="toy:b")
    words = ("compare", first.folder, second.folder)
    code, out, _ = cli(*words, "--power", "0.9", "--effect", "toy.error=0.01")
    assert code == 0
    assert "b against a: what is shown with 90% probability at 95% confidence" in out
    code, out, _ = cli(*words, "--power", "0.9", "--effect", "toy.error=0.01", "--json")
    assert json.loads(out)["measures"][0]["prompts"] > 12
    code, _, err = cli(*words, "--effect", "toy.error=0.01")
    assert (code, "--effect is for --power" in err) == (2, True)
    code, _, err = cli(*words, "--power", "0.9", "--effect", "toy.eror=0.01")
    assert (code, "did you mean 'toy.error'" in err) == (2, True)
