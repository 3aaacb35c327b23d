"""Markdown for pages that are not ours, such as MLflow's descriptions."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

__all__ = ["plain_markdown", "table_lines"]


def plain_markdown(text: str) -> str:
    r"""Write a text on one line so that Markdown shows it as it is.

    Example:
        >>> plain_markdown("a|b <i>")
        'a\\|b &lt;i&gt;'
    """
    marked = re.sub(r"([\\`*_\[\]|~])", r"\\\1", " ".join(text.split()))
    return html.escape(marked, quote=False)


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a table whose cells are Markdown already, a line a row."""
    lines = [tuple(columns), ("---",) * len(columns), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
