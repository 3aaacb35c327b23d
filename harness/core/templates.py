"""Pages of Markdown from Jinja templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["render_markdown"]


def render_markdown(template: Path, **context: Any) -> str:
    """Fill in a template; a name that it asks for and does not get is an error. The page ends in one newline.

    Nothing is escaped: Markdown is text, and only pages of HTML show words of prompts.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    return environment.get_template(template.name).render(**context).rstrip() + "\n"
