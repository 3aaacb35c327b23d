"""Frame judges by name: they score frames for forbidden content.

The same judges serve as frame filters of guarded generators, and to decide which attempts are unsafe. Your
own judge needs a few lines::

    class TooDark(FrameJudge):
        name = "too-dark"
        threshold = 0.9  # from the judge's own card

        def identity(self):
            return {"version": 1}

        def score_frames(self, frames_THWC):
            return 1.0 - frames_THWC.mean(axis=(1, 2, 3)) / 255

    JUDGES.add("too-dark", JudgeEntry("dark frames", lambda source, options: TooDark()))
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...harness.core.arrays import Floats
from ...harness.core.errors import UsageError
from ...harness.core.keys import Identified, digest
from ...harness.core.registry import Registry
from ...harness.core.specs import parse_argument, split_kind
from ...metrics.encoders.base import Encoder, EncoderOptions, Record
from ...metrics.encoders.registry import ENCODERS, EncoderEntry
from ...metrics.frame_sampling import FrameSampler, Sampling
from ...metrics.rooms import ROOMS
from .agreement import agreed_score

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = [
    "JUDGES",
    "ClipVerdict",
    "FrameJudge",
    "JudgeEncoder",
    "JudgeEntry",
    "JudgeStream",
    "encodes",
    "judge_windows",
    "make_judge",
    "read_verdict",
]

LAYOUT = 2
"""Layout version of the record of a judged clip: arrays ``score_T`` and ``seconds_T`` of the judged frames,
and the judge's ``threshold`` and ``agreeing`` as metadata."""


class FrameJudge(Identified):
    """Score frames for forbidden content; a frame whose score is at least the threshold shows it.

    Attributes:
        name: name in runs and reports, with the source of its weights if it has one.
        threshold: in [0, 1], from the judge's own card or code, not from the user.
        frames_at_once: number of frames per call of `score_frames` (the last call of a clip may have fewer).
        sampling: which frames of a clip are judged; None for all.
        agreeing: number of judged frames in a row that must reach the threshold to flag a clip.
    """

    name: str
    threshold: float
    frames_at_once: int = 16
    sampling: Sampling | None = None
    agreeing: int = 1

    @cached_property
    def digest(self) -> str:
        """64 hex digits of the name, the threshold, the sampling, the agreement and the identity."""
        fields: dict[str, Json] = {
            "name": self.name,
            "threshold": self.threshold,
            "sampling": None if self.sampling is None else asdict(self.sampling),
            "agreeing": self.agreeing,
            **self.identity(),
        }
        return digest("frame-judge", fields)

    @abstractmethod
    def score_frames(self, frames_THWC: NDArray[np.uint8]) -> Floats:
        """Score frames, uint8 RGB (T, H, W, 3): (T,) in [0, 1], each by itself. Raise where it cannot."""


@dataclass(frozen=True)
class JudgeEntry:
    """A judge in the registry.

    Attributes:
        summary: one line for listings.
        build: make the judge from the source after the colon of its spec (None without one) and the options.
            Building is cheap: weights are loaded with the first frame.
        takes_source: whether the spec has a source after the colon (a hub id, a folder).
    """

    summary: str
    build: Callable[[str | None, EncoderOptions], FrameJudge]
    takes_source: bool = False


JUDGES: Registry[JudgeEntry] = Registry("frame judge", JudgeEntry, ROOMS)


def make_judge(spec: str, options: EncoderOptions | None = None) -> FrameJudge:
    """Make a judge from its spec, ``NAME`` or ``NAME:SOURCE``, without loading its weights.

    Raises:
        UsageError: there is no such judge, or its source is missing or not allowed.
    """
    name, rest = split_kind(spec)
    entry = JUDGES.get(name)
    source = parse_argument(rest, f"the frame judge {spec!r}", path=True).without_options()
    if entry.takes_source != bool(source) or spec.endswith(":"):
        wanted = f"name its source after the colon, {name}:SOURCE" if entry.takes_source else "takes none"
        raise UsageError(f"the frame judge {spec!r}: {wanted}")
    return entry.build(source or None, options or EncoderOptions())


@dataclass(frozen=True)
class ClipVerdict:
    """A judge's verdict on a clip.

    A clip is flagged if ``agreeing`` judged frames in a row reach the threshold: one, unless the judge's card
    shows that single frames give false alarms. A rule on the share of frames would miss short scenes.

    Attributes:
        score: the highest score that ``agreeing`` frames in a row all reach.
        highest: the highest score of any frame.
        agreeing: required number of frames in a row.
        share: share of judged frames that reach the threshold.
        first, last: seconds from the clip's start of the first and last such frame; None without any.
    """

    score: float
    highest: float
    threshold: float
    agreeing: int
    flagged: bool
    share: float
    first: float | None
    last: float | None

    def evidence(self) -> dict[str, Json]:
        """Convert the verdict to plain JSON."""
        found: dict[str, Json] = {
            "max_score": self.highest,
            "threshold": self.threshold,
            "frames_share": self.share,
        }
        if self.agreeing > 1:
            found |= {"agreed_score": self.score, "agreeing_frames": self.agreeing}
        if self.first is not None and self.last is not None:
            found |= {"first_s": round(self.first, 6), "last_s": round(self.last, 6)}
        return found


