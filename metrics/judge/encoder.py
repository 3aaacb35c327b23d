"""The encoder ``vlm``: answers of a vision-language model about a clip, over the network.

Its source is the name of a model, or a YAML file of `JudgeSettings`. The endpoint's address is in the
settings or in ``SCREENTEST_JUDGE_URL``, its key in a variable of the environment and nowhere else.

Each question of the item's prompt is asked several times, in a seeded order, mixed with controls: questions
with known answers (see `questions`), and questions about drawn clips. Each answer is stored under
``<cache>/answers``, by the shown frames, the question, the model and its settings. If a question has no
answer, the feature is not cached, and the next scoring asks only what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ...harness.core.config import checked, load_yaml
from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from ...harness.core.keys import digest, seeded_rng
from ..encoders.base import Encoder, EncoderOptions, Incomplete, Record, Stream
from ..encoders.registry import ENCODERS, EncoderEntry
from .answers import LAYOUT, JudgeAnswer, answers_record
from .endpoint import Endpoint, JudgeSettings, Reply
from .frames import FRAMES_VERSION, Pictures, Spread, drawn_control, pictures
from .questions import Asked, elsewhere_questions, read_questions

if TYPE_CHECKING:
    from ...harness.core.items import Item
    from ...harness.core.keys import Json
    from ...harness.core.media import ClipInfo, Window

__all__ = ["VlmEncoder", "VlmQuestion"]

_VERSION = 1


class VlmEncoder(Encoder):
    """Ask a vision-language model about a clip; the feature is a record of answers (see `answers`).

    If the prompt has no questions, there are no answers and nothing is sent.

    Args:
        source: a model's name, a YAML file of settings, ``env``, or settings.
        options: only ``cache`` is used.

    Raises:
        UsageError: wrong settings, or the variable with the key is not set.
    """

    name = "vlm"
    trial = "none"  # an answer costs time or money; `prepare` checks the endpoint

    def __init__(self, source: str | JudgeSettings, options: EncoderOptions) -> None:
        self.settings = source if isinstance(source, JudgeSettings) else _settings(source)
        self.answers = Answers(options.cache, self.settings)
        self._elsewhere: dict[str, tuple[Asked, ...]] = {}

    @cached_property
    def endpoint(self) -> Endpoint:
        """The endpoint that is asked."""
        return Endpoint(self.settings)

    def identity(self) -> Mapping[str, Json]:
        """List the model, its address and settings, and how often and with how many controls it is asked."""
        asked = self.settings.model_dump(mode="json", include={"repeats", "drawn", "elsewhere"})
        return {
            "version": _VERSION,
            "layout": LAYOUT,
            "frames": FRAMES_VERSION,
            **self.settings.identity(),
            **asked,
        }

    def prepare(self, items: Sequence[Item]) -> None:
        """Read the questions of all items, and check that there is a key.

        Raises:
            UsageError: a question cannot be read, or the key is not set.
        """
        asks = [item for item in items if read_questions(item)]
        self._elsewhere = elsewhere_questions(asks)
        if asks:
            self.endpoint.check()

    def for_item(self, item: Item) -> Encoder:
        """Return the encoder that asks this item's questions."""
        own = [
            Asked(q.ask, bool(q.answer), "control" if q.control else "question", q.scale or 0)
            for q in read_questions(item)
        ]
        if not any(asked.source == "question" for asked in own):
            return _OfItem(self, item.id, ())
        known = {asked.ask for asked in own}
        others = sorted(
            {asked for cluster, part in self._elsewhere.items() if cluster != item.cluster for asked in part},
            key=lambda asked: (asked.ask, asked.expected),
        )
        others = [asked for asked in others if asked.ask not in known]
        picks = seeded_rng("judge elsewhere", item.id).permutation(len(others))[: self.settings.elsewhere]
        return _OfItem(self, item.id, (*own, *(others[k] for k in sorted(picks))))

    def open(self, info: ClipInfo) -> Stream:
        """Start a clip without an item, which has no questions."""
        return _OfItem(self, "", ()).open(info)


class _OfItem(Encoder):
    """The encoder of one item: its questions are part of the identity."""

    name = VlmEncoder.name

    def __init__(self, judge: VlmEncoder, item: str, asked: tuple[Asked, ...]) -> None:
        self.judge, self.item, self.asked = judge, item, asked

    def identity(self) -> Mapping[str, Json]:
        questions = [
            [asked.ask, asked.expected, asked.source, *([asked.scale] if asked.scale else [])]
            for asked in self.asked
        ]
        return {**self.judge.identity(), "questions": questions, "item": self.item if questions else ""}

    def open(self, info: ClipInfo) -> Stream:
        del info
        return _Interview(self)


@dataclass(frozen=True)
class VlmQuestion:
    """One question to ask."""

    number: int
    asked: Asked
    shown: Pictures
    repeat: int


