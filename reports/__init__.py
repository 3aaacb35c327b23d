"""Reports: one self-contained HTML page about one or several runs."""

from __future__ import annotations

from .build import ReportOptions, build_report

__all__ = ["ReportOptions", "build_report"]
