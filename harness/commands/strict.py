"""Commands in which an option that takes one value may be given once."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from ..core.errors import UsageError

__all__ = ["StrictCommand", "make_strict"]


class StrictCommand(TyperCommand):
    """Refuse an option that is given twice, where the last one would silently win."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as ever, after a look at what was given twice.

        Raises:
            UsageError: an option with one value has two.
        """
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        once = [p for p in given if not getattr(p, "multiple", False) and not getattr(p, "is_flag", False)]
        twice = next((p for p in once if once.count(p) > 1), None)
        if twice is not None:
            raise UsageError(f"{twice.opts[0]} is given more than once, and takes one value; give it once")
        return super().parse_args(ctx, args)


def make_strict(app: typer.Typer) -> None:
    """Let all commands of an application, and of those within it, be strict."""
    for command in app.registered_commands:
        command.cls = StrictCommand
    for group in app.registered_groups:
        if group.typer_instance is not None:
            make_strict(group.typer_instance)
