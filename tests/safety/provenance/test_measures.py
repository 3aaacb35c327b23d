"""Measures of provenance in a run: signed clips are trusted, and survival is reported per operation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from screentest.generators import make_generator
from screentest.generators.signed import SignedGenerator
from screentest.harness.core.errors import UsageError
from screentest.harness.gates.gate import gate
from screentest.harness.policies.policy import Policy
from screentest.harness.run import Settings, run
from screentest.harness.run_folder.store import open_run, read_run
from screentest.metrics import make_encoder
from screentest.safety.provenance.encoders import DELIVERED

MEASURES = ["trusted_rate", "absent_rate", "invalid_rate", *(f"survival.{name}" for name in DELIVERED)]


def taken(run_folder: Path) -> dict[str, list[float | None]]:
    data = read_run(open_run(run_folder))
    return {name: [data.scores[f"provenance.{name}", item].value for item in data.items] for name in MEASURES}


def suite_with(make_suite: Any, source: str) -> Any:
    return make_suite(
        measures=[f"provenance.{name}" for name in MEASURES], encoders={"provenance": source}, seeds=1
    )


def test_signed_clips_of_a_run_are_trusted_and_lost_in_delivery(
    signed: Any, make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    suite = suite_with(make_suite, str(signed.folder / "ca" / "anchor.pem"))
    made = SignedGenerator(generator, signed.credentials)
    run(suite, made, tmp_path / "run", Settings(cache))
    values = taken(tmp_path / "run")
    assert values["trusted_rate"] == [1.0] * 4
    assert values["absent_rate"] == values["invalid_rate"] == [0.0] * 4
    assert values["survival.copy"] == [1.0] * 4
    for operation in ("remux", "container", "trim", "transcode"):
        assert values[f"survival.{operation}"] == [0.0] * 4
    store = open_run(tmp_path / "run")
    score = read_run(store).scores["provenance.survival.remux", next(iter(read_run(store).items))]
    assert score.evidence == {"before": "trusted", "after": "absent"}
    policy = Policy.model_validate(
        {
            "name": "marked",
            "version": 1,
            "cards": "noted",
            "rules": [
                {"measure": "provenance.trusted_rate", "min": 0.3},
                {"measure": "provenance.survival.transcode", "min": 0.7},
            ],
        }
    )
    verdict = gate(store, policy, None)
    assert [rule.outcome for rule in verdict.rules] == ["PASS", "FAIL"]


def test_without_anchors_there_is_no_trusted_rate(
    signed: Any, make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    run(
        suite_with(make_suite, "none"),
        SignedGenerator(generator, signed.credentials),
        tmp_path / "run",
        Settings(cache),
    )
    data = read_run(open_run(tmp_path / "run"))
    scores = [data.scores["provenance.trusted_rate", item] for item in data.items]
    assert {score.status for score in scores} == {"failed"}
    assert "no trust anchors were given" in scores[0].reason
    assert taken(tmp_path / "run")["survival.copy"] == [1.0] * 4


def test_unsigned_clips_are_absent_and_have_nothing_to_lose(
    make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    run(suite_with(make_suite, "none"), generator, tmp_path / "run", Settings(cache))
    data = read_run(open_run(tmp_path / "run"))
    values = taken(tmp_path / "run")
    assert values["trusted_rate"] == [None] * 4  # nor would it be known of signed ones among them
    assert values["absent_rate"] == [1.0] * 4
    scores = [data.scores["provenance.survival.remux", item] for item in data.items]
    assert {score.status for score in scores} == {"not_applicable"}


def test_anchors_and_issuers_are_in_the_key(signed: Any, tmp_path: Path) -> None:
    anchors = str(signed.folder / "ca" / "anchor.pem")
    (tmp_path / "copy.pem").write_bytes(Path(anchors).read_bytes())
    digests = {
        source: make_encoder("provenance", source).digest
        for source in ("none", anchors, f"{anchors}?issuer=[A,B]", f"{anchors}?issuer=[B,A]")
    }
    assert len(set(digests.values())) == 3
    assert digests[f"{anchors}?issuer=[A,B]"] == digests[f"{anchors}?issuer=[B,A]"]
    assert make_encoder("provenance", str(tmp_path / "copy.pem")).digest == digests[anchors]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.pem", r"there is no file missing.pem, which should hold the trust anchors"),
        ("none?issuer=A", "name the anchors in place of none"),
        ("?issuer=A", "names no trust anchors"),
        ("none?isuer=A", "did you mean 'issuer'"),
    ],
)
def test_wrong_sources_say_what_to_give(source: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_encoder("provenance", source)


def test_a_suite_that_names_no_anchors_is_told_what_to_name(
    make_suite: Any, generator: Any, tmp_path: Path, cache: Path
) -> None:
    suite = make_suite(measures=["provenance.survival.copy"])
    words = r"--encoder provenance=SOURCE .a PEM file of trust anchors, or none"
    with pytest.raises(UsageError, match=words):
        run(suite, generator, tmp_path / "run", Settings(cache))


def test_the_private_key_is_in_no_file_of_a_run(
    signed: Any, make_suite: Any, tmp_path: Path, cache: Path
) -> None:
    folder = signed.folder / "ca"
    spec = f"signed:[reference:base?steps=1]?cert={folder / 'chain.pem'},key={folder / 'key.pem'}"
    suite = suite_with(make_suite, "none").model_copy(update={"seeds": 1})
    clip = suite.clip.model_copy(update={"frames": 8, "height": 64, "width": 64})
    prompts = tuple(p.model_copy(update={"text": "a red ball falls"}) for p in suite.prompts[:1])
    suite = suite.model_copy(update={"clip": clip, "prompts": prompts})
    run(suite, make_generator(spec), tmp_path / "run", Settings(cache))
    secret = (folder / "key.pem").read_text().splitlines()[1].encode()
    files = [path for place in (tmp_path / "run", cache) for path in place.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if secret in path.read_bytes()]
