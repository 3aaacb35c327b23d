"""Conditions of the laws: what must be stated of a clip, or seen in it, for a law to apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..base import NotApplicable
from ..expectation import Expectation

__all__ = ["APPLIES_TO", "CONDITIONS", "require"]

CONDITIONS: Final[dict[str, tuple[Callable[[Expectation], bool], str]]] = {
    "no drag": (
        lambda expect: expect.drag is False,
        "it is not stated that nothing slows what moves (drag: false)",
    ),
    "no depth": (
        lambda expect: expect.in_depth is False,
        "it is not stated that nothing comes nearer or goes away (in_depth: false)",
    ),
    "constant light": (
        lambda expect: expect.constant_light is True,
        "it is not stated that the light stays as it is (constant_light: true)",
    ),
    "no others": (
        lambda expect: expect.others == "none",
        "it is not stated that nothing else may be seen (others: none)",
    ),
    "known gravity": (
        lambda expect: expect.gravity is not None,
        "how fast things fall is not stated (gravity)",
    ),
}
"""Name -> whether a prompt's ``expect`` states it, and the reason to give where it does not."""

APPLIES_TO: Final[dict[str, str]] = {
    "gravity": "a free fall of stated gravity, in one plane",
    "inertia": "a uniform motion that nothing slows, in one plane",
    "momentum": "a head-on collision that nothing slows, in one plane",
    "energy": "a head-on collision or a bounce, in one plane",
    "permanence": "any expected object; doubles where nothing else may be seen",
    "continuity": "any expected object",
    "solidity": "a head-on collision, in one plane",
    "rigidity": "objects of a stated shape; their size where nothing comes nearer",
    "color": "any expected object in constant light",
    "causality": "a head-on collision with a target at rest, in one plane",
    "persistence": "an object that is bitten",
    "uninvited": "clips in which nothing else may be seen",
}
"""Law -> the clips that it applies to."""


def require(expect: Expectation, *names: str) -> None:
    """Make sure that conditions are stated.

    Raises:
        NotApplicable: one is not, or the opposite is.
    """
    for name in names:
        holds, reason = CONDITIONS[name]
        if not holds(expect):
            raise NotApplicable(reason)
