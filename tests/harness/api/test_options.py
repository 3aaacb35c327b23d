"""Suites, policies and options that Python programs give."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
import screentest as st
from screentest.harness.api import options
from screentest.harness.api.options import check_options, chosen_suite, read_policy, settings_of
from screentest.harness.core.errors import UsageError
from screentest.harness.execution.workers import Workers


def test_the_examples_hold():
    found = doctest.testmod(options)
    assert found.attempted > 3
    assert found.failed == 0


def test_a_suite_and_a_policy_are_made_or_loaded():
    suite = st.Suite(name="mine", version=1, prompts=["a b"], measures=["motion.flicker"], seeds=3)
    assert (suite.prompts[0].text, suite.seeds) == ("a b", 3)
    assert st.Suite.load("reference").name == "reference"
    assert st.Policy.load("smoke").name == "smoke"
    policy = st.Policy(name="mine", version=1, rules=[{"measure": "failure.rate", "max": 0.1}])
    assert read_policy(policy) is policy
    assert read_policy("smoke") == st.Policy.load("smoke")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: st.Suite(name="mine", version=1, prompt=["a"], measures=["x"]), "prompt"),
        (lambda: st.Suite(name="Mine!", version=1, prompts=["a"], measures=["x"]), "name"),
        (lambda: st.Policy(name="mine", version=1, rules=[]), "rules"),
        (lambda: st.Suite.load("refrence"), "did you mean 'reference'"),
        (lambda: st.Policy.load("smok"), "did you mean 'smoke'"),
        (lambda: chosen_suite(3, {}), "the suite is a int"),
        (lambda: read_policy(3), "the policy is a int"),
        (lambda: check_options({"limits": 3}), "unknown option 'limits'; did you mean 'limit'"),
        (lambda: check_options({"device": "gpu"}), "device.*auto"),
        (lambda: check_options({"dtype": "fp16"}), "dtype.*float16"),
        (lambda: check_options({"limit": 0}), "limit.*at least 1"),
        (lambda: check_options({"limit": "many"}), "limit.*whole number"),
        (lambda: check_options({"seeds": -1}), "seeds.*at least 1"),
        (lambda: check_options({"threads": 0}), "threads.*at least 1"),
        (lambda: check_options({"encoders": "reference"}), "encoders.*mapping"),
        (lambda: check_options({"measures": [None]}), "measures"),
        (lambda: check_options({"name": 3}), "name.*text"),
        (lambda: check_options({"notes": {"a": object()}}), "notes"),
        (lambda: chosen_suite("reference", {"measures": []}), "no measure in an empty list"),
        (lambda: chosen_suite("reference", {"reference_set": "nowhere"}), "no such folder of videos"),
        (lambda: chosen_suite("reference", {"reference_set": {"worlds": "x"}}), "reference_set: .*worlds"),
        (lambda: chosen_suite("reference", {"reference_set": 3}), "reference_set is a int"),
        (lambda: chosen_suite("reference", {"tag": "lefd"}), "did you mean 'left'"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(make, told):
    with pytest.raises(st.UsageError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_options_change_the_suite(tmp_path):
    changed = chosen_suite(
        "reference",
        {
            "measures": "motion.flicker",
            "encoders": {"clip": "org/model"},
            "reference_set": tmp_path,
            "limit": 2,
            "seeds": 1,
        },
    )
    assert changed.measures == ("motion.flicker",)
    assert changed.encoders == {"clip": "org/model", "subject": "reference", "video": "reference"}
    assert changed.reference_set is not None
    assert changed.reference_set.folder == str(tmp_path)
    assert (len(changed.prompts), changed.seeds) == (2, 1)
    assert changed.name == "reference.limit-2.seeds-1"


def test_the_cache_is_the_one_that_is_named_then_that_of_the_environment(monkeypatch):
    monkeypatch.delenv("SCREENTEST_CACHE", raising=False)
    assert Path(settings_of({}).cache) == Path("cache")
    assert Path(settings_of({}, Path("other")).cache) == Path("other")
    monkeypatch.setenv("SCREENTEST_CACHE", "shared")
    assert Path(settings_of({}, Path("other")).cache) == Path("shared")
    assert Path(settings_of({"cache": "mine"}).cache) == Path("mine")
    assert settings_of({"name": "x", "notes": {"a": 1}}).notes == {"a": 1, "name": "x"}


def test_workers_are_options_of_a_run():
    known = check_options({"workers": 2, "gpus_per_worker": 0.5, "ray_address": "auto"})
    assert settings_of(known).workers == Workers(2, "auto", 0.5)
    with pytest.raises(UsageError, match="workers"):
        check_options({"workers": 0})
