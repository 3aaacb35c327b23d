"""The command `train`: the reference generator, its encoders and prompt filters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError, unknown_name
from ..core.presentation import MISSING, Table
from .options import AsJson, extra_options, print_table, say

if TYPE_CHECKING:
    from ..core.config import Config

__all__ = ["train"]

_FILTERS = ("prompt-filter", "prompt-stack")


def train(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            help="vae, text, dit, refiner, clip, subject, hazard, video, prompt-filter or prompt-stack."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the checkpoints; the same command resumes.")
    ] = None,
    settings: Annotated[bool, typer.Option("--settings", help="List the settings and do not train.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a part of the reference generator, an encoder, a prompt filter or a stack of filters.

    Every setting is an option, such as --steps 100; --settings lists them.
    """
    if settings:
        print_table(_settings_table(what, _settings_of(what)), as_json)
        return
    given = extra_options(context.args)
    if out is None:
        raise UsageError(f"name a folder with --out for what 'train {what}' writes")
    if what == "prompt-filter":
        from ...safety.assessment import Assessed
        from ...safety.training.card_suites import SUITES
        from ...safety.training.prompt_filter import train_prompt_filter
        from ..suite_loading import labelled_suite, load_suite

        suites = [Assessed(suite.name, *labelled_suite(suite)) for suite in map(load_suite, SUITES)]
        train_prompt_filter(out, given, suites)
        say(f"card: {out / 'CARD.md'}")
    elif what == "prompt-stack":
        from ...safety.training.prompt_stack import train_prompt_stack

        say(f"classifier: {train_prompt_stack(out, given)}")
    else:
        from ...generators.reference import train as train_reference

        _known(what)
        say(f"checkpoint: {train_reference(what, out=out, overrides=given)}")


def _known(what: str) -> None:
    from ...generators.reference import TRAINABLE

    if what not in (*TRAINABLE, *_FILTERS):
        raise unknown_name("thing to train", what, (*TRAINABLE, *_FILTERS))


def _settings_of(what: str) -> type[Config]:
    """Return the settings model for training ``what``."""
    _known(what)
    if what == "prompt-filter":
        from ...safety.training.settings import PromptFilterSettings

        return PromptFilterSettings
    if what == "prompt-stack":
        from ...safety.training.prompt_stack import StackSettings

        return StackSettings
    from ...generators.reference.training.trainable import settings_of

    return settings_of(what)


def _settings_table(what: str, model: type[Config]) -> Table:
    rows = [
        (
            f"--{name.replace('_', '-')}",
            "required" if field.is_required() else str(field.get_default(call_default_factory=True)),
            _about(model, name),
        )
        for name, field in model.model_fields.items()
    ]
    return Table(f"settings of 'screentest train {what}'", ("setting", "default", "about"), rows)


def _about(model: type[Config], name: str) -> str:
    """Find the description of a setting, which may be in a base class."""
    for kind in model.__mro__:
        field = getattr(kind, "model_fields", {}).get(name)
        if field is not None and field.description:
            return field.description
    return MISSING
