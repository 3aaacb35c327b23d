from typing import Any

import numpy as np
import pytest
from screentest.metrics.validation.sound_card import (
    LOOKS,
    SoundCard,
    SoundTrial,
    run_sound_trial,
    sound_rows,
    sound_text,
    sound_trials,
)
from screentest.metrics.validation.sound_scenes import FAULTS, RATE, planted, scene


def test_faults_are_planted_as_they_are_named():
    whole = scene(3, 1)
    assert np.array_equal(
        planted(whole, "delay", 0.25, 3, 1).samples_CN[0, RATE // 4 :], whole.samples_CN[0, : -RATE // 4]
    )
    early = planted(scene(3, 2), "delay", 0.25, 3, 2).samples_CN[0, : -RATE // 4]
    assert np.array_equal(early, scene(3, 2).samples_CN[0, RATE // 4 :])
    assert (planted(whole, "gaps", 0.05, 3, 1).samples_CN == 0).sum() >= 3 * round(0.05 * RATE)
    assert (np.abs(planted(whole, "clipping", 6.0, 3, 1).samples_CN) == 1.0).mean() > 0.001
    assert planted(whole, "cut short", 0.5, 3, 1).samples_CN.shape[1] == whole.samples_CN.shape[1] - RATE // 2
    assert not np.array_equal(planted(whole, "other sound", 1.0, 3, 1).samples_CN, whole.samples_CN)


@pytest.mark.parametrize("look", LOOKS)
def test_a_delay_of_one_scene_is_found_in_every_look(look: str):
    made = run_sound_trial(SoundTrial(5, 1, "delay", 0.25, look))
    assert made["delay"] == pytest.approx(0.25, abs=1.01 / 16)
    assert made["values"]["sound.offset"] == pytest.approx(0.25, abs=1.01 / 16)
    whole = run_sound_trial(SoundTrial(5, 1, "none", 0.0, look))
    assert abs(whole["delay"]) <= 1 / 16
    assert whole["values"]["sound.synchrony"] > made["values"]["sound.synchrony"]
    assert whole["values"]["sound.clipping"] == whole["values"]["sound.cuts"] == 0.0


def row(trial: SoundTrial) -> dict[str, Any]:
    """A measure of cuts that sees gaps from 50 ms on, and one of synchrony that sees nothing."""
    cuts = 9.0 if trial.fault == "gaps" and trial.severity >= 0.05 else 0.0
    values = {"sound.synchrony": 0.5, "sound.cuts": cuts, "sound.clipping": 0.0, "sound.length_error": 0.0}
    values["sound.offset"] = None
    return {**vars(trial), "values": values, "delay": 0.0, "p": 0.5}


def test_rows_tell_what_is_seen_from_what_is_not():
    trials = sound_trials(20)
    assert len(trials) == 20 * len(LOOKS) * (1 + sum(len(s) for s in FAULTS.values()))
    card = SoundCard(
        settings={"n": 20, "seed": 0, "seconds": 8.0}, rows=tuple(sound_rows([row(t) for t in trials]))
    )
    seen, blind = (card.get("sound.cuts", "AUC", "gaps", s, "AAC") for s in (0.05, 0.02))
    assert seen is not None
    assert blind is not None
    assert (seen.value, seen.n, seen.claims) == (1.0, 20, True)
    assert seen.low is not None
    assert seen.low > 0.8
    assert blind.value == 0.5
    related = card.get("sound.offset", "related", "none", 0.0, "as made")
    assert related is not None
    assert related.value == 0.0
    text = sound_text(card)
    assert "| gaps | 0.05 |" in text
    assert "**1.00 [" in text
