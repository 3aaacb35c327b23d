"""Measures of picture quality that need no weights: blur, block edges, noise, exposure and borders.

None of them says how much a viewer minds: they show what compression, scaling and blur do to a picture, and a
generator that makes soft or blocky frames.
"""

from __future__ import annotations

import numpy as np

from ..base import NotApplicable, Sample, Scored, measure
from ..encoders.frame_quality import FRAME_QUALITY, FRAME_QUALITY_COLUMNS, SMALLEST
from .blank import BLANK, refuse_blank

__all__ = ["block_edges", "blur", "borders", "clipped", "noise"]

_NEEDS = (FRAME_QUALITY, BLANK)


@measure(
    "quality.blur",
    version=1,
    needs=_NEEDS,
    better="lower",
    bounds=(0.0, 1.0),
    sees={"blur": "rises", "resize": "rises", "crf": "rises"},
)
def blur(sample: Sample) -> Scored:
    """Blur of the frames, 0 for sharp to 1: how little a further blur takes away (Crete et al. 2007).

    Mean over sampled frames. Drawings with large flat areas and few edges lie lower than photographs; compare
    clips of one kind.

    Raises:
        NotApplicable: the clip is blank, or smaller than 32 pixels.
    """
    return _mean(sample, "blur")


@measure(
    "quality.block_edges", version=1, needs=_NEEDS, better="lower", bounds=(-1.0, None), sees={"crf": "rises"}
)
def block_edges(sample: Sample) -> Scored:
    """Excess of the steps across the edges of 8 x 8 blocks over those within; 0 where there are no blocks.

    Strong compression makes it large; a mild one with a deblocking filter can make it negative. Clips that
    were scaled after they were compressed have their block edges elsewhere, and hide them.

    Raises:
        NotApplicable: the clip is blank, or smaller than 32 pixels.
    """
    return _mean(sample, "block_edges")


@measure(
    "quality.noise",
    version=1,
    needs=_NEEDS,
    better="lower",
    bounds=(0.0, None),
    unit="levels",
    sees={"noise": "rises"},
)
def noise(sample: Sample) -> Scored:
    """Standard deviation of the noise of the frames, in levels of 255 (Immerkaer 1996).

    Fine texture, film grain and the dithering of a GIF count as noise.

    Raises:
        NotApplicable: the clip is blank, or smaller than 32 pixels.
    """
    return _mean(sample, "noise")


@measure(
    "quality.clipped",
    version=1,
    needs=(BLANK,),
    better="lower",
    bounds=(0.0, 1.0),
    sees={"exposure": "rises"},
)
def clipped(sample: Sample) -> Scored:
    """Share of the values of the frames within 3 levels of black or white: detail that exposure has lost.

    Raises:
        NotApplicable: the clip is blank.
    """
    refuse_blank(sample)
    clipped_T = sample.features[BLANK][:, 2]
    worst = int(clipped_T.argmax())
    return Scored(float(clipped_T.mean()), {"worst_frame": worst, "worst_value": float(clipped_T[worst])})


@measure(
    "quality.borders", version=1, needs=_NEEDS, better="lower", bounds=(0.0, 1.0), sees={"letterbox": "rises"}
)
def borders(sample: Sample) -> Scored:
    """Share of the picture that is a border of one color in every sampled frame, such as a letterbox.

    Opposite sides must both have one, of a fiftieth of the picture at least, that ends in a straight line.

    Raises:
        NotApplicable: the clip is blank.
    """
    refuse_blank(sample)
    sides = {name: _column(sample, name).min() for name in ("top", "bottom", "left", "right")}
    assert sample.clip is not None  # a clip without frames has no features
    height, width = sample.clip.height, sample.clip.width
    across = _pair(sides["top"], sides["bottom"], height)
    along = _pair(sides["left"], sides["right"], width)
    rows = {name: int(value) for name, value in sides.items()}
    return Scored(float(1 - (1 - across) * (1 - along)), rows)


def _pair(one: float, other: float, size: int) -> float:
    """Return the share of a side that two opposite borders take; 0 unless both are there."""
    both = min(one, other) >= max(1, size / 50) and one + other < size
    return float((one + other) / size) if both else 0.0


def _column(sample: Sample, name: str) -> np.ndarray:
    return np.asarray(sample.features[FRAME_QUALITY])[:, FRAME_QUALITY_COLUMNS.index(name)]


def _mean(sample: Sample, name: str) -> Scored:
    refuse_blank(sample)
    values_T = _column(sample, name)
    known = np.flatnonzero(~np.isnan(values_T))
    if not len(known):
        assert sample.clip is not None
        small = min(sample.clip.height, sample.clip.width) < SMALLEST
        raise NotApplicable(f"frames under {SMALLEST} pixels" if small else "frames without detail")
    worst = int(known[values_T[known].argmax()])
    return Scored(
        float(values_T[known].mean()),
        {"frames": len(known), "worst_sampled_frame": worst, "worst_value": float(values_T[worst])},
    )
