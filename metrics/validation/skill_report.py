"""The validity card of the skills: what it holds, and its Markdown for readers."""

from __future__ import annotations

from typing import Any, Final

from ...harness.core.config import Config
from .skill_card import GROUPS, SkillRow

__all__ = ["SkillsCard", "skills_text"]

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
    made = card.settings
    skills = list(dict.fromkeys(row.skill for row in card.rows))
    lines = ["| skill | asked | " + " | ".join(GROUPS) + " |", "| --- " * (2 + len(GROUPS)) + "|"]
    for skill in skills:
        for asked in ("kept", "turned"):
            cells = [_cell(card.get(skill, asked, looks)) for looks in GROUPS]
            if any(cells):
                lines.append(f"| {skill} | {asked} | " + " | ".join(cells) + " |")
    left_out = [
        f"- {row.skill}, {row.asked}, {row.looks}: {reason} ({count})"
        for row in card.rows
        for reason, count in row.reasons.items()
    ]
    looks = "; ".join(f"**{name}**: {_WORDS[name]}" for name in GROUPS)
    return f"""# Card of the skills of following a prompt

How often the measures `follows.*` say yes of lawful clips of the reference world, for tracks of the source
`world {made["source"]["version"]}`: by prompts that the clip follows (**kept**; 100 % is right), and by
prompts about the very clip that it does not follow (**turned**: the relation mirrored, the colors swapped,
another number, the other direction; 0 % is right). Written by
`screentest validate --skills --n {made["n"]} --seed {made["seed"]}`; limits `{made["limits"][:12]}`. Wilson
intervals at 95 %, and how many clips.

Looks: {looks}.

{chr(10).join(lines)}

## Left out

{chr(10).join(left_out) or "None."}
"""


def _cell(row: SkillRow | None) -> str:
    if row is None or row.value is None or row.low is None or row.high is None:
        return ""
    return f"{100 * row.value:.1f} % [{100 * row.low:.1f}, {100 * row.high:.1f}] of {row.n}"
