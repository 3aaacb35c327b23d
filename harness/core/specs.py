"""The grammar of specs, the one-line names of generators, encoders, judges and prompt sets.

::

    SPEC    = KIND [":" ARGUMENT] ["?" OPTION {"," OPTION}]
    OPTION  = NAME "=" VALUE
    PAIR    = NAME "=" REST                 an encoder's role and its source, a kind of file and its path

    reference:base                          a kind and its argument
    reference:safe?steps=50,solver=heun     with options; ``&`` may stand for the comma
    image:org/model@revision                a hub id may end in a revision
    guarded:[reference:base?steps=13]?prompt=minilm,frame=none

An argument or a value that begins with ``[`` ends at the matching bracket, and the text inside is taken
literally. So a spec can be the argument of another, and a value can contain commas. Options begin at the
first question mark; if the argument is a path, at the first one that ``NAME=`` follows. Each kind has a
settings model for its options; an unknown name, or a value of the wrong type, gives an error of one sentence.

Short forms and their long forms:

    guarded:prompt=minilm,frame=none:SPEC   guarded:[SPEC]?prompt=minilm,frame=none
    guarded:SPEC                            guarded:[SPEC], whose options are all those of SPEC
    MODEL+MASKS#ball,gray wall@0.3          MODEL?nouns=[ball,gray wall],masks=MASKS,score=0.3
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .errors import UsageError

if TYPE_CHECKING:
    from .config import Config

__all__ = [
    "Spec",
    "parse_argument",
    "parse_options",
    "parse_pair",
    "parse_pairs",
    "parse_wrapped",
    "split_argument",
    "split_kind",
    "split_nouns",
    "split_revision",
]

M = TypeVar("M", bound="Config")

_QUESTION_MARK = re.compile(r"\?")
_OPTIONS_BEGIN = re.compile(r"\?(?=[A-Za-z_][A-Za-z_0-9]*=)")


@dataclass(frozen=True)
class Spec:
    """A parsed spec, without its kind.

    Attributes:
        argument: without the brackets around it.
        options: name -> value as written, without the brackets around it.
        whose: how messages name the spec, such as ``--generator reference:base``.
    """

    argument: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    whose: str = "the spec"

    def settings(self, model: type[M]) -> M:
        """Read the options as ``model``.

        Raises:
            UsageError: an unknown option (the nearest one is named), or an invalid value.
        """
        from .config import checked  # here, so that commands without settings start fast

        return checked(model, self.options, self.whose)

    def without_options(self) -> str:
        """Return the argument of a kind that takes no options.

        Raises:
            UsageError: there are some.
        """
        if self.options:
            raise UsageError(f"{self.whose} takes no options; leave out {', '.join(map(repr, self.options))}")
        return self.argument


def split_kind(spec: str) -> tuple[str, str]:
    """Split a spec into its kind and what follows it: the argument, the options, or both.

    Example:
        >>> split_kind("reference:base?steps=5"), split_kind("reference?steps=5"), split_kind("folder")
        (('reference', 'base?steps=5'), ('reference', '?steps=5'), ('folder', ''))
    """
    end = next((at for at, sign in enumerate(spec) if sign in ":?"), len(spec))
    return spec[:end], spec[end:].removeprefix(":")


def split_argument(text: str) -> tuple[str, str]:
    """Split a path from the options that follow it; these keep their question mark and are not parsed.

    Example:
        >>> split_argument("out/step-*?steps=5"), split_argument("what?.mp4")
        (('out/step-*', '?steps=5'), ('what?.mp4', ''))
    """
    found = _OPTIONS_BEGIN.search(text)
    return (text, "") if found is None else (text[: found.start()], text[found.start() :])


def parse_argument(text: str, whose: str = "the spec", *, path: bool = False) -> Spec:
    """Parse what follows a kind: ``ARGUMENT?NAME=VALUE,NAME=VALUE``.

    Args:
        text: the argument and options.
        whose: how messages name the spec.
        path: whether the argument may contain question marks.

    Raises:
        UsageError: an option is not ``name=value``, or is given twice, or a bracket is not closed.

    Example:
        >>> parse_argument("[folder:a?b]?frame=none").argument
        'folder:a?b'
    """
    if text.startswith("["):
        end = _closing(text, 0, whose)
        argument, rest = text[1:end], text[end + 1 :]
        if rest and not rest.startswith("?"):
            raise UsageError(
                f"{whose}: {rest!r} follows the bracket; only options can, as in [...]?name=value"
            )
        return Spec(argument, parse_options(rest[1:], whose) if rest else {}, whose)
    found = (_OPTIONS_BEGIN if path else _QUESTION_MARK).search(text)
    if found is None:
        return Spec(text, {}, whose)
    return Spec(text[: found.start()], parse_options(text[found.end() :], whose), whose)


def parse_options(text: str, whose: str = "the spec") -> dict[str, str]:
    """Parse ``name=value`` options separated by commas (or ``&``).

    Raises:
        UsageError: one is not of this form, or a name is given twice, or a bracket is not closed.

    Example:
        >>> parse_options("nouns=[ball,gray wall],score=0.3")
        {'nouns': 'ball,gray wall', 'score': '0.3'}
    """
    options: dict[str, str] = {}
    for part in _parts(text, whose):
        name, equals, value = part.partition("=")
        if not equals or not name or not value or name in options:
            raise UsageError(f"{whose}: {part!r} should be name=value, once, with commas between")
        options[name] = value[1:-1] if value.startswith("[") else value
    return options


def parse_pair(text: str, option: str, form: str, example: str) -> tuple[str, str]:
    """Parse ``NAME=REST``; the rest may contain anything.

    Args:
        option: the command line option, such as ``--encoder``.
        form: the expected form, such as ``ROLE=SOURCE``.

    Raises:
        UsageError: it is of another form.
    """
    name, equals, rest = text.partition("=")
    if not equals or not name or not rest:
        raise UsageError(f"{option} {text!r} should be {form}, for example {example}")
    return name, rest


def parse_pairs(texts: Sequence[str], option: str, form: str, example: str) -> dict[str, str]:
    """Parse several ``NAME=REST``, each name once.

    Raises:
        UsageError: one is of another form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, rest = parse_pair(text, option, form, example)
        if name in found:
            raise UsageError(f"{option} names {name!r} twice; give it once")
        found[name] = rest
    return found


