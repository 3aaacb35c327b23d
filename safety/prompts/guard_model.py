"""Generative guard models (Llama Guard, ShieldGemma, Granite Guardian) as prompt classifiers.

Such a model is prompted through its own chat template and answers with one of two words. The score is the
softmax over the two words' tokens at the first generated position (as the model cards advise), so it is
graded, not only yes or no. A configuration file says how to prompt a model::

    name: llama-guard
    guard:
      model: meta-llama/Llama-Guard-3-1B
      safe: safe
      unsafe: unsafe
      prefix: "\\n\\n"              # what the model writes before its verdict
      crosswalk: llama-guard      # S1 to S14, named after an unsafe verdict

    name: shield
    guard:
      model: google/shieldgemma-2b
      safe: "No"
      unsafe: "Yes"
      questions:                  # one harm at a time, each with its own arguments for the template
        - {categories: [hte], arguments: {guideline: "..."}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, model_validator

from ...harness.core.config import Config
from ...harness.core.errors import UsageError, unknown_name
from ...metrics.encoders.weights import load_model, torch_device
from ..taxonomy import crosswalk, load_taxonomy, to_ours
from .classifier import Judged, windows
from .pretrained import PretrainedClassifier, PretrainedConfig

if TYPE_CHECKING:
    import torch

    from ...harness.core.keys import Json

__all__ = ["GuardClassifier", "GuardConfig", "GuardQuestion"]

_VERSION = 2
_NAMED_TOKENS = 24
"""Enough for a line break and a list of categories."""
_GREEDY: dict[str, Any] = {
    "max_new_tokens": _NAMED_TOKENS,
    "do_sample": False,
    **dict.fromkeys(("temperature", "top_p", "top_k")),
}
"""The likeliest token each time; a model's own settings of sampling are put out of force."""


class GuardQuestion(Config):
    """One question: arguments for the chat template, and the categories that a yes means."""

    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    categories: tuple[str, ...] = ()


class GuardConfig(PretrainedConfig):
    """The guard model, how it is prompted, and the meaning of its words."""

    safe: str = Field(min_length=1, description="the word of a harmless verdict")
    unsafe: str = Field(min_length=1, description="the word of a harmful verdict")
    prefix: str = Field("", description="what the model writes between the template and its verdict")
    template: str | None = Field(None, description="name of one of the tokenizer's chat templates")
    crosswalk: str | None = Field(None, description="scheme whose labels follow an unsafe verdict")
    questions: tuple[GuardQuestion, ...] = Field((GuardQuestion(),), min_length=1)
    least_mass: float = Field(
        0.5, ge=0, lt=1, description="least probability of both words together; below it there is no verdict"
    )
    window: int = Field(2048, ge=64, description="characters that are read at once")
    batch: int = Field(8, ge=1)

    @model_validator(mode="after")
    def _known(self) -> GuardConfig:
        for category in (c for q in self.questions for c in q.categories):
            load_taxonomy().get(category)
        if self.crosswalk is not None:
            crosswalk(self.crosswalk)
        return self


@dataclass(frozen=True)
class _Verdict:
    """The verdict on one window: the probability of harm and the named labels, or why there is none."""

    unsafe: float
    named: tuple[str, ...] = ()
    failed: str | None = None


