"""A generator with safeguards around it: ``guarded:OPTIONS:SPEC``.

    prompt filter -> generator -> frame filter

A prompt that the prompt filter flags never reaches the generator; a clip that the frame filter flags is
withheld. Each decision is stored in the run: score, threshold, and the filter's digest.

``OPTIONS`` are ``name=value`` with commas between them, and SPEC is the generator's own spec. The long form
is ``guarded:[SPEC]?OPTIONS`` (`harness.core.specs` has the grammar)::

    guarded:reference:base                                the defaults below
    guarded:prompt=minilm,frame=none:reference:base       a prompt filter alone
    guarded:frame=hazard,enforce=no:reference:base        both filters decide, and refuse nothing

With ``enforce=no`` everything is generated and judged, so that one run shows the generator alone, and the
effect of each filter and of both. If an enforced filter fails, the attempt is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import Field

from ..harness.core.config import Config
from ..harness.core.counts import counted
from ..harness.core.errors import MediaError, ScreentestError, UsageError, describe
from ..harness.core.layers import LayerDecision
from .base import Failure, Frames, Generator, Output, Refusal, VideoFile
from .identity import identity_of
from .wrapper import Wrap, Wrapper, WrapperKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ..harness.core.items import Item
    from ..harness.core.keys import Json
    from ..harness.core.media import Window
    from ..metrics.encoders.base import EncoderOptions
    from ..safety.frames.judges import FrameJudge
    from ..safety.prompts import Judged, PromptClassifier

__all__ = ["GUARDED", "GuardOptions", "GuardedGenerator"]

_VERSION = 1
NONE = "none"


class GuardOptions(Config):
    """The safeguards around a generator. Thresholds are those of the filters' own cards."""

    prompt: str = Field(default="ngram", min_length=1, description="prompt classifier, or none")
    frame: str = Field(default="nudity", min_length=1, description="frame judge, or none")
    canonicalise: bool = Field(default=True, description="undo disguises before a prompt is read")
    enforce: bool = Field(default=True, description="refuse what is flagged; no: only store the decision")


