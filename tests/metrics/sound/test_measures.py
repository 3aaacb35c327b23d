from pathlib import Path

import numpy as np
import pytest
from screentest.harness.core.errors import UsageError
from screentest.harness.core.sound import SoundTrack
from screentest.metrics import Scored
from screentest.metrics.expectation import check_expectation
from screentest.metrics.sound.synchrony import synchrony

from .synthetic import FPS, RATE, clicks, compare, encoded, events, jumps, still, take, tone

ANY, NONE = {"sound": "any"}, {"sound": "none"}
EVERY = ["present", "silence", "loudness", "clipping", "length_error", "cuts", "synchrony", "offset"]
SECONDS = 6.0


def value(found: Scored | str) -> float:
    assert isinstance(found, Scored), found
    return found.value


def test_a_clip_without_sound_is_not_applicable_unless_sound_was_asked_for(tmp_path: Path):
    made = encoded(tmp_path, still(2.0), None)
    for name in EVERY:
        assert "no sound" in str(take(f"sound.{name}", made))
    assert value(take("sound.present", made, ANY)) == 0.0
    assert value(take("sound.present", made, {"sound": "a dog barks"})) == 0.0
    assert value(take("sound.uninvited", made, NONE)) == 0.0
    assert "asks for no sound" in str(take("sound.present", made, NONE))


def test_a_silent_stream_is_like_none(tmp_path: Path):
    made = encoded(tmp_path, still(2.0), SoundTrack(np.zeros((1, 2 * RATE), np.float32), RATE))
    for name in ("present", "loudness", "clipping", "cuts", "synchrony", "offset"):
        assert "silent" in str(take(f"sound.{name}", made))
    assert value(take("sound.silence", made)) == 1.0
    assert value(take("sound.present", made, ANY)) == 0.0
    assert value(take("sound.uninvited", made, NONE)) == 0.0


def test_a_tone_is_heard_whole_and_unclipped(tmp_path: Path):
    made = encoded(tmp_path, still(2.0), tone(2.0, level=0.1))
    assert value(take("sound.present", made)) == 1.0
    assert value(take("sound.present", made, ANY)) == 1.0
    assert value(take("sound.uninvited", made, NONE)) == 1.0
    assert "does not ask for silence" in str(take("sound.uninvited", made))
    assert value(take("sound.silence", made)) == 0.0
    assert value(take("sound.cuts", made)) == 0.0
    assert value(take("sound.clipping", made)) == 0.0
    assert value(take("sound.length_error", made)) == pytest.approx(0.0, abs=2e-3)
    assert value(take("sound.loudness", made)) == pytest.approx(-23.6, abs=0.3)


def test_sound_that_ends_early_or_runs_on(tmp_path: Path):
    short = encoded(tmp_path, still(2.0), tone(1.25))
    assert value(take("sound.length_error", short)) == pytest.approx(0.75, abs=2e-3)
    long = encoded(tmp_path, still(2.0), tone(3.0))
    assert value(take("sound.length_error", long)) == pytest.approx(1.0, abs=2e-3)


def test_gaps_are_cuts_and_fades_are_not(tmp_path: Path):
    whole = tone(3.0, level=0.3).samples_CN
    gaps = whole.copy()
    for start in (0.5, 1.3, 2.2):
        gaps[:, round(start * RATE) : round((start + 0.06) * RATE)] = 0.0
    found = take("sound.cuts", encoded(tmp_path, still(3.0), SoundTrack(gaps, RATE)))
    assert isinstance(found, Scored)
    assert found.evidence["gaps"] == 3
    assert found.value == pytest.approx(60.0)
    assert found.evidence["at_seconds"] == pytest.approx([0.5, 1.3, 2.2], abs=0.011)
    fades = whole * np.abs(np.cos(np.pi * np.arange(whole.shape[1]) / RATE)).astype(np.float32) ** 4
    assert value(take("sound.cuts", encoded(tmp_path, still(3.0), SoundTrack(fades, RATE)))) == 0.0


def test_clipping_grows_with_the_gain(tmp_path: Path):
    shares = []
    for gain in (0.9, 2.0, 8.0):
        samples = np.clip(gain * tone(1.0, level=1.0).samples_CN, -1.0, 1.0)
        shares.append(value(take("sound.clipping", encoded(tmp_path, still(1.0), SoundTrack(samples, RATE)))))
    assert shares[0] == 0.0 < shares[1] < shares[2] < 1.0


@pytest.mark.parametrize("delay", [0.0, 0.125, -0.25, 0.4375])
def test_a_planted_delay_is_found(tmp_path: Path, delay: float):
    times = events(SECONDS)
    made = encoded(tmp_path, jumps(times, SECONDS), clicks(times, SECONDS, delay=delay))
    found = take("sound.offset", made)
    assert isinstance(found, Scored)
    assert found.evidence["delay_seconds"] == pytest.approx(delay, abs=1.01 / FPS)
    assert found.value == pytest.approx(abs(delay), abs=1.01 / FPS)
    together = value(take("sound.synchrony", made))
    assert together > 0.4 if delay == 0 else together < 0.4


def test_unrelated_sound_seems_related_as_rarely_as_p_says():
    related = 0
    for seed in range(40):
        times, other = events(8.0, seed), events(8.0, 1000 + seed)
        found = compare(jumps(times, 8.0, seed), clicks(other, 8.0, seed=seed))
        assert found is not None
        related += found.p <= 0.05
    assert related <= 6  # at 5 %, seven or more of 40 happen once in 300


def test_a_steady_tone_and_a_still_picture_say_nothing(tmp_path: Path):
    times = events(SECONDS)
    made = encoded(tmp_path, jumps(times, SECONDS), tone(SECONDS))
    assert "not related" in str(take("sound.offset", made))
    assert synchrony(np.ones(600), 0.0, np.random.default_rng(0).random(95), FPS) is None
    assert synchrony(np.random.default_rng(0).random(600), 0.0, np.ones(95), FPS) is None
    assert "fewer than 17 frames" in str(take("sound.synchrony", encoded(tmp_path, still(1.0), tone(1.0))))


def test_sound_that_begins_late_is_set_against_its_own_time():
    rng = np.random.default_rng(0)
    motion = (rng.random(160) > 0.9).astype(float) + 0.01 * rng.random(160)
    onset = np.zeros(1000)
    for pair in np.flatnonzero(motion > 0.5):
        onset[round((pair + 0.5) / FPS / 0.01)] = 1.0
    whole = synchrony(onset, 0.0, motion, FPS)
    late = synchrony(onset[200:], 2.0, motion, FPS)
    wrong = synchrony(onset[200:], 2.25, motion, FPS)
    assert whole is not None
    assert late is not None
    assert wrong is not None
    assert whole.delay == late.delay == 0.0
    assert whole.together > 0.95
    assert wrong.delay == pytest.approx(0.25)


def test_what_should_be_heard_is_words_any_or_none():
    assert check_expectation({"sound": "a dog barks"}).sound == "a dog barks"
    assert check_expectation({"sound": "none"}).sound == "none"
    with pytest.raises(UsageError, match="sound"):
        check_expectation({"sound": ""})
    with pytest.raises(UsageError, match="sound"):
        check_expectation({"sounds": "any"})