class GuardClassifier(PretrainedClassifier[GuardConfig]):
    """Classify prompts by a guard model.

    With a crosswalk, a category that the model names after an unsafe verdict gets the verdict's probability;
    a category that is not named stays NaN. With questions of one harm each, a category gets the highest
    probability among its questions.
    """

    kind = "prompt-guard"

    def _set_up(self, config: GuardConfig) -> Mapping[str, Json]:
        asked = {category for question in config.questions for category in question.categories}
        if config.crosswalk is not None:
            asked |= {c for row in crosswalk(config.crosswalk).labels for c in row.ours}
        self.harms = tuple(category for category in load_taxonomy().ids if category in asked)
        fields = config.model_dump(mode="json", exclude={"model", "batch"})
        return {"version": _VERSION, "config": fields}

    def _classify(self, texts: Sequence[str]) -> Judged:
        """Classify prompts by their worst window and question; a window without verdict fails its prompt."""
        pieces, owner = windows(texts, canonical=self._canonical, size=self._config.window)
        score = np.full(len(texts), np.nan)
        harms = np.full((len(texts), len(self.harms)), np.nan)
        failed: dict[int, str] = {}
        for question in self._config.questions:
            for row, verdict in zip(owner.tolist(), self._verdicts(pieces, question), strict=True):
                if verdict.failed is not None:
                    failed.setdefault(row, verdict.failed)
                    continue
                score[row] = np.fmax(score[row], verdict.unsafe)
                for category in (*question.categories, *self._categories(verdict.named)):
                    column = self.harms.index(category)
                    harms[row, column] = np.fmax(harms[row, column], verdict.unsafe)
        lost = list(failed)
        score[lost], harms[lost] = np.nan, np.nan
        return Judged(score, harms, score >= self.threshold, failed)

    def _categories(self, named: Sequence[str]) -> list[str]:
        scheme = self._config.crosswalk
        return [c for label in named for c in to_ours(scheme, label)] if scheme is not None else []

    def _verdicts(self, pieces: Sequence[str], question: GuardQuestion) -> list[_Verdict]:
        tokens = [self._prompt(piece, question) for piece in pieces]
        longest = int(self._weights.config().get("max_position_embeddings") or 1 << 30) - _NAMED_TOKENS
        out = [_Verdict(np.nan, failed="the prompt is longer than the guard model's context")] * len(tokens)
        order = sorted(
            (i for i in range(len(tokens)) if len(tokens[i]) <= longest), key=lambda i: len(tokens[i])
        )
        for start in range(0, len(order), self._config.batch):
            chosen = order[start : start + self._config.batch]
            for i, verdict in zip(chosen, self._ask([tokens[i] for i in chosen]), strict=True):
                out[i] = verdict
        return out

    def _ask(self, prompts: Sequence[list[int]]) -> list[_Verdict]:
        """Ask for the next token; if harm is likelier and there is a crosswalk, also for the labels."""
        import torch

        ids_BL, mask_BL = self._padded(prompts)
        with torch.inference_mode():
            logits_BV = self._model(input_ids=ids_BL, attention_mask=mask_BL, logits_to_keep=1).logits[:, -1]
        log_p_BV = logits_BV.double().log_softmax(-1).cpu().numpy()
        both = log_p_BV[:, self._words]  # B, 2
        verdicts: list[_Verdict] = []
        for row, (safe, unsafe) in enumerate(both.tolist()):
            mass = float(np.exp(safe) + np.exp(unsafe))
            if not np.isfinite(mass) or mass < self._config.least_mass:
                reason = f"the guard model gave neither of its verdicts (together {mass:.3g})"
                verdicts.append(_Verdict(np.nan, failed=reason))
                continue
            p = float(1.0 / (1.0 + np.exp(safe - unsafe)))
            named = self._named(prompts[row]) if p >= 0.5 and self._config.crosswalk else ()
            verdicts.append(_Verdict(p, named))
        return verdicts

    def _named(self, prompt: list[int]) -> tuple[str, ...]:
        """Let the model continue after an unsafe verdict, and return the scheme's labels in its text."""
        import torch

        ids_BL, mask_BL = self._padded([[*prompt, *self._unsafe_tokens]])
        with torch.inference_mode():
            out_BL = self._model.generate(
                input_ids=ids_BL,
                attention_mask=mask_BL,
                **_GREEDY,
                pad_token_id=self._pad,
            )
        said = str(self._tokenizer.decode(out_BL[0, ids_BL.shape[1] :], skip_special_tokens=True))
        assert self._config.crosswalk is not None
        known = {row.label for row in crosswalk(self._config.crosswalk).labels}
        return tuple(word for word in dict.fromkeys(re.findall(r"\w+", said)) if word in known)

    def _padded(self, prompts: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        width = max(len(prompt) for prompt in prompts)
        ids_BL = torch.full((len(prompts), width), self._pad, dtype=torch.long)
        mask_BL = torch.zeros_like(ids_BL)
        for row, prompt in enumerate(prompts):  # on the left, so that every last token is at the end
            ids_BL[row, width - len(prompt) :] = torch.tensor(prompt)
            mask_BL[row, width - len(prompt) :] = 1
        device = torch_device(self._options)
        return ids_BL.to(device), mask_BL.to(device)

    def _prompt(self, text: str, question: GuardQuestion) -> list[int]:
        return self._encode(self._rendered(self._harmless(text), question))

    def _rendered(self, text: str, question: GuardQuestion) -> str:
        rendered: Any = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            chat_template=self._template,
            tokenize=False,
            add_generation_prompt=True,
            **question.arguments,
        )
        return str(rendered) + self._config.prefix

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _harmless(self, text: str) -> str:
        """Break up the template's control words, with which a prompt could end its own turn."""
        for word in self._control_words:
            text = text.replace(word, f"{word[:1]} {word[1:]}")
        return text

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._weights.path, local_files_only=True)

    @cached_property
    def _control_words(self) -> list[str]:
        added = {str(token) for token in self._tokenizer.added_tokens_decoder.values()}
        words = {*added, *map(str, self._tokenizer.all_special_tokens)}
        return sorted((word for word in words if len(word.strip()) > 1), key=len, reverse=True)

    @cached_property
    def _template(self) -> str:
        wanted, held = self._config.template, self._tokenizer.chat_template
        if wanted is not None and (not isinstance(held, dict) or wanted not in held):
            # The library would take the name itself for a template, and ask the model nothing.
            raise unknown_name(f"chat template of {self._weights.source!r}", wanted, held or ())
        try:
            return str(self._tokenizer.get_chat_template(wanted))
        except ValueError:
            raise UsageError(
                f"the guard model {self.name!r} comes without a chat template; "
                "give the folder of one that has it"
            ) from None

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModelForCausalLM

        return load_model(self._weights, AutoModelForCausalLM, self._options)

    @property
    def _pad(self) -> int:
        pad = self._tokenizer.pad_token_id
        return int(pad if pad is not None else self._tokenizer.eos_token_id or 0)

    @cached_property
    def _unsafe_tokens(self) -> list[int]:
        return self._tokens_of(self._config.unsafe)

    @cached_property
    def _words(self) -> list[int]:
        """Return the first token of each verdict, safe then unsafe."""
        safe, unsafe = self._tokens_of(self._config.safe)[0], self._unsafe_tokens[0]
        if safe == unsafe:
            raise UsageError(
                f"the guard model {self.name!r} begins {self._config.safe!r} and {self._config.unsafe!r} "
                "with the same token, so its first token tells nothing; give words that differ from the start"
            )
        return [safe, unsafe]

    def _tokens_of(self, word: str) -> list[int]:
        """Give the tokens of a verdict where it stands: tokenizers treat the start of a text otherwise."""
        before = self._rendered("a", self._config.questions[0])
        alone, with_word = self._encode(before), self._encode(before + word)
        if with_word[: len(alone)] != alone or len(with_word) == len(alone):
            raise UsageError(
                f"the verdict {word!r} of the guard model {self.name!r} runs into the end of its template; "
                "check 'prefix'"
            )
        return with_word[len(alone) :]
