"""Physics-IQ: whether a continuation moves where, when and as much as a real take of the same scene.

Motamed et al. 2025 ("Do generative video models understand physical principles?", arXiv:2501.09038). A scene
is filmed twice from a fixed camera (two *takes*); a generator continues the first take. Four agreements of
the clip with take 1 are compared with the same agreements of take 2 with take 1, the *physical variance*.

Two scores, both from 0 to 100, 100 being as close as the second take is:

- ``original``: the agreements are averaged over all shots first, then
  100 clip(1/3 (S/V_S + ST/V_ST + WS/V_WS) - (MSE - V_MSE), 0, 1);
- ``verified``: for each shot the mean of clip(S/V_S), clip(ST/V_ST), clip(WS/V_WS) and clip(V_MSE/MSE), each
  clipped to [0, 1], then averaged over shots (Physics-IQ Verified, arXiv:2606.18943).

Followed is the published code (github.com/google-deepmind/physics-IQ-benchmark), not the text where the two
differ: the paper describes a sum of the four measures "normalized such that physical variance is at 100", and
by neither reading does its table 1 give its own last column (VideoPoet multiframe: 27.4 by this formula, 27.7
by the ratio of sums, 29.5 printed), so compare with scores of the code only. Done otherwise here: masks are
not written to a lossy video in between, values are not rounded to four digits, a longer clip is cut to the
first seconds (the row says so) where the code stops, and one of another aspect ratio is left out where it is
stretched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...harness.core.arrays import Floats
from ...harness.core.config import Config
from ...harness.core.errors import MediaError, UsageError
from ...harness.core.estimate import Estimate
from ...harness.core.keys import digest
from ...harness.core.media import Clip, open_clip
from ...harness.core.progress import track
from ...harness.core.stats import Interval, cluster_bootstrap, cluster_bootstrap_mean
from ..encoders.cache import FeatureCache
from .motion_masks import MASK_VERSION, Agreement, Frame, MaskComparison, MotionMasks, to_grid
from .takes import ROLES, SAME_RATE, Shot, frames_needed, paced_frames

__all__ = [
    "Estimate",
    "PhysicsIQ",
    "PhysicsIQSettings",
    "ShotScore",
    "compare_shot",
    "original_score",
    "physics_iq",
    "verified_score",
]

VERSION = 1

_ASPECT = 0.02
"""Aspect ratios that differ by less than this share are one."""


class PhysicsIQSettings(Config):
    """How clips are compared; the defaults are the benchmark's."""

    seconds: float = Field(
        default=5.0, gt=0, le=3600, description="seconds to compare, from the start of each clip"
    )
    scale: int = Field(default=4, ge=1, le=64, description="factor by which take 1's size is reduced")
    stretch: bool = Field(default=False, description="compare clips of another aspect ratio, stretched")


class ShotScore(Config):
    """One shot: the agreements of the generated clip, and of take 2, with take 1.

    Attributes:
        status: ``ok``, or ``left_out`` for the ``reason``; then there are no values.
        notes: what was done to the clips, and what a reader must know.
        files: role -> sha256.
    """

    scenario: str
    view: str
    status: Literal["ok", "left_out"]
    reason: str = ""
    generated: dict[str, float] | None = None
    variance: dict[str, float] | None = None
    verified: float | None = None
    notes: tuple[str, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)


class PhysicsIQ(Config):
    """The result: both scores, the averaged agreements, and every shot.

    Attributes:
        generated, variance: the agreements averaged over the shots that count.
        left_out: reason -> number of shots.
    """

    version: int
    settings: PhysicsIQSettings
    original: Estimate
    verified: Estimate
    generated: dict[str, float]
    variance: dict[str, float]
    shots: int
    scenarios: int
    left_out: dict[str, int]
    rows: tuple[ShotScore, ...]


