"""Moderation endpoints with OpenAI's protocol as prompt classifiers.

Any error is a failure for that prompt, never a low score: a timeout, a rate limit, an answer that is not
JSON, a missing category. A configuration file names the endpoint; the key comes from the environment::

    name: moderation
    moderation:
      base_url: https://moderation.example/v1     # by default OpenAI's
      model: omni-moderation-latest
      key_env: OPENAI_API_KEY
"""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, model_validator

from ...harness.core.config import Config
from ...harness.core.endpoints import read_body, retry_after
from ...harness.core.errors import UsageError
from ...harness.core.keys import digest
from ..taxonomy import crosswalk, load_taxonomy, to_ours
from .classifier import Judged, PromptClassifier, windows

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ["ModerationConfig", "ModerationEndpoint"]

_VERSION = 2
_LONGEST_ANSWER = 8 << 20
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 20.0
_AGAIN = frozenset({408, 409, 425, 429})
_MISTAKES = {
    401: "refuses the key",
    403: "refuses the key",
    404: "does not know this address or model",
}


class ModerationConfig(Config):
    """Which endpoint, which of its categories are needed, and how long to wait for it."""

    model: str = Field(min_length=1)
    base_url: str | None = Field(None, pattern="^https?://", description="by default OpenAI's")
    key_env: str | None = Field("OPENAI_API_KEY", description="variable with the key; null for none")
    scheme: str = Field("openai-moderation", description="crosswalk of its categories")
    categories: tuple[str, ...] | None = Field(None, description="needed ones; by default all of the scheme")
    threshold: float = Field(0.5, gt=0, lt=1, description="scores from here up are flagged")
    timeout_s: float = Field(20.0, gt=0, le=600, description="of one attempt")
    attempts: int = Field(4, ge=1, le=20)
    window: int = Field(4096, ge=64, description="characters that are judged at once")
    inputs: int = Field(16, ge=1, le=512, description="windows sent in one request")
    usd_per_request: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _known(self) -> ModerationConfig:
        if not any(to_ours(self.scheme, label) for label in self.labels):
            raise ValueError("none of the categories has a counterpart in the taxonomy")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """The endpoint's categories that an answer must have."""
        known = tuple(row.label for row in crosswalk(self.scheme).labels)
        return known if self.categories is None else self.categories


@dataclass(frozen=True)
class _ModerationAnswer:
    """On one window: the scores that could be read, and why it is not whole."""

    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    failed: str | None = None


class _Unread(Exception):
    """Say why a request has no answer; ``alone`` when its windows may do better one by one."""

    def __init__(self, reason: str, *, alone: bool = False) -> None:
        super().__init__(reason)
        self.alone = alone


