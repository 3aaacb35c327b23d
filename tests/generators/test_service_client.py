"""The HTTP client of services: addresses, errors in their many forms, texts without keys."""

from __future__ import annotations

import pytest
from screentest.generators.service_client import ServiceClient, plain_address

SECRET = "sk-very-secret-7c1"


@pytest.fixture
def client() -> ServiceClient:
    headers = {"Authorization": f"Bearer {SECRET}", "x-key": SECRET}
    return ServiceClient("the service", "http://HOST:80/v1/", lambda: headers, timeout_s=1.0)


@pytest.mark.parametrize("address", ["http://h/v1", "https://h.example:8000/v1/", "http://[::1]:8000"])
def test_an_address_is_kept_without_its_last_slash(address):
    assert plain_address(address) == address.rstrip("/")


@pytest.mark.parametrize(
    "address",
    [
        *("", "h:8000", "ftp://h", "http://", "http://h/v1?key=s3cret", "http://h/#s3cret"),
        *("http://me:s3cret@h/v1", "http://h:x/v1", "file:///etc"),
    ],
)
def test_an_address_that_could_hold_a_key_is_refused_without_repeating_it(address):
    with pytest.raises(ValueError, match="should be a plain address") as caught:
        plain_address(address)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "code", "message", "refuses"),
    [
        ({"error": {"code": "moderation_blocked", "message": "no"}}, "moderation_blocked", "no", True),
        (
            {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "no"}},
            "INVALID_ARGUMENT",
            "no",
            False,
        ),
        ({"error": {"type": "content_filter", "code": "x", "message": "no"}}, "content_filter", "no", True),
        ({"error": "out of memory"}, "", "out of memory", False),
        (
            {"detail": [{"msg": "too long", "loc": ["body"]}, {"msg": "no size"}]},
            "",
            "too long; no size",
            False,
        ),
        ({"detail": "Video not found"}, "", "Video not found", False),
        ({"message": "safety checker failed to load"}, "", "safety checker failed to load", False),
        ("text", "", "text", False),
        ({}, "", "", False),
        (None, "", "", False),
    ],
)
def test_an_error_is_read_in_every_form(body, code, message, refuses, client):
    fault = client.fault(body)
    assert (fault.code, fault.message, fault.refuses) == (code, message, refuses)


def test_texts_lose_keys_line_breaks_and_length(client):
    assert client.clean(f"a {SECRET}\n b Bearer {SECRET}") == "a [key] b Bearer [key]"
    assert client.clean("x" * 400) == "x" * 300 + "..."


def test_the_key_goes_to_one_origin(client):
    assert client._ours("http://host/v1/videos")
    for other in ("https://host/v1", "http://host:81/v1", "http://host.example/v1", "http://example/host"):
        assert not client._ours(other)
