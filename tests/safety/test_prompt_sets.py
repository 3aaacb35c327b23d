"""Users' copies of public sets as suites, and suites in disguise."""

from pathlib import Path

import pytest
from screentest.harness.core.config import Config
from screentest.harness.core.errors import UsageError
from screentest.harness.core.keys import file_sha256
from screentest.harness.plan import suite_items
from screentest.harness.suites.loading import labelled_suite, load_suite
from screentest.harness.suites.suite import Suite, read_suite
from screentest.safety.attacks.withhold import is_red_team
from screentest.safety.prompt_sets import KINDS, labelled_prompts, open_set, split_set
from screentest.safety.transforms import families

HEAD = "name: mine\nversion: 1\ndescription: my copy\nmeasures: [refusal.rate]\n"


def suite(tmp_path: Path, kind: str, file: Path, more: str = "") -> Suite:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{HEAD}prompt_set: {{kind: {kind}, file: {file}{more}}}\n")
    return load_suite(str(path))


def test_a_set_is_a_suite_with_its_origin_and_without_what_is_for_text_filters(tmp_path: Path):
    file = tmp_path / "ailuminate.csv"
    file.write_text(
        "release_prompt_id,prompt_text,hazard,locale\n"
        "a-1,one,vcr,en_us\na-2,two,cse,en_us\na-3,three,hte,fr_fr\na-4,one,hte,en_us\n"
    )
    made = suite(tmp_path, "ailuminate", file)
    assert [(p.text, p.tags, p.labels) for p in made.prompts] == [
        ("one", ("red-team",), {"category": ("vcr",), "language": ("en_us",), "id": ("ailuminate-a-1",)}),
        ("three", ("red-team",), {"category": ("hte",), "language": ("fr_fr",), "id": ("ailuminate-a-3",)}),
    ]
    assert made.description == (
        f"my copy; ailuminate: ailuminate.csv, sha256 {file_sha256(file)}, licence CC-BY-4.0; "
        "left out: 1 for text filters alone, 1 twice"
    )
    assert made.prompt_set is None
    assert all(is_red_team(item) for item in suite_items(made))


def test_safe_prompts_are_benign_and_unlabelled_ones_left_out(tmp_path: Path):
    x = tmp_path / "x.csv"
    x.write_text("id,prompt,type,label\n1,kill a process,homonyms,safe\n2,two,contrast,unsafe\n")
    assert [p.tags[0] for p in suite(tmp_path, "xstest", x).prompts] == ["benign", "red-team"]
    h = tmp_path / "h.csv"
    h.write_text("case_id,test_case,functionality,label_gold\n1,one,f,hateful\n2,two,f,non-hateful\n")
    made = suite(tmp_path, "hatecheck", h)  # that it is no hate does not make it harmless
    assert [p.text for p in made.prompts] == ["one"]
    assert made.description.endswith("left out: 1 without a label")


def test_a_list_without_labels_is_no_suite_and_with_one_it_is(tmp_path: Path):
    lines = tmp_path / "3.txt"
    lines.write_text("one\ntwo\n")
    with pytest.raises(UsageError, match="calls no prompt harmful or harmless"):
        suite(tmp_path, "lines", lines)
    labelled = suite(tmp_path, "lines", lines, ", columns: {scheme: llama-guard, label: S1}")
    assert {(p.tags, p.label("category")) for p in labelled.prompts} == {(("red-team",), "vcr")}
    t2v = suite(tmp_path, "t2vsafetybench", tmp_path / "4.txt") if lines.rename(tmp_path / "4.txt") else None
    assert t2v is not None
    assert {(p.tags, p.label("category")) for p in t2v.prompts} == {(("red-team",), "gor")}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            "prompt_set: {kind: xtest, file: a.csv}",
            "unknown kind of prompt set 'xtest'; did you mean 'xstest'",
        ),
        ("prompt_set: {kind: xstest, file: a.csv}", "there is no file a.csv"),
        ("prompt_set: {kind: xstest, file: a.csv, columns: {text: a}}", "has fixed columns"),
        ("disguised: {suite: red-tem}", "did you mean 'red-team'"),
        ("disguised: {suite: red-team, families: [leat]}", "did you mean 'leet'"),
        ("disguised: {suite: red-team, strength: 0}", "it should be more than 0 and is 0"),
        ("disguised: {suite: jailbreak}", "which is in disguise itself"),
        ("prompts: [{text: a}]\nprompt_set: {kind: xstest, file: a.csv}", "give one of 'prompts'"),
    ],
)
def test_mistakes_are_said(more: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"{HEAD}{more}\n")
    with pytest.raises(UsageError, match=sentence):
        load_suite("mine.yaml")


def test_a_suite_that_disguises_itself_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"{HEAD}disguised: {{suite: mine.yaml}}\n")
    with pytest.raises(UsageError, match="in disguise itself"):
        load_suite("mine.yaml")


def test_jailbreak_is_red_team_in_all_families_paired_by_id():
    plain, made = load_suite("red-team"), load_suite("jailbreak")
    ids = {p.label("id") for p in plain.prompts}
    bases = {p.label("base") for p in made.prompts}
    used = {p.label("family") for p in made.prompts}
    assert (bases, used) == (ids, set(families()))
    assert made.disguised is None
    assert (made.name, made.measures) == ("jailbreak", read_suite("jailbreak").measures)
    assert len(load_suite("red-team,jailbreak").prompts) == len(plain.prompts) + len(made.prompts)


def test_every_kind_is_named_where_suites_are_described():
    described = Suite.model_fields["prompt_set"].annotation
    assert described is not None
    from screentest.harness.suites.suite import PromptSet

    told = PromptSet.model_fields["kind"].description or ""
    assert set(told.split(", ")) == set(KINDS)
    assert issubclass(PromptSet, Config)


def test_suites_and_sets_give_labelled_prompts(tmp_path: Path):
    known, unknown = labelled_suite(load_suite("hazard"))
    assert (sum(p.harmful for p in known), sum(not p.harmful for p in known), unknown) == (61, 30, 0)
    assert labelled_suite(load_suite("reference")) == ([], 30)
    assert split_set("red-team") is None
    assert split_set("csv=a=b.csv") == ("csv", Path("a=b.csv"))
    file = tmp_path / "m.csv"
    file.write_text("prompt,cat\none,S10\ntwo,\n")
    source = open_set("csv", file, {"label": "cat", "scheme": "llama-guard"})
    found, left = labelled_prompts(source)
    assert [(p.text, p.harmful, p.categories) for p in found] == [("one", True, ("hte",))]
    assert left == 1
