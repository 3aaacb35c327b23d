"""A program as a generator: each end of it is one outcome, and its identity is what it is made of."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from screentest.generators import Failure, NotApplicable, Output, Refusal, VideoFile, make_generator
from screentest.generators.base import answers
from screentest.generators.command import CommandGenerator, CommandOptions, make_command
from screentest.harness.core.errors import UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import open_clip

CLIP = ClipSettings(frames=4, height=32, width=48, fps=8)
HEAD = "import json, sys; item = json.loads(sys.stdin.readline()); path = item['output']\n"


def an_item(**more: Any) -> Item:
    return make_item("a red ball \N{SNOWMAN}", 3, CLIP, **more)


def frames_of(path: Path) -> NDArray[np.uint8]:
    return np.concatenate([window.frames_THWC for window in open_clip(path).windows()])


def program(folder: Path, text: str, name: str = "make.py") -> Path:
    path = folder / name
    path.write_text(HEAD + text)
    return path


def run_it(folder: Path, text: str, **options: Any) -> Output:
    words = [sys.executable, str(program(folder, text))]
    (output,) = CommandGenerator(words, CommandOptions(**options)).generate([an_item()])
    return output


def test_the_program_reads_all_that_is_asked_for(tmp_path):
    words = [sys.executable, str(program(tmp_path, "open(path, 'w').write(json.dumps(item))"))]
    generator = CommandGenerator(words, CommandOptions.model_validate({"starts": "any"}))
    item = an_item(video="a.mp4", use="edit", strength=0.5)
    (output,) = generator.generate([item])
    assert isinstance(output, VideoFile)
    assert json.loads(output.path.read_text()) == {
        "protocol": 1,
        "id": item.id,
        "prompt": "a red ball \N{SNOWMAN}",
        "seed": 3,
        "clip": {"frames": 4, "height": 32, "width": 48, "fps": 8.0},
        "image": None,
        "video": str(Path("a.mp4").absolute()),
        "video_to": None,
        "use": "edit",
        "strength": 0.5,
        "output": str(output.path),
    }


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("open(path, 'w').write('x')", VideoFile, ""),
        ("open(path, 'w').write('x'); print('a line'); print('{\"status\": \"ok\"}')", VideoFile, ""),
        ('print(\'{"status": "refused", "reason": "no weapons"}\')', Refusal, "no weapons"),
        (
            'print(\'{"status": "refused"}\'); sys.exit(1)',
            Refusal,
            "the program refuses, and gives no reason",
        ),
        ("sys.stderr.write('no weapons'); sys.exit(77)", Refusal, "no weapons"),
        ('print(\'{"status": "not_applicable", "reason": "no portrait"}\')', NotApplicable, "no portrait"),
        ('print(\'{"status": "failed", "reason": "no memory"}\')', Failure, "no memory"),
        ("pass", Failure, "the program ended well and wrote no file to the path 'output'"),
        (
            'print(\'{"status": "ok"}\')',
            Failure,
            "the program ended well and wrote no file to the path 'output'",
        ),
        ("open(path, 'w')", Failure, "the program wrote an empty file"),
        (
            "sys.stderr.write('broken'); sys.exit(3)",
            Failure,
            "the program ended with exit code 3; it said: broken",
        ),
        ("open(path, 'w').write('x'); sys.exit(3)", Failure, "the program ended with exit code 3"),
        ("open(path, 'w').write('x'); print('{\"status\": \"ok\"}'); sys.exit(3)", Failure, "exit code 3"),
        ("import os; os.abort()", Failure, "the program was killed by signal 6"),
        ("print('{not json')", Failure, "the program's answer '{not json' is not JSON: "),
        ('print(\'{"status": "okay"}\')', Failure, "with a 'status' (ok, refused, failed, not_applicable)"),
        ('print(\'{"status": "failed", "reason": 5}\')', Failure, "and a 'reason' in words"),
    ],
)
def test_each_end_is_one_outcome(tmp_path, text, kind, reason):
    output = run_it(tmp_path, text)
    assert type(output) is kind
    if not isinstance(output, VideoFile):
        assert reason in output.reason  # type: ignore[union-attr]
        assert "\n" not in output.reason  # type: ignore[union-attr]


def test_a_hung_program_is_a_failure_that_says_how_far_it_came(tmp_path):
    output = run_it(
        tmp_path,
        "sys.stderr.write('step 3 of 50'); sys.stderr.flush(); import time; time.sleep(60)",
        timeout=4,
    )
    assert output == Failure("the program did not end within 4 s and was stopped; it said: step 3 of 50")


def test_a_program_that_stays_is_asked_line_by_line(tmp_path):
    text = (
        "import os\nwhile item:\n"
        "  open(item['output'], 'w').write(str(os.getpid()))\n"
        '  print(\'{"status": "ok"}\', flush=True)\n'
        "  line = sys.stdin.readline(); item = json.loads(line) if line else None"
    )
    words = [sys.executable, str(program(tmp_path, text))]
    generator = CommandGenerator(words, CommandOptions(stay=True))
    outputs = generator.generate([make_item("a", seed, CLIP) for seed in range(3)])
    written = {output.path.read_text() for output in outputs if isinstance(output, VideoFile)}
    assert len(outputs) == 3
    assert len(written) == 1


def test_items_that_start_from_something_else_do_not_reach_it(tmp_path):
    words = [sys.executable, str(program(tmp_path, "open(path, 'w').write('x')"))]
    generator = CommandGenerator(words, CommandOptions.model_validate({"starts": "image"}))
    image, edit = answers(generator, [an_item(image="a.png"), an_item(video="a.mp4", use="edit")])
    assert isinstance(image, VideoFile)
    assert isinstance(edit, NotApplicable)


def test_an_edited_file_and_a_declared_version_change_the_identity_and_a_path_does_not(tmp_path, monkeypatch):
    path = program(tmp_path, "pass")
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"one")

    def identity(words: str, **options: Any) -> Any:
        return CommandGenerator(shlex.split(words), CommandOptions(**options)).identity()

    plain = identity(f"python3 {path} --weights={weights}")
    assert identity("python3 make.py --weights=weights.bin") == plain
    assert identity("python3 make.py --weights=weights.bin", timeout=5) == plain
    assert identity("python3 make.py --weights=weights.bin", version="2") != plain
    assert identity("python3 make.py --weights=weights.bin --fast") != plain
    weights.write_bytes(b"two")
    other = identity("python3 make.py --weights=weights.bin")
    assert other != plain
    program(tmp_path, "path")
    assert identity("python3 make.py --weights=weights.bin") != other


def test_a_program_of_which_nothing_is_known_is_warned_of():
    assert "nothing tells when true changes" in CommandGenerator(["true"]).check([])[0]
    assert CommandGenerator(["true"], CommandOptions(version="2")).check([]) == []
    assert CommandGenerator(["true", __file__]).check([]) == []


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("", "name the program after the colon"),
        ("no-such-program --x", "there is no program 'no-such-program' here or on the PATH"),
        ("python3 nofile.py", "there is no file nofile.py; name the script by its path from /"),
        ("python3 -u {folder}/nofile.sh --steps 3", "there is no file /.*/nofile.sh"),
        ("env A=1 python3 nofile.py", "there is no file nofile.py"),
        ("{folder}/plain.txt", "plain.txt cannot be executed; run 'chmod"),
        ("python3 'open", "the words of the command cannot be told apart"),
        ("python3?tiemout=3", "did you mean 'timeout'"),
        ("python3?timeout=0", "timeout: it should be more than 0"),
        ("python3?starts=imge", "unknown start 'imge'; did you mean 'image'"),
        ("python3?suffix=.txt", "suffix: it should be one of"),
    ],
)
def test_a_wrong_spec_is_one_sentence(tmp_path, argument, sentence):
    (tmp_path / "plain.txt").write_text("x")
    with pytest.raises(UsageError, match=sentence) as caught:
        make_command(argument.format(folder=tmp_path), "cpu", "float32")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        "sh -c 'cd elsewhere && python3 nofile.py'",
        "bash -lc './nofile.sh'",
        "env ssh gpu python3 nofile.py",
        "env docker run -i image python3 nofile.py",
        "python3 -c pass --write=nofile.py https://example.org/nofile.py notes.txt",
        f"python3 {__file__}",
    ],
)
def test_arguments_that_name_no_script_here_are_left_to_the_program(words):
    assert make_command(words, "cpu", "float32").spec == f"command:{words}"


def test_no_shell_reads_the_words(tmp_path):
    path = program(tmp_path, "open(path, 'w').write(' '.join(sys.argv[1:]))")
    generator = make_generator(f"command:{sys.executable} {path} '$HOME;' '|' *?version=1")
    (output,) = generator.generate([an_item()])
    assert isinstance(output, VideoFile)
    assert output.path.read_text() == "$HOME; | *"


def test_the_examples_of_the_page_run_as_they_stand(tmp_path, monkeypatch, code_blocks, capsys):
    from screentest.harness.commands.main import run_cli
    from screentest.harness.run_folder.store import open_run

    drawing, staying = code_blocks("command.md", "python")
    (suite,) = code_blocks("command.md", "yaml")
    (shell,) = code_blocks("command.md", "")
    monkeypatch.chdir(tmp_path)
    Path("ball.py").write_text(drawing)
    Path("stay.py").write_text(staying)
    Path("balls.yaml").write_text(suite)
    command = shlex.split(shell)
    assert command[:2] == ["screentest", "run"]
    assert run_cli([*command[1:], "--tracking-uri", "none"]) == 0, capsys.readouterr().err
    store = open_run(Path("runs/balls"))
    records = list(store.clips().values())
    assert [record.outcome for record in records] == ["ok"] * 4 + ["refused"] * 2
    assert {record.reason for record in records} == {"", "no weapons"}
    frames = frames_of(store.clip_file(records[0]))
    assert frames.shape == (16, 64, 64, 3)
    assert frames[0, ..., 0].astype(int).max() > frames[0, ..., 2].astype(int).min() + 100  # a red ball
    capsys.readouterr()
    words = [
        "run",
        "--suite",
        "balls.yaml",
        "--generator",
        "command:python stay.py?stay=yes",
        "--out",
        "stay",
    ]
    assert run_cli([*words, "--tracking-uri", "none"]) == 0
    store = open_run(Path("stay"))
    scores = [score for score in store.scores() if score.measure == "motion.flicker"]
    assert [score.status for score in scores] == ["ok"] * 6  # none is blank
    records = list(store.clips().values())
    assert [record.outcome for record in records] == ["ok"] * 6
    assert len({record.sha256 for record in records}) == 6  # another prompt or seed is another clip
    for record in records:
        frames = frames_of(store.clip_file(record)).astype(int)
        assert frames.shape == (16, 64, 64, 3)
        assert abs(frames[-1] - frames[0]).max() > 50  # it moves
