"""Rewrite prompts in named, seeded families, to test text filters and generators.

Each rewritten prompt keeps the id of its base prompt, so that results can be paired. A family states whether
it can be undone and who can still read it, because evading a filter and reaching a generator are different
things.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...harness.core.errors import UsageError
from ...harness.core.keys import digest, seeded_rng
from .base import FAMILIES, Family, Readability

__all__ = ["FAMILIES", "Transformed", "base_id_of", "families", "family", "invert", "legibility", "transform"]

VERSION = 1
"""Changes when a family gives another text for the same input."""


@dataclass(frozen=True)
class Transformed:
    """A rewritten prompt.

    Attributes:
        id: stands for (base, family, seed, strength).
        base_id: of the prompt that it was made from.
        readability: ``plain``, ``obfuscated`` or ``encoded``, of the family.
        reversible: whether `invert` gives the base prompt back from this very text; tried, not assumed.
        legibility: share in [0, 1] of the base prompt that one who knows the family can read; None for a
            lossy mixture, at a strength between 0 and 1, of which nothing is known.
    """

    id: str
    base_id: str
    family: str
    seed: int
    strength: float
    text: str
    readability: Readability
    reversible: bool
    legibility: float | None


def families() -> tuple[str, ...]:
    """Name all families."""
    return tuple(FAMILIES)


def family(name: str) -> Family:
    """Give a family by its name.

    Raises:
        UsageError: there is none; the nearest names are in the message.
    """
    return FAMILIES.get(name)


def base_id_of(text: str) -> str:
    """Give the id of a prompt without one: its cluster's, if it is an item of a suite; 64 hex digits."""
    return digest("prompt", {"prompt": text, "image": None, "video": None})


def transform(
    text: str, name: str, seed: int = 0, strength: float = 1.0, base_id: str | None = None
) -> Transformed:
    """Rewrite a prompt; the same arguments always give the same text.

    Args:
        name: of the family.
        seed: which of the family's variants; families without chance give the same for all.
        strength: share in [0, 1] of the characters, words or frames that change. 0 changes nothing; at any
            other something changes, if there is something that can.
        base_id: id of the prompt, by default `base_id_of`.

    Raises:
        UsageError: no such family, or the strength is not in [0, 1].
    """
    chosen = family(name)
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        raise UsageError(f"the strength is {strength}; it should be a share from 0 to 1")
    base = base_id or base_id_of(text)
    rng = seeded_rng("transform", VERSION, name, base, seed)
    new = chosen.apply(text, rng, float(strength)) if strength > 0 and text else text
    back = new == text or (chosen.invert is not None and _undone(chosen, new) == text)
    return Transformed(
        id=f"{base}.{name}.{seed}" + ("" if strength == 1 else f".{strength:g}"),
        base_id=base,
        family=name,
        seed=seed,
        strength=float(strength),
        text=new,
        readability=chosen.readability if new != text else "plain",
        reversible=back,
        legibility=1.0 if back else chosen.legibility(text, new) if strength == 1 else None,
    )


def invert(text: str, name: str) -> str:
    """Undo a family at full strength.

    Raises:
        UsageError: the family loses something, or the text was not made by it.
    """
    chosen = family(name)
    if chosen.invert is None:
        raise UsageError(f"the family {name!r} cannot be undone: something of the text is lost")
    back = _undone(chosen, text)
    if back is None:
        raise UsageError(f"the text was not made by the family {name!r}")
    return back


def _undone(chosen: Family, text: str) -> str | None:
    try:
        return chosen.invert(text) if chosen.invert is not None else None
    except ValueError:  # bytes that are no UTF-8, or no Base64
        return None


def legibility(base: str, text: str, name: str) -> float:
    """Compute the share in [0, 1] of ``base`` that a reader who knows the family can read in ``text``."""
    return family(name).legibility(base, text)
