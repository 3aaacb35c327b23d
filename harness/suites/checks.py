"""What a suite holds, before anything is generated: counts, near-duplicates, differences of two suites."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..core.labels import is_aggregated, slices_of
from .purpose import NOT_MEASURED, Purpose
from .suite import Suite

if TYPE_CHECKING:
    from ..core.items import Prompt

__all__ = [
    "SuiteDifference",
    "counts_by_slice",
    "difference",
    "flagged_prompts",
    "near_duplicates",
    "unread_expectations",
]

_LIKE: Final = 0.8
"""Share of the words of two prompts that both have, from which on they are near-duplicates."""
_MOST: Final = 3000
"""Prompts that are compared with each other; of more, those alike but for case and signs are found."""
_READERS: Final[Mapping[str, tuple[str, ...]]] = {
    "follows.": ("objects", "motion", "speed", "relation", "camera", "order", "bitten", "text"),
    "physics.": ("objects", "motion", "collides", "passes_behind", "gravity", "ideal", "at_rest", "bitten"),
    "hallucination.": ("objects", "others", "text", "motion"),
    "judge.": ("questions",),
    "goals.": ("maze", "clock", "tower"),
}


def counts_by_slice(suite: Suite) -> list[tuple[str, int, int]]:
    """Count prompts and clips of each tag and label value, the largest first."""
    prompts: Counter[str] = Counter()
    clips: Counter[str] = Counter()
    for prompt in suite.prompts:
        for name in filter(is_aggregated, slices_of(prompt.tags, prompt.labels)):
            prompts[name] += 1
            clips[name] += prompt.seeds or suite.seeds
    return [(name, n, clips[name]) for name, n in sorted(prompts.items(), key=lambda one: (-one[1], one[0]))]


def unread_expectations(suite: Suite) -> list[tuple[str, int]]:
    """Count the prompts whose expectation no measure of the suite reads, by its keys."""
    read = {
        key
        for prefix, keys in _READERS.items()
        if any(measure.startswith(prefix) for measure in suite.measures)
        for key in keys
    }
    unread: Counter[str] = Counter()
    for prompt in suite.prompts:
        keys = [key for key, value in (prompt.expect or {}).items() if value not in (None, (), [])]
        if keys and not read.intersection(keys) and "custom" not in keys and "family" not in keys:
            unread[", ".join(sorted(keys))] += 1
    return unread.most_common()


def near_duplicates(suite: Suite) -> list[tuple[str, str]]:
    """List pairs of prompts that are alike but for case and signs, or for a word in ten.

    A prompt and its own translation, of one label ``base`` and two languages, are no such pair.
    """
    words = [frozenset(re.findall(r"\w+", prompt.text.casefold())) for prompt in suite.prompts]
    texts = [" ".join(re.findall(r"\w+", prompt.text.casefold())) for prompt in suite.prompts]
    starts = [(prompt.image, prompt.video, prompt.use, prompt.clip) for prompt in suite.prompts]
    first: dict[tuple[str, object], int] = {}
    pairs: list[tuple[str, str]] = []
    for k, text in enumerate(texts):
        other = first.setdefault((text, str(starts[k])), k)
        if other != k and not _translations(suite.prompts[other], suite.prompts[k]):
            pairs.append((suite.prompts[other].text, suite.prompts[k].text))
    if len(words) <= _MOST:
        for k, one in enumerate(words):
            for j in range(k + 1, len(words)):
                two = words[j]
                if starts[j] != starts[k] or texts[j] == texts[k]:
                    continue
                if _translations(suite.prompts[k], suite.prompts[j]):
                    continue
                if len(one & two) >= _LIKE * len(one | two) > 0:
                    pairs.append((suite.prompts[k].text, suite.prompts[j].text))
    return pairs


def _translations(one: Prompt, two: Prompt) -> bool:
    base = one.label("base")
    return base is not None and base == two.label("base") and one.label("language") != two.label("language")


def flagged_prompts(suite: Suite) -> list[Prompt]:
    """List the prompts that the packaged filter ``ngram`` flags, without those that are meant to be."""
    from ...safety.prompts import load_classifier

    plain = [prompt for prompt in suite.prompts if "red-team" not in prompt.tags]
    if not plain:
        return []
    classifier = load_classifier("ngram")
    judged = classifier.classify([prompt.text for prompt in plain])
    return [
        prompt
        for prompt, score in zip(plain, judged.score, strict=True)
        if float(score) >= classifier.threshold
    ]


@dataclass(frozen=True)
class SuiteDifference:
    """What two suites do not share.

    Attributes:
        settings: name, and its value in each.
        removed, added: texts of prompts in one of them alone.
        changed: texts of prompts whose tags, labels, expectation, start, seeds or clip differ.
        same: number of prompts that are the same.
    """

    settings: tuple[tuple[str, str, str], ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    same: int


def difference(one: Suite, two: Suite) -> SuiteDifference:
    """Compare two suites, prompt by prompt."""
    skipped = {"prompts", "templates"}
    before, after = (suite.model_dump(mode="json", exclude=skipped) for suite in (one, two))
    for fields, suite in ((before, one), (after, two)):
        fields |= {"purpose": None} if suite.purpose is None else _of_purpose(suite.purpose)
    settings = tuple(
        (key, _shown(before.get(key)), _shown(after.get(key)))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    )
    mine, yours = (_by_start(suite.prompts) for suite in (one, two))
    shared = [key for key in mine if key in yours]
    changed = [key for key in shared if mine[key] != yours[key]]
    return SuiteDifference(
        settings,
        tuple(key[0] for key in mine if key not in yours),
        tuple(key[0] for key in yours if key not in mine),
        tuple(key[0] for key in changed),
        len(shared) - len(changed),
    )


def _of_purpose(purpose: Purpose) -> dict[str, str]:
    """Write a purpose as settings in plain words: its use, and a line for each thing that is asked for."""
    lines = {
        f"asks for {one.what}": f"{', '.join(one.by)}, {one.how}" if one.by else NOT_MEASURED
        for one in purpose.asks
    }
    return {"purpose": purpose.use, **lines}


def _by_start(prompts: Iterable[Prompt]) -> dict[tuple[str, str], Prompt]:
    return {(p.text, str((p.image, p.video, p.use, p.video_to))): p for p in prompts}


def _shown(value: object) -> str:
    if value is None:
        return ""
    text = (
        ", ".join(map(str, value))
        if isinstance(value, Sequence) and not isinstance(value, str)
        else str(value)
    )
    return text if len(text) <= 200 else f"{text[:197]}..."
