"""Expansions of prompts: a file of them, and what writes it, a function or a chat model.

Generators that were trained on long captions follow short prompts worse, so prompts are often rewritten by a
language model before they are generated from. A model may answer otherwise each time. So its answers are kept
in a YAML file, which is the record of what was asked for and can be read, mended and shared::

    by: {kind: chat, model: ..., endpoint: ..., instruction: ..., temperature: 0.0, version: 1}
    expansions:
      a cat runs: A tabby cat runs across a sunlit lawn, seen from the side ...
      a dog: null          # the model gave none: the prompt is used as it is
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import Field

from ..harness.core.config import Config, load_yaml
from ..harness.core.errors import ScreentestError, ServiceDown, UsageError, describe
from ..harness.core.files import write_atomic
from .job_steps import Later, Uncertain
from .service_client import ServiceClient

if TYPE_CHECKING:
    from ..harness.core.keys import Json

__all__ = [
    "INSTRUCTION",
    "ChatExpander",
    "Expander",
    "Expansions",
    "FunctionExpander",
    "expand",
    "read_expansions",
]

INSTRUCTION: Final = (
    "You write prompts for a text-to-video model. Turn the user's prompt into one longer description of the "
    "same video, of two to four sentences. Keep every person, thing, action, number, color, place and style "
    "that it names, and add only details that fit it: looks, surroundings, light, camera. Answer with the "
    "description alone."
)
_VERSION = 1
_ATTEMPTS = 6
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0


class Expansions(Config):
    """The content of a file."""

    by: dict[str, Any] = Field(description="what wrote them")
    expansions: dict[str, str | None] = Field(description="prompt -> what is generated from instead")


class Expander(Protocol):
    """Rewrites prompts."""

    def identity(self) -> Mapping[str, Json]:
        """List what changes its answers."""
        ...

    def __call__(self, prompt: str) -> str | None:
        """Rewrite a prompt; None where it gives nothing."""
        ...


class ChatExpander:
    """A model behind an endpoint with OpenAI's chat protocol.

    Args:
        model: its name there.
        base: the address, up to ``/chat/completions``.
        key: None for an endpoint without one.
        instruction: what the model is told to do.

    Raises:
        ValueError: the address is none.
    """

    def __init__(
        self, model: str, base: str, key: str | None, instruction: str = INSTRUCTION, timeout_s: float = 120.0
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.model, self.instruction = model, instruction
        self.client = ServiceClient(f"the chat model {model}", base, lambda: headers, timeout_s=timeout_s)

    def identity(self) -> Mapping[str, Json]:
        """List the model, its address and what it is told."""
        return {
            "kind": "chat",
            "version": _VERSION,
            "model": self.model,
            "endpoint": self.client.base,
            "instruction": self.instruction,
            "temperature": 0.0,
        }

    def __call__(self, prompt: str) -> str | None:
        """Ask for an expansion, again where the endpoint is busy or silent.

        Raises:
            ServiceDown: it does not answer.
            UsageError: it refuses the key or the model.
            ScreentestError: it does not take this prompt, for another reason than what it says.
        """
        wait = _FIRST_WAIT_S
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._ask(prompt)
            except (Later, Uncertain) as error:
                asked = error.seconds if isinstance(error, Later) else None
                if attempt == _ATTEMPTS or (asked or 0) > _LONGEST_WAIT_S:
                    raise ServiceDown(
                        f"the chat model {self.model} gave no answer in {attempt} attempts (last: {error}); "
                        "what it has answered is kept, and the same command goes on from there"
                    ) from None
                time.sleep(wait if asked is None else asked)
                wait = min(2 * wait, _LONGEST_WAIT_S)
        return None

    def _ask(self, prompt: str) -> str | None:
        messages = [{"role": "system", "content": self.instruction}, {"role": "user", "content": prompt}]
        request = {"model": self.model, "messages": messages, "temperature": 0.0}
        answer = self.client.create("chat/completions", json=request)
        if not answer.ok:
            if answer.fault.refuses:
                return None
            raise ScreentestError(
                f"the chat model {self.model} does not take the next prompt (HTTP {answer.status}: "
                f"{answer.fault}); what it has answered is kept, and the same command asks again. Mend the "
                "model's name or its server, or write the prompt into the file with null for an answer"
            )
        choices: Any = answer.body.get("choices")
        first: Any = choices[0] if isinstance(choices, list) and choices else {}
        message: Any = first.get("message") if isinstance(first, dict) else None
        if not isinstance(message, dict):
            raise Later("an answer that is not of the chat protocol")
        content: Any = message.get("content")
        if message.get("refusal") or first.get("finish_reason") in ("content_filter", "length"):
            return None
        text = " ".join(content.split()) if isinstance(content, str) else ""
        return text or None


class FunctionExpander:
    """A function from text to text, with what names it."""

    def __init__(self, function: Callable[[str], Any], about: Mapping[str, Json]) -> None:
        self._function, self._about = function, about

    def identity(self) -> Mapping[str, Json]:
        """List what names the function, and its source."""
        return self._about

    def __call__(self, prompt: str) -> str | None:
        """Call the function.

        Raises:
            UsageError: it fails, or returns no text.
        """
        try:
            text = self._function(prompt)
        except ScreentestError:
            raise
        except Exception as error:
            raise UsageError(f"the prompt expansion failed: {describe(error)}") from error
        if text is not None and not isinstance(text, str):
            raise UsageError(f"the prompt expansion returned a {type(text).__name__}; return text, or None")
        return text.strip() or None if text is not None else None


def read_expansions(path: Path) -> Expansions:
    """Read a file of expansions.

    Raises:
        UsageError: it is none.
    """
    return load_yaml(
        Expansions, str(path if path.is_absolute() else Path.cwd() / path), {}, kind="expansions"
    )


def expand(
    prompts: Iterable[str], by: Expander, out: Path, tick: Callable[[], None] = lambda: None
) -> Expansions:
    """Expand prompts into a file; those that it has already stay as they are.

    Args:
        by: what expands them. A file of another expander is refused.
        out: is written after each expansion, so that nothing is asked for twice.
        tick: is called after each prompt.

    Raises:
        UsageError: the file is of another expander, or is none.
        ScreentestError: the expander does not answer; what it answered is in the file.
    """
    about = dict(by.identity())
    known: dict[str, str | None] = {}
    if out.exists():
        there = read_expansions(out)
        if there.by != about:
            differing = sorted({*there.by, *about} - {k for k in about if there.by.get(k) == about[k]})
            raise UsageError(
                f"{out} holds expansions by another expander ({', '.join(differing)} differ); choose another "
                "--out, or delete it"
            )
        known = dict(there.expansions)
    for prompt in dict.fromkeys(prompts):
        if prompt not in known:
            known[prompt] = by(prompt)
            _write(Expansions(by=about, expansions=known), out)
        tick()
    made = Expansions(by=about, expansions=known)
    if not out.exists():
        _write(made, out)
    return made


def _write(made: Expansions, out: Path) -> None:
    import yaml

    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, yaml.safe_dump(made.model_dump(), sort_keys=False, allow_unicode=True, width=10_000))
