"""The command `expand`: write longer prompts into a file, by a chat model or a function."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.counts import counted
from ..core.errors import UsageError
from ..core.files import check_output
from .options import files_named, refuse_other_ending, say, warn

if TYPE_CHECKING:
    from ...generators.expansions import Expander

__all__ = ["expand"]

URL_VARIABLE = "SCREENTEST_EXPAND_URL"
KEY_VARIABLE = "SCREENTEST_EXPAND_KEY"


def expand(
    prompts: Annotated[str, typer.Argument(help="A suite, or a .txt, .csv or .jsonl file of prompts.")],
    out: Annotated[Path, typer.Option(help="A .yaml file of expansions; one that is there is completed.")],
    model: Annotated[str | None, typer.Option(help="A model with OpenAI's chat protocol.")] = None,
    base: Annotated[str | None, typer.Option(help=f"Its address; by default {URL_VARIABLE}.")] = None,
    key_env: Annotated[
        str | None, typer.Option(help=f"Variable with the key; {KEY_VARIABLE} if it is set.")
    ] = None,
    instruction: Annotated[
        Path | None, typer.Option(help="A text file: what the model is told, instead of the package's words.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="A function instead of a model: file.py:name.")] = None,
) -> None:
    """Write longer prompts into a file, for the generator expanded:[SPEC]?by=FILE."""
    from ...generators.expansions import expand as write
    from ..core.progress import track
    from ..suites.loading import read_prompts

    refuse_other_ending(out)
    check_output("--out", out, [*files_named(prompts), instruction, *files_named(by or "")])
    if (model is None) == (by is None):
        raise UsageError("say what expands the prompts: --model NAME at an address, or --by file.py:name")
    texts = list(dict.fromkeys(text for _, text in read_prompts(prompts)))
    if not texts:
        raise UsageError(f"{prompts} has no prompts to expand")
    expander = _function(by) if by is not None else _chat(model or "", base, key_env, instruction)
    with track("prompts", len(texts)) as ticker:
        made = write(texts, expander, out, ticker.advance)
    bare = sum(made.expansions[text] is None for text in texts)
    if bare:
        warn(f"used as they are, without an expansion: {bare} of {counted(len(texts), 'prompt')}")
    say(f"{counted(len(texts) - bare, 'expansion')}: {out}")


def _function(by: str) -> Expander:
    from ...generators.expanded import expander_of

    return expander_of(by, "--by")


def _chat(model: str, base: str | None, key_env: str | None, instruction: Path | None) -> Expander:
    from ...generators.expansions import INSTRUCTION, ChatExpander
    from ...generators.service import read_key
    from ...generators.service_client import plain_address

    address = base or os.environ.get(URL_VARIABLE, "").strip()
    if not address:
        raise UsageError(f"give the address of the model with --base http://HOST/v1, or set {URL_VARIABLE}")
    try:
        plain = plain_address(address)
    except ValueError as error:
        raise UsageError(f"the address of the model {error}") from None
    try:
        told = INSTRUCTION if instruction is None else instruction.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the instruction {instruction} cannot be read: {error}") from None
    return ChatExpander(model, plain, read_key("expand", key_env, KEY_VARIABLE), told)
