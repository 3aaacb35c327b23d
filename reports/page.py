"""Render a page from a template: one HTML file with its style and script inside, which loads nothing else.

Its content security policy allows only its own style and scripts, by their hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..harness.core.text import well_formed
from . import charts
from .heatmap import heat_css

__all__ = ["render_page"]

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, context: Mapping[str, Any]) -> str:
    """Render a template; every value is escaped, and halves of surrogate pairs are replaced."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(style_of=charts.run_style, mark_of=charts.run_mark)
    style = charts.palette_css() + heat_css() + (_TEMPLATES / "report.css").read_text("utf-8")
    script = (_TEMPLATES / "report.js").read_text("utf-8")
    early = 'document.documentElement.classList.add("js");'
    policy = (
        "default-src 'none'; img-src data:; media-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {_hash(style)}; script-src {_hash(early)} {_hash(script)}"
    )
    inlined = {
        "style": Markup(style),
        "script": Markup(script),
        "early": Markup(early),
        "policy": Markup(policy),
    }
    # Old runs may hold halves of pairs, which no file can.
    return well_formed(environment.get_template(template).render(**context, **inlined))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
