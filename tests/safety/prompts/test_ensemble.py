"""Several classifiers as one: rules, columns, failures, and a stack fitted to labelled prompts."""

import json

import numpy as np
import pytest
import yaml
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.safety.calibration import expected_calibration_error, logit, sigmoid
from screentest.safety.harms import HARMS
from screentest.safety.prompts import Judged, PromptClassifier, load_classifier
from screentest.safety.prompts.ensemble import EnsembleClassifier, EnsembleConfig
from screentest.safety.training.prompt_stack import StackSettings, fit_logistic, fit_stack, train_prompt_stack

NOT = float("nan")


class Says(PromptClassifier):
    """Give the scores that it was made with, by prompt."""

    def __init__(self, name, scores, *, threshold=0.5, harms=("vcr",), failed=()):
        self.name, self.threshold, self.harms, self.digest = name, threshold, harms, name
        self._scores, self._failed = scores, failed

    def _classify(self, texts):
        score = np.array([self._scores[text] for text in texts], np.float64)
        failed = {row: "broken" for row, text in enumerate(texts) if text in self._failed}
        score[list(failed)] = np.nan
        return Judged(score, np.repeat(score[:, None], len(self.harms), 1), score >= self.threshold, failed)


MANY = {"a": 0.1, "b": 0.5, "c": 0.9}
OTHER = {"a": 0.3, "b": 0.05, "c": 0.02}


def test_any_flags_what_one_member_flags():
    members = [Says("one", MANY, threshold=0.8), Says("two", OTHER, threshold=0.25)]
    judged = EnsembleClassifier(members, "any").classify(["a", "b", "c"])
    assert judged.flagged.tolist() == [True, False, True]
    expected = logit(np.array([0.3, 0.5, 0.9])) - logit(np.array([0.25, 0.8, 0.8]))
    assert judged.score == pytest.approx(sigmoid(expected))


def test_mean_averages_log_odds_from_the_thresholds():
    members = [Says("one", MANY, threshold=0.8), Says("two", OTHER, threshold=0.25)]
    judged = EnsembleClassifier(members, "mean").classify(["a", "c"])
    one = logit(np.array([0.1, 0.9])) - logit(np.array(0.8))
    two = logit(np.array([0.3, 0.02])) - logit(np.array(0.25))
    assert judged.score == pytest.approx(sigmoid((one + two) / 2))
    same = EnsembleClassifier([members[0], members[0]], "mean").classify(["a", "b", "c"])
    assert same.flagged.tolist() == members[0].classify(["a", "b", "c"]).flagged.tolist()


def test_members_with_other_harms_meet_in_the_taxonomy():
    own = Says("own", MANY, harms=HARMS)
    foreign = Says("foreign", OTHER, harms=("hte", "civ"))
    together = EnsembleClassifier([own, foreign], "mean")
    assert together.harms == ("vcr", "ncr", "iwp", "hte", "ssh", "sxc", "gor", "civ")
    at = dict(zip(together.harms, together.classify(["c"]).harms[0], strict=True))
    assert at["civ"] == pytest.approx(0.02)  # one member knows it
    assert at["sxc"] == pytest.approx(0.9)
    assert at["hte"] == pytest.approx(sigmoid((logit(np.array(0.9)) + logit(np.array(0.02))) / 2))
    assert EnsembleClassifier([own, own], "any").harms == HARMS


@pytest.mark.parametrize("rule", ["any", "mean"])
def test_a_member_that_fails_fails_the_ensemble(rule):
    members = [Says("one", MANY), Says("two", OTHER, failed=("b",)), Says("three", {**MANY, "c": NOT})]
    judged = EnsembleClassifier(members, rule).classify(["a", "b", "c"])
    assert judged.failed == {1: "two: broken", 2: "a member gave no score"}
    assert np.isnan(judged.score).tolist() == [False, True, True]
    nothing = EnsembleClassifier([Says("x", {"a": NOT}), Says("y", {"a": NOT})], rule).classify(["a"])
    assert not nothing.failed  # a prompt without text is nobody's failure
    assert np.isnan(nothing.score).all()


def test_the_digest_follows_the_members_and_the_rule():
    one, two = Says("one", MANY), Says("two", OTHER)
    made = [EnsembleClassifier(m, rule) for m in ([one, two], [two, one]) for rule in ("any", "mean")]
    assert len({ensemble.digest for ensemble in made}) == 4


# -- stacks


def prompts(n, seed=0):
    """Draw prompts whose truth two noisy members see in part, and a third not at all."""
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    hidden = np.where(y, 1.5, -1.5)
    odds = np.stack([hidden + rng.normal(0, s, n) for s in (1.5, 1.5)] + [rng.normal(0, 2, n)], 1)
    texts = [f"prompt {seed} {i}" for i in range(n)]
    members = [Says(f"m{k}", dict(zip(texts, sigmoid(odds[:, k]).tolist(), strict=True))) for k in range(3)]
    return texts, y, members


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("prompt,label\nx,1\n")
    return file


