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

from ..harness.core.counts import counted
from ..harness.core.text import well_formed
from . import charts
from .heatmap import heat_css

__all__ = ["render_page", "render_view"]

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, context: Mapping[str, Any]) -> str:
    """Render a template; every value is escaped, and halves of surrogate pairs are replaced."""
    early = 'document.documentElement.classList.add("js");'
    script = (_TEMPLATES / "report.js").read_text("utf-8")
    loads = "img-src data:; media-src data:; form-action 'none'"
    return _render(template, context, loads, script, early)


def render_view(template: str, context: Mapping[str, Any]) -> str:
    """Render a page that `view` serves: it plays clips and asks for progress at its own address alone."""
    script = (_TEMPLATES / "view.js").read_text("utf-8")
    loads = "img-src data:; media-src 'self'; connect-src 'self'; form-action 'self'"
    return _render(template, context, loads, script, "")


def _render(template: str, context: Mapping[str, Any], loads: str, script: str, early: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    marks: dict[str, Any] = {"style_of": charts.run_style, "mark_of": charts.run_mark, "counted": counted}
    environment.globals.update(marks)
    style = charts.palette_css() + heat_css() + (_TEMPLATES / "report.css").read_text("utf-8")
    scripts = " ".join(_hash(text) for text in (early, script) if text)
    policy = f"default-src 'none'; {loads}; base-uri 'none'; style-src {_hash(style)}; script-src {scripts}"
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
