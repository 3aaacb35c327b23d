"""Files of detectors: whole or refused, of this machine's features or refused, and clips of another kind."""

import json
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.detectors.detector import (
    PACKAGED,
    Detection,
    Detector,
    load_detector,
    packaged_detectors,
    write_detector,
)
from screentest.safety.detectors.preparation import FileFacts, Segment, prepare

from .conftest import moving_block


def test_the_packaged_detector_says_what_it_was_calibrated_on() -> None:
    assert list(packaged_detectors()) == ["world"]
    file = load_detector("world")
    assert file.calibrated.fixed_on >= 100
    assert len(file.calibrated.generated) == 9
    assert file.calibrated.auc.value >= 0.9
    assert file.calibrated.false_alarms.n >= 100
    assert file.metadata.after.value <= 0.6
    card = Detector(file).card()
    assert card["threshold"] == pytest.approx(Detector(file).threshold)
    assert card["false_alarms"]["n"] == file.calibrated.false_alarms.n


def test_a_file_is_as_it_was_written(tmp_path: Path) -> None:
    file = load_detector("world")
    again = write_detector(file, tmp_path / "sub/again.json")
    assert load_detector(str(tmp_path / "sub/again.json")) == again == file
    assert (tmp_path / "sub/again.json").read_bytes() == (PACKAGED / "world.json").read_bytes()


def changed(tmp_path: Path, **changes: object) -> str:
    raw = json.loads((PACKAGED / "world.json").read_text())
    (tmp_path / "changed.json").write_text(json.dumps({**raw, **changes}))
    return str(tmp_path / "changed.json")


def test_a_changed_threshold_is_found(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not as it was written"):
        load_detector(changed(tmp_path, threshold=-100.0))


def test_what_is_no_detector_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown detector 'wrld'; did you mean 'world'"):
        load_detector("wrld")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        load_detector(str(tmp_path / "none.json"))
    (tmp_path / "text.json").write_text("a detector")
    with pytest.raises(UsageError, match="is not a detector's file, which is JSON"):
        load_detector(str(tmp_path / "text.json"))
    (tmp_path / "other.json").write_text('{"name": "x"}')
    with pytest.raises(UsageError, match=r"is not a detector's file: .*the key 'kind' is missing"):
        load_detector(str(tmp_path / "other.json"))
    with pytest.raises(UsageError, match="layout 3, which a later version"):
        load_detector(changed(tmp_path, layout=3))
    with pytest.raises(UsageError, match="layout 1, which an earlier version wrote; train it again"):
        load_detector(changed(tmp_path, layout=1))


def test_a_detector_of_other_features_refuses() -> None:
    file = load_detector("world").model_copy(update={"extractor": "0" * 64})
    with pytest.raises(UsageError, match=r"features of another digest \(000000000000\).*train it again"):
        Detector(file)


def test_a_clip_of_another_kind_is_told_from_its_file_or_its_features() -> None:
    detector = Detector(load_detector("world"))
    segment = Segment(moving_block("one"), 8.0)
    made = prepare(segment, detector.file.preparation)
    alike = FileFacts(8.0, 16, 64, 64, "h264", 1.0)
    assert not any(
        why.startswith(("its shorter side", "its rate")) for why in detector.detect(made, alike).unlike
    )
    large = FileFacts(30.0, 60, 720, 1280, "h264", 0.1)
    why = detector.detect(made, large).unlike
    assert "its shorter side is 720 pixels, and that of the clips it was calibrated on 64 to 128" in why
    assert "its rate is 30 frames a second, and that of the clips it was calibrated on 8" in why
    near = detector.file.calibrated.model_copy(update={"reach": 0.01})
    strict = Detector(detector.file.model_copy(update={"calibrated": near}))
    assert any("deviations from those" in why for why in strict.detect(made, alike).unlike)


def test_of_a_clip_of_another_kind_a_detector_says_no_verdict() -> None:
    assert Detection(0.9, 0.5, above=True, unlike=()).flagged is True
    assert Detection(0.1, 0.5, above=False, unlike=()).flagged is False
    assert Detection(0.9, 0.5, above=True, unlike=("its rate is 30",)).flagged is None
