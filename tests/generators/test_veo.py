"""Veo, against a local service with the protocols of Google Cloud and of the Gemini API."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from screentest.generators import Failure, NotApplicable, Refusal, VideoFile, make_generator
from screentest.generators.job_runner import run_jobs
from screentest.generators.job_steps import JobResult
from screentest.generators.veo import VeoGenerator, make_veo
from screentest.harness.core.errors import ScreentestError, UsageError
from screentest.harness.core.items import ClipSettings, Item, make_item
from screentest.harness.core.media import open_clip
from screentest.harness.run_folder.jobs import JobJournal


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


veo_service, video_service = load("veo_service"), load("video_service")

CLIP = ClipSettings(frames=12, height=720, width=1280, fps=8)
SECRET = "AIza-very-secret-7c1"
FILTER = "The prompt could not be submitted. It may violate the usage guidelines. Support codes: 29310472"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return video_service.video_bytes(tmp_path_factory.mktemp("video"))


@pytest.fixture
def service(video: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("TOY_KEY", SECRET)
    with veo_service.serve(veo_service.VeoService(), video) as one:
        yield one


def generator(service: Any, door: str, options: str = "") -> VeoGenerator:
    project = "project=toy," if door == "cloud" else ""
    made = make_veo(f"veo-toy?{project}base={service.url},key_env=TOY_KEY,poll=0.01,{options}".rstrip(","))
    made.first_wait_s = 0.01
    return made


def items(*prompts: str, **more: Any) -> list[Item]:
    return [make_item(text, 3, more.pop("clip", CLIP), **more) for text in prompts]


def run(made: VeoGenerator, asked: list[Item], folder: Path) -> JobResult:
    folder.mkdir(exist_ok=True)
    journal = JobJournal(folder, "plan")
    for result in run_jobs(made, asked, journal, folder / "files"):
        if isinstance(result.output, VideoFile):
            assert open_clip(result.output.path).info.width == 40
        if result.final and result.attempt.sent:
            journal.over(result.attempt, result.account)
        return result
    raise AssertionError("no result")


@pytest.mark.parametrize("door", ["cloud", "gemini"])
def test_a_clip_comes_through_either_door(door, service, tmp_path):
    made = generator(service, door, "negative=blur,usd_per_second=0.4")
    assert made.check(items("a cat"))[1:] == [
        "Veo takes whole seconds: clips of 1.5 s are asked for rounded up"
    ]
    result = run(made, items("a cat"), tmp_path)
    assert isinstance(result.output, VideoFile)
    assert result.account["usd"] == 0.8
    (sent,) = service.creates
    assert sent["instances"] == [{"prompt": "a cat"}]
    assert sent["parameters"] == {
        "sampleCount": 1,
        "seed": 3,
        "durationSeconds": 2,
        "aspectRatio": "16:9",
        "resolution": "720p",
        "negativePrompt": "blur",
        **({"generateAudio": False} if door == "cloud" else {}),
    }
    assert {headers["x-goog-api-key"] for _, _, headers, _ in service.requests} == {SECRET}
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]


@pytest.mark.parametrize("door", ["cloud", "gemini"])
def test_an_image_goes_along_and_a_video_where_it_can(door, service, tmp_path):
    start = tmp_path / "start.png"
    start.write_bytes(b"a picture")
    made = generator(service, door)
    assert isinstance(run(made, items("it moves", image=str(start)), tmp_path).output, VideoFile)
    image = service.creates[0]["instances"][0]["image"]
    assert image == {"bytesBase64Encoded": "YSBwaWN0dXJl", "mimeType": "image/png"}
    extended = run(made, items("it goes on", video=str(start)), tmp_path).output
    assert isinstance(extended, VideoFile if door == "cloud" else NotApplicable)


@pytest.mark.parametrize("door", ["cloud", "gemini"])
def test_filters_are_refusals_with_their_reason_and_errors_are_failures(door, service, tmp_path):
    filtered = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["violence. Support codes: 61493863"]}
    response = filtered if door == "cloud" else {"generateVideoResponse": filtered}
    service.answers = {
        "media": {"response": response},
        "late": {"error": {"code": 3, "message": FILTER}},
        "broken": {"error": {"code": 13, "message": "internal error"}},
        "nothing": {"response": {}},
    }
    outputs = {text: run(generator(service, door), items(text), tmp_path).output for text in service.answers}
    service.faults.append((400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": FILTER}}))
    outputs["at once"] = run(generator(service, door), items("at once"), tmp_path).output
    service.faults.append((400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "8 s"}}))
    outputs["wrong"] = run(generator(service, door), items("wrong"), tmp_path).output
    reasons = {text: (type(output), getattr(output, "reason", "")) for text, output in outputs.items()}
    assert reasons == {
        "media": (Refusal, "the service filtered the clip: violence. Support codes: 61493863"),
        "late": (Refusal, f"the service refused: {FILTER}"),
        "at once": (Refusal, f"the service refused: INVALID_ARGUMENT: {FILTER}"),
        "broken": (Failure, "the service could not make the clip: internal error"),
        "nothing": (Failure, "the operation ended without a video, an error or a filter"),
        "wrong": (Failure, "the service could not make the clip: INVALID_ARGUMENT: 8 s"),
    }


def test_a_rate_limit_is_waited_for_and_a_lost_answer_is_uncertain(service, tmp_path):
    limit = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "later"}}
    service.faults.extend([(429, limit), (429, limit)])
    assert isinstance(run(generator(service, "cloud"), items("a cat"), tmp_path).output, VideoFile)
    assert len(service.operations) == 1
    service.faults.append("lost")
    for _ in range(2):
        output = run(generator(service, "cloud"), items("a dog"), tmp_path).output
        assert isinstance(output, Failure)
        assert "it is uncertain whether the service took this item's job" in output.reason
    assert len(service.creates) == 4


def test_an_operation_is_resumed_by_its_name(service, tmp_path):
    service.faults.extend([(200, {"name": "models/veo-toy/operations/0"}), *[(503, {})] * 400])
    with pytest.raises(ScreentestError, match="has not taken or answered a request"):
        run(generator(service, "gemini", "patience=0.3"), items("a cat"), tmp_path)
    service.faults.clear()
    service.operations["models/veo-toy/operations/0"] = {"prompt": "a cat", "polls": 0}
    assert isinstance(run(generator(service, "gemini"), items("a cat"), tmp_path).output, VideoFile)
    assert len(service.creates) == 1


def test_a_file_elsewhere_is_fetched_without_the_key(service, video, tmp_path):
    with veo_service.serve(veo_service.VeoService(), video) as other:
        service.elsewhere = f"{other.url}/files/9"
        assert isinstance(run(generator(service, "gemini"), items("a cat"), tmp_path).output, VideoFile)
        ((_, path, headers, _),) = other.requests
    assert path == "files/9"
    assert "x-goog-api-key" not in {name.lower() for name in headers}


# -- keys and specs


class Credentials:
    """Google credentials whose token ends once."""

    def __init__(self) -> None:
        self.valid = False
        self.token = ""

    def refresh(self, request: object) -> None:
        self.valid, self.token = True, "ya29.toy"


def test_google_cloud_is_asked_with_the_credentials_of_the_machine(service, tmp_path, monkeypatch):
    auth = pytest.importorskip("google.auth")
    monkeypatch.setattr(auth, "default", lambda scopes: (Credentials(), "toy"))
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    made = make_veo("veo-toy?project=toy,poll=0.01")
    assert made.client.base == "https://us-central1-aiplatform.googleapis.com/v1"
    made.client.base = service.url
    assert isinstance(run(made, items("a cat"), tmp_path).output, VideoFile)
    assert {headers["Authorization"] for _, _, headers, _ in service.requests} == {"Bearer ya29.toy"}


def test_a_machine_without_credentials_gets_one_sentence(monkeypatch, tmp_path):
    auth = pytest.importorskip("google.auth")

    def none(scopes: object) -> None:
        raise auth.exceptions.DefaultCredentialsError("long text")

    monkeypatch.setattr(auth, "default", none)
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    with pytest.raises(UsageError, match=r"no Google credentials that work .*gcloud auth"):
        run(make_veo("veo-toy?project=toy"), items("a cat"), tmp_path)
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(UsageError, match=r"pip install 'screentest\[veo\]'"):
        run(make_veo("veo-toy?project=toy"), items("a cat"), tmp_path)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("", "name the model after the colon"),
        ("a/b?project=x", "name the model after the colon"),
        ("veo-toy", "needs project=NAME, for the Google credentials of this machine, or a key"),
        ("veo-toy?project=toy,base=http://other.example/v1", "at another address, a key in the variable"),
        ("veo-toy?project=toy,extra=[7]", "JSON object"),
        ("veo-toy?projct=toy", "did you mean 'project'"),
    ],
)
def test_a_wrong_spec_gets_one_sentence(spec, sentence, monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    with pytest.raises(UsageError, match=sentence):
        make_generator(f"veo:{spec}")


def test_a_size_that_veo_has_not_is_refused_and_not_replaced(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    square = items("a cat", clip=ClipSettings(frames=16, height=64, width=64, fps=8))
    with pytest.raises(UsageError, match="Veo makes clips of 16:9 and 9:16, and the suite asks for 64x64"):
        make_veo("veo-toy").check(square)
    (warning,) = make_veo("veo-toy?aspect=9:16").check(square)
    assert warning == "Veo has no resolution for 64x64, so none is asked for; give resolution="
    assert make_veo("veo-toy?aspect=9:16,resolution=720p").check(square) == []


def test_the_identity_has_no_project_and_no_address_of_google(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    made: Callable[[str], Any] = lambda options: dict(make_veo(f"veo-toy?{options}").identity())  # noqa: E731
    assert made("project=a,seconds=8") == made("project=b,location=global,parallel=9,seconds=8")
    assert made("seconds=8") != made("project=a,seconds=8")
    assert SECRET not in repr(made("seconds=8"))


def test_the_stub_is_read_by_the_official_client(service, tmp_path):
    genai: ModuleType = pytest.importorskip("google.genai")
    options = {"base_url": service.url.removesuffix("/v1"), "api_version": "v1"}
    client = genai.Client(vertexai=True, api_key=SECRET, http_options=options)
    asked = {"duration_seconds": 2, "aspect_ratio": "16:9", "resolution": "720p", "seed": 3}
    asked |= {"number_of_videos": 1, "negative_prompt": "blur", "generate_audio": False}
    operation = client.models.generate_videos(model=veo_service.CLOUD, prompt="a cat", config=asked)
    while not operation.done:
        operation = client.operations.get(operation)
    assert operation.response.generated_videos[0].video.video_bytes[4:8] == b"ftyp"
    run(generator(service, "cloud", "negative=blur"), items("a cat"), tmp_path)
    theirs, ours = service.creates
    assert ours == theirs
