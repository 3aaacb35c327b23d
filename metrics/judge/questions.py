"""Questions for a judge: those of a prompt's ``expect``, ratings, and controls with a known answer.

::

    prompts:
      - text: a hand takes a bite of a biscuit
        expect:
          questions:
            - {ask: Does the biscuit lack a piece at the end?, answer: yes, elsewhere: no}
            - {ask: Is there a second biscuit at any time?, answer: no}
            - {ask: Is an elephant to be seen?, answer: no, control: true}
            - {ask: How natural is the motion?, scale: 5}

``answer`` is the answer for a faithful clip. The answer to a ``control`` is known for any clip, so a control
measures the judge, not the clip. ``elsewhere`` is the answer for the clips of all other prompts: there the
question is asked as a control, which reveals a judge that says yes to everything. A question with a ``scale``
asks for a rating, from 1 (worst) to that number (best), on a Likert scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import Field, ValidationError, field_validator, model_validator

from ...harness.core.config import Config, explain
from ...harness.core.errors import UsageError
from ...harness.core.items import Item

__all__ = ["Asked", "Question", "Source", "elsewhere_questions", "read_questions"]

Source: TypeAlias = Literal["question", "control", "elsewhere", "drawn"]


class Question(Config):
    """One question of a prompt, to be answered with yes or no, or with a rating."""

    ask: str = Field(min_length=1, max_length=600, description="a question about the clip")
    answer: bool | None = Field(default=None, description="the answer for a faithful clip: yes or no")
    scale: int | None = Field(
        default=None, ge=3, le=10, description="of a rating: its best number; 1 is the worst"
    )
    control: bool = Field(default=False, description="the answer is known whatever the clip shows")
    elsewhere: bool | None = Field(default=None, description="the answer for clips of other prompts")

    @field_validator("answer", "control", "elsewhere", mode="before")
    @classmethod
    def _yes_or_no(cls, value: Any) -> Any:
        """Take yes and no as words, too: YAML reads them as true and false, JSON and CSV do not."""
        if isinstance(value, str) and value.strip().lower() in ("yes", "no"):
            return value.strip().lower() == "yes"
        if value is not None and not isinstance(value, bool):
            raise ValueError(f"should be yes or no, not {value!r}")
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Question:
        if (self.answer is None) == (self.scale is None):
            raise ValueError("needs either 'answer' (yes or no) or 'scale' (a rating from 1 to that number)")
        if self.scale is not None and (self.control or self.elsewhere is not None):
            raise ValueError("a rating is no control: nobody knows its right answer")
        return self


@dataclass(frozen=True)
class Asked:
    """A question to the judge about one clip, with the expected or known answer.

    Attributes:
        scale: the best number of a rating, which has no expected answer; 0 for yes or no.
    """

    ask: str
    expected: bool
    source: Source
    scale: int = 0


def read_questions(item: Item) -> tuple[Question, ...]:
    """Read the questions of an item's ``expect``; empty if it has none.

    Raises:
        UsageError: they are not a list of questions; the sentence names the prompt.
    """
    raw = (item.expect or {}).get("questions")
    if raw is None:
        return ()
    where = f"the questions of the prompt {_short(item)}"
    if not isinstance(raw, list | tuple) or not all(isinstance(part, Mapping) for part in raw):
        raise UsageError(f"{where} should be a list of mappings with 'ask' and 'answer' or 'scale'")
    try:
        questions = tuple(Question.model_validate(dict(part)) for part in raw)
    except ValidationError as error:
        raise UsageError(f"{where}: {explain(error, Question)}") from None
    texts = [question.ask for question in questions]
    if len(set(texts)) < len(texts):
        raise UsageError(f"{where} hold one question twice; the judge is asked several times anyway")
    return questions


def elsewhere_questions(items: Sequence[Item]) -> dict[str, tuple[Asked, ...]]:
    """Collect the controls for clips of other prompts: cluster -> its questions, with the answer elsewhere.

    Raises:
        UsageError: an item's questions cannot be read, or two prompts know different answers to one.
    """
    found: dict[str, tuple[Asked, ...]] = {}
    known: dict[str, bool] = {}
    for item in items:
        asked = tuple(
            Asked(question.ask, question.elsewhere, "elsewhere")
            for question in read_questions(item)
            if question.elsewhere is not None
        )
        for question in asked:
            if known.setdefault(question.ask, question.expected) != question.expected:
                raise UsageError(f"two prompts give {question.ask!r} different answers for 'elsewhere'")
        if asked:
            found[item.cluster] = asked
    return found


def _short(item: Item) -> str:
    """Name a prompt in a message by its beginning; a red-team prompt only by its id."""
    if item.prompt is None or any(tag.partition(":")[0] == "red-team" for tag in item.tags):
        return f"with the id {item.cluster[:12]}"
    return repr(item.prompt if len(item.prompt) <= 60 else f"{item.prompt[:57]}...")