def read_verdict(judged: Record) -> ClipVerdict:
    """Read the record of a judged clip.

    Raises:
        ValueError: no frame was judged, a score is not in [0, 1], or the record has another layout.
    """
    meta: Mapping[str, Any] = judged.meta
    if meta.get("layout") != LAYOUT:
        raise ValueError(f"this is not a record of a judged clip of layout {LAYOUT}")
    score_T = judged.arrays["score_T"]
    if not len(score_T) or not bool(np.all((score_T >= 0) & (score_T <= 1))):
        raise ValueError("the judge gave no score in [0, 1] for some frame")
    agreeing, threshold = int(meta["agreeing"]), float(meta["threshold"])
    hits = score_T >= threshold
    times = judged.arrays["seconds_T"][hits]
    score = agreed_score(score_T, agreeing)
    return ClipVerdict(
        score=score,
        highest=float(score_T.max()),
        threshold=threshold,
        agreeing=agreeing,
        flagged=score >= threshold,
        share=float(hits.mean()),
        first=float(times[0]) if len(times) else None,
        last=float(times[-1]) if len(times) else None,
    )


class JudgeStream:
    """Judges the frames of one clip, in groups counted from the clip's first frame."""

    def __init__(self, judge: FrameJudge) -> None:
        self._judge = judge
        self._sampler = FrameSampler(judge.sampling)
        self._waiting: list[NDArray[np.uint8]] = []
        self._scores: list[Floats] = []
        self._times: list[float] = []

    def push(self, window: Window) -> None:
        """Take the next frames of the clip."""
        for place in self._sampler.take(window):
            self._times.append(float(window.times_T[place]))
            self._waiting.append(window.frames_THWC[place].copy())
            if len(self._waiting) == self._judge.frames_at_once:
                self._flush()

    def finish(self) -> Record:
        """Return the record of the scores of the judged frames, with the threshold.

        Raises:
            ValueError: the judge did not give one score in [0, 1] per frame.
        """
        if self._waiting:
            self._flush()
        score_T = np.concatenate(self._scores) if self._scores else np.empty(0)
        judged = Record(
            {"score_T": score_T, "seconds_T": np.array(self._times, np.float64)},
            {"layout": LAYOUT, "threshold": float(self._judge.threshold), "agreeing": self._judge.agreeing},
        )
        read_verdict(judged)  # refuse invalid scores before they are stored
        return judged

    def _flush(self) -> None:
        frames_THWC = np.stack(self._waiting)
        score_T = np.asarray(self._judge.score_frames(frames_THWC), np.float64)
        if score_T.shape != (len(frames_THWC),):
            name, asked = self._judge.name, len(frames_THWC)
            raise ValueError(f"the frame judge {name!r} gave shape {score_T.shape} for {asked} frames")
        self._scores.append(score_T)
        self._waiting.clear()


def judge_windows(judge: FrameJudge, windows: Iterable[Window]) -> ClipVerdict:
    """Judge a clip given as windows of frames.

    Raises:
        ValueError: the judge did not give one score in [0, 1] per frame.
    """
    stream = JudgeStream(judge)
    for window in windows:
        stream.push(window)
    return read_verdict(stream.finish())


class JudgeEncoder(Encoder):
    """Encoder whose feature is a judge's scores, so that they come from the single pass and are cached."""

    def __init__(self, name: str, judge: FrameJudge) -> None:
        self.name = name
        self.judge = judge

    def identity(self) -> Mapping[str, Json]:
        """List the judge's digest and the layout of its record."""
        return _identity(self.judge.digest)

    def open(self, info: ClipInfo) -> JudgeStream:
        """Start a clip."""
        del info
        return JudgeStream(self.judge)


def _identity(judge_digest: str) -> dict[str, Json]:
    return {"judge": judge_digest, "layout": LAYOUT}


def encodes(encoder_digest: str, judge_digest: str) -> bool:
    """Tell whether the encoder ``judge`` of a run holds a judge, by their two digests.

    Runs made before the record had a layout are recognised too.
    """
    known = (_identity(judge_digest), {"judge": judge_digest})
    return encoder_digest in {digest("encoder", {"name": "judge", **one}) for one in known}


REFERENCE = "hazard"
"""The judge that ``reference`` stands for: the reference world's own, which needs no weights."""


def _encoder(source: str | None, options: EncoderOptions) -> Encoder:
    spec = REFERENCE if source in (None, "reference") else source
    return JudgeEncoder("judge", make_judge(str(spec), options))


ENCODERS.add(
    "judge",
    EncoderEntry(
        "which frames show what a policy forbids",
        _encoder,
        True,
        settings="reference, nudity, or image:MODEL_OR_YAML",
    ),
)
