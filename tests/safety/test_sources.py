"""Loaders of prompt files: what labels say, what they leave unknown, and what is wrong with a file."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from screentest.harness.core.errors import UsageError
from screentest.safety.sources import (
    ColumnMap,
    PromptSource,
    ailuminate,
    csv_prompts,
    hatecheck,
    openai_samples,
    prompt_lines,
    t2vsafetybench,
    xstest,
)
from screentest.safety.taxonomy import load_taxonomy

PUBLIC = Path(__file__).parents[2].parent / "shared/data"
needs_public_data = pytest.mark.skipif(
    not PUBLIC.is_dir(), reason="there are no public data files beside the checkout"
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


Write = Callable[[str, str | bytes], Path]


def test_ailuminate_tells_of_one_hazard(write: Write) -> None:
    path = write(
        "a.csv", 'release_prompt_id,prompt_text,hazard\nx1,"a text, with a comma",spc_fin\nx2,two,hte\n'
    )
    first, second = ailuminate(path)
    assert (first.id, first.text, first.unsafe) == ("x1", "a text, with a comma", True)
    assert first.categories["spc"] is True
    assert second.categories["hte"] is True
    assert second.categories["spc"] is None
    assert set(first.categories) == set(load_taxonomy().ids)
    assert first.labels == {"hazard": "spc_fin"}
    assert first.licence == "CC-BY-4.0"


def test_xstest_knows_safe_prompts_whole_and_unsafe_ones_in_part(write: Write) -> None:
    path = write("x.csv", "id,prompt,type,label\n1,dim the lights,homonyms,safe\n2,other,contrast,unsafe\n")
    safe, unsafe = xstest(path)
    assert (set(safe.categories.values()), safe.unsafe) == ({False}, False)
    assert (set(unsafe.categories.values()), unsafe.unsafe) == ({None}, True)


def test_hatecheck_tells_of_hate_alone(write: Write) -> None:
    rows = "case_id,test_case,functionality,label_gold\n1,one,f,hateful\n2,two,g,non-hateful\n"
    hateful, other = hatecheck(write("h.csv", rows))
    assert (hateful.categories["hte"], hateful.unsafe) == (True, True)
    assert (other.categories["hte"], other.categories["vcr"], other.unsafe) == (False, None, None)


def test_a_missing_label_is_unknown_and_not_zero(write: Write) -> None:
    full = dict.fromkeys(("S", "H", "V", "HR", "SH", "S3", "H2", "V2"), 0)
    rows = [{"prompt": "a", **full}, {"prompt": "b", "S": 0}, {"prompt": "c", "V": 1}, {"prompt": "d"}]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    for path in (write("o.jsonl", lines), write("o.jsonl.gz", gzip.compress(lines))):
        none, some, violent, unlabelled = openai_samples(path)
        assert (none.unsafe, none.categories["sxc"], none.categories["hte"]) == (False, False, False)
        assert (some.unsafe, some.categories["sxc"], some.categories["hte"]) == (None, False, None)
        assert (violent.unsafe, violent.categories["vcr"]) == (True, True)
        assert set(unlabelled.categories.values()) == {None}
        assert some.labels == {"S": "0"}


def test_lines_of_an_aspect(write: Write) -> None:
    source = t2vsafetybench(write("14.txt", "\ufeffone prompt\n\n  another  \n"))
    first, second = source
    assert (first.text, second.text) == ("one prompt", "another")
    assert first.categories["ctx"] is True
    assert second.id == "14-3"
    unlabelled = next(iter(prompt_lines(write("mine.txt", "one\n"))))
    assert (unlabelled.unsafe, set(unlabelled.categories.values())) == (None, {None})
    assert unlabelled.licence == "unknown"


def test_any_table_by_a_map_of_its_columns(write: Write) -> None:
    path = write("mine.tsv", "nr\tprompt\tharm\n7\thello\tS10\n8\tthere\t\n")
    columns = ColumnMap(
        text="prompt", id="nr", label="harm", scheme="llama-guard", delimiter="\t", licence="MIT"
    )
    labelled, unlabelled = csv_prompts(path, columns)
    assert (labelled.id, labelled.categories["hte"], labelled.licence) == ("7", True, "MIT")
    assert (unlabelled.unsafe, unlabelled.categories["hte"]) == (None, None)
    assert [r.id for r in csv_prompts(path, ColumnMap(text="prompt", delimiter="\t"))] == ["1", "2"]


def test_a_source_is_a_stream_that_can_be_read_again(write: Write) -> None:
    source = prompt_lines(write("p.txt", "one\n"))
    assert list(source) == list(source)
    # sha256 of "one\n", by sha256sum
    assert source.sha256 == "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"
    broken = iter(prompt_lines(write("late.txt", b"fine\n" * 5000 + b"\xff\n")))
    assert next(broken).text == "fine"


def test_a_blank_prompt_is_an_empty_text_and_the_file_goes_on(write: Write) -> None:
    source = xstest(write("blank.csv", "id,prompt,type,label\n1, ,b,safe\n2,a kite,b,safe\n"))
    assert [record.text for record in source] == ["", "a kite"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        ("id,prompt,type,label\n", "holds no prompts"),
        ("id,prompts,type,label\n1,a,b,safe\n", "no column 'prompt'; did you mean 'prompts'"),
        ("id,prompt,type,label\n1,a,b,fine\n", "row 1: label is 'fine'; it should be safe or unsafe"),
        ("id,prompt,type,label\n1,a,b\n", "row 1: 3 cells under 4 column names"),
        ("id,prompt,type,label\n1,\xe9,b,safe\n".encode("latin-1"), "not UTF-8"),
        ('id,prompt,type,label\n1,"a,b,safe\n', "unexpected end of data"),
    ],
)
def test_bad_tables_get_one_sentence(write: Write, content: str | bytes, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        list(xstest(write("bad.csv", content)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("o.jsonl", "{", "line 1 is not JSON"),
        ("o.jsonl", "[1]", "line 1 is not a JSON object"),
        ("o.jsonl", '{"S": 0}', "no text under 'prompt'"),
        ("o.jsonl", '{"prompt": "a", "S": 2}', "the label 'S' is 2"),
        ("o.jsonl", "\n", "holds no prompts"),
        ("o.jsonl.gz", b"not gzip", "Not a gzipped file"),
        ("o.jsonl.gz", gzip.compress(b'{"prompt": "a"}', mtime=0)[:-9], "ended before"),
    ],
)
def test_bad_lines_get_one_sentence(write: Write, name: str, content: str | bytes, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        list(openai_samples(write(name, content)))


def test_bad_arguments_get_one_sentence(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        list(xstest(tmp_path / "none.csv"))
    with pytest.raises(UsageError, match="unknown t2vsafetybench label '15'"):
        t2vsafetybench(write("15.txt", "one\n"))
    with pytest.raises(UsageError, match="needs the scheme"):
        csv_prompts(write("a.csv", "a\n"), ColumnMap(text="a", label="b"))
    with pytest.raises(UsageError, match="a label needs its scheme"):
        prompt_lines(write("a.txt", "a\n"), label="S1")
    with pytest.raises(UsageError, match=r"a\.csv: unknown ailuminate label 'hat'"):
        list(ailuminate(write("a.csv", "release_prompt_id,prompt_text,hazard\n1,a,hat\n")))


@needs_public_data
@pytest.mark.parametrize(
    ("load", "name", "count"),
    [
        (ailuminate, "ailuminate_demo_en_us_without_cse.csv", 1100),
        (hatecheck, "hatecheck.csv", 3728),
        (openai_samples, "openai_moderation_samples.jsonl.gz", 1595),
        (xstest, "xstest.csv", 450),
    ],
)
def test_public_files_are_read_whole(load: Callable[[Path], PromptSource], name: str, count: int) -> None:
    source = load(PUBLIC / name)
    records = list(source)
    assert len(records) == count
    assert len({r.id for r in records}) == count
    digests = dict(line.split()[::-1] for line in (PUBLIC / "SHA256SUMS").read_text().splitlines())
    assert source.sha256 == digests[name]


@needs_public_data
def test_public_counts_are_the_published_ones() -> None:
    hazards = Counter(
        c
        for r in ailuminate(PUBLIC / "ailuminate_demo_en_us_without_cse.csv")
        for c in r.categories
        if r.categories[c]
    )
    assert set(hazards.values()) == {100}
    labels = Counter(r.unsafe for r in xstest(PUBLIC / "xstest.csv"))
    assert labels == {False: 250, True: 200}  # Roettger et al. 2024, section 3
    hate = Counter(r.categories["hte"] for r in hatecheck(PUBLIC / "hatecheck.csv"))
    assert hate == {True: 2563, False: 1165}  # Roettger et al. 2021, table 1
    sexual = Counter(
        r.categories["sxc"] for r in openai_samples(PUBLIC / "openai_moderation_samples.jsonl.gz")
    )
    assert sexual[None] == 1595 - 899  # rows without the key


@pytest.mark.parametrize("name", ["a.csv.gz", "a.txt.gz", "a.jsonl.gz"])
def test_a_small_file_that_unpacks_to_one_long_line_is_refused_before_it_is_held(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("screentest.safety.sources.LONGEST_LINE", 1000)
    path = write(name, gzip.compress(b"prompt\n" + b"x" * 5000 + b"\n"))
    opened = {
        "a.csv.gz": lambda: csv_prompts(path, ColumnMap(text="prompt")),
        "a.txt.gz": lambda: prompt_lines(path),
        "a.jsonl.gz": lambda: openai_samples(write(name, gzip.compress(b"x" * 5000))),
    }[name]
    with pytest.raises(UsageError, match="has a line of more than 1,000 characters"):
        list(opened())
