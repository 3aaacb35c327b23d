"""A generator that is given longer prompts: ``expanded:[SPEC]?by=expansions.yaml``.

``by`` names a file that ``screentest expand`` wrote, or a function from text to text: ``file.py:name``. The
items keep their ids, prompts and seeds, so that a run compares with one of the generator alone pair by pair;
measures read the prompt that was asked for. What the generator was given is stored with each item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field

from ..harness.core.config import Config
from ..harness.core.counts import counted
from ..harness.core.errors import UsageError
from ..harness.core.keys import digest, file_sha256
from ..harness.core.source_files import run_file
from .base import Generator, Output
from .expansions import Expander, FunctionExpander, read_expansions
from .identity import identity_of
from .wrapper import Wrap, Wrapper, WrapperKind

if TYPE_CHECKING:
    from ..harness.core.items import Item
    from ..harness.core.keys import Json
    from ..metrics.encoders.base import EncoderOptions

__all__ = ["EXPANDED", "ExpandedGenerator", "ExpandedOptions", "expander_of"]

_VERSION = 1


class ExpandedOptions(Config):
    """What expands the prompts."""

    by: str = Field(min_length=1, description="a file of 'screentest expand', or file.py:name of a function")


class ExpandedGenerator(Wrapper):
    """Give the inner generator other prompts.

    Args:
        inner: the generator.
        texts: prompt -> text, None where the prompt is used as it is, and other prompts are refused; or a
            function.
        about: what made the texts, for the identity.
    """

    def __init__(
        self,
        inner: Generator,
        texts: Mapping[str, str | None] | Expander,
        about: Mapping[str, Json],
        spec: str = "",
    ) -> None:
        super().__init__(inner, spec or f"expanded:{inner.spec}")
        self._texts, self._about = texts, about
        self._known: dict[str, str] = {}

    def identity(self) -> Mapping[str, Json]:
        """List the generator's own identity, and what expands the prompts."""
        inner = dict(identity_of(self.inner))
        return {"kind": "expanded", "version": _VERSION, "inner": inner, "by": dict(self._about)}

    def check(self, items: Sequence[Item]) -> list[str]:
        """Run the generator's checks on what it is given, and tell which prompts are not expanded.

        Raises:
            UsageError: the file lacks prompts, or the generator refuses what it is given.
        """
        prompts = list(dict.fromkeys(item.prompt for item in items if item.prompt is not None))
        warnings: list[str] = []
        if isinstance(self._texts, Mapping):
            missing = [prompt for prompt in prompts if prompt not in self._texts]
            if missing:
                raise UsageError(
                    f"the file of {self.spec} has no expansion of {len(missing)} of "
                    f"{counted(len(prompts), 'prompt')}; 'screentest expand' with the same file adds them"
                )
            bare = sum(self._texts[prompt] is None for prompt in prompts)
            if bare:
                warnings.append(
                    f"used as they are, without an expansion: {bare} of {counted(len(prompts), 'prompt')}"
                )
        return [*warnings, *self.inner.check([self.asked(item) for item in items])]

    def asked(self, item: Item) -> Item:
        """Return an item with the prompt that the generator is given."""
        if item.prompt is None:
            return item
        if item.prompt not in self._known:
            found = self._texts
            text = found.get(item.prompt) if isinstance(found, Mapping) else found(item.prompt)
            self._known[item.prompt] = text or item.prompt
        return replace(item, prompt=self._known[item.prompt])

    def after(self, item: Item, output: Output, folder: Path) -> Output:
        """Leave an output as it is."""
        del item, folder
        return output


def expander_of(source: str, whose: str) -> FunctionExpander:
    """Make an expander from ``file.py:name``.

    Raises:
        UsageError: there is no such file or function.
    """
    place, _, name = source.rpartition(":")
    if not place.endswith(".py") or not name:
        raise UsageError(
            f"{whose} {source!r} should be a .yaml file of 'screentest expand', or file.py:name of a function"
        )
    path = Path(place).expanduser()
    function = getattr(run_file(path, "expansion"), name, None)
    if not callable(function):
        raise UsageError(f"there is no function {name!r} in {path}")
    about: dict[str, Json] = {"kind": "function", "name": name, "source": file_sha256(path)}
    return FunctionExpander(function, about)


def _prepare(options: ExpandedOptions, whose: str, where: EncoderOptions) -> Wrap:
    """Read the file, or load the function.

    Raises:
        UsageError: it is neither.
    """
    del where
    if options.by.endswith((".yaml", ".yml")):
        made = read_expansions(Path(options.by).expanduser())
        about: dict[str, Json] = {**made.by, "texts": digest("expansions", made.expansions)}
        return lambda inner, spec: ExpandedGenerator(inner, made.expansions, about, spec)
    by = expander_of(options.by, whose)
    return lambda inner, spec: ExpandedGenerator(inner, by, by.identity(), spec)


EXPANDED: Final = WrapperKind(
    "expanded",
    ExpandedOptions,
    "give one in brackets, expanded:[SPEC]?by=expansions.yaml",
    _prepare,
    "says not by what to expand prompts; write expanded:[SPEC]?by=FILE, a file of 'screentest expand'",
)
