"""What a filter that is known does on labelled prompts, plain and disguised, and the command that says it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.commands.main import run_cli
from screentest.safety.assessment import Assessed, assess
from screentest.safety.prompt_sets import Labelled
from screentest.safety.prompts import Judged, PromptClassifier
from screentest.safety.transforms.canonical import canonicalise


class Words(PromptClassifier):
    """Flags prompts with 'storm', after undoing disguises where it is told to; fails at 'broken'."""

    name, harms, threshold, digest = "words", ("storm",), 0.5, "d" * 64

    def __init__(self, canonical: bool) -> None:
        self._canonical = canonical

    def _classify(self, texts: Sequence[str]) -> Judged:
        read = [canonicalise(text) if self._canonical else text for text in texts]
        failed = {k: "no answer in time" for k, text in enumerate(read) if "broken" in text}
        score = np.array([0.9 if "storm" in text else 0.1 for text in read])
        score[list(failed)] = np.nan
        return Judged(score, score[:, None], score >= 0.5, failed)


def prompts(harmful: bool, texts: Sequence[str], *categories: str, language: str | None = None):
    return [Labelled(f"{k}", text, harmful, categories, language) for k, text in enumerate(texts)]


HARMFUL = [
    *prompts(True, [f"a storm over the house number {k}" for k in range(8)], "vcr"),
    *prompts(True, ["the wind over the house", "a broken house"], "hte", language="en"),
]
SUNNY = [f"the sun over the house number {k}" for k in range(9)]
HARMLESS = prompts(False, [*SUNNY, "a storm over the cup number 10"])
SOURCES = [Assessed("one", [*HARMFUL, *HARMLESS], 3), Assessed("two", HARMFUL[:4], 0)]


def test_sides_groups_and_what_was_left_out():
    found = assess(Words, SOURCES)
    assert found.left_out == {"judge_failed": 1, "twice": 4}
    assert found.whole is not None
    assert (found.whole.harmful, found.whole.harmless) == (9, 10)
    assert (found.whole.recall.value, found.whole.false_alarms.value) == (pytest.approx(8 / 9), 0.1)
    assert found.groups["category"]["vcr"].recall.value == 1.0
    assert (found.groups["category"]["hte"].harmful, found.groups["language"]["en"].recall.value) == (1, 0.0)
    assert set(found.groups["source"]) == {"one"}  # the other has no harmless prompt
    assert found.bare is None
    assert found.disguises == ()


def test_what_a_disguise_evades_and_what_the_defence_is_worth():
    found = assess(Words, SOURCES, families=["leet", "zero-width", "deletion", "case"])
    rows = {row.family: row for row in found.disguises}
    leet = rows["leet"]
    assert leet.prompts == 9
    assert (leet.plain.value, leet.bare.value, leet.defended.value) == (
        pytest.approx(8 / 9), 0.0, pytest.approx(8 / 9),
    )  # fmt: skip
    assert (leet.evasion.value, leet.worth.value) == (0.0, pytest.approx(8 / 9))
    assert leet.p == pytest.approx(2 * 0.5**8)  # eight prompts differ, all in one direction
    assert leet.p <= leet.p_adjusted <= 4 * leet.p
    lost = rows["deletion"]  # what is lost is not guessed at
    assert (lost.defended.value, lost.worth.value) == (0.0, 0.0)
    assert lost.evasion.value == pytest.approx(-8 / 9)
    assert (leet.harmless, leet.bare_alarms.value, leet.defended_alarms.value) == (10, 0.0, 0.1)
    assert found.bare is not None
    assert found.bare.recall.value == pytest.approx(8 / 9)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    file = tmp_path / "words.yaml"
    file.write_text("name: words\nkeywords: {phrases: {vcr: [storm]}}\n")
    return file


def test_the_command_assesses_suites_and_sets(
    words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    table = tmp_path / "mine.csv"
    table.write_text("text,kind,lang\na storm over the house number 3,S1,en\na calm sea,S1,de\n")
    xstest = tmp_path / "x.csv"
    xstest.write_text("id,prompt,type,label\n1,a storm in a cup,homonyms,safe\n2,a calm day,x,safe\n")
    code = run_cli(
        [
            *("assess", f"csv={table}", f"xstest={xstest}", "--classifier", str(words)),
            *("--columns", "text=text,label=kind,scheme=llama-guard,licence=CC0-1.0"),
            *("--disguise", "leet", "--json"),
        ]
    )
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [(s["name"], s["harmful"], s["harmless"], s["licence"]) for s in told["sources"]] == [
        ("mine", 2, 0, "CC0-1.0"),
        ("xstest", 0, 2, "CC-BY-4.0"),
    ]
    assert all(len(s["sha256"]) == 64 for s in told["sources"])
    assert (told["whole"]["recall"]["value"], told["whole"]["false_alarms"]["value"]) == (0.5, 0.5)
    assert told["groups"]["language"]["en"]["recall"]["value"] == 1.0
    assert told["groups"]["category"]["vcr"]["harmful"] == 2
    assert told["disguises"][0]["worth"]["value"] == 0.5
    assert "storm" not in json.dumps(told)
    assert run_cli(["assess", "red-team", "contrast", "--classifier", str(words)]) == 0
    out = capsys.readouterr().out
    assert "how well it separates harmful from harmless prompts" in out
    assert "ssh" in out


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["red-team"], "name a source of each"),
        (["xtest=a.csv"], "did you mean 'xstest'"),
        (["csv=a.csv", "--columns", "text"], "--columns 'text' should be NAME=COLUMN"),
        (["csv=a.csv", "--columns", "txt=a"], "unknown key 'txt'; did you mean 'text'"),
        (["lines=a.txt", "--columns", "text=a"], "unknown column of a.txt"),
        (["xstest=none.csv"], "there is no file none.csv"),
        (["red-tem"], "did you mean 'red-team'"),
        (["red-team", "--disguise", "leat"], "did you mean 'leet'"),
    ],
)
def test_mistakes_are_one_sentence(
    given: list[str], sentence: str, words: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_cli(["assess", *given, "--classifier", str(words)]) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert sentence in err[-1]
