"""Our own scenes: enough of them, none twice, no placeholder left over, the same every time."""

from collections import Counter

import pytest
from screentest.safety.corpus import FOLDS, HARMS, TAXONOMY_IDS
from screentest.safety.taxonomy import load_taxonomy
from screentest.safety.templates import load_scenes, scene_groups, styled

SCENES = load_scenes()


@pytest.mark.parametrize("harm", HARMS)
def test_every_harm_has_groups_for_every_fold_and_benign_look_alikes(harm):
    assert len(scene_groups(harm, harmful=True)) >= FOLDS
    assert len(scene_groups(harm, harmful=False)) >= FOLDS
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