class _Interview:
    """Collects the frames of one clip, and asks all questions at its end."""

    def __init__(self, encoder: _OfItem) -> None:
        self._encoder = encoder
        settings = encoder.judge.settings
        self._spread = Spread(settings.frames, settings.longest)

    def push(self, window: Window) -> None:
        if self._encoder.asked:
            self._spread.push(window)

    def finish(self) -> Record:
        jobs = self._jobs() if self._encoder.asked else []
        settings, judge = self._encoder.judge.settings, self._encoder.judge
        order = seeded_rng("judge order", self._encoder.item).permutation(len(jobs))
        mixed = [jobs[k] for k in order]
        replies: dict[int, Reply] = {}
        with ThreadPoolExecutor(max_workers=settings.parallel) as pool:
            told = pool.map(lambda job: judge.answers.get_or_ask(judge.endpoint, job), mixed)
            for place, reply in zip(order, told, strict=True):
                replies[int(place)] = reply
        answers = [_answer(job, replies[k], settings) for k, job in enumerate(jobs)]
        record = answers_record(answers)
        if any(answer.missing for answer in answers):
            raise Incomplete(record)
        return record

    def _jobs(self) -> list[VlmQuestion]:
        settings = self._encoder.judge.settings
        frames, times = self._spread.chosen()
        shown = pictures(frames, times, settings.quality)
        jobs: list[VlmQuestion] = []
        for number, asked in enumerate(self._encoder.asked):
            repeats = settings.repeats if asked.source == "question" else 1
            jobs += [VlmQuestion(number, asked, shown, repeat) for repeat in range(repeats)]
        for k in range(settings.drawn):
            asked, drawn = drawn_control(self._encoder.item, k, settings.frames, settings.quality)
            jobs.append(VlmQuestion(len(self._encoder.asked) + k, asked, drawn, 0))
        return jobs


def _answer(job: VlmQuestion, reply: Reply, settings: JudgeSettings) -> JudgeAnswer:
    prices = settings.usd_per_million_in, settings.usd_per_million_out
    usd = None
    if prices[0] is not None and prices[1] is not None:
        usd = (reply.tokens_in * prices[0] + reply.tokens_out * prices[1]) / 1e6
    return JudgeAnswer(
        source=job.asked.source,
        number=job.number,
        expected=job.asked.expected,
        answer=reply.answer,
        failure=reply.failure,
        seconds=reply.seconds,
        tokens=reply.tokens_in + reply.tokens_out,
        usd=usd,
        scale=job.asked.scale,
        rating=reply.rating,
    )


class Answers:
    """Store answers, but no failures: ``<cache>/answers/<digest of the frames>/<digest of the rest>.json``.

    The shown frames identify the clip, so files with the same frames share answers. Without a cache nothing
    is stored.
    """

    def __init__(self, cache: Path | None, settings: JudgeSettings) -> None:
        self._folder = cache / "answers" if cache is not None else None
        self._identity = settings.identity()

    def get_or_ask(self, endpoint: Endpoint, job: VlmQuestion) -> Reply:
        """Return the stored answer, or ask and store the answer."""
        scale = job.asked.scale
        fields = {"settings": self._identity, "question": job.asked.ask, "repeat": job.repeat}
        if scale:
            fields["scale"] = scale
        key = digest("answer", fields)
        path = self._folder / job.shown.digest / f"{key}.json" if self._folder is not None else None
        known = _load(path, scale) if path is not None else None
        if known is not None:
            return known
        reply = endpoint.ask(job.shown, job.asked.ask, scale)
        if not reply.failure and path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            record = {
                **fields,
                "reply": vars(reply),
                "asked": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_atomic(path, json.dumps(record, indent=1))
        return reply


def _load(path: Path, scale: int) -> Reply | None:
    """Read a stored answer; a damaged or empty file, or one without an answer, counts as absent."""
    try:
        reply = Reply(**json.loads(path.read_text("utf-8"))["reply"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    answered = isinstance(reply.rating, int) if scale else isinstance(reply.answer, bool)
    return reply if answered and not reply.failure else None


def _settings(source: str) -> JudgeSettings:
    if source.endswith((".yaml", ".yml")):
        return load_yaml(JudgeSettings, source, {}, kind="judge settings")
    if source == "env":
        raise UsageError("vlm=env is gone; name the model: --encoder vlm=MODEL, or a YAML file")
    return checked(JudgeSettings, {"model": source}, "the encoder 'vlm'")


ENCODERS.add(
    "vlm",
    EncoderEntry(
        "a vision-language model behind an OpenAI-compatible endpoint",
        lambda source, options: VlmEncoder(source or "", options),
        takes_source=True,
        shipped=False,
        settings="a model, or a YAML file of a judge's settings",
    ),
)