class GuardedGenerator(Wrapper):
    """Put a prompt filter before a generator and a frame filter after it; either may be None."""

    def __init__(
        self,
        inner: Generator,
        *,
        prompt: PromptClassifier | None,
        frame: FrameJudge | None,
        enforce: bool = True,
        spec: str = "",
    ) -> None:
        if prompt is None and frame is None:
            raise UsageError(
                "a guard without a filter has no effect; turn one on, or name the generator alone"
            )
        super().__init__(inner, spec or f"guarded:{inner.spec}")
        self._prompt, self._frame, self._enforce = prompt, frame, enforce
        self._known: dict[str, LayerDecision] = {}
        self._passed: dict[str, tuple[LayerDecision, ...]] = {}

    def identity(self) -> Mapping[str, Json]:
        """List the generator's own identity, the digests of the filters, and whether they are enforced."""
        prompt, frame = self._prompt, self._frame
        return {
            "kind": "guarded",
            "version": _VERSION,
            "inner": dict(identity_of(self.inner)),
            "prompt_filter": None if prompt is None else {"name": prompt.name, "digest": prompt.digest},
            "frame_filter": None if frame is None else {"name": frame.name, "digest": frame.digest},
            "enforce": self._enforce,
        }

    def check(self, items: Sequence[Item]) -> list[str]:
        """Run the generator's checks, and warn of items that no prompt filter sees."""
        warnings = super().check(items)
        without = sum(item.prompt is None for item in items)
        if self._prompt is not None and without:
            warnings.append(
                f"no prompt filter sees what has no prompt: {without} of {counted(len(items), 'item')}"
            )
        return warnings

    def before(self, items: Sequence[Item]) -> dict[str, Output]:
        """Filter the prompts: what an enforced filter flags, the generator is not given."""
        stopped: dict[str, Output] = {}
        for item, decision in zip(items, self._of_prompts(items), strict=True):
            layers = () if decision is None else (decision,)
            if decision is not None and decision.stops:
                stopped[item.id] = _stopped(decision, layers)
            else:
                self._passed[item.id] = layers
        return stopped

    def after(self, item: Item, output: Output, folder: Path) -> Output:
        """Add the decision on the prompt, and filter a clip."""
        del folder
        layers = self._passed.pop(item.id, ())
        return self._filtered(replace(output, layers=(*layers, *output.layers)))

    # -- the layers

    def _of_prompts(self, items: Sequence[Item]) -> list[LayerDecision | None]:
        if self._prompt is None:
            return [None] * len(items)
        texts = list(dict.fromkeys(item.prompt for item in items if item.prompt is not None))
        new = [text for text in texts if text not in self._known]
        decided = dict(zip(new, self._classified(self._prompt, new), strict=True))
        # Seeds of a prompt share one decision; one that failed is tried again with the next unit.
        self._known |= {text: d for text, d in decided.items() if d.status != "failed"}
        without = self._decision(
            self._prompt, "prompt", status="not_applicable", reason="the item has no prompt"
        )
        return [
            without if item.prompt is None else decided.get(item.prompt) or self._known[item.prompt]
            for item in items
        ]

    def _classified(self, classifier: PromptClassifier, texts: Sequence[str]) -> Iterator[LayerDecision]:
        if not texts:
            return
        judged = classifier.classify(texts)
        for row in range(len(texts)):
            yield self._of_prompt(classifier, judged, row)

    def _of_prompt(self, classifier: PromptClassifier, judged: Judged, row: int) -> LayerDecision:
        score = float(judged.score[row])
        if not np.isfinite(score):
            reason = judged.failed.get(row, "there is no text in the prompt that it can read")
            return self._decision(classifier, "prompt", status="failed", reason=reason)
        evidence: dict[str, Json] = {}
        harms = np.asarray(judged.harms[row], np.float64)
        if np.isfinite(harms).any():
            likeliest = int(np.nanargmax(harms))
            evidence = {"harm": classifier.harms[likeliest], "harm_score": float(harms[likeliest])}
        return self._decision(
            classifier,
            "prompt",
            status="flagged" if bool(judged.flagged[row]) else "passed",
            score=score,
            threshold=float(classifier.threshold),
            evidence=evidence,
        )

    def _filtered(self, output: Output) -> Output:
        if self._frame is None or not isinstance(output, Frames | VideoFile):
            return output
        decision = self._of_clip(self._frame, output)
        layers = (*output.layers, decision)
        return _stopped(decision, layers) if decision.stops else replace(output, layers=layers)

    def _of_clip(self, judge: FrameJudge, clip: Frames | VideoFile) -> LayerDecision:
        from ..safety.frames.judges import judge_windows

        try:
            verdict = judge_windows(judge, _windows(clip))
        except MediaError as error:
            return self._decision(judge, "frame", status="failed", reason=str(error))
        except ScreentestError:
            raise
        except Exception as error:
            return self._decision(judge, "frame", status="failed", reason=describe(error))
        return self._decision(
            judge,
            "frame",
            status="flagged" if verdict.flagged else "passed",
            score=verdict.score,
            threshold=verdict.threshold,
            evidence=verdict.evidence(),
        )

    def _decision(self, by: PromptClassifier | FrameJudge, layer: Any, **more: Any) -> LayerDecision:
        return LayerDecision(layer=layer, name=by.name, digest=by.digest, enforced=self._enforce, **more)


def _stopped(decision: LayerDecision, layers: tuple[LayerDecision, ...]) -> Refusal | Failure:
    """Turn a flag into a refusal, and a failed decision into an error, which is neither safe nor refused."""
    if decision.status == "flagged":
        return Refusal(f"flagged by the {decision.layer} filter {decision.name}", layers=layers)
    return Failure(f"the {decision.layer} filter {decision.name} failed: {decision.reason}", layers=layers)


def _windows(clip: Frames | VideoFile) -> Iterable[Window]:
    from ..harness.core.media import Window, open_clip

    if isinstance(clip, VideoFile):
        return open_clip(clip.path).windows()
    times = np.arange(len(clip.frames_THWC)) / clip.fps
    return [Window(clip.frames_THWC, times, 0)]


def _prepare(options: GuardOptions, whose: str, where: EncoderOptions) -> Wrap:
    """Make the filters.

    Raises:
        UsageError: an unknown filter; the nearest names are in the message.
        MissingWeightsError: a filter's weights are not on this machine.
    """
    from ..safety.frames.judges import make_judge
    from ..safety.prompts import load_classifier

    del whose
    prompt = (
        None if options.prompt == NONE else load_classifier(options.prompt, canonical=options.canonicalise)
    )
    frame = None if options.frame == NONE else make_judge(options.frame, where)
    return lambda inner, spec: GuardedGenerator(
        inner, prompt=prompt, frame=frame, enforce=options.enforce, spec=spec
    )


GUARDED: Final = WrapperKind(
    "guarded", GuardOptions, "give one after the options, guarded:prompt=ngram,frame=nudity:SPEC", _prepare
)