def original_score(generated: Floats, variance: Floats) -> Floats:
    """Combine averaged agreements as the original benchmark does: (..., 4), (..., 4) to (...), 0 to 100.

    The four are spatial, spatiotemporal and weighted spatial IoU and MSE. Where a variance of an IoU is 0 the
    score is NaN.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = generated[..., :3] / np.where(variance[..., :3] > 0, variance[..., :3], np.nan)
    raw = (ratios[..., 0] + ratios[..., 1] + ratios[..., 2]) / 3 - (generated[..., 3] - variance[..., 3])
    return 100 * np.clip(raw, 0.0, 1.0)


def verified_score(generated: Agreement, variance: Agreement) -> float:
    """Combine the agreements of one shot as Physics-IQ Verified does: 0 to 100.

    Where the takes share no motion at all (a variance of 0) any shared motion counts as 1 and none as 0, as
    the published code's division by a tiny number has it.
    """
    shares = [
        _clipped(getattr(generated, name), getattr(variance, name))
        for name in ("spatial", "spatiotemporal", "weighted_spatial")
    ]
    shares.append(1.0 if generated.mse == 0 else min(1.0, variance.mse / generated.mse))
    return 100 * sum(shares) / len(shares)


def _clipped(value: float, variance: float) -> float:
    if variance == 0:
        return float(value > 0)
    return min(1.0, value / variance)


def physics_iq(
    shots: Sequence[Shot],
    settings: PhysicsIQSettings | None = None,
    *,
    cache: FeatureCache | None = None,
    confidence: float = 0.95,
) -> PhysicsIQ:
    """Score generated continuations against pairs of real takes.

    Args:
        shots: which files belong together.
        settings: how they are compared.
        cache: where the agreements of a shot are kept, by the sha256 of its three files.
        confidence: of the intervals.

    Raises:
        UsageError: not one shot could be compared; the sentence has the most frequent reason.
    """
    settings = settings or PhysicsIQSettings()
    rows: list[ShotScore] = []
    with track("shots", len(shots)) as ticker:
        for shot in shots:
            rows.append(_row(shot, settings, cache))
            ticker.advance()
    left_out = Counter(row.reason for row in rows if row.status == "left_out")
    good = [row for row in rows if row.status == "ok"]
    if not good:
        reason = left_out.most_common(1)[0][0] if left_out else "there is none"
        raise UsageError(f"not one of {len(rows)} shots could be compared; first reason: {reason}")
    means = {role: _means(getattr(row, role) for row in good) for role in ("generated", "variance")}
    return PhysicsIQ(
        version=VERSION,
        settings=settings,
        original=_original(good, confidence),
        verified=_verified(good, confidence),
        generated=means["generated"],
        variance=means["variance"],
        shots=len(good),
        scenarios=len({row.scenario for row in good}),
        left_out=dict(sorted(left_out.items(), key=lambda r: (-r[1], r[0]))),
        rows=tuple(rows),
    )


def _row(shot: Shot, settings: PhysicsIQSettings, cache: FeatureCache | None) -> ShotScore:
    files: dict[str, str] = {}

    def left_out(reason: str) -> ShotScore:
        return ShotScore(
            scenario=shot.scenario, view=shot.view, status="left_out", reason=reason, files=files
        )

    if shot.missing():
        return left_out(shot.missing())
    try:
        clips = {role: open_clip(getattr(shot, role)) for role in ROLES}
        files.update({role: clip.sha256 for role, clip in clips.items()})
        notes = _alignment(clips, settings)
        compared = _cached(clips, settings, cache)
    except MediaError as error:
        return left_out(str(error))
    if compared.generated_still:
        notes.append("nothing moves in the generated clip")
    if compared.takes_still:
        notes.append("nothing moves in a real take, so that this shot says little")
    return ShotScore(
        scenario=shot.scenario,
        view=shot.view,
        status="ok",
        generated=dict(vars(compared.generated)),
        variance=dict(vars(compared.variance)),
        verified=verified_score(compared.generated, compared.variance),
        notes=tuple(notes),
        files=files,
    )


def _alignment(clips: Mapping[str, Clip], settings: PhysicsIQSettings) -> list[str]:
    """Say what is done to bring the clips together; raise where nothing honest can be."""
    first, made = clips["take1"].info, clips["generated"].info
    notes: list[str] = []
    for role, label in (("take2", "take 2"), ("generated", "the generated clip")):
        info = clips[role].info
        size = f"{info.width}x{info.height} against {first.width}x{first.height} of take 1"
        if abs(info.width * first.height / (info.height * first.width) - 1) > _ASPECT:
            if not settings.stretch:
                raise MediaError(f"{label} has another aspect ratio, {size}; crop it, or allow --stretch")
            notes.append(f"{label} was stretched: {size}")
        elif (info.width, info.height) != (first.width, first.height):
            notes.append(f"{label} was resized: {size}")
    for role in ("take1", "take2"):
        rate = clips[role].info.fps
        if abs(rate - made.fps) > SAME_RATE * made.fps:
            notes.append(f"take {role[-1]} was resampled from {rate:g} to {made.fps:g} frames a second")
    if made.duration is not None and made.duration > settings.seconds + 1 / made.fps:
        notes.append(
            f"the generated clip has {made.duration:.3g} s, of which {settings.seconds:g} are compared"
        )
    if clips["take1"].sha256 == clips["take2"].sha256:
        notes.append("the two takes are one and the same file, which shows no physical variance")
    if min(first.height, first.width) < settings.scale:
        raise MediaError(f"take 1 has no pixel left when reduced by {settings.scale}; lower --scale")
    if frames_needed(made.fps, settings.seconds) < 2:
        raise MediaError(f"{settings.seconds:g} s hold fewer than two frames of the generated clip")
    return notes


@dataclass(frozen=True)
class _Compared:
    generated: Agreement
    variance: Agreement
    generated_still: bool
    takes_still: bool


def _cached(clips: Mapping[str, Clip], settings: PhysicsIQSettings, cache: FeatureCache | None) -> _Compared:
    key = digest(
        "physics-iq",
        {
            "version": [VERSION, MASK_VERSION],
            "take1": clips["take1"].sha256,
            "take2": clips["take2"].sha256,
            "seconds": settings.seconds,
            "scale": settings.scale,
        },
    )
    sha256 = clips["generated"].sha256
    known = cache.get(sha256, key) if cache is not None else None
    if isinstance(known, np.ndarray) and known.shape == (1, 10):
        values = [float(value) for value in known[0]]
        still = bool(values[8]), bool(values[9])
        return _Compared(Agreement(*values[:4]), Agreement(*values[4:8]), *still)
    compared = compare_shot(clips, settings)
    if cache is not None:
        row = [*vars(compared.generated).values(), *vars(compared.variance).values()]
        row += [compared.generated_still, compared.takes_still]
        cache.put(sha256, key, np.array([row], np.float64))
    return compared


def compare_shot(clips: Mapping[str, Clip], settings: PhysicsIQSettings) -> _Compared:
    """Compare a shot's three clips in one pass, frame by frame.

    The rate is the generated clip's, the grid take 1's size divided by ``scale``. Masks are made at each
    clip's own size and then brought to the grid, as in the published code.

    Raises:
        MediaError: a clip is damaged, too short, or not evenly paced.
    """
    rate, info = clips["generated"].info.fps, clips["take1"].info
    size = (info.height // settings.scale, info.width // settings.scale)
    labels = {"take1": "take 1", "take2": "take 2", "generated": "the generated clip"}
    streams = [paced_frames(clips[role], labels[role], rate, settings.seconds) for role in ROLES]
    masks = [MotionMasks() for _ in ROLES]
    to_generated, to_take = MaskComparison(), MaskComparison()
    for frames in zip(*streams, strict=True):
        small = [to_grid(frame, size) for frame in frames]
        moving = [_on_grid(mask.next(frame), size) for mask, frame in zip(masks, frames, strict=True)]
        to_generated.add((moving[0], moving[2]), (small[0], small[2]))
        to_take.add((moving[0], moving[1]), (small[0], small[1]))
    return _Compared(
        to_generated.result(),
        to_take.result(),
        generated_still=not to_generated.moving[1],
        takes_still=not all(to_take.moving),
    )


def _on_grid(mask: Frame, size: tuple[int, int]) -> NDArray[np.bool_]:
    return to_grid(mask, size) > 127


def _means(agreements: Iterable[Mapping[str, float]]) -> dict[str, float]:
    rows = list(agreements)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _original(rows: Sequence[ShotScore], confidence: float) -> Estimate:
    """Bootstrap the original score over scenarios: sums of each scenario's shots are resampled."""
    names = sorted({row.scenario for row in rows})
    totals = np.zeros((len(names), 9))
    for row in rows:
        values = [*(row.generated or {}).values(), *(row.variance or {}).values()]
        totals[names.index(row.scenario)] += [*values, 1.0]

    def score(sums: Floats) -> Floats:
        means = sums[..., :8] / sums[..., 8:]
        return original_score(means[..., :4], means[..., 4:])

    seed = ("physics-iq", "original")
    interval = cluster_bootstrap(totals, score, confidence, seed=seed, bounds=(0.0, 100.0))
    return _estimate(interval, confidence, len(rows), len(names))


def _verified(rows: Sequence[ShotScore], confidence: float) -> Estimate:
    values = [row.verified for row in rows if row.verified is not None]
    clusters = [row.scenario for row in rows]
    seed = ("physics-iq", "verified")
    interval = cluster_bootstrap_mean(values, clusters, confidence, seed=seed, bounds=(0.0, 100.0))
    return _estimate(interval, confidence, len(values), len(set(clusters)))


def _estimate(interval: Interval, confidence: float, shots: int, scenarios: int) -> Estimate:
    return Estimate.of(interval.over("scenario"), confidence, n=shots, clusters=scenarios)
