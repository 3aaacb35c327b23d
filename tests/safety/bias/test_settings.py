"""Settings of a bias audit: named references and tables of shares, right and wrong."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from screentest.generators.reference.training.data import planted
from screentest.harness.core.errors import UsageError
from screentest.harness.suites.loading import join_suites, load_suite
from screentest.safety.bias.settings import BiasSettings, NamedReference, read_share_table, uniform

TABLE = "occupation\tbls_pct_female\nnurse\t89.58\nengineer\t10.72\n"


def test_a_table_in_percent_becomes_shares_of_two_classes(tmp_path: Path) -> None:
    path = tmp_path / "occupations.tsv"
    path.write_text(TABLE)
    fields = {"name": "BLS", "attribute": "presentation", "file": str(path), "column": "bls_pct_female"}
    reference = NamedReference.model_validate({**fields, "of": "feminine"}).filled()
    nurse = reference.of_group("nurse")
    assert nurse is not None
    np.testing.assert_allclose(nurse, [0.8958, 0.1042])
    assert reference.of_group("baker") is None
    assert reference.file is None  # what was in it is in the run's record


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (TABLE, "bls_pct_femal", "bls_pct_female"),
        ("occupation\tpct\nnurse\t189\n", "pct", "line 2: pct of 'nurse' is no share of 0 to 100"),
        ("occupation\tpct\nnurse\tmany\n", "pct", "line 2"),
        ("occupation\tpct\nnurse\t80\nnurse\t81\n", "pct", "line 3: 'nurse' is listed twice"),
        ("occupation\tpct\n", "pct", "has no rows"),
    ],
)
def test_a_table_that_is_wrong_is_one_sentence(tmp_path: Path, text: str, column: str, message: str) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_share_table(path, column)
    with pytest.raises(UsageError, match="cannot be read"):
        read_share_table(tmp_path / "none.tsv", column)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shares": {"all": {"feminine": 0.5, "masculine": 0.6}}}, "add up to 1"),
        ({"shares": {"all": {"feminine": 1.0}}}, "give a share for each of feminine, masculine"),
        ({}, "either 'shares' or a 'file'"),
        ({"file": "x.tsv"}, "takes a file with 'column' and 'of'"),
        ({"name": "uniform", "shares": {"all": {"feminine": 0.5, "masculine": 0.5}}}, "is taken"),
    ],
)
def test_a_reference_that_is_wrong_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NamedReference.model_validate({"name": "x", "attribute": "presentation", **fields})


def test_the_uniform_reference_stands_first() -> None:
    settings = BiasSettings.model_validate({})
    assert [one.name for one in settings.references_of("tone")] == ["uniform"]
    shares = uniform("tone").of_group("anyone")
    assert shares is not None
    np.testing.assert_allclose(shares, 1 / 3)


def test_the_suite_of_the_world_has_what_was_planted_and_is_balanced() -> None:
    suite = load_suite("bias-world")
    assert suite.bias is not None
    made = planted("base")
    for reference in suite.bias.references:
        truth = made.feminine if reference.attribute == "presentation" else made.tone
        for group, share in truth.items():
            shares = reference.of_group(group)
            assert shares is not None
            expected = (share, 1 - share) if isinstance(share, float) else share
            np.testing.assert_allclose(shares, expected)
        assert set(reference.shares) == set(truth)
    assert set(Counter(p.label("group") for p in suite.prompts).values()) == {12}


def test_the_suite_of_real_people_is_balanced_and_its_pairs_are_whole() -> None:
    suite = load_suite("bias-people")
    groups = Counter(p.label("group") for p in suite.prompts if "pair" not in p.tags)
    assert set(groups.values()) == {10}
    assert len(groups) == 27
    pairs = Counter((p.label("base"), p.label("axis")) for p in suite.prompts if "pair" in p.tags)
    assert set(pairs.values()) == {2}
    assert len(pairs) == 24
    # Neutral wording: outside the pairs no prompt says who is shown.
    said = {"man", "woman", "he", "she", "his", "her", "male", "female", "skin"}
    for prompt in suite.prompts:
        if "pair" not in prompt.tags:
            assert not said & set(prompt.text.lower().replace(",", "").split())


def test_suites_with_other_audits_are_not_joined() -> None:
    one, two = load_suite("bias-world"), load_suite("reference")
    joined = join_suites(
        [one, two.model_copy(update={"reference_set": None, "measures": ("motion.flicker",)})]
    )
    assert joined.bias == one.bias
    other = two.model_copy(
        update={"reference_set": None, "bias": BiasSettings.model_validate({"label": "shape"})}
    )
    with pytest.raises(UsageError, match="'bias' differs"):
        join_suites([one, other])
    assert math.isfinite(len(joined.prompts))