class ModerationEndpoint(PromptClassifier):
    """Classify prompts by an endpoint; the score is the highest of its categories.

    A column is the highest score among the endpoint's categories that overlap ours. The digest names the
    endpoint and the model; it cannot reveal changes by their owner.

    Args:
        name: by which records speak of it.
        config: which endpoint.
        canonical: undo disguises before a prompt is sent.

    Raises:
        UsageError: the variable with the key is not set, or a category is unknown.
    """

    def __init__(self, name: str, config: ModerationConfig, *, canonical: bool = True) -> None:
        self._config, self._canonical = config, canonical
        self._key = _key(name, config.key_env)
        self._ours = {label: to_ours(config.scheme, label) for label in config.labels}
        touched = {category for ours in self._ours.values() for category in ours}
        self.name, self.threshold = name, config.threshold
        self.harms = tuple(category for category in load_taxonomy().ids if category in touched)
        same = {"timeout_s", "attempts", "inputs", "usd_per_request", "key_env"}
        fields = config.model_dump(mode="json", exclude=same)
        self.digest = digest(
            "prompt-moderation", {"version": _VERSION, "config": fields, "canonicalise": canonical}
        )
        self._requests = self._attempts = self._failed = 0
        self._seconds = 0.0

    def usage(self) -> Mapping[str, float]:
        """Count requests, attempts, prompts without an answer, seconds with waits, and dollars so far."""
        return {
            "requests": self._requests,
            "attempts": self._attempts,
            "judge_failed": self._failed,
            "seconds": round(self._seconds, 3),
            "seconds_per_request": round(self._seconds / self._requests, 3) if self._requests else 0.0,
            "usd": round(self._attempts * self._config.usd_per_request, 6),
        }

    def _classify(self, texts: Sequence[str]) -> Judged:
        """Classify prompts by their worst window; a window without a complete answer fails its prompt.

        Raises:
            UsageError: the endpoint refuses the key, or knows no such model.
        """
        pieces, owner = windows(texts, canonical=self._canonical, size=self._config.window)
        answers: list[_ModerationAnswer] = []
        for start in range(0, len(pieces), self._config.inputs):
            answers += self._judge(pieces[start : start + self._config.inputs])
        score = np.full(len(texts), np.nan)
        harms = np.full((len(texts), len(self.harms)), np.nan)
        failed: dict[int, str] = {}
        for row, answer in zip(owner.tolist(), answers, strict=True):
            if answer.failed is not None:
                failed.setdefault(row, answer.failed)
            for label, value in answer.scores.items():
                score[row] = np.fmax(score[row], value)
                for category in self._ours[label]:
                    column = self.harms.index(category)
                    harms[row, column] = np.fmax(harms[row, column], value)
        self._failed += len(failed)
        score[list(failed)] = np.nan
        return Judged(score, harms, score >= self.threshold, failed)

    def _judge(self, pieces: Sequence[str]) -> list[_ModerationAnswer]:
        try:
            return self._read(self._request(pieces), len(pieces))
        except _Unread as error:
            if error.alone and len(pieces) > 1:  # one window that it cannot take must not cost the others
                return [answer for piece in pieces for answer in self._judge([piece])]
            return [_ModerationAnswer(failed=str(error))] * len(pieces)

    def _request(self, pieces: Sequence[str]) -> bytes:
        """Ask, again where that may help, with waits that grow and end."""
        self._requests += 1
        started = time.monotonic()
        wait, reason = _FIRST_WAIT_S, ""
        try:
            for attempt in range(1, self._config.attempts + 1):
                self._attempts += 1
                body, reason, asked_wait = self._attempt(pieces)
                if body is not None:
                    return body
                if attempt < self._config.attempts:
                    time.sleep(min(asked_wait if asked_wait is not None else wait, _LONGEST_WAIT_S))
                    wait *= 2
            raise _Unread(f"{reason} in {self._config.attempts} attempts")
        finally:
            self._seconds += time.monotonic() - started

    def _attempt(self, pieces: Sequence[str]) -> tuple[bytes | None, str, float | None]:
        """Ask once: the body; or None, the reason, and how long the endpoint asks to wait.

        Raises:
            _Unread: asking the same again would not help.
            UsageError: nothing would.
        """
        import openai

        deadline = time.monotonic() + self._config.timeout_s
        try:
            with self._client.moderations.with_streaming_response.create(
                model=self._config.model, input=list(pieces)
            ) as response:
                body = read_body(response.iter_bytes(), longest=_LONGEST_ANSWER, deadline=deadline)
        except (openai.APITimeoutError, TimeoutError):
            return None, "no answer in time", None
        except openai.APIStatusError as error:
            status = error.status_code
            if status in _MISTAKES:
                raise UsageError(
                    f"the moderation endpoint of {self.name!r} {_MISTAKES[status]} (HTTP {status}); check "
                    "base_url, model and the variable that key_env names"
                ) from None
            if status in _AGAIN or status >= 500:
                return None, f"HTTP {status}", retry_after(error.response.headers)
            raise _Unread(f"HTTP {status}", alone=True) from None
        except openai.APIError:  # whose text may quote the prompt
            return None, "no connection", None
        if body is None:
            raise _Unread("an answer without end")
        return body, "", None

    def _read(self, body: bytes, count: int) -> list[_ModerationAnswer]:
        try:
            parsed: Any = json.loads(body)
        except (ValueError, RecursionError):
            raise _Unread("the answer is not JSON", alone=True) from None
        results: Any = parsed.get("results") if isinstance(parsed, dict) else None
        if not isinstance(results, list) or len(results) != count:  # pyright: ignore[reportUnknownArgumentType]
            raise _Unread("the answer does not hold one result an input", alone=True)
        return [self._one(result) for result in list[Any](results)]

    def _one(self, result: Any) -> _ModerationAnswer:
        given: Any = result.get("category_scores") if isinstance(result, dict) else None
        if not isinstance(given, dict):
            return _ModerationAnswer(failed="the answer has no category scores")
        scores = {label: float(given[label]) for label in self._ours if _is_score(given.get(label))}
        missing = [label for label in self._ours if label not in scores]
        failed = f"the answer has no score for {', '.join(missing)}" if missing else None
        return _ModerationAnswer(scores, failed)

    @cached_property
    def _client(self) -> OpenAI:
        try:
            from openai import OpenAI
        except ImportError:
            raise UsageError(
                f"the prompt classifier {self.name!r} asks an endpoint through the package openai; install "
                "it with `pip install 'screentest[openai]'`"
            ) from None
        client = OpenAI(
            api_key=self._key,
            base_url=self._config.base_url,
            timeout=self._config.timeout_s,
            max_retries=0,
        )
        weakref.finalize(self, client.close)  # or its connections stay open until a collection of cycles
        return client


def _key(name: str, variable: str | None) -> str:
    if variable is None:
        return "none"
    key = os.environ.get(variable)
    if not key:
        raise UsageError(
            f"the prompt classifier {name!r} needs a key in the environment variable {variable}, which is "
            "not set; set it, or say key_env: null for an endpoint without one"
        )
    return key


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
