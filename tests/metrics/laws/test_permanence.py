"""The mathematics of what lasts, on tracks that are known: presence, outline, color, and a bite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from screentest.metrics import NotApplicable
from screentest.metrics.laws.evaluation import find_all
from screentest.metrics.laws.permanence import color, permanence, persistence, rigidity, uninvited
from screentest.metrics.tracking.area_loss import AreaLoss, largest_loss

from .synthetic import BLUE, RED, Path, cast_of, times

T = times()
SLIDE = 0.2 + 0.25 * T


def test_what_is_gone_for_a_share_of_the_clip_has_that_severity():
    assert permanence(cast_of([Path(SLIDE, 0.5)], {"motion": "right"})).severity == 0.0
    gone = np.where((T >= 1.0) & (T < 1.5), np.nan, SLIDE)
    found = permanence(cast_of([Path(gone, 0.5)], {"motion": "right"}))
    assert found.severity == pytest.approx(4 / 16)
    assert found.first_frame == 8


def behind(stops: bool) -> list[Path]:
    """Let a ball go behind a wall of gray, and stay there or come out."""
    hidden = (SLIDE > 0.42) & (stops | (SLIDE < 0.58))
    wall = Path(0.5, 0.5, 0.14, (128.0, 130.0, 134.0), "square")
    return [Path(np.where(hidden, np.nan, SLIDE), 0.5, 0.08), wall]


WALLED = {"objects": [{"shape": "ball", "color": "red"}, {"kind": "wall"}], "motion": "right"}


def test_what_goes_behind_a_thing_and_stays_there_is_lawful():
    stays = cast_of(behind(True), {**WALLED, "ideal": False})
    assert permanence(stays).severity == 0.0
    comes_out = cast_of(behind(False), {**WALLED, "passes_behind": [0, 1]})
    assert permanence(comes_out).severity == 0.0
    vanished = cast_of(behind(True), {**WALLED, "passes_behind": [0, 1]})
    assert permanence(vanished).severity > 0.05


def test_a_double_counts_where_nothing_else_may_be_seen():
    twice = [Path(SLIDE, 0.3), Path(np.where(T >= 1.0, 0.7, np.nan), 0.8)]
    one = {"objects": [{"shape": "ball", "color": "red"}], "motion": "right"}
    assert permanence(cast_of(twice, one)).severity == pytest.approx(0.5)
    assert permanence(cast_of(twice, {**one, "others": "allowed"})).severity == 0.0


def test_a_stranger_counts_by_its_share_of_the_clip():
    one = {"objects": [{"shape": "ball", "color": "red"}], "motion": "right"}
    stranger = [Path(SLIDE, 0.3), Path(np.where(T >= 1.5, 0.7, np.nan), 0.8, color=BLUE)]
    assert uninvited(cast_of(stranger, one)).severity == pytest.approx(4 / 16)
    for facts in ({"others": "allowed"}, {"ideal": False}):
        with pytest.raises(NotApplicable, match="nothing else may be seen"):
            uninvited(cast_of(stranger, {**one, **facts}))


def test_before_a_camera_that_moves_a_tracker_of_differences_knows_no_stranger():
    one = {"objects": [{"shape": "ball", "color": "red"}], "motion": "right"}
    stranger = [Path(SLIDE, 0.3), Path(np.where(T >= 1.5, 0.7, np.nan), 0.8, color=BLUE)]
    camera = np.stack([np.linspace(0, 12, 16), *np.zeros((2, 16)), np.ones(16)], axis=1)
    plain = cast_of(stranger, one)
    rough = cast_of(stranger, one, hidden_NT=np.zeros((2, len(T)), bool))
    assert uninvited(rough).severity == pytest.approx(4 / 16)
    moved = [replace(cast, tracks=replace(cast.tracks, camera_T4=camera)) for cast in (plain, rough)]
    assert uninvited(moved[0]).severity == pytest.approx(4 / 16)
    with pytest.raises(NotApplicable, match="the camera moves"):
        uninvited(moved[1])


def test_a_thing_that_grows_changes_its_size_unless_it_may_come_nearer():
    growing = Path(0.5, 0.5, 0.1 * np.exp(0.4 * T / T[-1]))
    assert rigidity(cast_of([growing], {})).severity == pytest.approx(0.4, abs=0.06)
    assert rigidity(cast_of([growing], {"in_depth": True})).severity == 0.0
    assert rigidity(cast_of([growing], {"ideal": False})).severity == 0.0
    with pytest.raises(NotApplicable, match="nothing of a fixed outline"):
        rigidity(cast_of([growing], {"objects": [{"color": "red"}]}))


def test_rough_outlines_show_a_step_and_no_drift_or_scatter():
    """As of a tracker that estimates what is behind a thing; the size grows by exp(0.3) at 1 s."""
    rough = {"hidden_NT": np.zeros((1, len(T)), bool)}
    grown = Path(SLIDE, 0.5, 0.1 * np.exp(0.3 * (T >= 1.0)))
    found = rigidity(cast_of([grown], {}, **rough))
    assert found.severity == pytest.approx(0.3, abs=0.02)
    assert found.first_frame == 8
    scattered = Path(SLIDE, 0.5, 0.1 * np.exp(0.05 * (np.arange(len(T)) % 2)))
    assert rigidity(cast_of([scattered], {}, **rough)).severity == 0.0
    assert rigidity(cast_of([grown], {"in_depth": True}, **rough)).severity == 0.0


def test_a_color_that_changes_has_the_severity_of_the_change():
    share = (T / T[-1])[:, None]
    other = (1 - share) * np.array(RED) + share * np.array(BLUE)
    end = np.sqrt(np.mean(((np.array(RED) - np.array(BLUE)) / 255) ** 2))
    assert color(cast_of([Path(SLIDE, 0.5)], {})).severity == 0.0
    assert color(cast_of([Path(SLIDE, 0.5, color=other)], {})).severity == pytest.approx(end, rel=0.15)
    with pytest.raises(NotApplicable, match="the light stays as it is"):
        color(cast_of([Path(SLIDE, 0.5, color=other)], {"constant_light": False}))


def test_light_and_shade_on_a_solid_thing_are_no_change_of_its_color():
    """As of a tracker that estimates what is behind a thing: it turns to the shade at 1 s."""
    rough = {"hidden_NT": np.zeros((1, len(T)), bool)}
    shade = np.where(T >= 1.0, 0.7, 1.0)[:, None] * np.array(RED)
    assert color(cast_of([Path(SLIDE, 0.5, color=shade)], {}, **rough)).severity == pytest.approx(
        0.0, abs=1e-9
    )
    assert color(cast_of([Path(SLIDE, 0.5, color=shade)], {})).severity > 0.1
    other = np.where(T[:, None] >= 1.0, BLUE, RED)
    assert color(cast_of([Path(SLIDE, 0.5, color=other)], {}, **rough)).severity > 0.4


def bitten(areas: np.ndarray) -> Path:
    return Path(0.5, 0.5, 0.2 * np.sqrt(areas), (205.0, 160.0, 100.0))


BISCUIT = {"objects": [{"kind": "biscuit"}], "bitten": 0}


def test_a_bite_that_closes_by_a_share_has_that_severity():
    for share in (0.0, 0.5, 1.0):
        areas = np.where(T < 0.75, 1.0, np.where(T < 1.25, 0.8, 0.8 + 0.2 * share))
        assert persistence(cast_of([bitten(areas)], BISCUIT)).severity == pytest.approx(share, abs=0.02)


def test_a_biscuit_that_is_never_bitten_is_said_and_counted():
    whole = cast_of([bitten(np.ones(16))], BISCUIT)
    with pytest.raises(NotApplicable, match="no bite is seen"):
        persistence(whole)
    with pytest.raises(NotApplicable, match="no bite is expected"):
        persistence(cast_of([bitten(np.ones(16))], {"objects": [{"kind": "biscuit"}]}))


def test_a_loss_is_the_largest_drop_of_an_area():
    assert largest_loss(np.array([100.0, 101.0, 99.0, 100.0])) is None
    assert largest_loss(np.array([1.0])) is None
    assert largest_loss(np.array([100.0, 100.0, 70.0, 71.0])) == AreaLoss(2, 100.0, 70.0)


def test_before_a_rough_ground_no_law_is_held():
    rough = cast_of([Path(SLIDE, 0.5)], {"motion": "right"}, background_spread=30.0)
    assert all("the background is not plain" in str(found) for found in find_all(rough).values())
    plain = cast_of([Path(SLIDE, 0.5)], {"motion": "right"}, background_spread=9.0)
    assert not isinstance(find_all(plain)["permanence"], str)
