"""What ModelsLab may say, case by case of what is known of it, and what it must never be able to cause."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headshot.errors import (
    BackendError,
    HeadshotError,
    NotConfigured,
    OutcomeUnknown,
    Refused,
    RequestError,
    Unavailable,
)
from headshot.modelslab.key import Key
from headshot.modelslab.redaction import redact
from headshot.modelslab.replies import JobFailed, JobNotFound, JobResponse, RateLimited, parse

CANARY = "cAnArY0k3y0fN0b0dy/59chars+with=signs"
SENT = JobResponse("waiting", "65919758", eta_seconds=10, seed=7, seconds=None)
PROCESSING = {
    "status": "processing",
    "tip": "Upgrade your plan for premium speed",
    "eta": 13.067986918399999,
    "message": "Try to fetch request after seconds estimated",
    "fetch_result": None,
    "id": 65919758,
    "output": [],
    "meta": {},
    "future_links": ["https://pub-x.r2.dev/generations/b.png"],
}


def read(
    body: object,
    status: int = 200,
    sent: JobResponse | None = None,
    headers: dict[str, str] | None = None,
    key: str = "",
) -> JobResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse(status, headers or {}, data, sent=sent, key=Key(key) if key else None)


def error(message: object, **more: object) -> dict[str, Any]:
    return {"status": "error", "message": message, **more}


def test_a_success_gives_its_links_seed_and_time() -> None:
    reply = read(
        {
            "status": "success",
            "generationTime": 1.96,
            "id": 66752945,
            "output": ["https://pub-x.r2.dev/generations/0-a.png"],
            "proxy_links": ["https://cdn2.stablediffusionapi.com/generations/0-a.png"],
            "meta": {"seed": 1234, "face_image": "data:image/jpeg;base64," + "A" * 5000},
            "nsfw_content_detected": False,
        }
    )
    assert reply == JobResponse(
        "done", "66752945", ("https://pub-x.r2.dev/generations/0-a.png",), None, seed=1234, seconds=1.96, nsfw=False
    )
    assert len(json.dumps(reply.raw)) < 600


def test_a_queued_job_has_an_id_and_a_fractional_eta_and_its_future_links_are_no_output() -> None:
    assert read(PROCESSING) == JobResponse("waiting", "65919758", (), 13.067986918399999)


@pytest.mark.parametrize("status", [200, 202, 400, 500])
def test_the_body_decides_before_the_status(status: int) -> None:
    assert read(PROCESSING, status).state == "waiting"
    assert read({"status": "success", "id": 5, "output": ["https://a/b.png"]}, status).state == "done"


@pytest.mark.parametrize("job", ["65919758", 65919758, " 65919758 "])
def test_a_job_id_may_be_text(job: object) -> None:
    assert read({**PROCESSING, "id": job}).id == "65919758"


@pytest.mark.parametrize(
    "job", ["../../v6/system", "", None, True, [], {}, 1.5, -1, "a" * 65, 10**80, "1/2", "é", "a b"]
)
def test_an_invalid_job_id_never_gets_into_a_url(job: object) -> None:
    with pytest.raises(OutcomeUnknown, match="without giving it a job number"):
        read({**PROCESSING, "id": job})


@pytest.mark.parametrize("output", [[], "", None, {}, [None], [""], 0])
def test_an_output_that_is_empty_in_any_way_is_none(output: object) -> None:
    assert read({"status": "processing", "message": "Try Again", "output": output}, sent=SENT).output == ()
    assert read({"status": "success", "id": 65919758, "output": output}, sent=SENT) == JobResponse(
        "done", "65919758", seed=7, eta_seconds=None
    )


@pytest.mark.parametrize(
    "said",
    [
        {"output": "https://a.b/c.png"},
        {"output": ["https://a.b/c.png"]},
        {"output": [], "proxy_links": ["https://a.b/c.png"]},
        {"output": "", "links": ["https://a.b/c.png"]},
    ],
)
def test_the_link_is_found_in_each_field_that_may_hold_it(said: dict[str, object]) -> None:
    assert read({"status": "success", "id": 1, **said}).output == ("https://a.b/c.png",)


def test_inline_pictures_stay_whole() -> None:
    inline = "iVBORw0KGgo" + "A" * 40_000
    assert read({"status": "success", "id": 1, "output": [inline]}).output == (inline,)


def test_a_poll_without_id_time_and_seed_keeps_those_of_the_submission() -> None:
    submitted = read({**PROCESSING, "meta": {"seed": 99}, "generationTime": 2})
    waiting = read({"status": "processing", "message": "Try Again", "output": ""}, sent=submitted)
    assert (waiting.id, waiting.seed, waiting.eta_seconds) == ("65919758", 99, None)
    done = read({"status": "success", "id": 65919758, "output": ["https://a/b.png"]}, sent=waiting)
    assert done == JobResponse("done", "65919758", ("https://a/b.png",), seed=99, seconds=2.0)


@pytest.mark.parametrize("nsfw", [True, [False, True], "true", 1])
def test_the_safety_checkers_verdict_is_parsed(nsfw: object) -> None:
    assert read({"status": "success", "id": 1, "output": ["https://a/b"], "nsfw_content_detected": nsfw}).nsfw is True


@pytest.mark.parametrize("eta", ["NaN", "Infinity", "-3", "1e999", "true", '"soon"', "[]", "null"])
def test_an_eta_that_is_no_time_is_none(eta: str) -> None:
    assert read(b'{"status":"processing","id":1,"eta":%s}' % eta.encode()).eta_seconds is None


# The tables of what is known. Each case is a body, a status, and what comes of it for a submission.
CASES = [
    (error("Invalid API key"), 200, NotConfigured, "does not accept this key"),
    (error("Invalid Api Key"), 401, NotConfigured, "modelslab.com"),
    ({"status": "error", "messege": "Invalid API Key"}, 200, NotConfigured, "key"),
    (error({"key": ["The key field is required."]}), 200, NotConfigured, "key"),
    (error("x", code="invalid_api_key"), 200, NotConfigured, "key"),
    (error("x", code="unauthenticated"), 400, NotConfigured, "key"),
    (b"", 401, NotConfigured, "key"),
    ({"message": "Unauthenticated."}, 401, NotConfigured, "key"),
    (error("Insufficient credits. Please add more credits to continue."), 200, Refused, "no credits left"),
    (error("Insufficient credits. Please add more credits to continue."), 402, Refused, "add some"),
    (error("x", code="insufficient_balance"), 200, Refused, "no credits"),
    (b"<html>", 402, Refused, "no credits"),
    (error("This feature requires a premium subscription"), 200, Refused, "choose another plan"),
    (error("This feature requires a premium subscription"), 403, Refused, "premium subscription"),
    (error("x", code="no_subscription"), 200, Refused, "plan"),
    (error("x", code="forbidden"), 200, Refused, "plan"),
    (b"<html>", 403, Refused, "plan"),
    (
        error("Rate limit exceeded. Maximum 5 queued requests allowed."),
        200,
        RateLimited,
        "5 headshots of this key at once",
    ),
    (error("Rate limit exceeded. Maximum 15 queued requests allowed."), 429, RateLimited, "15 headshots"),
    (error("Rate limit exceeded"), 200, RateLimited, "try again in a moment"),
    (error("Rate limit exceeded", retry_after=12), 429, RateLimited, "in 12 seconds"),
    (error("The same request again, please wait for 30 seconds"), 200, RateLimited, "in 30 seconds"),
    (error("x", code="rate_limited"), 400, RateLimited, "try again"),
    (b"slow down", 429, RateLimited, "try again"),
    (error("Unable to fetch image from provided URL"), 200, Refused, "could not open the photo's link"),
    (error("Unable to fetch image from provided URL"), 400, Refused, "public link"),
    (error("Internal server error. Please try again."), 200, OutcomeUnknown, "Internal server error"),
    (error("Internal server error. Please try again."), 500, OutcomeUnknown, "may have been billed"),
    (error("Service temporarily unavailable. Please try again later."), 503, OutcomeUnknown, "charged twice"),
    (error("Service temporarily unavailable. Please try again later."), 200, OutcomeUnknown, "fault"),
    (error("x", code="upstream_unavailable"), 200, OutcomeUnknown, "fault"),
    (error("x", code="provider_error"), 200, OutcomeUnknown, "fault"),
    (error("x", code="server_error"), 200, OutcomeUnknown, "fault"),
    (b"", 500, OutcomeUnknown, "HTTP 500"),
    (b"<html>Bad gateway</html>", 502, OutcomeUnknown, "HTTP 502"),
    (b"", 504, OutcomeUnknown, "HTTP 504"),
    ({"status": "failed", "message": "Try Again"}, 200, JobFailed, "loading its model"),
    (error("Try Again"), 200, JobFailed, "in a minute"),
    ({"message": "Try Again"}, 200, JobFailed, "loading"),
    (b"Try Again", 200, JobFailed, "loading"),
    ({"status": "failed", "id": "", "message": "Failed, Try Again", "output": ""}, 200, JobFailed, "could not make"),
    ({"status": "failed", "id": "", "output": ""}, 200, JobFailed, "could not make"),
    ({"status": "failed", "message": "Prohibited content"}, 200, Refused, "Prohibited content"),
    (error({"prompt": ["The prompt field is required."]}), 200, Refused, "does not accept prompt"),
    (error({"prompt": ["The prompt field is required."]}), 400, Refused, "The prompt field is required"),
    ({"message": "Invalid.", "errors": {"seed": ["Must be an integer."]}}, 422, Refused, "Invalid"),
    ({"errors": {"seed": ["Must be an integer."]}}, 422, Refused, "does not accept seed"),
    (error({"message": {"face_image": "is too small"}}), 200, Refused, "does not accept face_image"),
    (error("x", code="validation_error"), 200, Refused, "settings"),
    (error("x", code="not_found"), 200, Refused, "choose the other API"),
    (b"<html>", 404, Refused, "the other API"),
    (error("Something that nobody has seen"), 200, Refused, "Something that nobody has seen"),
    (error(None), 200, Refused, "HTTP 200"),
    (b"", 405, Refused, "HTTP 405"),
    (b"", 413, Refused, "HTTP 413"),
    (b"", 200, OutcomeUnknown, "cannot be read"),
    (b"<html>Just a moment</html>", 200, OutcomeUnknown, "cannot be read"),
    (b'{"status":"success","id":1', 200, OutcomeUnknown, "cannot be read"),
    (b"\xff\xfe\x00\x01", 200, OutcomeUnknown, "cannot be read"),
    ([], 200, OutcomeUnknown, "cannot be read"),
    ({}, 200, OutcomeUnknown, "cannot be read"),
    ({"status": True}, 200, OutcomeUnknown, "cannot be read"),
    ({"status": "queued", "id": 5}, 200, OutcomeUnknown, "not known here (“queued”)"),
    ({"status": "success", "output": []}, 200, OutcomeUnknown, "sent no picture"),
    (
        {"status": "processing", "message": "Try Again", "output": ""},
        200,
        OutcomeUnknown,
        "without giving it a job number",
    ),
    (b"", 301, OutcomeUnknown, "the key must not go"),
    (b"", 307, OutcomeUnknown, "another address"),
]


@pytest.mark.parametrize(("body", "status", "kind", "words"), CASES)
def test_each_known_response_to_a_submission_ends_in_the_right_error(
    body: object, status: int, kind: type[BackendError], words: str
) -> None:
    with pytest.raises(BackendError) as caught:
        read(body, status)
    assert type(caught.value) is kind
    assert caught.value.backend == "modelslab"
    sentence = str(caught.value)
    assert words in sentence
    assert sentence[0].isupper() and sentence.endswith(".") and len(sentence) < 420
    assert ("billed" in sentence) == (kind is OutcomeUnknown)  # said whenever it may be so, and never otherwise


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        ({"status": "failed", "message": "Request not found", "output": ""}, 200, JobNotFound, "65919758"),
        (error("x", code="not_found"), 404, JobNotFound, "24 hours"),
        (b"<html>", 404, JobNotFound, "does not know job"),
        ({"status": "failed", "message": "Failed, Try Again"}, 200, JobFailed, "could not make"),
        ({"status": "failed", "message": "Internal server error"}, 200, JobFailed, "could not make"),
        ({"status": "failed", "message": "The photo shows a minor"}, 200, Refused, "shows a minor"),
        (error("Out of stock"), 200, Refused, "gave up job 65919758"),
        (error("Invalid API key"), 200, NotConfigured, "key"),
        (error("Rate limit exceeded", retry_after=3), 200, RateLimited, "3 seconds"),
        (error("Internal server error. Please try again."), 200, Unavailable, "Internal server error"),
        (b"", 503, Unavailable, "ask again"),
        (b"<html>Just a moment</html>", 200, Unavailable, "cannot be read"),
        (b'{"status":"proc', 200, Unavailable, "cannot be read"),
        (b"", 302, Unavailable, "another address"),
        ({"status": "paused"}, 200, OutcomeUnknown, "“paused”"),
        (b"", 405, OutcomeUnknown, "HTTP 405"),
        ({"status": "success", "id": 4, "output": ["https://a/b"]}, 200, Unavailable, "another job"),
    ],
)
def test_each_known_response_to_a_poll_ends_in_the_right_error(
    body: object, status: int, kind: type[BackendError], words: str
) -> None:
    with pytest.raises(BackendError) as caught:
        read(body, status, SENT)
    assert type(caught.value) is kind
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("said", "header", "seconds"),
    [
        (7, "", 7.0),
        ("8", "", 8.0),
        (None, "9", 9.0),
        (7, "9", 7.0),
        (-5, "9", 9.0),
        (-5, "", None),
        (1e9, "", None),
        (float("nan"), "", None),
        (10**400, "", None),
        ("later", "", None),
        (None, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (None, "", None),
    ],
)
def test_the_time_to_wait_is_taken_from_the_body_then_the_header_unless_it_is_absurd(
    said: object, header: str, seconds: float | None
) -> None:
    with pytest.raises(RateLimited) as caught:
        read(error("Rate limit exceeded", retry_after=said), 429, headers={"retry-after": header})
    assert caught.value.retry_after == seconds


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("x" * 3000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(["success", "processing", "failed", "error", "SUCCESS", "queued", "Request not found"])
NAMES = (
    *("status", "message", "messege", "errors", "error", "detail", "code", "id", "request_id", "output", "proxy_links"),
    *("links", "eta", "generationTime", "nsfw_content_detected", "retry_after", "meta", "seed"),
)
BODIES = st.dictionaries(st.sampled_from(NAMES), JSON | WORDS, max_size=10)


@settings(max_examples=300, deadline=None)
@given(
    BODIES.map(lambda body: json.dumps(body).encode())
    | st.binary(max_size=200)
    | JSON.map(lambda b: json.dumps(b).encode()),
    st.integers(100, 599),
    st.none() | st.just(SENT),
)
def test_a_hostile_reply_causes_nothing_but_our_errors(body: bytes, status: int, sent: JobResponse | None) -> None:
    try:
        reply = parse(status, {}, body, sent=sent, key=Key(CANARY))
    except HeadshotError as error:
        assert len(str(error)) < 500
    else:
        assert reply.id is None or reply.id.replace("-", "").replace("_", "").isalnum()
        assert reply.output or reply.id
        assert reply.eta_seconds is None or 0 <= reply.eta_seconds < float("inf")
        json.dumps(reply.raw, allow_nan=False)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"status":"success","id":1,"output":["https://a/b"],"meta":' + b'{"a":' * 400 + b"1" + b"}" * 401,
        b'{"meta":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b'{"status":"error","message":"' + b"x" * 10_000_000 + b'"}',
        b'{"status":"error","message":"' + b" " * 10_000_000 + b'"}',
        b'{"status":"success","id":1,"output":["https://a/b"],"meta":{"a":"' + b"A" * 10_000_000 + b'"}}',
        b'{"status":"success","id":1,"output":["https://a/b"],"meta":{"a":"' + b"A!" * 5_000_000 + b'"}}',
        b'{"status":"success","id":' + b"9" * 5_000 + b"}",
        b'{"status":"success","id":' + b"9" * 4_000 + b',"output":["https://a/b"]}',
        b'{"status":"error","message":' + b"[" * 500 + b"]" * 500 + b"}",
    ],
    ids=lambda body: f"{body[:24]!r}-{len(body)}",
)
def test_a_reply_built_to_exhaust_its_reader_is_read_or_refused(body: bytes) -> None:
    try:
        reply = parse(200, {}, body, key=Key(CANARY))
    except HeadshotError as error:
        assert len(str(error)) < 500
    else:
        assert len(json.dumps(reply.raw)) < 20_000


def test_a_key_that_the_service_echoes_is_in_no_sentence_and_no_raw_reply() -> None:
    for message in (f"No such key: {CANARY}", {CANARY: [CANARY]}, [CANARY]):
        with pytest.raises(BackendError) as caught:
            read(error(message, code="validation_error"), key=CANARY)
        assert CANARY not in str(caught.value)
    echoing = {**PROCESSING, "meta": {"key": CANARY, "url": f"https://x/?key={CANARY}", CANARY: [[CANARY]]}}
    assert CANARY not in repr(dict(read(echoing, key=CANARY).raw))
    linked = {"status": "success", "id": 1, "output": [f"https://elsewhere/?key={CANARY}"]}
    assert CANARY not in read(linked, key=CANARY).output[0]


def test_redacted_json_has_neither_key_nor_pictures_at_any_depth() -> None:
    picture = "data:image/jpeg;base64," + "iVBOR+w0KGgo/" * 9_000
    shown = redact({"key": "plain", "meta": {"face_image": picture, "deep": [{"init": "QUJD" * 200, "key": "k"}]}})
    text = json.dumps(shown, ensure_ascii=False)
    assert shown["key"] == "•••" and shown["meta"]["deep"][0]["key"] == "•••"
    assert shown["meta"]["face_image"].startswith("data:image/jpeg;base64,iVBOR")
    assert "(114 KB)" in text
    assert len(text) < 400


def test_redacted_json_keeps_everything_else() -> None:
    value = {
        "prompt": "navy backdrop " * 40,
        "seed": 7,
        "guidance_scale": 7.5,
        "webhook": None,
        "output": ["https://a/b"],
    }
    assert redact(value) == value


@pytest.mark.parametrize("job", ["", "../1", "1/2", "a b", "x" * 65])
def test_a_job_is_only_resumed_by_a_valid_id(job: str) -> None:
    with pytest.raises(RequestError, match="number of a ModelsLab job"):
        JobResponse.of_job(job)
