"""The validity card of the skills: what it holds, and its Markdown for readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ...harness.core.config import Config
from ...harness.core.templates import render_markdown
from .skill_card import GROUPS, SkillRow

__all__ = ["SkillsCard", "skills_text"]

_TEMPLATE: Final = Path(__file__).parent / "templates" / "skill_card.md.j2"
_WORDS: Final = {
    "plain": "as the world draws them",
    "degraded": "before other grounds, noisy, coded at crf 28 and resized",
    "reconstructed": "as the reference autoencoder leaves them",
}


class SkillsCard(Config):
    """Rows of `skill_rows`, and the seed, numbers and digests that made them."""

    settings: dict[str, Any]
    rows: tuple[SkillRow, ...]

    def get(self, skill: str, asked: str, looks: str) -> SkillRow | None:
        """Find a row."""
        wanted = (skill, asked, looks)
        return next((row for row in self.rows if (row.skill, row.asked, row.looks) == wanted), None)


def skills_text(card: SkillsCard) -> str:
    """Write the card in Markdown."""
    skills = list(dict.fromkeys(row.skill for row in card.rows))
    rows = [
        (skill, asked, [card.get(skill, asked, looks) for looks in GROUPS])
        for skill in skills
        for asked in ("kept", "turned")
    ]
    return render_markdown(
        _TEMPLATE,
        card=card,
        looks={name: _WORDS[name] for name in GROUPS},
        asked_rows=[row for row in rows if any(_measured(cell) for cell in row[2])],
        any_left_out=any(row.reasons for row in card.rows),
    )


def _measured(row: SkillRow | None) -> bool:
    return row is not None and None not in (row.value, row.low, row.high)
