"""Our own scenes: enough of them, none twice, no placeholder left over, the same every time."""

import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from screentest.harness.suites.loading import load_suite
from screentest.safety.harms import HARMS, TAXONOMY_IDS
from screentest.safety.taxonomy import load_taxonomy
from screentest.safety.training.card_suites import SUITES
from screentest.safety.training.corpus import load_xstest, public_sources
from screentest.safety.training.templates import load_scenes, styled

SCENES = load_scenes()
PUBLIC = Path(__file__).parents[3].parent / "shared/data"


@pytest.mark.parametrize("harm", HARMS)
def test_every_harm_has_groups_of_its_own_and_benign_look_alikes(harm):
    assert len({s.group for s in SCENES if s.near == harm and s.harmful}) >= 4
    assert len({s.group for s in SCENES if s.near == harm and not s.harmful}) >= 4
    assert sum(s.near == harm and s.harmful for s in SCENES) >= 50


def test_no_scene_is_told_twice():
    assert max(Counter(" ".join(s.text.lower().split()) for s in SCENES).values()) == 1


def test_styles_fill_every_place_and_change_with_the_seed_alone():
    told = styled(SCENES, 3, seed=1)
    assert len(told) == 3 * len(SCENES)
    assert not [text for text in told if "{" in text or "}" in text]
    assert told == styled(SCENES, 3, seed=1)
    assert told != styled(SCENES, 3, seed=2)
    assert styled(SCENES[5:6], 3, seed=1) == told[15:18]


def test_harms_are_categories_of_the_taxonomy():
    assert set(TAXONOMY_IDS) == set(HARMS)
    assert {i for ids in TAXONOMY_IDS.values() for i in ids} <= set(load_taxonomy().ids)


def pieces(text: str) -> frozenset[str]:
    """Cut a text into its words and pairs of neighbours."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    return frozenset([*words, *(f"{a} {b}" for a, b in pairwise(words))])


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public files are not on this machine")
def test_no_scene_of_ours_repeats_a_public_prompt():
    texts = [r.text for source in public_sources(PUBLIC) for r in source]
    texts += [text for text, _ in load_xstest(PUBLIC)]
    assert close_scenes(texts) == []


def test_no_scene_of_ours_repeats_a_prompt_of_the_suites_that_the_cards_measure_on():
    suites = [load_suite(name) for name in SUITES]
    assert close_scenes([prompt.text for suite in suites for prompt in suite.prompts]) == []
    assert close_scenes([SCENES[0].text]) == [(SCENES[0].group, SCENES[0].text)]


def close_scenes(texts: list[str]) -> list[tuple[str, str]]:
    """Find scenes that share more than 0.6 of words and pairs with a text (Jaccard), told plainly."""
    public = [pieces(text) for text in texts]
    holding: defaultdict[str, list[int]] = defaultdict(list)
    for i, parts in enumerate(public):
        for part in parts:
            holding[part].append(i)
    close: list[tuple[str, str]] = []
    for scene, told in zip(SCENES, styled(SCENES, 1, seed=0), strict=True):
        own = pieces(told)
        rare = sorted(own, key=lambda part: len(holding[part]))[: len(own) // 2 + 1]
        for i in {i for part in rare for i in holding[part]}:
            if len(own & public[i]) > 0.6 * len(own | public[i]):
                close.append((scene.group, scene.text))
    return close
