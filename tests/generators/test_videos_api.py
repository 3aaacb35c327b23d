"""Servers with the ``/v1/videos`` protocol, against a local one that fails as it is told to."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from screentest.generators import Failure, NotApplicable, Output, Refusal, VideoFile, make_generator
from screentest.generators.job_runner import run_jobs
from screentest.generators.job_steps import JobResult
from screentest.generators.videos_api import VideosApiGenerator, make_videos_api
from screentest.harness.core.errors import ScreentestError, UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import open_clip
from screentest.harness.run_folder.jobs import JobJournal

_spec = importlib.util.spec_from_file_location("video_service", Path(__file__).with_name("video_service.py"))
assert _spec is not None
assert _spec.loader is not None
video_service: Any = importlib.util.module_from_spec(_spec)
sys.modules["video_service"] = video_service
_spec.loader.exec_module(video_service)
Fault = video_service.Fault
VideoService = video_service.VideoService

CLIP = ClipSettings(frames=6, height=32, width=40, fps=8)
SECRET = "sk-very-secret-7c1"
FAST = "poll=0.01"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return video_service.video_bytes(tmp_path_factory.mktemp("video"))


@pytest.fixture
def start(video: bytes) -> Iterator[Callable[..., Any]]:
    """Start a service; it is stopped after the test."""
    open_services: list[Any] = []

    def one(server: str = "sglang") -> Any:
        context = video_service.serve(VideoService(server), video)
        open_services.append(context)
        return context.__enter__()

    yield one
    for context in open_services:
        context.__exit__(None, None, None)


def generator(service: Any, options: str = "", server: str | None = None) -> VideosApiGenerator:
    base = f"base={service.url},server={server or service.server},{FAST},{options}".rstrip(",")
    made = make_videos_api(f"{video_service.MODEL}?{base}")
    made.first_wait_s = 0.01
    return made


def short(how: str) -> str:
    """Shorten the time limit of a request where the test waits for its end."""
    return "timeout=2," if how == "hang" else ""


def items(*prompts: str, seeds: int = 1, **more: Any) -> list[Item]:
    return [make_item(text, seed, CLIP, **more) for text in prompts for seed in range(seeds)]


def run(made: VideosApiGenerator, asked: list[Item], folder: Path) -> dict[str, JobResult]:
    """Run jobs as a run does, with the journal in ``folder``; files are read before they are deleted."""
    folder.mkdir(exist_ok=True)
    journal = JobJournal(folder, "plan")
    place = folder / "files"
    results: dict[str, JobResult] = {}
    for result in run_jobs(made, asked, journal, place):
        if isinstance(result.output, VideoFile):
            assert open_clip(result.output.path).info.width == 40
        if result.final:
            journal.over(result.attempt, result.account)
        results[f"{result.item.prompt}/{result.item.seed}"] = result
    return results


def only(results: dict[str, JobResult]) -> JobResult:
    (result,) = results.values()
    return result


def failed(output: Output) -> str:
    assert isinstance(output, Failure)
    return output.reason


# -- requests


@pytest.mark.parametrize("server", ["openai", "sglang", "vllm-omni", "dynamo"])
def test_each_server_gets_a_request_that_it_reads(server, start, tmp_path):
    service = start(server)
    made = generator(service, "negative=blur,steps=9" if server != "openai" else "")
    result = only(run(made, items("a cat"), tmp_path))
    assert isinstance(result.output, VideoFile)
    (sent,) = service.creates
    assert sent.path == "/v1/videos"
    assert sent.fields["prompt"] == "a cat"
    assert sent.fields["size"] == "40x32"
    if server == "openai":
        assert sent.fields["seconds"] == "1"
        return
    more = sent.fields["nvext"] if server == "dynamo" else sent.fields
    values = {name: int(more[name]) for name in ("num_frames", "fps", "seed", "num_inference_steps")}
    assert values == {"num_frames": 6, "fps": 8, "seed": 0, "num_inference_steps": 9}
    assert more["negative_prompt"] == "blur"


@pytest.mark.parametrize("server", ["openai", "sglang", "vllm-omni"])
def test_an_image_goes_with_the_request(server, start, tmp_path):
    image = tmp_path / "first.png"
    image.write_bytes(b"a picture")
    service = start(server)
    result = only(run(generator(service), items("it moves", image=str(image)), tmp_path))
    assert isinstance(result.output, VideoFile)
    assert service.creates[0].files == {"input_reference": b"a picture"}


@pytest.mark.parametrize(("use", "path"), [("extend", "extensions"), ("edit", "edits")])
def test_a_video_is_extended_and_edited_where_the_protocol_has_it(use, path, start, tmp_path):
    start_from = tmp_path / "before.mp4"
    start_from.write_bytes(b"a video")
    service = start("openai")
    asked = items("it goes on", video=str(start_from), use=use)
    made = generator(service)
    assert made.check(asked) is not None
    assert isinstance(only(run(made, asked, tmp_path)).output, VideoFile)
    assert service.creates[0].path == f"/v1/videos/{path}"
    assert service.creates[0].files == {"video": b"a video"}
    unable = only(run(generator(service, server="sglang"), asked, tmp_path / "other")).output
    assert isinstance(unable, NotApplicable)
    assert unable.reason.endswith(f"cannot start a clip from a video ({use})")
    assert len(service.creates) == 1


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_the_official_client_asks_the_same_server_for_the_same(start):
    openai = pytest.importorskip("openai")
    service = start("openai")
    client = openai.OpenAI(api_key=SECRET, base_url=service.url, max_retries=0)
    video = client.videos.create(model=video_service.MODEL, prompt="a cat", size="40x32", seconds="1")
    while (status := client.videos.retrieve(video.id).status) != "completed":
        assert status in ("queued", "in_progress")
    assert client.videos.download_content(video.id).read()[4:8] == b"ftyp"
    theirs = service.creates[0]
    client.close()
    generator(service).submit(items("a cat")[0], "key")
    ours = service.creates[1]
    assert (ours.method, ours.path, ours.fields) == (theirs.method, theirs.path, theirs.fields)


def test_the_identity_lists_what_changes_a_clip_and_nothing_else(start):
    service = start()
    one = generator(service, 'steps=9,extra=[{"flow_shift": 3}]')
    assert one.identity() == {
        "kind": "videos-api",
        "version": 1,
        "model": "toy-video",
        "endpoint": service.url,
        "server": "sglang",
        "steps": 9,
        "extra": {"flow_shift": 3},
    }
    assert generator(
        service, "parallel=9,wait=5,patience=2,uncertain=resubmit,usd_per_second=1"
    ).identity() == (generator(service).identity())
    moved = generator(service, "deployment=cluster").identity()
    assert moved["endpoint"] == "cluster"


# -- jobs


def test_several_jobs_run_at_once_and_no_more_than_asked(start, tmp_path):
    service = start()
    service.polls = 6
    results = run(generator(service, "parallel=3"), items("a", "b", "c", seeds=3), tmp_path)
    assert all(isinstance(result.output, VideoFile) for result in results.values())
    assert service.most_at_once == 3
    assert set(service.made().values()) == {1}
    assert len(service.made()) == 9


@pytest.mark.parametrize(
    ("fault", "declined"),
    [
        (Fault(429, headers=(("Retry-After", "0.2"),)), "HTTP 429"),
        (Fault(429), "HTTP 429"),
        (Fault(503), "HTTP 503"),
    ],
)
def test_a_rate_limit_is_waited_for(fault, declined, start, tmp_path):
    service = start()
    service.faults["create"].extend([fault, fault])
    began = time.monotonic()
    result = only(run(generator(service), items("a cat"), tmp_path))
    waited = time.monotonic() - began
    assert isinstance(result.output, VideoFile)
    assert waited >= (0.4 if fault.headers else 0.03)
    assert sum(service.made().values()) == 1
    steps = [json.loads(line) for line in (tmp_path / "jobs.jsonl").read_text().splitlines()]
    assert [step["declined"] for step in steps if "declined" in step] == [declined] * 2
    assert len({sent.idempotency for sent in service.creates}) == 1


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault(500), "it answered HTTP 500"),
        (Fault(502), "it answered HTTP 502"),
        (Fault(how="hang"), "it did not answer within 2 s"),
        (Fault(how="reset"), "its answer was lost"),
        (Fault(how="lost"), "its answer was lost"),
        (Fault(how="garbage"), "its answer is not a JSON object"),
    ],
)
def test_a_job_whose_answer_is_lost_is_uncertain_and_not_submitted_again(fault, why, start, tmp_path):
    service = start()
    service.faults["create"].append(fault)
    made = generator(service, short(fault.how))
    result = only(run(made, items("a cat"), tmp_path))
    assert failed(result.output).startswith(
        "it is uncertain whether the service took this item's job: " + why
    )
    assert not result.final
    assert len(service.creates) == 1
    # Neither a run that resumes nor a retry submits it; only the user's word does.
    again = only(run(made, items("a cat"), tmp_path))
    assert "it is uncertain" in failed(again.output)
    assert len(service.creates) == 1
    resubmitted = only(run(generator(service, "uncertain=resubmit"), items("a cat"), tmp_path))
    assert isinstance(resubmitted.output, VideoFile)
    assert len(service.creates) == 2


@pytest.mark.parametrize("how", ["hang", "reset", "lost"])
def test_a_server_that_honours_keys_is_asked_again_and_makes_one_job(how, start, tmp_path):
    service = start()
    service.honours_keys = True
    service.faults["create"].append(Fault(how=how))
    result = only(run(generator(service, f"{short(how)}idempotent=yes"), items("a cat"), tmp_path))
    assert isinstance(result.output, VideoFile)
    assert len(service.creates) == 2
    assert sum(service.made().values()) == 1


@pytest.mark.parametrize(
    "fault", [Fault(500), Fault(429), Fault(404), Fault(how="hang"), Fault(how="reset"), Fault(how="garbage")]
)
def test_a_status_that_cannot_be_had_is_asked_for_again(fault, start, tmp_path):
    service = start()
    service.faults["status"].extend([fault, fault])
    result = only(run(generator(service, short(fault.how)), items("a cat"), tmp_path))
    assert isinstance(result.output, VideoFile)
    assert len(service.creates) == 1


@pytest.mark.parametrize("how", ["cut", "long", "short", "text", "junk", "empty", "hang", "reset"])
def test_a_file_that_is_no_whole_video_is_downloaded_again(how, start, tmp_path):
    service = start()
    service.faults["content"].extend([Fault(how=how)])
    result = only(run(generator(service, short(how)), items("a cat"), tmp_path))
    assert isinstance(result.output, VideoFile)
    assert len(service.creates) == 1


def test_a_file_that_is_never_a_video_fails_and_is_fetched_later_without_a_new_job(start, tmp_path):
    service = start()
    service.faults["content"].extend([Fault(how="junk")] * 5)
    result = only(run(generator(service), items("a cat"), tmp_path))
    assert "could not be fetched in 5 attempts (last: what the service sent is not a whole video" in failed(
        result.output
    )
    assert isinstance(only(run(generator(service), items("a cat"), tmp_path)).output, VideoFile)
    assert len(service.creates) == 1


def test_a_job_that_the_service_lost_is_said_to_be(start, tmp_path):
    service = start()
    service.forgotten = True
    result = only(run(generator(service), items("a cat"), tmp_path))
    assert failed(result.output) == (
        "the service no longer knows the job video_0; --retry-failed submits anew"
    )
    assert len(service.creates) == 1


def test_two_items_with_one_job_do_not_share_its_clip(start, tmp_path):
    service = start()
    run(generator(service), items("a cat"), tmp_path)
    service.faults["create"].append(Fault(how="twice"))
    result = only(run(generator(service), items("a dog"), tmp_path))
    assert failed(result.output).startswith("the service gave the job video_0 to two items")


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        ({"code": "moderation_blocked", "message": "not this"}, True),
        ({"code": "content_policy_violation", "message": "not this"}, True),
        ({"type": "safety_error", "code": "blocked", "message": "not this"}, True),
        ({"code": "out_of_memory", "message": "the safety checker could not be loaded"}, False),
        ({"message": "CUDA out of memory"}, False),
    ],
)
def test_moderation_is_a_refusal_and_another_error_is_not(error, refused, start, tmp_path):
    service = start()
    service.outcomes["later"] = error
    service.faults["create"].append(Fault(400, error=error))
    made = generator(service, "parallel=1")
    at_once = only(run(made, items("at once"), tmp_path)).output
    later = only(run(made, items("later"), tmp_path)).output
    for output in (at_once, later):
        assert isinstance(output, Refusal if refused else Failure)
        assert isinstance(output, Refusal | Failure)
        assert error["message"] in output.reason


# -- what ends the run


def test_a_service_that_is_down_ends_the_run_in_one_sentence_and_it_resumes(start, tmp_path):
    service = start()
    service.polls = 3
    service.faults["status"].extend([Fault(503)] * 500)
    made = generator(service, "patience=0.5,parallel=2")
    with pytest.raises(
        ScreentestError, match=r"has not taken or answered a request for .*\(last: HTTP 503\)"
    ):
        run(made, items("a", "b", "c"), tmp_path)
    taken = len(service.creates)
    assert 1 <= taken <= 3
    service.faults["status"].clear()
    results = run(generator(service), items("a", "b", "c"), tmp_path)
    assert all(isinstance(result.output, VideoFile) for result in results.values())
    assert set(service.made().values()) == {1}


def test_nothing_listens_at_the_address(tmp_path):
    made = make_videos_api(f"m?base=http://127.0.0.1:9/v1,server=sglang,patience=0.2,{FAST}")
    made.first_wait_s = 0.01
    with pytest.raises(
        ScreentestError, match=r"last: no connection \(ConnectError\).*the same command goes on"
    ):
        run(made, items("a cat"), tmp_path)


def test_a_wait_without_end_is_not_waited_for(start, tmp_path):
    service = start()
    service.faults["create"].append(Fault(429, headers=(("Retry-After", "86400"),)))
    with pytest.raises(ScreentestError, match="asks for a wait of 86400 s"):
        run(generator(service), items("a cat"), tmp_path)
    assert isinstance(only(run(generator(service), items("a cat"), tmp_path)).output, VideoFile)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(401), r"refuses the key \(HTTP 401\)"),
        (Fault(404), r"knows no such address or model \(HTTP 404: toy: as told\)"),
        (Fault(402), "no credit or quota left"),
        (Fault(429, error={"code": "insufficient_quota", "message": "pay"}), "no credit or quota left"),
        (Fault(how="away", to="http://example.org/v1/videos"), "redirects to http://example.org/v1/videos"),
    ],
)
def test_what_concerns_every_item_ends_the_run(fault, sentence, start, tmp_path):
    service = start()
    service.faults["create"].append(fault)
    with pytest.raises(ScreentestError, match=sentence):
        run(generator(service), items("a cat"), tmp_path)
    # It was turned down, so the next run submits it.
    assert isinstance(only(run(generator(service), items("a cat"), tmp_path)).output, VideoFile)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("", "name the model after the colon"),
        ("m", "has no address; give base="),
        ("m?base=ftp://x", "should be a plain address"),
        ("m?base=http://user:s3cret@host/v1", "should be a plain address"),
        ("m?base=http://h/v1,servr=sglang", "did you mean 'server'"),
        ("m?base=http://h/v1,size=big", "size"),
        ("m?base=http://h/v1,extra=[1]", "JSON object"),
        (
            "m?base=http://h/v1,key_env=NOT_SET_AT_ALL",
            "environment variable NOT_SET_AT_ALL, which is not set",
        ),
    ],
)
def test_a_wrong_spec_gets_one_sentence(spec, sentence, monkeypatch):
    monkeypatch.delenv("SCREENTEST_VIDEOS_URL", raising=False)
    with pytest.raises(UsageError, match=sentence) as caught:
        make_generator(f"videos-api:{spec}")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value).replace(spec, "")


def test_the_address_can_come_from_the_environment(start, monkeypatch, tmp_path):
    service = start()
    monkeypatch.setenv("SCREENTEST_VIDEOS_URL", service.url)
    made = make_generator(f"videos-api:{video_service.MODEL}?server=sglang,{FAST}")
    assert isinstance(made, VideosApiGenerator)
    assert isinstance(only(run(made, items("a cat"), tmp_path)).output, VideoFile)


# -- the key


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TOY_KEY", SECRET)
    return "key_env=TOY_KEY"


def test_the_key_is_sent_to_the_service_and_written_nowhere(start, key, tmp_path):
    service = start()
    told = {"code": "x", "message": f"wrong with Bearer {SECRET} and {SECRET}"}
    service.faults["create"].append(Fault(400, error=told))
    service.outcomes["b"] = told
    results = run(generator(service, f"{key},parallel=1"), items("a", "b", "c"), tmp_path)
    assert {sent.key for sent in service.requests} == {f"Bearer {SECRET}"}
    assert "[key]" in failed(results["a/0"].output)
    for result in results.values():
        assert SECRET not in repr(result)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()


def test_no_key_is_sent_where_none_is_set(start, tmp_path, monkeypatch):
    monkeypatch.delenv("SCREENTEST_VIDEOS_KEY", raising=False)
    service = start()
    run(generator(service), items("a cat"), tmp_path)
    assert {sent.key for sent in service.requests} == {None}


def test_a_redirect_to_another_origin_gets_the_file_and_not_the_key(start, key, tmp_path):
    service, other = start(), start()
    elsewhere = other.url.replace("/v1", "/elsewhere.mp4")
    service.faults["content"].append(Fault(how="away", to=elsewhere))
    assert isinstance(only(run(generator(service, key), items("a cat"), tmp_path)).output, VideoFile)
    assert [(sent.path, sent.key) for sent in other.requests] == [("/elsewhere.mp4", None)]


def test_a_status_that_redirects_to_another_origin_ends_the_run(start, key, tmp_path):
    service, other = start(), start()
    service.faults["status"].append(Fault(how="away", to=f"{other.url}/videos/video_0"))
    with pytest.raises(UsageError, match="redirects to"):
        run(generator(service, key), items("a cat"), tmp_path)
    assert other.requests == []


# -- the cost


def test_cost_time_and_quota_are_in_the_journal(start, tmp_path):
    service = start()
    service.more = {"seconds": "2", "inference_time_s": 3.5, "usage": {"credits": 7}}
    service.headers = {"X-RateLimit-Remaining-Requests": "41"}
    run(generator(service, "usd_per_second=0.1"), items("a cat"), tmp_path)
    over = json.loads((tmp_path / "jobs.jsonl").read_text().splitlines()[-1])
    assert {name: over[name] for name in ("usd", "service_seconds", "usage", "quota")} == {
        "usd": 0.2,
        "service_seconds": 3.5,
        "usage": {"credits": 7},
        "quota": {"x-ratelimit-remaining-requests": "41"},
    }
    (warning,) = generator(service, "usd_per_second=0.1").check(items("a", "b"))
    assert warning == "the service's 2 clips cost about 0.15 USD by usd_per_second"


def test_the_example_of_a_service_of_ones_own_runs_as_it_is_written(code_blocks, tmp_path, video):
    from types import SimpleNamespace

    from screentest.generators import GENERATORS

    made: dict[str, Path] = {}

    def save(job: str, path: Path) -> bool:
        path.write_bytes(video)
        return bool(made.setdefault(job, path))

    studio = SimpleNamespace(
        create=lambda prompt, seed, key: f"{prompt} {seed}", done=lambda job: True, save=save
    )
    (source,) = code_blocks("services.md", "python")
    names: dict[str, Any] = {"studio": studio, "__name__": "studio_plugin"}
    try:
        exec(compile(source, "services.md", "exec"), names)
        made_by = make_generator("studio:one")
    finally:
        GENERATORS._entries.pop("studio", None)
    assert isinstance(only(run(made_by, items("a cat"), tmp_path)).output, VideoFile)
    assert list(made) == ["a cat 0"]
