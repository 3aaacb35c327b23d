from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.metrics.laws.evaluation import LAWS
from screentest.metrics.laws.thresholds import (
    ANY,
    FILE,
    SourceThresholds,
    blunt_laws,
    calibrated,
    chosen_thresholds,
    conformal,
    packaged_thresholds,
    read_thresholds,
    refuse_others,
    thresholds_digest,
    write_thresholds,
)
from screentest.metrics.tracking.shape_tracker import WorldSource
from screentest.metrics.tracking.stabilized_tracker import MotionSource
from screentest.metrics.tracking.tracks import source_name


def rows(n: int, looks: tuple[str, ...] = ("plain", "noise"), scale: float = 1.0) -> list[dict[str, object]]:
    """Lawful clips whose severities are 1/n to 1, twice as large in the second look."""
    return [
        {"look": look, "found": dict.fromkeys(LAWS, scale * (k + 1) * (1 + place) / n)}
        for place, look in enumerate(looks)
        for k in range(n)
    ]


def test_a_further_clip_exceeds_the_quantile_as_rarely_as_said():
    rng = np.random.default_rng(0)
    alarms = [rng.random() > conformal(rng.random(39).tolist(), 0.1) for _ in range(4000)]
    assert 0.085 < np.mean(alarms) < 0.115


def test_too_few_clips_show_no_quantile():
    assert conformal([float(k) for k in range(99)], 0.01) == 98.0
    with pytest.raises(UsageError, match="98 lawful clips show no quantile that one in 100 exceeds; 99 are"):
        conformal([0.0] * 98, 0.01)
    with pytest.raises(UsageError, match="in the look 'noise', 20 lawful clips show no quantile"):
        calibrated(rows(20), {})


def test_the_look_with_the_largest_quantile_decides_and_nothing_invisible_is_a_fault():
    made = calibrated(rows(200), {"seed": 3})
    assert made.settings == {"seed": 3}
    for law in LAWS:
        limit = made.laws[law]
        assert (limit.look, limit.threshold, limit.n, limit.above) == ("noise", pytest.approx(1.99), 400, 1)
    assert made.laws[ANY].threshold == pytest.approx(1.0)
    faint = calibrated(rows(200, scale=1e-4), {})
    assert {law: limit.threshold for law, limit in faint.laws.items() if limit.threshold != 0.01} == {
        "gravity": 0.1,
        ANY: pytest.approx(2e-4 * 199 / 200 / 0.01),
    }


def test_any_law_has_a_rate_of_its_own_where_one_is_asked():
    two, five = (calibrated(rows(200), {}, alarms=0.02, any_alarms=rate) for rate in (None, 0.05))
    assert {law: two.laws[law] for law in LAWS} == {law: five.laws[law] for law in LAWS}
    assert two.laws[ANY].threshold == pytest.approx(1.0)
    assert five.laws[ANY].threshold == pytest.approx(191 / 197)


def test_a_law_that_hardly_ever_applies_has_no_threshold_and_says_why():
    some = [{**row, "found": {**row["found"], "energy": "nothing falls"}} for row in rows(200)[:-2]]  # type: ignore[dict-item]
    made = calibrated([*some, *rows(200)[-2:]], {})
    assert set(made.laws) == {*LAWS, ANY} - {"energy"}
    assert set(made.missing) == {"energy"}
    assert made.missing["energy"].startswith("in the look 'noise', 2 lawful clips show no quantile")
    nothing = [{**row, "found": dict.fromkeys(LAWS, "nothing moves")} for row in rows(200)]
    with pytest.raises(UsageError, match="the source sees nothing in any of the lawful clips"):
        calibrated(nothing, {})


def test_sources_share_a_file_and_a_change_by_hand_is_seen(tmp_path: Path):
    path = tmp_path / "thresholds.json"
    one = write_thresholds(path, "world 1", calibrated(rows(120), {}))
    two = write_thresholds(path, "blobs 1", calibrated(rows(120, scale=2.0), {}))
    assert sorted(read_thresholds(path).sources) == ["blobs 1", "world 1"]
    assert two.sources["world 1"] == one.sources["world 1"]
    assert one.digest != two.digest
    changed = json.loads(path.read_text())
    changed["sources"]["world 1"]["laws"]["gravity"]["threshold"] = 9.0
    path.write_text(json.dumps(changed))
    with pytest.raises(UsageError, match="was changed after it was written; make it again with"):
        read_thresholds(path)
    path.write_text("{}")
    with pytest.raises(UsageError, match="holds no thresholds: sources: Field required"):
        read_thresholds(path)
    path.write_text("{")
    with pytest.raises(UsageError, match="holds no thresholds: Invalid JSON"):
        read_thresholds(path)
    with pytest.raises(UsageError, match=r"none\.json cannot be read: No such file"):
        read_thresholds(tmp_path / "none.json")


