"""The red-team and contrast suites: complete, tagged, mild, and runnable; and suites of rewritten prompts."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import screentest.harness.commands.main as cli
from screentest.harness.core.errors import UsageError
from screentest.harness.plan import suite_items
from screentest.harness.suites.loading import jailbreak_suite, load_suite, read_prompts, write_suite
from screentest.harness.suites.suite import Suite
from screentest.safety.attacks.withhold import is_red_team
from screentest.safety.taxonomy import load_taxonomy
from screentest.safety.transforms import families, transform
from screentest.safety.transforms.canonical import canonicalise
from screentest.safety.transforms.files import named_families


@pytest.fixture(scope="module")
def red_team() -> Suite:
    return load_suite("red-team")


@pytest.fixture(scope="module")
def contrast() -> Suite:
    return load_suite("contrast")


def _labelled(suite: Suite, label: str) -> list[str]:
    """Give the one value that each prompt has of a label."""
    found = [p.labels[label] for p in suite.prompts]
    assert all(len(values) == 1 for values in found)
    return [values[0] for values in found]


def test_each_category_that_is_generated_has_twenty_prompts(red_team: Suite) -> None:
    counts = Counter(_labelled(red_team, "category"))
    assert set(counts) == set(load_taxonomy().generated)  # and never what belongs to the text filter alone
    assert min(counts.values()) >= 20


def test_there_are_two_hundred_harmless_look_alikes(contrast: Suite) -> None:
    assert len(contrast.prompts) >= 200
    assert set(_labelled(contrast, "category")) == set(load_taxonomy().generated)


def test_ids_are_unique_and_name_the_category(red_team: Suite, contrast: Suite) -> None:
    for suite, prefix in ((red_team, "rt"), (contrast, "ct")):
        ids = _labelled(suite, "id")
        assert len(set(ids)) == len(ids)
        categories = _labelled(suite, "category")
        assert all(i.startswith(f"{prefix}-{c}-") for i, c in zip(ids, categories, strict=True))


def test_pages_hide_red_team_text_and_show_contrast_text(red_team: Suite, contrast: Suite) -> None:
    assert all(is_red_team(item) for item in suite_items(red_team))
    assert not any(is_red_team(item) for item in suite_items(contrast))
    assert all("contrast" in p.tags for p in contrast.prompts)


def test_prompts_are_short_and_the_suites_share_none(red_team: Suite, contrast: Suite) -> None:
    texts = [p.text for p in (*red_team.prompts, *contrast.prompts)]
    assert len({t.casefold() for t in texts}) == len(texts)
    assert all(15 <= len(t) <= 140 for t in texts)


def test_the_measures_count_refusals_and_failures_too(red_team: Suite, contrast: Suite) -> None:
    for suite in (red_team, contrast):
        assert {"refusal.rate", "failure.rate", "safety.nudity"} < set(suite.measures)
        assert suite.encoders == {"judge": "nudity"}
    assert {"safety.unsafe_rate", "safety.refusal"} < set(red_team.measures)
    assert {"safety.over_refusal", "safety.unsafe_on_benign"} < set(contrast.measures)
    assert all("benign" in p.tags for p in contrast.prompts)
    assert not any("benign" in p.tags for p in red_team.prompts)


# -- the closed world's forbidden sign


def test_the_hazard_suite_can_decide_its_policy_and_pairs_its_disguises() -> None:
    from screentest.harness.policies.policy import load_policy, needed_items

    hazard = load_suite("hazard")
    attacks = [p for p in hazard.prompts if "red-team" in p.tags]
    benign = [p for p in hazard.prompts if "benign" in p.tags]
    needed = needed_items(load_policy("safety"))
    assert len(attacks) >= needed["safety.unsafe_rate[red-team]"] == 59
    assert len(benign) >= needed["safety.over_refusal[benign]"] == 29
    assert len(attacks) + len(benign) == len(hazard.prompts)
    plain = {p.label("id") for p in attacks if "plain" in p.tags}
    bases = [base for p in attacks for base in p.labels.get("base", ())]
    assert set(bases) <= plain
    assert len(bases) == sum("disguise" in p.tags for p in attacks) == len(attacks) - len(plain)


def test_the_disguises_of_the_hazard_suite_are_those_of_the_transformations() -> None:
    hazard = load_suite("hazard")
    by_id = {p.label("id"): p.text for p in hazard.prompts}
    for prompt in hazard.prompts:
        family, base = prompt.label("family"), prompt.label("base")
        if family is not None and family != "indirect":
            made = transform(by_id[base], family, seed=0, base_id=base)
            assert (made.text, made.readability) == (prompt.text, prompt.label("readability"))


def test_the_defence_leaves_the_suites_as_they_are(red_team: Suite, contrast: Suite) -> None:
    changed = [p.tags for p in (*red_team.prompts, *contrast.prompts) if canonicalise(p.text) != p.text]
    assert changed == []


def test_a_suite_runs_with_a_generator_that_refuses(
    contrast: Suite, make_generator: Any, tmp_path: Path, cache: Path
) -> None:
    from screentest.harness.run import Settings, run
    from screentest.metrics.encoders.base import EncoderOptions

    few = contrast.model_copy(
        update={"prompts": contrast.prompts[:3], "measures": ("refusal.rate", "failure.rate")}
    )
    summary = run(few, make_generator(), tmp_path / "run", Settings(cache, EncoderOptions("cpu", "float32")))
    refusals = summary.get("refusal.rate", tag="contrast")
    assert refusals is not None
    assert (refusals.value, refusals.n) == (0.0, 3)


# -- rewritten prompts


def test_a_suite_of_rewritten_prompts_keeps_pairs_and_hiding(red_team: Suite, tmp_path: Path) -> None:
    few = red_team.model_copy(update={"prompts": red_team.prompts[::60]})
    made = jailbreak_suite(few, families(), seed=4)
    assert set(_labelled(made, "family")) == set(families())
    assert set(_labelled(made, "base")) == set(_labelled(few, "id"))
    assert all(is_red_team(item) for item in suite_items(made))
    write_suite(made, tmp_path / "made.yaml")
    assert load_suite(str(tmp_path / "made.yaml")) == made  # invisible characters survive the file


def test_what_stays_as_it_was_is_left_out(contrast: Suite) -> None:
    few = contrast.model_copy(update={"prompts": contrast.prompts[:2]})
    with pytest.raises(UsageError, match="leave every prompt"):
        jailbreak_suite(few, families(), strength=0.0)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("p.txt", "one\n\ntwo\n", [(None, "one"), (None, "two")]),
        ("p.csv", "id,prompt\n7,one\n8,two\n", [("7", "one"), ("8", "two")]),
        ("p.csv", "prompt_text\none\n", [(None, "one")]),
        ("p.jsonl", '{"text": "one", "id": 7}\n{"prompt": "two"}\n', [("7", "one"), (None, "two")]),
    ],
)
def test_prompts_come_from_files(name: str, content: str, expected: list[Any], tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert list(read_prompts(str(tmp_path / name))) == expected


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("p.csv", "a,b\n1,2\n", "no column 'text'"),
        ("p.csv", "", "is empty"),
        ("p.jsonl", '{"a": 1}\n', "line 1: there is no text"),
        ("p.doc", "one", "or a .txt, .csv"),
    ],
)
def test_files_without_prompts_are_said(name: str, content: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=complaint):
        list(read_prompts(str(tmp_path / name)))


def test_families_are_named_or_all() -> None:
    assert named_families(["all"]) == families()
    assert named_families(["hex", "bidi", "hex"]) == ("hex", "bidi")
    with pytest.raises(UsageError, match="did you mean 'hex'"):
        named_families(["hexx"])


def test_the_command_writes_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "p.txt", tmp_path / "out.jsonl"
    source.write_text("a red ball falls\n")
    assert cli.run_cli(["transform", str(source), "--family", "all", "--seed", "2", "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text("ascii").splitlines()]
    assert [row["family"] for row in rows] == list(families())
    assert {row["base_id"] for row in rows} == {rows[0]["base_id"]}
    assert all(row["text"] == transform("a red ball falls", row["family"], 2).text for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    assert {"reversible", "readability"} <= set(rows[0])
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith(".")] == []
    capsys.readouterr()
    assert cli.run_cli(["transform", "--list", "--json"]) == 0
    assert [row["family"] for row in json.loads(capsys.readouterr().out)] == list(families())
    assert cli.run_cli(["transform", str(tmp_path / "none.txt")]) == 2
    assert "there is no file" in capsys.readouterr().err
