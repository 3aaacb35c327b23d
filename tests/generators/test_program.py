"""Programs of the user: what they say comes back, and whatever they started ends with them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from screentest.generators.program import Program


def python(text: str, *, stay: bool = False) -> Program:
    return Program([sys.executable, "-c", text], stay=stay)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ends(pid: int) -> bool:
    """Whether a process is gone within 5 s: a signal takes effect when the process is next run."""
    for _ in range(50):
        if not alive(pid):
            return True
        time.sleep(0.1)
    return False


def test_the_last_line_the_exit_code_and_the_end_of_stderr_come_back():
    ended = python(
        "import sys; print('step 1'); print(input()[::-1]); sys.stderr.write('x' * 1000 + ' the end')\n"
        "sys.exit(5)"
    ).ask("abc", 20)
    assert (ended.answer, ended.code, ended.problem) == ("cba", 5, "")
    assert ended.errors.startswith("...xx")
    assert ended.errors.endswith(" the end")


def test_a_line_is_all_the_input_and_keeps_its_characters():
    ended = python("import sys; sys.stdin.reconfigure(encoding='utf-8'); print(len(sys.stdin.read()))").ask(
        "b\N{LATIN SMALL LETTER E WITH ACUTE}te", 20
    )
    assert ended.answer == "5"


@pytest.mark.parametrize("stay", [False, True])
@pytest.mark.parametrize("stubborn", [False, True])
def test_at_the_time_limit_the_whole_group_ends(tmp_path, stay, stubborn, monkeypatch):
    monkeypatch.setattr("screentest.generators.program._GRACE_S", 0.3)
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if stubborn else ""
    child = f"{ignore}import time; open({str(tmp_path / 'ready')!r}, 'w').close(); time.sleep(60)"
    text = (
        f"{ignore}import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "print('loading', file=sys.stderr, flush=True)\n"
        "time.sleep(60)"
    )
    ended = python(text, stay=stay).ask("{}", 6)
    assert ended.problem == "time"
    assert ended.errors == "loading"
    assert (tmp_path / "ready").exists()
    assert ends(int((tmp_path / "pid").read_text()))


def test_what_a_program_leaves_behind_ends_with_it_and_does_not_hold_the_answer(tmp_path):
    text = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "print('done')"
    )
    began = time.monotonic()
    assert python(text).ask("{}", 30).answer == "done"
    assert time.monotonic() - began < 20
    assert ends(int((tmp_path / "pid").read_text()))


def test_a_program_that_stays_is_one_process_and_other_lines_are_passed_over():
    program = python(
        "import os\nwhile True:\n  input(); print('loading 10 %'); print('{', os.getpid(), '}', flush=True)",
        stay=True,
    )
    answers = [program.ask("{}", 20).answer for _ in range(3)]
    assert len(set(answers)) == 1
    pid = int(answers[0].split()[1])
    assert alive(pid)
    del program
    assert ends(pid)


def test_a_program_that_ends_is_started_anew():
    program = python("input(); import sys; sys.exit(4)", stay=True)
    assert [program.ask("{}", 20).code for _ in range(2)] == [4, 4]
    silent = python("input()", stay=True).ask("{}", 20)
    assert silent.problem == "the program that should stay ended, or closed its output, without an answer"


def test_a_signal_is_a_negative_code():
    assert python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").ask("{}", 20).code == -11


def test_an_interrupt_ends_the_program(tmp_path, monkeypatch):
    program = python(f"import time; open({str(tmp_path / 'up')!r}, 'w').close(); time.sleep(60)", stay=True)
    seen: list[int] = []

    def interrupted(process: object, deadline: float) -> str:
        while not (tmp_path / "up").exists():
            time.sleep(0.05)
        seen.append(process.pid)  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "_read_line", interrupted)
    with pytest.raises(KeyboardInterrupt):
        program.ask("{}", 20)
    assert ends(seen[0])


def test_a_program_that_cannot_be_run_says_why(tmp_path):
    file = tmp_path / "broken"
    file.write_bytes(b"\x7fELF not one")
    file.chmod(0o755)
    ended = Program([str(file)], stay=False).ask("{}", 5)
    assert ended.problem.startswith("the program could not be run: ")
    assert os.fspath(file) not in ended.problem
