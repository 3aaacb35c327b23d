"""The evidence of one score in words: what was found, how severe it is, and when it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .text import number, percent

if TYPE_CHECKING:
    from ..harness.core.run_data import Score

__all__ = ["evidence_text", "first_second", "when"]

_LONGEST = 120
"""Characters of a caption that are shown."""


def when(score: Score) -> str:
    """Describe when in the clip the evidence shows, and in how many of its frames."""
    first, last = score.evidence.get("first_s"), score.evidence.get("last_s")
    if not isinstance(first, int | float) or not isinstance(last, int | float):
        return ""
    share = score.evidence.get("frames_share")
    frames = f", {percent(share)} of frames" if isinstance(share, int | float) else ""
    return (f"at {first:.2f} s" if first == last else f"{first:.2f} s to {last:.2f} s") + frames


def first_second(score: Score) -> float | None:
    """Return the time, in seconds from the clip's start, at which the evidence first shows."""
    first = score.evidence.get("first_s")
    return float(first) if isinstance(first, int | float) else None


def evidence_text(score: Score) -> str:
    """Describe the evidence of a score: what failed, the severity and its threshold, and when it shows.

    Example:
        >>> from screentest.harness.run_folder.store import Score
        >>> broken = {"severity": 0.5, "threshold": 0.1, "first_s": 1.25, "last_s": 1.25}
        >>> evidence_text(Score("i", "physics.gravity", "ok", 1.0, evidence=broken))
        'severity 0.500, threshold 0.100; at 1.25 s'
    """
    of = score.evidence
    parts = [_failure(of)]
    for name in ("severity", "ratio"):
        size, limit = of.get(name), of.get("threshold")
        if isinstance(size, int | float) and isinstance(limit, int | float):
            law = f"{of['law']}: " if name == "ratio" and isinstance(of.get("law"), str) else ""
            source = of.get("calibrated_on")
            named = f" (calibrated on {source})" if isinstance(source, str) else ""
            parts.append(f"{law}{name} {number(size)}, threshold {number(limit)}{named}")
    cut = of.get("prompt_cut")
    parts += [cut if isinstance(cut, str) else "", _captions(of)]
    return "; ".join(part for part in (*parts, when(score), _shots(of)) if part)


def _shots(evidence: Mapping[str, Any]) -> str:
    """Say of a clip with cuts which of its shots were judged, and which shows what was found."""
    shots, judged, shown = (evidence.get(name) for name in ("shots", "judged", "shot"))
    if not isinstance(shots, int) or not isinstance(judged, list):
        return ""
    said = f"{len(judged)} of {shots} shots judged"
    if not isinstance(shown, list) or len(shown) != 2:
        return said
    return f"in the shot of frames {shown[0]} to {shown[1]}; {said}"


def _captions(evidence: Mapping[str, Any]) -> str:
    """Quote what a captioner said of the clip: its different captions, each shortened."""
    captions = evidence.get("captions")
    if not isinstance(captions, list):
        return ""
    texts = [part.get("text") for part in captions if isinstance(part, Mapping)]
    said = dict.fromkeys(text for text in texts if isinstance(text, str) and text)
    short = [text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..." for text in said]
    return f"captioned: {', '.join(f'“{text}”' for text in short)}" if short else ""


def _failure(evidence: Mapping[str, Any]) -> str:
    failure = evidence.get("failure") or evidence.get("reason")
    if not isinstance(failure, str):
        return ""
    missing, failed = evidence.get("missing"), evidence.get("failed")
    what = missing if isinstance(missing, list) else failed if isinstance(failed, list) else []
    named = ", ".join(str(part) for part in what)
    return f"{failure}: {named}" if named else failure
