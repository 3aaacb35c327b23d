"""The model card of a prompt filter as a page, for people: the authors it has not seen come first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ...harness.core.templates import render_markdown
from ..harms import TAXONOMY_IDS

__all__ = ["BLIND_SPOTS", "NAME_LIMITS", "TEXT_LIMITS", "card_page"]

_TEMPLATE: Final = Path(__file__).parent.parent / "data" / "prompt_filter_card.md.j2"

NAME_LIMITS: Mapping[str, str] = {
    "likeness of a real person": "A name decides, not a tone: `names` or an entity model (`entities:MODEL`) "
    "reads it, `ngram` and `minilm` do not. Whether the person agreed, and a likeness that is described but "
    "not named, no reader of text knows.",
    "politics (deceptive civic content)": "`names` tells that politicians, parties, offices or elections are "
    "named. Whether the footage is meant to pass as true, or is satire or news, is not in the text.",
    "trademarks": "`names` and an entity model tell brands that are named. Whether the picture suggests an "
    "endorsement, and logos that come without being asked for, only the frames show.",
    "protected works": "`names` tells listed works and characters. A work that is described but not named, "
    "and how near the picture comes to it, the text does not tell.",
    "misinformation": "Cannot be judged from text alone, by any reader here: whether a statement is false "
    "depends on the world, and what a clip is passed off as depends on its use.",
    "defamation": "Cannot be judged from text alone, by any reader here: `names` tells that a person is "
    "named, not whether what is shown of them is false or harms them.",
}
"""What of the categories that hang on names can be judged from text alone, and by which reader."""

TEXT_LIMITS: Mapping[str, str] = {
    "sexual": "Words tell open requests. Nude art, medicine and innuendo read alike, and a harmless text "
    "(people on a beach, a coded word) can give a nude picture: only the frames say so.",
    "violence": "Words tell attacks that are named. Whether a fight is play, sport, history or an assault, "
    "and what ketchup or red paint stands for, the picture decides.",
    "gore": "Words tell wounds and blood that are named; how much is shown is the generator's choice.",
    "disturbing": "What shocks is often style and not content (an artist's name, a mood); a text that "
    "names neither reads as art.",
    "hate": "Words tell contempt that is said. Stereotypes by who is shown doing what, and symbols in the "
    "picture, are in no single word.",
    "self-harm": "Words tell acts that are named. Sorrow, illness and acts that are hinted at read alike.",
    "crime": "Words tell crimes that are named. A lawful act and a crime can have the same words (a man "
    "opens a window at night).",
    **NAME_LIMITS,
}
"""What of a category can and cannot be judged from the text alone."""

BLIND_SPOTS = (
    "English only; other languages and translated prompts are close to unread.",
    "Gore and most scenes of crime come from our own descriptions, all by one hand; of gore only 21 prompts "
    "are by others.",
    "Prompts of I2P are labelled by what one model drew of them and by the word that they were found by, so "
    "many that are called harmful read as art: numbers on them are a lower end.",
    "Prompts written to look harmless while their pictures are not, as the table of rewritings shows.",
    "Chat questions about crime and violence whose words are harmless one by one.",
    "Over-refusal on XSTest: no prompt of it was trained on, but groups of our harmless questions follow the "
    "kinds that its paper describes (homonyms, figures of speech, safe targets, history, fiction, "
    "definitions), so the rate holds for known kinds of look-alikes.",
    "Words that are lost: letters left out or swapped in every word, words run together, other tenses and "
    "roles, as the table of disguises shows.",
    "A phrase said over and over: `ngram` counts it each time, and from some sixteen times on may flag a "
    "harmless one.",
    "Harm that only a sequence shows: each sentence innocent, the whole not.",
    "Words, not intent: news, medicine and history about a harm score higher than plain scenes.",
    "Probabilities hold for the mix of harmful and benign prompts that the card names; with another mix, "
    "calibrate again.",
    "Penalties, widths and weights were picked by the numbers with authors held out, though never by a "
    "held-out prompt, so the numbers are a little kind. None of these authors writes prompts for video "
    "generators to break them: expect less on such.",
)


def card_page(card: Mapping[str, Any]) -> str:
    """Write the card as Markdown."""
    held: Mapping[str, Any] = card["author_held_out"]
    return render_markdown(
        _TEMPLATE,
        card=card,
        held=held,
        text_limits=TEXT_LIMITS,
        authors=sorted({author for of in held.values() for author in of["calibration"]["ece_by_author"]}),
        trained={category for ids in TAXONOMY_IDS.values() for category in ids},
    )