def test_the_packaged_thresholds_were_made_by_the_command():
    packaged = packaged_thresholds()
    assert read_thresholds(FILE) == packaged
    world = packaged.sources[source_name(WorldSource())]
    assert set(world.laws) == {*LAWS, ANY}
    assert world.settings["stage"] == "thresholds"
    assert all(limit.threshold >= 0.01 for limit in world.laws.values())
    assert all(limit.above <= 0.02 * limit.n for limit in world.laws.values())


def test_tracks_of_motion_are_judged_by_thresholds_that_name_the_stage():
    found = packaged_thresholds().of_source(MotionSource().identity())
    assert found is not None
    name, motion = found
    assert name == source_name(MotionSource())
    assert motion.calibrated_on == "the world 'stage'"
    assert packaged_thresholds().sources[source_name(WorldSource())].calibrated_on == "the reference world"
    assert {*motion.laws, *motion.missing} == {*LAWS, ANY}
    for law, limit in motion.laws.items():
        rate = motion.settings["any_alarms" if law == ANY else "alarms"]
        assert limit.above <= rate * limit.n
    assert SourceThresholds(laws={}, settings={"stage": "footage"}).calibrated_on == "footage"


def test_a_file_of_ones_own_adds_sources_and_takes_the_place_of_packaged_ones(tmp_path: Path):
    path = tmp_path / "mine.json"
    write_thresholds(path, "blobs 1", calibrated(rows(120), {"seed": 5}))
    packaged = packaged_thresholds()
    chosen = chosen_thresholds(path)
    assert chosen.sources["blobs 1"].settings == {"seed": 5}
    assert {k: v for k, v in chosen.sources.items() if k != "blobs 1"} == packaged.sources
    assert chosen.digest == thresholds_digest(chosen.sources) != packaged.digest
    path.write_text("{")
    with pytest.raises(UsageError, match="holds no thresholds: Invalid JSON"):
        read_thresholds(path)
    with pytest.raises(UsageError, match=r"none\.json cannot be read"):
        chosen_thresholds(tmp_path / "none.json")
    assert chosen_thresholds(None) == packaged


def test_thresholds_are_for_one_tracker_whole_identity_and_all(tmp_path: Path):
    path = tmp_path / "mine.json"
    tracker = {"source": "blobs", "version": 1, "block": 8}
    write_thresholds(path, "blobs 1", calibrated(rows(120), {"source": tracker}))
    refuse_others(path, tracker)
    for other, said in (
        ({**tracker, "version": 2}, "blobs 2; make"),
        ({**tracker, "block": 16}, r'blobs 1 with other settings: \{"block":16,'),
        ({"source": "world", "version": 4}, "world 4; make"),
    ):
        with pytest.raises(UsageError, match=f"are for blobs 1, and the tracks of this run are by {said}"):
            refuse_others(path, other)


def test_no_environment_variable_changes_the_thresholds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "mine.json"
    write_thresholds(path, "blobs 1", calibrated(rows(120), {"seed": 5}))
    monkeypatch.setenv("SCREENTEST_THRESHOLDS", str(path))
    assert chosen_thresholds(None) == packaged_thresholds()


def test_a_law_that_finds_too_little_gets_no_threshold_and_says_why():
    made = calibrated(rows(200), {})  # thresholds of 1.99
    broken = [
        {"law": law, "found": {law: 5.0 if law == "gravity" else 1.0}} for law in LAWS for _ in range(4)
    ]
    broken += [{"law": "gravity", "found": {"gravity": "too short"}}]
    blunt = blunt_laws(made, broken)
    assert set(blunt) == set(LAWS) - {"gravity"}
    assert blunt["uninvited"].startswith("it finds 0 of 4 violations of a medium severity")
    assert set(calibrated(rows(200), {}, blunt=blunt).laws) == {"gravity", ANY}
    assert calibrated(rows(200), {}, blunt=blunt).missing == blunt
    assert blunt_laws(made, [])["gravity"].startswith("it finds 0 of 0")