def test_logistic_finds_the_weights_that_labels_were_drawn_from():
    rng = np.random.default_rng(1)
    x = rng.normal(0, 2, (40000, 2))
    y = rng.random(40000) < sigmoid(x @ np.array([0.8, 0.3]) - 0.5)
    weights, bias = fit_logistic(x, y, 1e-6)
    assert weights == pytest.approx([0.8, 0.3], abs=0.03)
    assert bias == pytest.approx(-0.5, abs=0.04)
    assert fit_logistic(x, y, 1e6)[0] == pytest.approx([0.5, 0.5], abs=1e-3)  # pulled to the mean
    assert fit_logistic(-x, y, 1e-6)[0] == pytest.approx([0, 0])  # never below 0


@pytest.mark.parametrize("calibration", ["isotonic", "temperature"])
def test_a_stack_beats_its_members_is_calibrated_and_keeps_the_rate(data, calibration):
    texts, y, members = prompts(4000)
    settings = StackSettings(data=data, members="", calibration=calibration, fpr=0.05)
    stack = fit_stack(members, texts, y, settings)
    assert stack.weights[2] < 0.05 * stack.weights[0]  # the member that knows nothing
    new_texts, truth, new_members = prompts(4000, seed=1)
    judged = EnsembleClassifier(new_members, "stack", stack=stack).classify(new_texts)
    brier = float(np.mean((judged.score - truth) ** 2))
    assert brier < min(float(np.mean((m.classify(new_texts).score - truth) ** 2)) for m in new_members[:2])
    assert expected_calibration_error(judged.score, truth) < 0.03
    assert judged.flagged[~truth].mean() == pytest.approx(0.05, abs=0.02)


def test_a_stack_takes_no_other_versions_of_its_members(data):
    texts, y, members = prompts(300)
    stack = fit_stack(members, texts, y, StackSettings(data=data, members=""))
    with pytest.raises(UsageError, match="fit it again"):
        EnsembleClassifier(members[::-1], "stack", stack=stack)


def test_too_few_labels_get_a_sentence(data):
    texts, y, members = prompts(30)
    with pytest.raises(UsageError, match="a stack needs 20"):
        fit_stack(members, texts, y, StackSettings(data=data, members=""))


def test_the_command_fits_and_the_file_loads(tmp_path, capsys):
    rng = np.random.default_rng(0)
    verbs = ["stabs", "shoots", "paints", "feeds"]
    rows = [
        f"{who} {verb} a {what} {k},{int(verb in verbs[:2])}"
        for k, (who, verb, what) in enumerate(
            zip(
                rng.choice(["a man", "a cook", "an actor"], 120),
                rng.choice(verbs, 120),
                rng.choice(["guard", "horse", "wall"], 120),
                strict=True,
            )
        )
    ]
    (tmp_path / "l.csv").write_text("prompt,label\n" + "\n".join(rows) + "\nblank,\n")
    out = tmp_path / "stack"
    raw = tmp_path / "raw.yaml"
    raw.write_text("name: twice\nensemble: {members: [ngram, ngram], rule: mean}\n")
    file = train_prompt_stack(
        out, {"data": str(tmp_path / "l.csv"), "members": f"ngram,{raw}", "calibration": "temperature"}
    )
    written = yaml.safe_load(file.read_text("utf-8"))["ensemble"]["stack"]
    assert (written["n"], written["n_harmful"]) == (120, sum(row.endswith(",1") for row in rows))
    judge = load_classifier(str(file))
    judged = judge.classify(["a man stabs a guard", "a cook feeds a horse"])
    assert judged.score[0] > judged.score[1]
    (tmp_path / "p.jsonl").write_text('{"prompt": "a man stabs a guard"}\n{"prompt": ""}\n')
    assert run_cli(["classify", str(tmp_path / "p.jsonl"), "--classifier", str(file)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["score"] == pytest.approx(judged.score[0], abs=1e-6)
    assert second["reason"] == "no text"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x\nensemble: {members: [ngram], rule: any}\n", "at least 2"),
        ("name: x\nensemble: {members: [ngram, minilm], rule: stack}\n", "go together"),
        ("name: x\nensemble: {members: [a, b], rules: any}\n", "did you mean 'rule'"),
        ("name: x\n", "give one of the sections"),
        ("name: x\nguard: {model: m, safe: a, unsafe: b, crosswalk: llama}\n", "llama"),
        ("name: x\nensemble: {members: [x.yaml, ngram], rule: any}\n", "name itself"),
        ("[", "not YAML"),
    ],
)
def test_a_file_that_is_wrong_gets_a_sentence(tmp_path, text, says):
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_classifier(str(file))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "stack",
    [
        {"weights": [1.0]},
        {"weights": [1.0, -0.5]},
        {"temperature": None},
        {"isotonic": [[0.0, 1.0], [0.9, 0.1]], "temperature": None},
        {"isotonic": [[1.0, 1.0], [0.1, 0.9]], "temperature": None},
    ],
)
def test_a_stack_that_could_not_have_been_fitted_is_refused(stack):
    whole = {
        "member_digests": ["a", "b"], "weights": [0.5, 0.5], "bias": 0.0, "temperature": 1.0,
        "threshold": 0.5, "fpr": 0.01, "n": 40, "n_harmful": 20, "data_sha256": "0",
    }  # fmt: skip
    EnsembleConfig.model_validate({"members": ["a", "b"], "rule": "stack", "stack": whole})
    with pytest.raises(ValueError):
        EnsembleConfig.model_validate({"members": ["a", "b"], "rule": "stack", "stack": whole | stack})
