"""Thresholds of laws from lawful footage of one's own: at a stated rate of false alarms, or not at all."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...harness.core.counts import counted
from ...harness.core.errors import UsageError
from ...harness.core.files import safe_name
from ...harness.core.media import decoding
from ...harness.core.progress import track
from ..encoders.base import NotApplicable
from ..expectation import check_expectation
from ..laws.evaluation import LAWS, assignment_for, find_all
from ..laws.motion import Finding
from ..laws.thresholds import FOOTAGE, SourceThresholds, calibrated
from ..tracking.tracks import ClipShape, Tracks, TrackSource

__all__ = ["MANIFEST", "footage_thresholds", "listed_clips"]

MANIFEST: Final = "manifest.jsonl"


def footage_thresholds(folder: Path, source: TrackSource, alarms: float) -> SourceThresholds:
    """Make thresholds from the clips of a folder, all of which are lawful.

    Args:
        folder: clips, and a manifest.jsonl with a ``file`` and an ``expect`` a line.
        source: of the tracks.
        alarms: share of further such clips that may lie above a threshold.

    Raises:
        UsageError: the folder has no such manifest, a clip cannot be read, or there are too few of them for
            the rate.
    """
    rows = _rows(folder, source)
    reasons = Counter(
        row["found"]["permanence"] for row in rows if isinstance(row["found"]["permanence"], str)
    )
    silent = [row for row in rows if all(isinstance(found, str) for found in row["found"].values())]
    if len(silent) == len(rows):
        why, count = reasons.most_common(1)[0]
        raise UsageError(
            f"no law can be held against any of {counted(len(rows), 'clip')}; of {count} of them: {why}"
        )
    most = max(sum(not isinstance(row["found"][law], str) for row in rows) for law in LAWS)
    needed = math.ceil((1 - alarms) / alarms - 1e-9)
    if most < needed:
        raise UsageError(
            f"a rate of false alarms of {alarms:g} needs {needed} lawful clips of a law, and at most {most} "
            f"of these {len(rows)} can be held against one; add clips, or state a higher rate with --alarms"
        )
    settings: dict[str, Any] = {
        "stage": FOOTAGE,
        "clips": len(rows),
        "silent": len(silent),
        "alarms": alarms,
        "source": dict(source.identity()),
    }
    return calibrated(rows, settings, alarms=alarms)


def _rows(folder: Path, source: TrackSource) -> list[dict[str, Any]]:
    """Hold each clip of a folder against every law: ``file``, ``look`` and ``found`` of each."""
    listed = listed_clips(folder)
    rows: list[dict[str, Any]] = []
    with track("following", len(listed)) as ticker:
        for name, expect in listed:
            rows.append({"file": name, "look": FOOTAGE, "found": _found(folder / name, expect, source)})
            ticker.advance()
    return rows


def listed_clips(folder: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """Read the manifest of a folder: each file, and what is expected of it.

    Raises:
        UsageError: there is none, or a line of it is wrong.
    """
    try:
        lines = (folder / MANIFEST).read_text("utf-8").splitlines()
    except OSError:
        raise UsageError(
            f"{folder} has no {MANIFEST}; write one, with a line such as "
            '{"file": "a.mp4", "expect": {"objects": [{"name": "ball"}]}} for each clip'
        ) from None
    listed: list[tuple[str, Mapping[str, Any]]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
            name, expect = row["file"], row["expect"]
            if not isinstance(name, str) or not isinstance(expect, dict) or not expect:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"line {number} of {folder / MANIFEST} has no 'file' and 'expect'") from None
        try:
            check_expectation(expect)
            listed.append((safe_name(folder, name, links=False), expect))
        except UsageError as error:
            raise UsageError(f"line {number} of {folder / MANIFEST} is wrong: {error}") from None
    if not listed:
        raise UsageError(f"{folder / MANIFEST} names no clips")
    return listed


def _found(path: Path, expect: Mapping[str, Any], source: TrackSource) -> dict[str, float | str]:
    try:
        found: Mapping[str, Finding | str] = find_all(assignment_for(_tracks(path, source), expect))
    except NotApplicable as why:
        found = dict.fromkeys(LAWS, str(why))
    return {law: f if isinstance(f, str) else f.severity for law, f in found.items()}


def _tracks(path: Path, source: TrackSource) -> Tracks:
    tracker = source.open()
    times: list[np.ndarray[Any, Any]] = []
    with decoding(path) as windows:
        for window in windows:
            tracker.push(window.frames_THWC)
            times.append(np.asarray(window.times_T, np.float64))
        info = windows.info
    return tracker.finish(ClipShape(info.height, info.width, info.fps, np.concatenate(times)))
