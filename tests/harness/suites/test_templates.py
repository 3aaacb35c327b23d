"""Templates of prompts, checks of suites, translations and what they lose."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.harness.results.language_loss import language_losses
from screentest.harness.suites.checks import (
    counts_by_slice,
    difference,
    flagged_prompts,
    near_duplicates,
    unread_expectations,
)
from screentest.harness.suites.loading import load_suite, write_suite
from screentest.harness.suites.suite import Suite
from screentest.harness.suites.translation import translated

COUNTS = {
    "text": "{n.say} {color} {things}",
    "with": {
        "n": [{"say": "two", "is": 2}, {"say": "three", "is": 3}],
        "color": ["red", "blue"],
        "things": ["balls"],
    },
    "labels": {"count": "{n.say}"},
    "expect": {"objects": [{"shape": "ball", "color": "{color}", "count": "{n.is}"}]},
}


def suite_of(**changes: Any) -> Suite:
    fields = {"name": "mine", "version": 1, "measures": ["motion.flicker"], "prompts": ["a kite"]}
    return Suite.model_validate({**fields, **changes})


def test_a_template_stands_for_all_combinations_and_keeps_numbers():
    suite = suite_of(prompts=[], templates=[COUNTS])
    assert [p.text for p in suite.prompts] == [
        "two red balls",
        "two blue balls",
        "three red balls",
        "three blue balls",
    ]
    assert suite.prompts[3].expect == {"objects": [{"shape": "ball", "color": "blue", "count": 3}]}
    assert suite.prompts[3].labels == {"count": ("three",)}
    assert suite.templates == ()
    assert Suite.model_validate(suite.model_dump(mode="json")) == suite


def test_rows_take_the_values_side_by_side():
    template = {"text": "a {a} {b}", "with": {"a": ["red", "blue"], "b": ["kite", "barge"]}, "rows": True}
    assert [p.text for p in suite_of(templates=[template]).prompts] == [
        "a kite",
        "a red kite",
        "a blue barge",
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            {"text": "a {colour}", "with": {"color": ["red"]}},
            "unknown variable 'colour'; did you mean 'color'?",
        ),
        ({"text": "a {n}", "with": {"n": [{"say": "two"}]}}, "has parts; name one, {n.say}"),
        ({"text": "a {n.is}", "with": {"n": [{"say": "two"}]}}, "unknown part of 'n' 'is'"),
        ({"text": "a {n.is}", "with": {"n": ["two"]}}, "words without parts"),
        ({"text": "a {n}", "with": {"n": []}}, "has no values"),
        ({"text": "{a}{b}", "with": {"a": ["x"], "b": ["y", "z"]}, "rows": True}, "as many values"),
        ({"text": "{a}{b}", "with": {"a": ["x"] * 1000, "b": ["y"] * 1000}}, "cut it up"),
        ({"text": "a kite"}, "'with' is missing"),
    ],
)
def test_a_wrong_template_is_one_sentence(template: Any, message: str, tmp_path: Path):
    path = tmp_path / "mine.yaml"
    fields = {"name": "mine", "version": 1, "measures": ["motion.flicker"], "templates": [template]}
    path.write_text(yaml.safe_dump(fields))
    with pytest.raises(UsageError) as told:
        load_suite(str(path))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_prompts_and_clips_are_counted_by_tag_and_label():
    prompts = [
        {"text": "a", "tags": ["x"], "labels": {"kind": "one", "id": "a"}},
        {"text": "b", "tags": ["x"], "seeds": 5},
    ]
    assert counts_by_slice(suite_of(prompts=prompts, seeds=2)) == [("x", 2, 7), ("kind:one", 1, 2)]


def test_expectations_that_no_measure_reads_are_named():
    prompts = [{"text": "a", "expect": {"motion": "left", "objects": [{"shape": "ball"}]}}, "b"]
    assert unread_expectations(suite_of(prompts=prompts)) == [("motion, objects", 1)]
    read = suite_of(prompts=prompts, measures=["follows.motion"])
    assert unread_expectations(read) == []


def test_near_duplicates_differ_in_signs_or_a_word_in_ten():
    long = "a barge with a blue sail goes slowly down the wide river at the first light of day"
    pairs = near_duplicates(
        suite_of(
            prompts=[
                "A kite!",
                "a kite",
                long,
                long.replace("first", "last"),
                "a red ball falls",
                "a blue ball falls",
            ]
        )
    )
    assert pairs == [("A kite!", "a kite"), (long, long.replace("first", "last"))]


def test_a_prompt_and_its_own_translation_are_no_near_duplicates():
    words = {"a kite": "A kite!", "a barge": "a kite."}
    made = translated(suite_of(prompts=["a kite", "a barge"]), lambda text, language: words[text], ["de"])
    assert near_duplicates(made) == [("a kite", "a kite.")]


def test_an_unknown_measure_is_told_along_with_the_other_mistakes(tmp_path: Path, capsys: Any):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nversion: 1\nseed: 2\nmeasures: [motion.flicer]\nprompts: [a kite]\n")
    assert run_cli(["suite", "check", str(path)]) == 2
    told = capsys.readouterr().err
    assert "unknown key 'seed'; did you mean 'seeds'?" in told
    assert "unknown measure 'motion.flicer'; did you mean 'motion.flicker'" in told
    path.write_text("name: mine\nversion: 1\nmeasures: [motion.flicer]\nprompts: [a kite, A kite!]\n")
    assert run_cli(["suite", "check", str(path), "--no-filters", "--json"]) == 2
    told = capsys.readouterr()
    assert "a kite | A kite!" in told.out
    assert "unknown measure 'motion.flicer'; did you mean 'motion.flicker'" in told.err


def test_flagged_prompts_leave_out_what_is_meant_to_be():
    violent = "a man stabs another man to death in the street, blood everywhere"
    prompts = [violent, {"text": violent + " again", "tags": ["red-team"]}, "a kite over a field"]
    assert [p.text for p in flagged_prompts(suite_of(prompts=prompts))] == [violent]


def test_the_difference_of_two_suites():
    one = suite_of(prompts=["a", "b", {"text": "c", "tags": ["x"]}])
    two = suite_of(prompts=["a", "c", "d"], seeds=2)
    found = difference(one, two)
    assert (found.removed, found.added, found.changed, found.same) == (("b",), ("d",), ("c",), 1)
    assert found.settings == (("seeds", "1", "2"),)


def test_a_translation_is_paired_by_its_base(tmp_path: Path):
    words = {"a kite": "ein Drachen", "a barge": None}
    suite = suite_of(prompts=[{"text": "a kite", "labels": {"id": "k"}}, "a barge"])
    made = translated(suite, lambda text, language: words[text], ["de"])
    assert [(p.text, p.label("base"), p.label("language")) for p in made.prompts] == [
        ("a kite", "k", "en"),
        ("ein Drachen", "k", "de"),
        ("a barge", "mine-2", "en"),
    ]
    assert made.description.endswith("without translation: 1 in de")
    write_suite(made, tmp_path / "two.yaml")
    assert load_suite(str(tmp_path / "two.yaml")).prompts == made.prompts


@pytest.mark.parametrize(
    ("function", "languages", "message"),
    [
        (lambda text, language: text, ["de"], "translated no prompt"),
        (lambda text, language: 3, ["de"], "is a int"),
        (lambda text, language: 1 / 0, ["de"], "the translation failed"),
        (lambda text, language: "x", ["German!"], "is no language"),
        (lambda text, language: "x\x00y", ["de"], "^the translation of 'a kite' to de is no prompt: "),
        (lambda text, language: "x", ["de", "fr"], "in de, fr cannot be made: .*'x' is listed twice"),
    ],
)
def test_a_translation_that_fails_is_one_sentence(function: Any, languages: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        translated(suite_of(), function, languages)


def test_a_language_that_is_named_twice_is_taken_once():
    made = translated(suite_of(), lambda text, language: f"{language} {text}", ["de", "de"])
    assert [p.text for p in made.prompts] == ["a kite", "de a kite"]
    assert made.name == "mine-de"


def test_the_loss_by_language_is_a_paired_difference(
    tmp_path: Path, make_suite: Any, make_generator: Any, cache: Path
):
    from screentest.harness.run import Settings, run
    from screentest.harness.run_folder.store import open_run, read_run

    base = make_suite(measures=["motion.flicker"], seeds=2, encoders={})
    suite = translated(base, lambda text, language: f"{language} {text}", ["de"])
    run(suite, make_generator(1), tmp_path / "run", Settings(cache))
    data = read_run(open_run(tmp_path / "run"))
    (loss,) = language_losses(data)
    scores = {item.id: data.scores["motion.flicker", item.id].value for item in data.items.values()}
    by_key = {(i.label("base"), i.seed, i.label("language")): scores[i.id] for i in data.items.values()}
    changes = [
        value - by_key[name, seed, "en"]
        for (name, seed, language), value in by_key.items()
        if language == "de"
    ]
    assert (loss.language, loss.pairs, loss.prompts) == ("de", 2 * len(base.prompts), len(base.prompts))
    assert loss.change == pytest.approx(sum(changes) / len(changes))
    assert loss.low <= loss.change <= loss.high
    with pytest.raises(UsageError, match="no values of"):
        language_losses(data, ["follows.all"])
    with pytest.raises(UsageError, match="no prompts of two languages"):
        language_losses(data, first="fr")


def test_the_commands_from_a_new_suite_to_its_difference(tmp_path: Path, monkeypatch: Any, capsys: Any):
    monkeypatch.chdir(tmp_path)
    assert run_cli(["suite", "new", "mine.yaml"]) == 0
    assert run_cli(["suite", "new", "mine.yaml"]) == 2
    assert "there already" in capsys.readouterr().err
    assert run_cli(["suite", "check", "mine.yaml", "--policy", "smoke", "--json"]) == 3  # as gate --plan
    assert run_cli(["gate", "--plan", "--policy", "smoke", "--suite", "mine.yaml"]) == 3
    _ = capsys.readouterr()
    assert run_cli(["suite", "check", "mine.yaml", "--policy", "smoke", "--json"]) == 3
    told, why = capsys.readouterr()
    assert re.search(
        r"\d of \d rules cannot be decided with this suite \(.*\), so the exit code is 3$", why.strip()
    )
    assert '"too few prompts"' in told
    assert "no measure of the suite reads" in told
    assert run_cli(["suite", "show", "mine.yaml"]) == 0
    assert "category:rise" in capsys.readouterr().out
    Path("tr.py").write_text("def up(text, language):\n    return f'{language}: {text}'\n")
    assert (
        run_cli(["suite", "translate", "mine.yaml", "--to", "de", "--by", "tr.py:up", "--out", "two.yaml"])
        == 0
    )
    assert run_cli(["suite", "diff", "mine.yaml", "two.yaml"]) == 0
    assert "added" in capsys.readouterr().out
    assert (
        run_cli(["suite", "translate", "mine.yaml", "--to", "de", "--by", "tr.py:no", "--out", "x.yaml"]) == 2
    )
    assert "no function 'no'" in capsys.readouterr().err
    translate = ["suite", "translate", "mine.yaml", "--to", "de", "--out", "x.yaml", "--by"]
    assert run_cli([*translate, "nope.py:x"]) == 2
    assert "there is no file nope.py for the translation" in capsys.readouterr().err


def test_a_plus_adds_a_measure_to_those_of_the_suite():
    from screentest.harness.commands.options import adjusted

    assert adjusted(suite_of(), ["+motion.jerk"], None).measures == ("motion.flicker", "motion.jerk")
    assert adjusted(suite_of(), ["motion.jerk"], None).measures == ("motion.jerk",)


def test_a_template_may_start_from_files_with_variables() -> None:
    suite = Suite.model_validate(
        {
            "name": "edits",
            "version": 1,
            "measures": ["motion.flicker"],
            "templates": [
                {
                    "text": "a {color} ball",
                    "with": {"color": ["red", "blue"]},
                    "video": "starts/{color}.mp4",
                    "use": "edit",
                    "strength": 0.5,
                    "clip": {"frames": 8},
                }
            ],
        }
    )
    assert [(p.video, p.use, p.strength) for p in suite.prompts] == [
        ("starts/red.mp4", "edit", 0.5),
        ("starts/blue.mp4", "edit", 0.5),
    ]
    assert suite.clip_of(suite.prompts[0]).frames == 8


def test_a_suite_that_is_translated_already_is_translated_from_its_originals():
    def say(text: str, language: str) -> str:
        return f"{language}: {text}"

    both = translated(suite_of(prompts=["a kite", "a barge"]), say, ["de"])
    three = translated(both, say, ["de", "fr"])
    assert [(p.text, p.label("language")) for p in three.prompts] == [
        ("a kite", "en"),
        ("fr: a kite", "fr"),
        ("de: a kite", "de"),
        ("a barge", "en"),
        ("fr: a barge", "fr"),
        ("de: a barge", "de"),
    ]
    assert {p.label("base") for p in three.prompts} == {"mine-1", "mine-2"}
    with pytest.raises(UsageError, match="has every prompt in de already"):
        translated(both, say, ["de"])


@pytest.mark.parametrize(
    ("labels", "languages", "own"),
    [({}, ["en"], "en"), ({}, ["de", "en"], "en"), ({"language": "zh-Hant"}, ["zh-hant"], "zh-hant")],
)
def test_the_language_of_the_suite_itself_is_refused_before_anything_is_translated(
    labels: dict[str, str], languages: list[str], own: str
):
    asked: list[str] = []
    suite = suite_of(prompts=[{"text": "a kite", "labels": labels}, {"text": "a barge", "labels": labels}])
    with pytest.raises(
        UsageError, match=f"the prompts of the suite 'mine' are in {own} already; name another"
    ):
        translated(suite, lambda text, language: asked.append(text), languages)
    assert asked == []


def test_prompts_that_are_in_a_language_already_are_not_translated_to_it():
    prompts = [{"text": "a kite"}, {"text": "ein Kahn", "labels": {"language": "de"}}]
    made = translated(suite_of(prompts=prompts), lambda text, language: f"{language} {text}", ["de", "en"])
    assert [(p.text, p.label("language")) for p in made.prompts] == [
        ("a kite", "en"),
        ("de a kite", "de"),
        ("ein Kahn", "de"),
        ("en ein Kahn", "en"),
    ]


def test_prompts_in_disguise_share_a_base_and_are_all_translated():
    labels = {"base": "k"}
    prompts = [{"text": "a kite", "labels": labels}, {"text": "A K I T E", "labels": labels}]
    made = translated(suite_of(prompts=prompts), lambda text, language: f"{language} {text}", ["de"])
    assert [p.text for p in made.prompts] == ["a kite", "de a kite", "A K I T E", "de A K I T E"]


def test_the_difference_says_what_suites_are_for_in_words():
    asks = [{"what": "calm", "by": ["motion.flicker"], "how": "by pixels"}]
    found = difference(suite_of(), suite_of(purpose={"use": "For boats.", "asks": asks}))
    assert found.settings == (
        ("purpose", "", "For boats."),
        ("asks for calm", "", "motion.flicker, by pixels"),
    )
    other = [{"what": "calm", "by": ["motion.flicker"], "how": "by eye"}, {"what": "boats"}]
    one, two = (suite_of(purpose={"use": "For boats.", "asks": those}) for those in (asks, other))
    assert difference(one, two).settings == (
        ("asks for calm", "motion.flicker, by pixels", "motion.flicker, by eye"),
        ("asks for boats", "", "not measured"),
    )


def test_suites_are_yaml_files(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("t.py").write_text("def de(text, language):\n    return language + text\n")
    assert run_cli(["suite", "translate", "order", "--to", "de", "--by", "t.py:de", "--out", "o.txt"]) == 2
    assert "the file o.txt should end in .yaml" in " ".join(capsys.readouterr().err.split())
    Path("x.csv").write_text("a,b\n")
    assert run_cli(["suite", "check", "x.csv"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "x.csv is no suite, which is a .yaml file; a copy of a benchmark is named NAME:x.csv" in told