def parse_wrapped(text: str, kinds: Sequence[str], whose: str, *, what: str, example: str) -> Spec:
    """Parse what follows a kind that wraps another spec, in the long or the short form.

    The short form is ``OPTIONS:SPEC``. The inner spec begins at the first of ``kinds`` after a colon, so
    values may contain colons, as in ``frame=image:org/model``.

    Args:
        text: the options and the inner spec.
        kinds: allowed kinds of the inner spec.
        whose: how messages name the whole.
        what: what the inner spec names, for messages.
        example: what to do if there is none, for messages.

    Raises:
        UsageError: there is no spec of these kinds, or the text before it is not options.

    Example:
        >>> text = "prompt=none,frame=image:org/m:folder:clips"
        >>> spec = parse_wrapped(text, ["folder"], "guarded", what="generator", example="give one")
        >>> spec.argument, dict(spec.options)
        ('folder:clips', {'prompt': 'none', 'frame': 'image:org/m'})
    """
    if text.startswith("["):
        return parse_argument(text, whose)
    starts = [0, *(match.end() for match in re.finditer(":", text))]
    start = next((at for at in starts if re.split("[:?]", text[at:], maxsplit=1)[0] in kinds), None)
    if start is None:
        raise UsageError(f"{whose} names no {what}; {example} (kinds: {', '.join(kinds)})")
    options = parse_options(text[: start - 1], whose) if start else {}
    return Spec(text[start:], options, whose)


def split_nouns(source: str, whose: str) -> Spec:
    """Parse a detector and the nouns to detect, in the long form or as ``MODEL+MASKS#NOUNS@SCORE``.

    A folder may have a plus sign in its name.

    Raises:
        UsageError: the options are not ``name=value``.

    Example:
        >>> split_nouns("a/b+c/d#ball,cup@0.25", "it")
        Spec(argument='a/b', options={'nouns': 'ball,cup', 'score': '0.25', 'masks': 'c/d'}, whose='it')
    """
    models, mark, words = source.rpartition("#")
    if not mark:
        return parse_argument(source, whose, path=True)
    nouns, at, score = words.partition("@")
    options = {"nouns": nouns} | ({"score": score} if at else {})
    if "+" in models and not Path(models).expanduser().is_dir():
        models, _, options["masks"] = models.rpartition("+")
    return Spec(models, options, whose)


def split_revision(source: str) -> tuple[str, str | None]:
    """Split a hub id from its revision.

    Example:
        >>> split_revision("org/model@main"), split_revision("org/model")
        (('org/model', 'main'), ('org/model', None))
    """
    repo, _, revision = source.partition("@")
    return repo, revision or None


def _parts(text: str, whose: str) -> list[str]:
    """Split at commas and ampersands, but not within a value in brackets."""
    parts: list[str] = []
    start = at = 0
    while at < len(text):
        if text.startswith("=[", at):
            at = _closing(text, at + 1, whose) + 1
            if at < len(text) and text[at] not in ",&":
                raise UsageError(f"{whose}: a comma should follow {text[start:at]!r}")
        elif text[at] in ",&":
            parts.append(text[start:at])
            start = at = at + 1
        else:
            at += 1
    return [*parts, text[start:]]


def _closing(text: str, start: int, whose: str) -> int:
    """Find the bracket that closes the one at ``start``."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"[": 1, "]": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise UsageError(f"{whose}: the bracket of {text[start:]!r} is not closed; add ']'")
