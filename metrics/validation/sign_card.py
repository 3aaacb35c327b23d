"""Validity of the signs of generated physics: which planted faults each finds, and how often it is wrong.

The strength of a sign in clips with a fault is held against that in lawful clips of every family of a world.
Limits were set on clips of another seed. Clips of a folder, lawful as footage is, are counted beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...harness.core.config import Config
from ...harness.core.errors import MediaError
from ...harness.core.estimate import Estimate
from ...harness.core.files import survey_videos
from ...harness.core.media import open_clip
from ...harness.core.progress import note, track
from ...harness.core.stats import bounded_mean_interval, rate_interval
from ...harness.core.templates import render_markdown
from ..base import MEASURES, NotApplicable
from ..encoders.base import Record
from ..signs.encoder import WARP, SignsEncoder, signs_of
from ..signs.findings import Sign
from ..signs.measures import LIMITS, NOT_STATIC, is_static
from .footage import MANIFEST, listed_clips
from .measure_card import TELLS
from .sign_trials import FAULTS, SEVERITIES, SignTrial, lawful_sign_trials, planted_sign_trials, trial_clip

__all__ = [
    "SignAlarms",
    "SignCard",
    "SignCell",
    "footage_rows",
    "make_sign_card",
    "run_sign_trial",
    "sign_text",
    "sign_trials",
]

Row = Mapping[str, Any]
_CONFIDENCE: Final = 0.95
_TEMPLATE: Final = Path(__file__).parent / "templates" / "sign_card.md.j2"


class SignCell(Config):
    """One sign and one planted fault at one severity.

    Attributes:
        auc: chance that the sign is stronger in a clip with the fault than in a lawful one of any family.
        found: share of the clips with the fault, of which the sign says something, in which it is seen.
        families: family -> (found, clips).
        left_out: reason -> clips of which the sign says nothing.
    """

    sign: str
    fault: str
    severity: float
    n: int
    auc: Estimate
    found: Estimate
    families: dict[str, tuple[int, int]]
    left_out: dict[str, int]


class SignAlarms(Config):
    """Lawful clips in which a sign, or ``any``, is seen.

    Attributes:
        where: the world, or ``footage``.
        n: clips of which it says something.
        clips: the clips in which it is seen, each with the frame and the strength; of ``any``, once for each
            sign.
        left_out: reason -> clips of which it says nothing.
    """

    sign: str
    where: str
    n: int
    rate: Estimate
    clips: tuple[str, ...]
    left_out: dict[str, int]

    @property
    def alarms(self) -> int:
        """Clips in which it is seen."""
        return 0 if self.rate.value is None else round(self.rate.value * self.n)


class SignCard(Config):
    """Cells and alarms, and what made them."""

    settings: dict[str, Any]
    cells: tuple[SignCell, ...]
    alarms: tuple[SignAlarms, ...]

    def is_of(self, measure: str, version: object) -> bool:
        """Say whether the card is of a measure at a version."""
        return dict(self.settings["measures"]).get(measure, -1) == version

    def claims(self, measure: str) -> tuple[list[str], list[str]]:
        """List the planted faults that a sign is of: what it sees, from which severity on, and what not.

        A fault is seen where the AUC is at least `TELLS`, and either its interval lies above a half or that
        of the share found above that of the false alarms.
        """
        alarms = next((a.rate.high for a in self.alarms if f"signs.{a.sign}" == measure), None)
        seen: list[str] = []
        missed: list[str] = []
        for fault in FAULTS[measure]:
            cells = sorted(
                (c for c in self.cells if (f"signs.{c.sign}", c.fault) == (measure, fault)),
                key=lambda cell: cell.severity,
            )
            if not cells:
                continue
            right = [_is_told(c, 1.0 if alarms is None else alarms) for c in cells]
            least = next((k for k in range(len(right)) if all(right[k:])), len(right))
            if least < len(right):
                seen.append(f"{fault} from {cells[least].severity:g}")
            if least > 0:
                missed.append(f"{fault} up to {cells[least - 1].severity:g}")
        return seen, missed


def _is_told(cell: SignCell, alarms: float) -> bool:
    if cell.auc.value is None or cell.auc.value < TELLS:
        return False
    ranks = cell.auc.low is not None and cell.auc.low > 0.5
    return ranks or (cell.found.low is not None and cell.found.low > alarms)


def measured_versions() -> dict[str, int]:
    """Give the versions of the measures that a card is of."""
    return {f"signs.{name}": MEASURES.get(f"signs.{name}").version for name in LIMITS}


def sign_trials(world: str, n: int, seed: int) -> list[SignTrial]:
    """Plan ``n`` clips of each fault at each severity, and the lawful ones of `lawful_sign_trials`."""
    planned = lawful_sign_trials(world, seed, n)
    for name in LIMITS:
        for fault in FAULTS[f"signs.{name}"]:
            planned += planted_sign_trials(world, seed, n, fault)
    return planned


def run_sign_trial(trial: SignTrial) -> dict[str, Any]:
    """Look for signs in one clip: ``found`` has for each sign its strength and frame, or the reason."""
    made, clip = trial_clip(trial)
    found = {name: _found(sign) for name, sign in signs_of(made.draw(), clip.fps).items()}
    return {"found": _asked(found, made.expect)}


def _asked(found: dict[str, Any], expect: Mapping[str, Any] | None) -> dict[str, Any]:
    """Leave out what the measures do not say without a word in the ``expect`` of a clip."""
    return found if is_static(expect) else {**found, WARP: NOT_STATIC}


def _found(sign: Sign | str | None) -> str | list[float | None]:
    if isinstance(sign, str):
        return sign
    return [0.0, None] if sign is None else [round(sign.strength, 6), sign.frame]


def footage_rows(folder: Path) -> list[dict[str, Any]]:
    """Look for signs in every video of a folder that can be read; a warning names the others.

    A manifest.jsonl in it, with a ``file`` and an ``expect`` a line, may say which scenes are static.

    Raises:
        UsageError: there is no such folder, or a line of its manifest is wrong.
    """
    names = survey_videos(folder).videos
    expects = dict(listed_clips(folder)) if (folder / MANIFEST).is_file() else {}
    rows: list[dict[str, Any]] = []
    with track("clips", len(names)) as ticker:
        for name in names:
            try:
                rows.append({"file": name, "found": _asked(_of_file(folder / name), expects.get(name))})
            except MediaError as error:
                note(f"warning: left out: {error}")
            ticker.advance()
    return rows


def _of_file(path: Path) -> dict[str, Any]:
    clip = open_clip(path)
    stream = SignsEncoder().open(clip.info)
    try:
        for window in clip.windows():
            stream.push(window)
        record = stream.finish()
    except NotApplicable as why:
        return dict.fromkeys(LIMITS, str(why))
    assert isinstance(record, Record)
    meta: Mapping[str, Any] = record.meta
    return {
        name: meta[name].get("reason") or [meta[name]["strength"], meta[name].get("first_frame")]
        for name in LIMITS
    }


def make_sign_card(rows: Sequence[Row], settings: Mapping[str, Any], footage: Sequence[Row] = ()) -> SignCard:
    """Reduce the rows of trials, and of footage, to what the card says."""
    lawful = [row for row in rows if row["fault"] is None]
    cells: list[SignCell] = []
    for name in LIMITS:
        for fault in FAULTS[f"signs.{name}"]:
            for severity in SEVERITIES:
                bad = [row for row in rows if (row["fault"], row["severity"]) == (fault, severity)]
                if bad:
                    cells.append(_cell(name, bad, lawful))
    world = str(settings.get("world", ""))
    alarms = [_alarms(name, lawful, world) for name in (*LIMITS, "any")] if lawful else []
    alarms += [_alarms(name, footage, "footage") for name in (*LIMITS, "any")] if footage else []
    return SignCard(
        settings={**settings, "limits": LIMITS, "measures": measured_versions()},
        cells=tuple(cells),
        alarms=tuple(alarms),
    )


def sign_text(card: SignCard) -> str:
    """Write the card in Markdown."""
    return render_markdown(_TEMPLATE, card=card, severities=SEVERITIES)


def _cell(name: str, bad: Sequence[Row], lawful: Sequence[Row]) -> SignCell:
    low = np.array([row["found"][name][0] for row in lawful if not isinstance(row["found"][name], str)])
    held = [row for row in bad if not isinstance(row["found"][name], str)]
    strengths = [float(row["found"][name][0]) for row in held]
    scenes = [_scene(row) for row in held]
    shares = [float(((s > low) + 0.5 * (s == low)).mean()) for s in strengths if len(low)]
    fault, severity = str(bad[0]["fault"]), float(bad[0]["severity"])
    auc = bounded_mean_interval(shares, scenes[: len(shares)], _CONFIDENCE, (0.0, 1.0))
    flags = [float(s >= LIMITS[name]) for s in strengths]
    families: dict[str, tuple[int, int]] = {}
    for row, flag in zip(held, flags, strict=True):
        seen, count = families.get(row["family"], (0, 0))
        families[row["family"]] = (seen + int(flag), count + 1)
    return SignCell(
        sign=name,
        fault=fault,
        severity=severity,
        n=len(held),
        auc=Estimate.of(auc, _CONFIDENCE, n=len(shares), clusters=len(set(scenes))),
        found=Estimate.of(
            rate_interval(flags, scenes, _CONFIDENCE), _CONFIDENCE, n=len(flags), clusters=len(set(scenes))
        ),
        families=dict(sorted(families.items())),
        left_out=dict(Counter(row["found"][name] for row in bad if isinstance(row["found"][name], str))),
    )


def _alarms(name: str, rows: Sequence[Row], where: str) -> SignAlarms:
    names = list(LIMITS) if name == "any" else [name]
    held = [row for row in rows if not all(isinstance(row["found"][k], str) for k in names)]
    clips: list[str] = []
    flags: list[float] = []
    for row in held:
        seen = [k for k in names if not isinstance(f := row["found"][k], str) and f[0] >= LIMITS[k]]
        flags.append(float(bool(seen)))
        clips += [_told(row, k, full=name == "any") for k in seen]
    scenes = [_scene(row) for row in held]
    return SignAlarms(
        sign=name,
        where=where,
        n=len(held),
        rate=Estimate.of(
            rate_interval(flags, scenes, _CONFIDENCE), _CONFIDENCE, n=len(flags), clusters=len(set(scenes))
        ),
        clips=tuple(clips),
        left_out=dict(Counter(row["found"][names[0]] for row in rows if row not in held)),
    )


def _told(row: Row, name: str, *, full: bool) -> str:
    strength, frame = row["found"][name]
    return f"{_scene(row)}, {f'{name}, ' if full else ''}frame {frame}, strength {strength:.2f}"


def _scene(row: Row) -> str:
    return str(row["file"]) if "file" in row else f"{row['family']}-{row['index']}"
