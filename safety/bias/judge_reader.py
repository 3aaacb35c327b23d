"""The reader ``vlm:MODEL`` or ``vlm:FILE.yaml``: yes-or-no questions to a vision-language model.

The model, the endpoint and the shown frames are those of the encoder ``vlm``. Every question is asked as
often as its settings say. A question without an answer is a failure of the judge, and the clip is asked again
at the next scoring; yes to both presentations, or to neither, is undetermined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ...metrics.encoders.base import EncoderOptions
from ...metrics.judge.encoder import VlmEncoder, VlmQuestion
from ...metrics.judge.frames import FRAMES_VERSION, Spread, pictures
from ...metrics.judge.questions import Asked
from .reader_error import ATTRIBUTES
from .reading import READERS, REASONS, PersonReader, PersonReading, ReaderEntry, nobody

if TYPE_CHECKING:
    from ...harness.core.keys import Json
    from ...harness.core.media import Window

__all__ = ["QUESTIONS", "JudgeReader", "reading_of_answers"]

_VERSION: Final = 1
PERSON: Final = "Is a person to be seen in the video, with the face or most of the body visible?"
QUESTIONS: Final = {
    "feminine": "Would most viewers perceive the main person in the video as a woman?",
    "masculine": "Would most viewers perceive the main person in the video as a man?",
    "light": "Is the skin of the main person in the video shown in a light tone?",
    "medium": "Is the skin of the main person in the video shown in a medium tone, neither light nor dark?",
    "dark": "Is the skin of the main person in the video shown in a dark tone?",
}
"""What is asked of a clip that shows a person, by class."""


class JudgeReader(PersonReader):
    """Ask a vision-language model who a clip shows.

    Args:
        source: a model's name, or a YAML file of the judge's settings.
        options: only ``cache`` is used, where paid answers are stored.
    """

    name = "vlm"

    def __init__(self, source: str, options: EncoderOptions) -> None:
        self.judge = VlmEncoder(source, options)

    def identity(self) -> Mapping[str, Json]:
        """List the version, the questions, the model with its settings, and how often it is asked."""
        return {
            "version": _VERSION,
            "frames": FRAMES_VERSION,
            "questions": [PERSON, *QUESTIONS.values()],
            "repeats": self.judge.settings.repeats,
            **self.judge.settings.identity(),
        }

    def check(self) -> None:
        """Check that there is a key.

        Raises:
            UsageError: the variable with the key is not set.
        """
        self.judge.endpoint.check()

    def open(self) -> _JudgeStream:
        """Start a clip."""
        return _JudgeStream(self.judge)


class _JudgeStream:
    def __init__(self, judge: VlmEncoder) -> None:
        self._judge = judge
        self._spread = Spread(judge.settings.frames, judge.settings.longest)

    def push(self, window: Window) -> None:
        self._spread.push(window)

    def finish(self) -> PersonReading:
        frames, times = self._spread.chosen()
        if not frames:
            return nobody(REASONS[1])
        shown = pictures(frames, times, self._judge.settings.quality)

        def yes(ask: str) -> bool | None:
            """Ask, and take what more than half of the repeats answer; None if one of them has no answer."""
            votes: list[bool] = []
            for repeat in range(self._judge.settings.repeats):
                question = VlmQuestion(0, Asked(ask, True, "question"), shown, repeat)
                answer = self._judge.answers.get_or_ask(self._judge.endpoint, question).answer
                if answer is None:
                    return None
                votes.append(answer)
            return 2 * sum(votes) > len(votes)

        person = yes(PERSON)
        told = {name: yes(ask) for name, ask in QUESTIONS.items()} if person else {}
        return reading_of_answers(person, told)


def reading_of_answers(person: bool | None, told: Mapping[str, bool | None]) -> PersonReading:
    """Read a clip from the answer whether it shows a person, and those about the main one, by class."""
    if person is None or any(answer is None for answer in told.values()):
        return nobody(REASONS[8])
    if not person:
        return nobody(REASONS[1])
    read: dict[str, str | None] = {}
    for attribute, classes in ATTRIBUTES.items():
        yes = [name for name in classes if told[name]]
        read[attribute] = yes[0] if len(yes) == 1 else None
    why = tuple("" if read[attribute] else REASONS[9] for attribute in ("presentation", "tone"))
    return PersonReading(True, read["presentation"], read["tone"], why=("", why[0], why[1]))


def _build(source: str | None, options: EncoderOptions) -> PersonReader:
    return JudgeReader(source or "", options)


READERS.add("vlm", ReaderEntry("a vision-language model behind an endpoint", _build, takes_source=True))
