"""Validate the signs of generated physics, and write their card."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from ...harness.core.errors import UsageError
from ...harness.core.files import write_atomic
from .sign_card import SignCard, footage_rows, make_sign_card, run_sign_trial, sign_text, sign_trials
from .trial_log import run_trials

__all__ = ["SIGNS_CARD", "SIGNS_TEXT", "validate_signs"]

SIGNS_CARD: Final = "signs.json"
SIGNS_TEXT: Final = "SIGNS.md"
_LIBRARIES: Final = ("numpy", "opencv-python-headless")


def validate_signs(
    out: Path, *, world: str = "reference", n: int = 12, seed: int = 0, real: Path | None = None
) -> SignCard:
    """Measure the validity card of the signs; write ``out``/signs.json and SIGNS.md.

    Args:
        out: folder; a bench that was interrupted resumes.
        world: whose clips.
        n: clips of each planted fault at each severity, and a third as many lawful ones of each family.
        seed: of the scenes.
        real: a folder of lawful clips, in which false alarms are counted instead of clips of a world.

    Raises:
        UsageError: ``out`` cannot be written, or there is no such world or folder, or nothing in it to read.
    """
    versions = {library: version(library) for library in _LIBRARIES}
    settings: dict[str, Any] = {"versions": versions}
    if real is not None:
        rows = footage_rows(real)
        if not rows:
            raise UsageError(f"{real} has no videos that can be read")
        card = make_sign_card([], settings, rows)
    else:
        settings |= {"world": world, "n": n, "seed": seed}
        trials = sign_trials(world, n, seed)
        made = run_trials(trials, run_sign_trial, out / "signs-trials.jsonl", settings)
        card = make_sign_card(made, settings)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from None
    write_atomic(out / SIGNS_CARD, card.model_dump_json(indent=1) + "\n")
    write_atomic(out / SIGNS_TEXT, sign_text(card))
    return card
