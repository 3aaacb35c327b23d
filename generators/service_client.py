"""The HTTP client of video services: what an answer means for a job, and where a key may go.

One client serves every protocol here. The services' own clients are not used: they repeat requests by
themselves, which can pay for a job twice, follow redirects with the key, or lack the calls. This one

- sends the key to the origin of the service's address alone, also when it is redirected;
- makes each request once, on a connection of its own, and says whether the service can have taken it;
- reads no answer without end, and puts no key into any text that it returns.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ..harness.core.endpoints import read_body, retry_after
from ..harness.core.errors import ServiceDown, UsageError
from .job_steps import Later, Uncertain

if TYPE_CHECKING:
    import httpx2

__all__ = ["Answer", "Fault", "ServiceClient", "plain_address"]

_LONGEST_ANSWER = 512 << 20
"""Bytes; a video can be part of an answer."""
_LONGEST_VIDEO = 4 << 30
_REDIRECTS = 5
_ITEM_STATUSES = frozenset({400, 409, 413, 415, 422, 451})
"""The service answers that it cannot make this item; others may be different."""
_REFUSAL = re.compile(
    r"moderat|content[_ -]?(policy|filter)|policy[_ -]?violation|safety|responsible[_ -]?ai|prohibited|nsfw|"
    r"sensitive",
    re.IGNORECASE,
)
_NO_QUOTA = re.compile(r"insufficient_(quota|balance|credit)|billing|quota_exceeded", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """Why a service did not do what it was asked for.

    Attributes:
        code: the service's code or type of the error; empty if it gives none.
        message: its sentence, shortened, without keys.
    """

    code: str
    message: str

    @property
    def refuses(self) -> bool:
        """Whether the service's code says that it refused the content."""
        return _REFUSAL.search(self.code) is not None

    def __str__(self) -> str:
        """Join what there is."""
        return ": ".join(part for part in (self.code, self.message) if part) or "it gives no reason"


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        body: parsed JSON; an empty object if it is not a JSON object.
        fault: of an answer that is an error, or whose body has one.
    """

    status: int
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fault: Fault = field(default_factory=lambda: Fault("", ""))

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300


def plain_address(value: str) -> str:
    """Check an address: http or https, a host, and neither a user, a query nor a fragment.

    Raises:
        ValueError: it is not one; the text does not repeat it, as it could hold a key.
    """
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    else:
        good = good and "@" not in parts.netloc and not parts.query and not parts.fragment
    if not good:
        raise ValueError(
            "should be a plain address such as http://HOST:8000/v1; a key goes into an environment variable"
        )
    return value.rstrip("/")


class ServiceClient:
    """A client of one service; safe to use from several threads.

    Args:
        whose: how messages name the service.
        base: its address, to which paths are added.
        key_headers: gives the headers with the key, for each request anew.
        timeout_s: of one request, answer included; ``download_s`` of one file.

    Attributes:
        quota: what the last answer said is left, by the name of its header.
    """

    def __init__(
        self,
        whose: str,
        base: str,
        key_headers: Callable[[], Mapping[str, str]],
        *,
        timeout_s: float,
        download_s: float = 600.0,
    ) -> None:
        self.whose = whose
        self.base = base.rstrip("/")
        self.quota: dict[str, str] = {}
        self._key_headers = key_headers
        self._timeout_s, self._download_s = timeout_s, download_s

    def create(self, path: str, **request: Any) -> Answer:
        """Make a request that creates a job; the answer is a success, or a fault of this item alone.

        Args:
            path: below the address.
            request: ``json``, ``files`` and ``headers``, as httpx takes them.

        Raises:
            Later: the service did not take it.
            Uncertain: the service may have taken it.
            UsageError: it knows no such address or model, refuses the key, or redirects.
            ScreentestError: there is no credit left.
        """
        import httpx2

        try:
            answer, response = self._send("POST", self._url(path), **request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            raise Later(f"no connection ({type(error).__name__})") from None
        except (httpx2.TimeoutException, TimeoutError):
            raise Uncertain(f"it did not answer within {self._timeout_s:g} s") from None
        except httpx2.TransportError as error:
            raise Uncertain(f"its answer was lost ({type(error).__name__})") from None
        status = answer.status
        if answer.ok:
            if not answer.body:
                raise Uncertain("its answer is not a JSON object")
            return answer
        self._refuse_no_credit(answer)
        if status in (408, 425, 429, 503):
            raise Later(f"HTTP {status}", retry_after(response.headers))
        if status in _ITEM_STATUSES or (status == 403 and answer.fault.refuses):
            return answer
        self._refuse_mistake(answer, response)
        raise Uncertain(f"it answered HTTP {status}")

    def ask(self, path: str, method: str = "GET", **request: Any) -> Answer:
        """Make a request that changes nothing; the answer is a success, or HTTP 404.

        Raises:
            Later: there is no such answer now.
            UsageError: the service refuses the key, or redirects.
        """
        import httpx2

        try:
            answer, response = self._send(method, self._url(path), **request)
        except (httpx2.TimeoutException, TimeoutError):
            raise Later("no answer in time") from None
        except httpx2.TransportError as error:
            raise Later(f"no connection ({type(error).__name__})") from None
        if answer.status == 410:
            return Answer(404, answer.body, answer.fault)
        if (answer.ok and answer.body) or answer.status == 404:
            return answer
        if answer.status in (401, 403) or 300 <= answer.status < 400:
            self._refuse_mistake(answer, response)
        reason = "an answer that is not a JSON object" if answer.ok else f"HTTP {answer.status}"
        raise Later(reason, retry_after(response.headers))

    def download(self, path: str, to: Path) -> None:
        """Download a file, also from another origin, which does not get the key.

        Args:
            path: below the address, or a whole URL.

        Raises:
            Later: it cannot be had now, breaks off, has no end, or is text.
            UsageError: the service refuses the key.
        """
        import httpx2

        deadline = time.monotonic() + self._download_s
        try:
            url = self._url(path)
            for _ in range(_REDIRECTS + 1):
                headers = self._key_headers() if self._ours(url) else {}
                with self._client.stream("GET", url, headers=headers, timeout=self._timeout_s) as response:
                    self._note_quota(response)
                    if response.has_redirect_location:
                        url = str(httpx2.URL(url).join(response.headers["location"]))
                        continue
                    if response.status_code in (401, 403) and self._ours(url):
                        self._refuse_mistake(Answer(response.status_code), response)
                    if response.status_code != 200:
                        raise Later(f"HTTP {response.status_code}", retry_after(response.headers))
                    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                    if kind.startswith("text/") or kind.endswith("json"):
                        raise Later(f"the service sent {kind} instead of a video")
                    self._write(response, to, deadline)
                    return
            raise Later(f"more than {_REDIRECTS} redirects")
        except (httpx2.TimeoutException, TimeoutError):
            raise Later("the download did not end in time") from None
        except httpx2.HTTPError as error:
            raise Later(f"the download broke off ({type(error).__name__})") from None
        except httpx2.InvalidURL:
            raise Later("the service gave an address that is none") from None

    def clean(self, text: object, longest: int = 300) -> str:
        """Put text of the service into one line without keys, shortened."""
        line = " ".join(str(text).split())
        for value in self._key_headers().values():
            secret = value.rpartition(" ")[2]
            if secret:
                line = line.replace(secret, "[key]")
        return line if len(line) <= longest else f"{line[:longest]}..."

    def fault(self, body: Any) -> Fault:
        """Read the error in a body, in any of the forms that services use."""
        found: Any = body
        if isinstance(body, Mapping):
            fields = cast("Mapping[str, Any]", body)
            found = (
                fields.get("error") or fields.get("detail") or fields.get("reason") or fields.get("message")
            )
        if isinstance(found, list):
            found = "; ".join(
                str(one.get("msg", one)) if isinstance(one, dict) else str(one) for one in found
            )
        if isinstance(found, Mapping):
            fields = cast("Mapping[str, Any]", found)
            codes = [fields.get(name) for name in ("code", "status", "type")]
            code = next((str(c) for c in codes if c and not isinstance(c, int)), "")
            kind = str(fields.get("type") or "")
            if kind and kind != code and _REFUSAL.search(kind) and not _REFUSAL.search(code):
                code = kind
            return Fault(self.clean(code, 80), self.clean(fields.get("message") or ""))
        return Fault("", self.clean(found or ""))

    # -- one request

    @cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        # An idle connection that the service closes just now would lose the answer of a job: none is kept.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx2.Client(limits=limits, follow_redirects=False, timeout=self._timeout_s)

    def _send(self, method: str, url: str, **request: Any) -> tuple[Answer, httpx2.Response]:
        """Make one request and read its answer to the end."""
        headers = {**request.pop("headers", {}), **self._key_headers()}
        deadline = time.monotonic() + self._timeout_s
        with self._client.stream(method, url, headers=headers, **request) as response:
            self._note_quota(response)
            data = read_body(response.iter_bytes(), longest=_LONGEST_ANSWER, deadline=deadline)
        body: Any = None
        if data is not None:
            try:
                body = json.loads(data)
            except (ValueError, RecursionError):
                body = None
        fields = cast("Mapping[str, Any]", body) if isinstance(body, dict) else {}
        return Answer(response.status_code, fields, self.fault(body)), response

    def _write(self, response: httpx2.Response, to: Path, deadline: float) -> None:
        size = 0
        with to.open("wb") as file:
            for part in response.iter_bytes():
                size += len(part)
                if size > _LONGEST_VIDEO:
                    raise Later(f"the service sent more than {_LONGEST_VIDEO >> 30} GiB for one video")
                if time.monotonic() > deadline:
                    raise TimeoutError
                file.write(part)
        if size == 0:
            raise Later("the service sent an empty file")

    def _url(self, path: str) -> str:
        return path if re.match(r"https?://", path) else f"{self.base}/{path.lstrip('/')}"

    def _ours(self, url: str) -> bool:
        """Whether a URL has the origin of the service's address, to which the key may go."""
        import httpx2

        return httpx2.URL(url).origin == httpx2.URL(self.base).origin

    def _note_quota(self, response: httpx2.Response) -> None:
        left = {
            name: value for name, value in response.headers.items() if "ratelimit-remaining" in name.lower()
        }
        if left and self._ours(str(response.url)):
            self.quota = {self.clean(name, 60): self.clean(value, 60) for name, value in left.items()}

    # -- answers that concern every item

    def _refuse_no_credit(self, answer: Answer) -> None:
        if answer.status == 402 or (answer.status in (403, 429) and _NO_QUOTA.search(answer.fault.code)):
            raise ServiceDown(
                f"{self.whose}: the account has no credit or quota left ({answer.fault}); once it has, the "
                "same command goes on from here"
            )

    def _refuse_mistake(self, answer: Answer, response: httpx2.Response) -> None:
        status = answer.status
        if status in (401, 403):
            raise UsageError(
                f"{self.whose} refuses the key (HTTP {status}): the credentials are wrong, or missing; "
                "check the variable that key_env names, and the same command goes on from here"
            )
        if status in (404, 405):
            raise UsageError(
                f"{self.whose} knows no such address or model (HTTP {status}: {answer.fault}); check the "
                f"model's name and the address {self.base}"
            )
        if 300 <= status < 400:
            where = self.clean(response.headers.get("location", "elsewhere"))
            raise UsageError(
                f"{self.whose} redirects to {where}, which gets no key and no prompt; give the address that "
                "serves the videos"
            )
