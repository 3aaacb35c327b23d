"""A suite in other languages, by a function: every prompt in each, paired by the id of its base prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from ..core.config import checked
from ..core.errors import ScreentestError, UsageError, describe
from ..core.items import Prompt
from .suite import Suite

__all__ = ["translated"]

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def translated(suite: Suite, translate: Callable[[str, str], Any], languages: Sequence[str]) -> Suite:
    """Add the prompts of a suite in other languages, each with the label ``language``.

    The prompts of one base share the label ``base``, so that the loss by language is a paired difference. The
    original keeps its text, seeds and labels, and gets ``language: en`` unless it has a language. A prompt
    that the function gives no text for, or its own, is left out in that language, and counted in the
    description. Expectations and questions stay as they are. In a suite that is translated already, the
    originals alone are translated, and only to languages that their base lacks; the language of an original
    is one that it has.

    Args:
        suite: its prompts are the base.
        translate: text, language -> text, or None where there is none.
        languages: BCP 47 names, such as ``de`` or ``zh-Hant``; one that is named twice is taken once.

    Raises:
        UsageError: a name is no language or is that of every original, the function fails, nothing is
            translated, or the translated suite is none, such as where two prompts have one translation.
    """
    languages = tuple(dict.fromkeys(languages))
    wrong = next((name for name in languages if not _LANGUAGE.fullmatch(name)), None)
    if wrong is not None or not languages:
        raise UsageError(f"{wrong!r} is no language; name them as in BCP 47, such as de, fr or zh-Hant")
    if not suite.prompts:
        raise UsageError(f"the suite {suite.name!r} has no prompts to translate")
    based = [_with_base(prompt, number, suite.name) for number, prompt in enumerate(suite.prompts, start=1)]
    there = {(prompt.label("base"), _language(prompt)) for prompt in based}
    original: dict[str | None, str] = {}
    for prompt in based:
        original.setdefault(prompt.label("base"), _language(prompt))
    own = next((name for name in languages if set(original.values()) == {name.lower()}), None)
    if own is not None:
        raise UsageError(
            f"the prompts of the suite {suite.name!r} are in {own} already; name another language, or label "
            f"them with theirs if it is not {own} (a prompt without the label 'language' counts as en)"
        )
    prompts: list[Prompt] = []
    missing: dict[str, int] = {}
    for prompt in based:
        prompts.append(prompt)
        base = prompt.label("base")
        kept = {name: values for name, values in prompt.labels.items() if name != "id"}
        if original[base] != _language(prompt):
            continue  # a translation already: its base is translated, and not what was made of it
        for language in languages:
            if (base, language.lower()) in there:
                continue
            text = _text(translate, prompt.text, language)
            if text is None or text == prompt.text:
                missing[language] = missing.get(language, 0) + 1
                continue
            fields = {**prompt.model_dump(), "text": text, "labels": {**kept, "language": (language,)}}
            whose = f"the translation of {prompt.text!r} to {language} is no prompt"
            prompts.append(checked(Prompt, fields, whose))
    if len(prompts) == len(suite.prompts):
        told = ", ".join(languages)
        if not missing:
            raise UsageError(f"the suite {suite.name!r} has every prompt in {told} already")
        raise UsageError("the function translated no prompt; it should return another text, or None")
    untranslated = ", ".join(f"{n} in {language}" for language, n in missing.items())
    said = [suite.description, f"also in {', '.join(languages)}"]
    if untranslated:
        said.append(f"without translation: {untranslated}")
    fields = {
        **suite.model_dump(),
        "name": f"{suite.name}-{'-'.join(languages)}".lower()[:60],
        "description": "; ".join(part for part in said if part),
        "prompts": [prompt.model_dump() for prompt in prompts],
    }
    return checked(Suite, fields, f"the suite {suite.name!r} in {', '.join(languages)} cannot be made")


def _with_base(prompt: Prompt, number: int, suite: str) -> Prompt:
    """Label a prompt with its base and its language, where it has none."""
    base = prompt.label("base") or prompt.label("id") or f"{suite[:50]}-{number}"
    labels = {**prompt.labels, "base": (base,)}
    labels.setdefault("language", ("en",))
    return prompt.model_copy(update={"labels": labels})


def _language(prompt: Prompt) -> str:
    """Name the language of a labelled prompt; the case of a BCP 47 name has no meaning."""
    return prompt.labels["language"][0].lower()


def _text(translate: Callable[[str, str], Any], text: str, language: str) -> str | None:
    try:
        found = translate(text, language)
    except ScreentestError:
        raise
    except Exception as error:
        raise UsageError(f"the translation failed: {describe(error)}") from error
    if found is not None and not isinstance(found, str):
        raise UsageError(f"the translation is a {type(found).__name__}; return text, or None")
    return found.strip() or None if found is not None else None
