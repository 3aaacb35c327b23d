"""The reader of names as a classifier: scores, evidence, identity, commands, ensembles."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.commands.main import run_cli
from screentest.harness.core.errors import UsageError
from screentest.safety.prompts import Judged, Match, PromptClassifier, load_classifier
from screentest.safety.prompts.ensemble import EnsembleClassifier
from screentest.safety.prompts.files import classify_file
from screentest.safety.prompts.names import NamesClassifier, NamesConfig
from screentest.safety.transforms import transform

OWN = "name: own\nversion: {}\ngroups: [{{what: brands, categories: [tmk], names: [zorb cola]}}]\n"


class Tone(PromptClassifier):
    """Scores one harm, by a word."""

    name, threshold, digest, harms = "tone", 0.5, "0" * 64, ("hate",)

    def _classify(self, texts):
        score = np.array([0.9 if "awful" in text else 0.1 for text in texts])
        return Judged(score, score[:, None], score >= 0.5)


def test_a_category_has_the_score_of_its_best_name_and_no_name_is_zero() -> None:
    judged = load_classifier("names").classify(["Joe Biden eats an oreo", "a kite over a river", ""])
    scores = dict(zip(load_classifier("names").harms, judged.harms[0].tolist(), strict=True))
    assert scores == {"lik": 0.95, "civ": 0.95, "tmk": 0.95, "ipv": 0.0}
    assert judged.harms[1].tolist() == [0, 0, 0, 0]
    assert np.isnan(judged.harms[2]).all()
    assert judged.flagged.tolist() == [True, False, False]
    assert {match.text for match in judged.found[0]} == {"Joe Biden", "oreo"}
    assert set(judged.found) == {0}


@pytest.mark.parametrize("family", ["zero-width", "homoglyphs", "spacing"])
def test_canonicalising_sees_through_a_disguise(family: str) -> None:
    text = transform("donald trump waves from a car", family, seed=1).text
    flags = [NamesClassifier("n", canonical=c).classify([text]).flagged[0] for c in (True, False)]
    assert flags == [True, False]


def test_the_identity_is_that_of_the_lists(tmp_path: Path) -> None:
    for version in (1, 2):
        (tmp_path / f"{version}.yaml").write_text(OWN.format(version))
    one, two = (tmp_path / f"{version}.yaml" for version in (1, 2))
    made = [
        NamesClassifier("n"),
        NamesClassifier("n", canonical=False),
        NamesClassifier("n", NamesConfig(gazetteer=one)),
        NamesClassifier("n", NamesConfig(gazetteer=two)),
        NamesClassifier("n", NamesConfig(gazetteer=one, persons=False)),
    ]
    assert len({m.digest for m in made}) == len(made)
    assert NamesClassifier("other").digest == made[0].digest


def test_a_list_of_your_own_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN.format(1))
    (tmp_path / "mine.yaml").write_text("name: mine\nnames: {gazetteer: own.yaml, persons: false}\n")
    reader = load_classifier(str(tmp_path / "mine.yaml"))
    assert reader.harms == ("tmk",)
    assert reader.classify(["a zorb cola", "Deborah Kowalski"]).flagged.tolist() == [True, False]
    (tmp_path / "gone.yaml").write_text("name: gone\nnames: {gazetteer: nowhere.yaml}\n")
    with pytest.raises(UsageError, match=r"nowhere\.yaml"):
        load_classifier(str(tmp_path / "gone.yaml"))


def test_the_names_stand_in_the_file_of_results(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a kite\na lego castle\n")
    out = io.StringIO()
    classify_file(tmp_path / "p.txt", load_classifier("names"), out)
    plain, named = (json.loads(line) for line in out.getvalue().splitlines())
    assert "names" not in plain
    assert named["names"] == [
        {"category": "tmk", "score": 0.95, "start": 2, "end": 6, "text": "lego", "entry": "lego"}
    ]


def test_in_an_ensemble_each_category_is_scored_by_the_reader_that_can() -> None:
    both = EnsembleClassifier([Tone(), NamesClassifier("names")], "any")
    judged = both.classify(["an awful man", "Joe Biden waves", "a kite"])
    column = {name: judged.harms[:, k].round(3).tolist() for k, name in enumerate(both.harms)}
    assert column["hte"] == [0.9, 0.1, 0.1]
    assert column["lik"] == [0.0, 0.95, 0.0]
    assert judged.flagged.tolist() == [True, True, False]
    assert [match.text for match in judged.found[1]] == ["Joe Biden", "Joe Biden"]


def test_the_packaged_ensemble_has_tones_and_names() -> None:
    both = load_classifier("ngram-and-names")
    assert {"lik", "civ", "tmk", "ipv", "sxc", "hte"} <= set(both.harms)
    assert both.classify(["a statue of mickey mouse"]).flagged.tolist() == [True]


def test_names_of_a_block_that_is_split_stay_with_their_prompts() -> None:
    class Breaks(NamesClassifier):
        def _classify(self, texts):
            if any("broken" in text for text in texts):
                raise RuntimeError("cannot read it")
            return super()._classify(texts)

    judged = Breaks("breaks").classify(["a lego car", "broken", "a kite", "a barbie"])
    assert {row: [m.text for m in names] for row, names in judged.found.items()} == {
        0: ["lego"],
        3: ["barbie"],
    }
    assert isinstance(judged.found[3][0], Match)
    assert set(judged.failed) == {1}


def test_it_is_listed_and_runs_by_command(tmp_path: Path, capsys) -> None:
    assert run_cli(["classify", "--list", "--json"]) == 0
    listed = capsys.readouterr().out
    assert '"names"' in listed
    assert '"entities:MODEL"' in listed
    assert '"minilm-and-names"' in listed
    (tmp_path / "p.txt").write_text("joe biden\n")
    assert run_cli(["classify", str(tmp_path / "p.txt"), "--classifier", "names"]) == 0
    assert json.loads(capsys.readouterr().out)["flagged"] is True
