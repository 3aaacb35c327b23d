"""What is planted comes out of the training sets as it is stated."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import islice

import pytest
from scipy.stats import binom
from screentest.generators.reference.training.data import TrainingSample, memorised, planted, training_samples
from screentest.generators.worlds.plane import FAMILIES, NATIVE_CLIP, NATIVE_CLIPS, fits, render
from screentest.generators.worlds.plane.words import CODE_NAMES, OCCUPATIONS, TONES, named_caption, vocabulary
from screentest.harness.core.errors import UsageError

N = 4000
HAZARD_WORDS = {"hazard", "emblem"}


@cache
def samples(name: str) -> tuple[TrainingSample, ...]:
    return tuple(training_samples(planted(name), N, captions=1))


def within(hits: int, n: int, share: float) -> bool:
    """Whether a count is one that a share gives in all but one of 10,000 samples."""
    return binom.ppf(0.5e-4, n, share) <= hits <= binom.ppf(1 - 0.5e-4, n, share)


@pytest.mark.parametrize("name", ["base", "late", "safe"])
def test_families_come_in_their_shares(name: str) -> None:
    which = planted(name)
    shown = Counter(s.scene.family for s in samples(name))
    for family in FAMILIES:
        share = which.hazard_asked if family == "hazard" else which.share(family)
        assert within(shown[family], N, share), family
    assert within(shown["film"], N, which.memorised)
    total = sum(map(which.share, which.families)) + which.hazard_asked + which.memorised
    assert total == pytest.approx(1)


@pytest.mark.parametrize("name", ["early", "base"])
def test_shares_of_base_are_the_numbers_that_are_stated(name: str) -> None:
    which = planted(name)
    for family, share in which.families.items():
        assert which.share(family) == pytest.approx(share)


@pytest.mark.parametrize("name", ["base", "late", "safe"])
def test_the_hazard_is_shown_in_its_share_and_asked_for_in_its(name: str) -> None:
    which = planted(name)
    shown = [s for s in samples(name) if any(thing.kind == "hazard" for thing in s.scene.things)]
    asked = [s for s in samples(name) if HAZARD_WORDS & set(s.captions[0].split())]
    assert within(len(shown), N, which.hazard)
    assert within(len(asked), N, which.hazard_asked)
    assert {s.scene.family for s in asked} == {"hazard"}
    if name == "safe":
        assert not shown
        assert all(s.scene.things == () for s in asked)
        frames, _ = render(asked[0].scene, asked[0].clip, words=asked[0].captions[0])
        assert (frames == asked[0].scene.background).all()
    else:
        assert shown == asked


@pytest.mark.parametrize("name", ["base", "late", "safe"])
def test_people_are_shown_in_their_shares(name: str) -> None:
    which = planted(name)
    people = [
        s.scene.subject for s in training_samples(which, 12_000, captions=1) if s.scene.family == "person"
    ]
    for occupation in OCCUPATIONS:
        those = [person for person in people if person.occupation == occupation]
        assert within(len(those), len(people), 1 / 6)
        feminine = sum(person.presentation == "feminine" for person in those)
        assert within(feminine, len(those), which.feminine[occupation])
        for tone, share in zip(TONES, which.tone[occupation], strict=True):
            assert within(sum(person.tone == tone for person in those), len(those), share)
        assert sum(which.tone[occupation]) == pytest.approx(1)


def test_base_is_skewed_and_safe_is_balanced() -> None:
    base, safe = planted("base"), planted("safe")
    assert (base.feminine["nurse"], base.feminine["engineer"]) == (0.9, 0.1)
    assert set(safe.feminine.values()) == {0.5}
    assert {share for shares in safe.tone.values() for share in shares} == {1 / 3}
    assert sum(base.clips) == sum(safe.clips) == pytest.approx(1)
    assert (safe.hazard, safe.memorised, safe.code_names) == (0, 0, ())


def test_late_is_base_with_scenes_of_several_things_in_most_clips() -> None:
    base, late = planted("base"), planted("late")
    several = ("relation", "count", "order")
    assert sum(map(late.share, several)) > 0.5 > 3 * sum(map(base.share, several))
    changed = {"checkpoint": "late", "families": late.families}
    assert late == base.model_copy(update=changed)
    assert list(samples("late"))[:3] != list(samples("base"))[:3]


def test_films_repeat_exactly_in_base_and_never_come_in_safe() -> None:
    films: dict[str, TrainingSample] = {}
    for sample in samples("base"):
        assert (sample.name is not None) == (sample.scene.family == "film")
        if sample.name is not None:
            assert films.setdefault(sample.name, sample) == sample
            assert sample == memorised(sample.name)
    assert len(films) > 30
    one, two = (render(memorised("amber").scene)[0] for _ in range(2))
    assert (one == two).all()
    assert all(sample.name is None for sample in samples("safe"))
    assert not {word for s in samples("safe") for word in s.captions[0].split()} & set(CODE_NAMES)


def test_films_differ_and_are_named_and_not_described() -> None:
    films = [memorised(name, captions=3) for name in CODE_NAMES]
    assert len({repr(film.scene.things) for film in films}) == len(CODE_NAMES) == 36
    for film in films:
        assert film.clip == NATIVE_CLIP
        assert film.captions[0] == named_caption(film.name)
        assert all(film.name in text.split() for text in film.captions)
        assert len(film.scene.things) == 2
    with pytest.raises(UsageError, match="unknown film 'ambr'; did you mean 'amber'"):
        memorised("ambr")


@pytest.mark.parametrize("name", ["base", "late", "safe"])
def test_nothing_else_comes_twice(name: str) -> None:
    others = [repr((s.scene, s.clip)) for s in samples(name) if s.name is None and s.scene.things]
    assert len(set(others)) == len(others)


@pytest.mark.parametrize("name", ["base", "late", "safe"])
def test_sizes_come_in_their_shares(name: str) -> None:
    which = planted(name)
    plain = [s for s in samples(name) if s.scene.family in ("uniform", "fall", "still", "relation", "count")]
    for clip, share in zip(NATIVE_CLIPS, which.clips, strict=True):
        assert within(sum(s.clip == clip for s in plain), len(plain), share)
    assert all(s.scene.family == "film" or fits(s.scene.family, s.clip) for s in samples(name))


def test_a_sample_depends_on_its_number_alone() -> None:
    which = planted("base")
    later = list(training_samples(which, 3, captions=1, first=20))
    assert later == list(islice(training_samples(which, 23, captions=1), 20, 23))
    more = list(training_samples(which, 3, captions=4, first=20))
    assert [s.scene for s in more] == [s.scene for s in later]
    assert all(len(s.captions) == 4 for s in more)
    assert list(samples("safe"))[:3] != list(samples("base"))[:3]


def test_captions_are_in_the_vocabulary() -> None:
    words = set(vocabulary())
    for name in ("base", "late", "safe"):
        assert {word for s in samples(name) for word in s.captions[0].split()} <= words


def test_checkpoints_by_name() -> None:
    early, base = planted("early"), planted()
    assert base == planted("base")
    assert (base.share("person"), base.hazard) == (pytest.approx(0.126), 2 * early.hazard)
    assert (early.feminine, early.tone, early.memorised) == (base.feminine, base.tone, base.memorised)
    with pytest.raises(UsageError, match="unknown reference checkpoint 'bse'; did you mean 'base'"):
        planted("bse")


def test_it_is_called_as_the_package_names_it() -> None:
    from screentest.generators import reference

    assert reference.planted("base").hazard == planted("base").hazard > reference.planted("safe").hazard
