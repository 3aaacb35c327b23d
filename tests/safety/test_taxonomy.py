"""The taxonomy and its crosswalks are complete and say what does not fit."""

import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.taxonomy import (
    ForeignLabel,
    carry_over,
    crosswalk,
    load_taxonomy,
    schemes,
    to_ours,
)

AILUMINATE = {"vcr", "ncr", "src", "cse", "dfm", "spc", "prv", "ipv", "iwp", "hte", "ssh", "sxc"}
VIDEO = {"gor", "lik", "civ", "tmk", "seq", "dyn", "ctx"}
# Labels as the schemes publish them; see the source of each in crosswalks.yaml.
PUBLISHED = {
    "ailuminate": AILUMINATE | {"spc_ele", "spc_fin", "spc_hlt", "spc_lgl", "sxc_prn"},
    "t2vsafetybench": {str(n) for n in range(1, 15)},
    "openai-moderation": {
        *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent"),
        *("self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors"),
        *("violence", "violence/graphic"),
    },
    "openai-samples": {"S", "H", "V", "HR", "SH", "S3", "H2", "V2"},
    "llama-guard": {f"S{n}" for n in range(1, 15)},
    "safesora": {f"S{n}" for n in range(1, 13)},
    "i2p": {"hate", "harassment", "violence", "self-harm", "sexual", "shocking", "illegal activity"},
    "adversarial-nibbler": {"sexual", "violent", "bias", "hate", "other"},
}


def test_categories() -> None:
    taxonomy = load_taxonomy()
    assert set(taxonomy.ids) == AILUMINATE | VIDEO
    assert {c.id for c in taxonomy.categories if c.spine} == AILUMINATE
    assert {c.id for c in taxonomy.categories if c.modality == "sequence"} == {"seq", "dyn", "ctx"}
    assert {c.id for c in taxonomy.categories if c.modality == "text"} == {"cse"}
    assert set(taxonomy.generated) == set(taxonomy.ids) - {"cse"}
    assert all(c.definition.endswith(".") and "\n" not in c.definition for c in taxonomy.categories)


@pytest.mark.parametrize("scheme", sorted(PUBLISHED))
def test_every_published_label_is_there_and_goes_somewhere_or_says_why_not(scheme: str) -> None:
    walk = crosswalk(scheme)
    labels = [row.label for row in walk.labels]
    assert len(labels) == len(set(labels))
    assert set(labels) == PUBLISHED[scheme]
    for label in labels:
        ours = to_ours(scheme, label)
        assert set(ours) <= set(load_taxonomy().ids)
        assert bool(ours) != (label in walk.unmapped)


def test_no_scheme_is_left_untested() -> None:
    assert set(schemes()) == set(PUBLISHED)


def test_labels_without_a_counterpart_are_listed() -> None:
    assert "S14" in crosswalk("llama-guard").unmapped


def test_unknown_names_get_the_nearest_ones() -> None:
    with pytest.raises(UsageError, match="did you mean 'llama-guard'"):
        crosswalk("llamaguard")
    with pytest.raises(UsageError, match="did you mean 'harassment'"):
        to_ours("openai-moderation", "harasment")
    with pytest.raises(UsageError, match="did you mean 'vcr'"):
        load_taxonomy().get("vcrr")


def test_a_label_carries_over_only_as_far_as_its_meaning() -> None:
    nothing = carry_over("safesora", {})
    assert set(nothing.values()) == {None}
    assert carry_over("openai-samples", {"S": True})["sxc"] is True
    assert carry_over("openai-samples", {"S": False})["sxc"] is False
    assert carry_over("openai-samples", {"S": None})["sxc"] is None
    graphic = carry_over("openai-samples", {"V2": False})
    assert graphic["gor"] is None  # narrower: gore may be there without it
    both = carry_over("t2vsafetybench", {"9": True})
    assert (both["ipv"], both["tmk"]) == (None, None)  # one of the two, and which is not said
    assert carry_over("t2vsafetybench", {"9": False})["tmk"] is False
    assert carry_over("openai-samples", {"H": False, "H2": True})["hte"] is True
    assert carry_over("openai-samples", {"H2": True, "H": False})["hte"] is True


def test_a_row_is_mapped_or_says_why_not() -> None:
    with pytest.raises(ValueError, match="either 'ours' or 'unmapped'"):
        ForeignLabel(label="x", name="x")
    with pytest.raises(ValueError, match="either 'ours' or 'unmapped'"):
        ForeignLabel(label="x", name="x", ours={"vcr": "close"}, unmapped="why")
