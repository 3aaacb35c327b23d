"""Validity of the measures of sound: how well each tells clips with a planted fault from those without.

Drawn clips of known truth (`sound_scenes`), as they are and through AAC; no limit was set on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...harness.core.clip_info import ClipInfo
from ...harness.core.config import Config
from ...harness.core.estimate import Estimate
from ...harness.core.items import ClipSettings, make_item
from ...harness.core.stats import bounded_mean_interval, rate_interval
from ...harness.core.templates import render_markdown
from ..base import MEASURES, NotApplicable, Sample, Scored
from .sound_scenes import FAULTS, FPS, SECONDS, as_coded, planted, record_of, scene

__all__ = [
    "LOOKS",
    "SoundCard",
    "SoundRow",
    "SoundTrial",
    "measured_versions",
    "run_sound_trial",
    "sound_rows",
    "sound_text",
    "sound_trials",
]

LOOKS: Final = ("as made", "AAC")
WHOLE: Final = "none"
"""The fault of clips without any."""
_SIGN: Final = {"sound.synchrony": -1.0, "sound.cuts": 1.0, "sound.clipping": 1.0, "sound.length_error": 1.0}
"""Measures that are held against every fault -> 1 where a higher value is worse."""
CLAIMED: Final = {
    "delay": "sound.synchrony",
    "gaps": "sound.cuts",
    "clipping": "sound.clipping",
    "cut short": "sound.length_error",
    "other sound": "sound.synchrony",
}
"""Fault -> the measure that claims to see it."""
_OTHER: Final = "other sound"
_DELAY: Final = ("delay", "sound.offset")
"""A claim that is no AUC: the delay that is planted is the delay that is measured."""
_CONFIDENCE: Final = 0.95
_TEMPLATE: Final = Path(__file__).parent / "templates" / "sound_card.md.j2"


@dataclass(frozen=True)
class SoundTrial:
    """One clip: a scene, what is planted into its sound (or `WHOLE`), and how it was coded."""

    seed: int
    number: int
    fault: str
    severity: float
    look: str


class SoundRow(Estimate):
    """How a measure takes clips with a fault of one severity.

    Attributes:
        kind: ``AUC``, the chance that it is worse for such a clip than for one without a fault; ``found``,
            the share of clips whose delay is found to within a frame; or ``related``, the share of clips
            whose sound and motion are said to be related.
        look: one of `LOOKS`.
        claims: whether the measure is the one that claims to see the fault.
    """

    measure: str
    kind: str
    fault: str
    severity: float
    look: str
    claims: bool = False


class SoundCard(Config):
    """Rows of `sound_rows`, and the seed and numbers that made them."""

    settings: dict[str, Any]
    rows: tuple[SoundRow, ...]

    def is_of(self, measure: str, version: object) -> bool:
        """Say whether the card is of a measure at a version."""
        known: dict[str, int] = self.settings.get("measures", {})
        return measure in known and known[measure] == version

    def claims(self, measure: str) -> tuple[list[str], list[str]]:
        """List the faults that a measure claims to see, with their severities: what it sees, and what not.

        A fault is seen from the severity on from which, in every look, the interval of the AUC lies above a
        half; for ``sound.offset``, from which the delay is found more often than unrelated sound is said to
        be related, with intervals apart.
        """
        seen: list[str] = []
        missed: list[str] = []
        for fault in [f for f, claimed in CLAIMED.items() if measure == claimed or (f, measure) == _DELAY]:
            severities = FAULTS[fault]
            found = [all(self._sees(measure, fault, s, look) for look in LOOKS) for s in severities]
            least = next((k for k in range(len(found)) if all(found[k:])), len(found))
            many = len(severities) > 1
            if least < len(found):
                seen.append(f"{fault} from {severities[least]:g}" if many else fault)
            if least > 0:
                missed.append(f"{fault} up to {severities[least - 1]:g}" if many else fault)
        return seen, missed

    def _sees(self, measure: str, fault: str, severity: float, look: str) -> bool:
        if (fault, measure) == _DELAY:
            right = self.get(measure, "found", fault, severity, look)
            wrong = self.get(measure, "related", _OTHER, FAULTS[_OTHER][-1], look)
            return bool(
                right
                and wrong
                and right.low is not None
                and wrong.high is not None
                and right.low > wrong.high
            )
        row = self.get(measure, "AUC", fault, severity, look)
        return row is not None and row.low is not None and row.low > 0.5

    def get(self, measure: str, kind: str, fault: str, severity: float, look: str) -> SoundRow | None:
        """Find a row."""
        wanted = (measure, kind, fault, severity, look)
        found = (r for r in self.rows if (r.measure, r.kind, r.fault, r.severity, r.look) == wanted)
        return next(found, None)


def measured_versions() -> dict[str, int]:
    """Give the versions of the measures that a card is of."""
    return {name: MEASURES.get(name).version for name in (*_SIGN, _DELAY[1])}


def sound_trials(n: int, seed: int = 0) -> list[SoundTrial]:
    """Plan ``n`` scenes, each without a fault and with every fault at every severity, in both looks."""
    faults = [(WHOLE, 0.0), *((fault, s) for fault, severities in FAULTS.items() for s in severities)]
    return [
        SoundTrial(seed, number, fault, severity, look)
        for look in LOOKS
        for number in range(n)
        for fault, severity in faults
    ]


def run_sound_trial(trial: SoundTrial) -> dict[str, Any]:
    """Measure one clip.

    Returns:
        ``values``: measure -> value, None where it does not apply; ``delay`` in seconds and ``p``.
    """
    whole = scene(trial.seed, trial.number)
    made = (
        whole
        if trial.fault == WHOLE
        else planted(whole, trial.fault, trial.severity, trial.seed, trial.number)
    )
    samples = as_coded(made.samples_CN) if trial.look == "AAC" else made.samples_CN
    sample = _sample(whole.motion, samples)
    taken = {name: _take(name, sample) for name in (*_SIGN, "sound.offset")}
    together = taken["sound.synchrony"]
    evidence = {} if together is None else together.evidence
    return {
        "values": {name: None if one is None else one.value for name, one in taken.items()},
        "delay": evidence.get("delay_seconds"),
        "p": evidence.get("p"),
    }


def sound_rows(rows: Sequence[Mapping[str, Any]]) -> list[SoundRow]:
    """Compare clips with a fault with clips without, by fault, severity, measure and look."""
    found: list[SoundRow] = []
    for look in LOOKS:
        mine = [row for row in rows if row["look"] == look]
        clean = [row for row in mine if row["fault"] == WHOLE]
        for fault, severities in FAULTS.items():
            for severity in severities:
                bad = [row for row in mine if (row["fault"], row["severity"]) == (fault, severity)]
                for measure, sign in _SIGN.items():
                    found.append(_auc(measure, sign, bad, clean, (fault, severity, look)))
                if fault == "delay":
                    found.append(_found(bad, (fault, severity, look)))
        for fault in (WHOLE, _OTHER):
            of = [row for row in mine if row["fault"] == fault]
            found.append(_related(of, (fault, of[0]["severity"] if of else 0.0, look)))
    return found


def sound_text(card: SoundCard) -> str:
    """Write the card in Markdown."""
    return render_markdown(
        _TEMPLATE, card=card, faults=FAULTS, looks=LOOKS, measures=tuple(_SIGN), claimed=CLAIMED, whole=WHOLE
    )


def _sample(motion_P: NDArray[np.float64], samples_CN: NDArray[np.float32]) -> Sample:
    info = ClipInfo(48, 48, FPS, len(motion_P) + 1, SECONDS, "raw", "memory")
    item = make_item("a block jumps", 0, ClipSettings())
    features = {"pixels": motion_P[:, None]}
    return Sample(item, "ok", info, features, records={"sound": record_of(samples_CN)})


def _take(name: str, sample: Sample) -> Scored | None:
    function = MEASURES.get(name).function
    assert function is not None
    try:
        value = function(sample)
    except NotApplicable:
        return None
    return value if isinstance(value, Scored) else Scored(value)


def _auc(
    measure: str,
    sign: float,
    bad: Sequence[Mapping[str, Any]],
    clean: Sequence[Mapping[str, Any]],
    where: tuple[str, float, str],
) -> SoundRow:
    """Average over scenes with the fault the share of clean scenes that are better, ties by half."""
    fault, severity, look = where
    good = np.array([row["values"][measure] for row in clean if row["values"][measure] is not None]) * sign
    kept = [row for row in bad if row["values"][measure] is not None]
    shares = [
        float(((sign * row["values"][measure] > good) + 0.5 * (sign * row["values"][measure] == good)).mean())
        for row in kept
        if len(good)
    ]
    numbers = [str(row["number"]) for row in kept][: len(shares)]
    interval = bounded_mean_interval(shares, numbers, _CONFIDENCE, (0.0, 1.0))
    left_out = {"not_applicable": len(bad) - len(kept)} if len(kept) < len(bad) else {}
    return SoundRow.of(
        interval,
        _CONFIDENCE,
        measure=measure,
        kind="AUC",
        fault=fault,
        severity=severity,
        look=look,
        claims=CLAIMED[fault] == measure,
        n=len(shares),
        clusters=len(shares),
        left_out=left_out,
    )


def _found(bad: Sequence[Mapping[str, Any]], where: tuple[str, float, str]) -> SoundRow:
    right = [
        float(
            row["values"]["sound.offset"] is not None
            and abs(row["delay"] - where[1] * (1 if row["number"] % 2 else -1)) <= 1.01 / FPS
        )
        for row in bad
    ]
    return _rate("sound.offset", "found", right, where)


def _related(rows: Sequence[Mapping[str, Any]], where: tuple[str, float, str]) -> SoundRow:
    return _rate(
        "sound.offset", "related", [float(row["values"]["sound.offset"] is not None) for row in rows], where
    )


def _rate(measure: str, kind: str, values: Sequence[float], where: tuple[str, float, str]) -> SoundRow:
    fault, severity, look = where
    interval = rate_interval(values, [str(k) for k in range(len(values))], _CONFIDENCE)
    return SoundRow.of(
        interval,
        _CONFIDENCE,
        measure=measure,
        kind=kind,
        fault=fault,
        severity=severity,
        look=look,
        n=len(values),
        clusters=len(values),
    )
