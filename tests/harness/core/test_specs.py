"""The one grammar of specs."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screentest.harness.core import specs
from screentest.harness.core.config import Config
from screentest.harness.core.errors import UsageError
from screentest.harness.core.specs import (
    Spec,
    parse_argument,
    parse_options,
    parse_pair,
    parse_pairs,
    parse_wrapped,
    split_kind,
    split_nouns,
    split_revision,
)


class Settings(Config):
    steps: int = 25
    solver: str = "euler"


def test_the_examples_of_the_module_hold():
    found = doctest.testmod(specs)
    assert found.attempted > 5
    assert found.failed == 0


@pytest.mark.parametrize(
    ("spec", "kind", "rest"),
    [
        ("reference:base?steps=5", "reference", "base?steps=5"),
        ("reference?steps=5", "reference", "?steps=5"),
        ("folder:/a:b?c", "folder", "/a:b?c"),
        ("guarded:[reference:a]?frame=b", "guarded", "[reference:a]?frame=b"),
        ("", "", ""),
    ],
)
def test_a_kind_ends_at_the_colon_or_where_options_begin(spec, kind, rest):
    assert split_kind(spec) == (kind, rest)


@pytest.mark.parametrize(
    ("text", "path", "argument", "options"),
    [
        ("base", False, "base", {}),
        ("", False, "", {}),
        ("base?steps=5,solver=heun", False, "base", {"steps": "5", "solver": "heun"}),
        ("base?steps=5&solver=heun", False, "base", {"steps": "5", "solver": "heun"}),
        ("/videos?/a?b", True, "/videos?/a?b", {}),
        ("/videos?/a?b=c", True, "/videos?/a", {"b": "c"}),
        ("[/videos?a=b]", True, "/videos?a=b", {}),
        ("[a:[b:c?d=e]?f=g]?h=i", False, "a:[b:c?d=e]?f=g", {"h": "i"}),
        ("a?b=x[0]", False, "a", {"b": "x[0]"}),
        ("a?b=c=d", False, "a", {"b": "c=d"}),
    ],
)
def test_an_argument_and_its_options(text, path, argument, options):
    spec = parse_argument(text, path=path)
    assert (spec.argument, spec.options) == (argument, options)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a?b", "'b' should be name=value"),
        ("a?", "'' should be name=value"),
        ("a?b=", "'b=' should be name=value"),
        ("a?b=1,b=2", "'b=2' should be name=value, once"),
        ("[a", "not closed"),
        ("a?b=[c,d", "not closed"),
        ("[a]b", "follows the bracket"),
        ("a?b=[c]d", "a comma should follow"),
    ],
)
def test_mistakes_are_one_sentence_that_names_the_spec(text, sentence):
    with pytest.raises(UsageError) as error:
        parse_argument(text, "--generator toy:a")
    assert sentence in str(error.value)
    assert str(error.value).startswith("--generator toy:a: ")
    assert "\n" not in str(error.value)


def test_options_are_read_as_settings():
    assert parse_argument("base?steps=5", "toy").settings(Settings) == Settings(steps=5)
    with pytest.raises(UsageError, match=r"^toy: unknown key 'stesp'; did you mean 'steps'\?$"):
        parse_argument("base?stesp=5", "toy").settings(Settings)
    with pytest.raises(UsageError, match=r"^toy: steps: it should be a whole number"):
        parse_argument("base?steps=few", "toy").settings(Settings)


def test_a_kind_without_options_refuses_them():
    assert parse_argument("/a", "folder:/a").without_options() == "/a"
    with pytest.raises(UsageError, match=r"folder:/a\?fps=3 takes no options; leave out 'fps'"):
        parse_argument("/a?fps=3", "folder:/a?fps=3", path=True).without_options()


def test_the_short_form_of_a_wrapper_is_the_long_one():
    kinds = ("folder", "reference")
    short = parse_wrapped("prompt=a,frame=b:c:reference:x?steps=2", kinds, "guarded", what="", example="")
    long = parse_wrapped("[reference:x?steps=2]?prompt=a,frame=[b:c]", kinds, "guarded", what="", example="")
    assert short == long == Spec("reference:x?steps=2", {"prompt": "a", "frame": "b:c"}, "guarded")
    with pytest.raises(
        UsageError, match=r"guarded:x names no generator; give one \(kinds: folder, reference\)"
    ):
        parse_wrapped("prompt=a", kinds, "guarded:x", what="generator", example="give one")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("a/b#ball", "a/b?nouns=ball"),
        ("a/b#ball,gray wall@0.3", "a/b?nouns=[ball,gray wall],score=0.3"),
        ("a/b+c/d#ball", "a/b?nouns=ball,masks=c/d"),
    ],
)
def test_the_short_form_of_nouns_is_the_long_one(short, long):
    assert split_nouns(short, "tracks") == split_nouns(long, "tracks")


def test_a_folder_may_have_a_plus_sign(tmp_path):
    (tmp_path / "a+b").mkdir()
    assert split_nouns(f"{tmp_path / 'a+b'}#ball", "tracks").argument == str(tmp_path / "a+b")


def test_revisions():
    assert split_revision("org/model@v1") == ("org/model", "v1")
    assert split_revision("org/model") == ("org/model", None)


def test_pairs():
    assert parse_pair("csv=a=b.csv", "the source", "KIND=FILE", "x=y") == ("csv", "a=b.csv")
    assert parse_pairs(["a=1", "b=2"], "--fix", "NAME=VALUE", "a=1") == {"a": "1", "b": "2"}
    with pytest.raises(UsageError, match=r"--fix 'a' should be NAME=VALUE, for example color=red"):
        parse_pair("a", "--fix", "NAME=VALUE", "color=red")
    with pytest.raises(UsageError, match="--fix names 'a' twice; give it once"):
        parse_pairs(["a=1", "a=2"], "--fix", "NAME=VALUE", "a=1")


@given(
    st.text(st.characters(blacklist_characters="[]", blacklist_categories=["Cs"]), min_size=1),
    st.dictionaries(
        st.from_regex(r"[a-z_]+", fullmatch=True),
        st.text(st.characters(blacklist_characters="[]", blacklist_categories=["Cs"]), min_size=1),
    ),
)
def test_anything_can_be_said_in_brackets(argument, options):
    text = f"[{argument}]" + ("?" if options else "") + ",".join(f"{k}=[{v}]" for k, v in options.items())
    spec = parse_argument(text)
    assert (spec.argument, spec.options) == (argument, options)


def test_options_alone():
    assert parse_options("text=a b,label=c") == {"text": "a b", "label": "c"}
