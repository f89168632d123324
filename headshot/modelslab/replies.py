"""Parses ModelsLab's responses about a job. Needs no network.

The service documents its requests but not its responses: these were pieced together from the documentation of its other
endpoints and from recorded ones. So the parser is tolerant: the body decides before the HTTP status, every field may be
missing or of another type, and a response that stays unclear counts as sent and perhaps billed.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from headshot.backend_names import MODELSLAB
from headshot.errors import BackendError, NotConfigured, OutcomeUnknown, Refused, RequestError, Unavailable
from headshot.request import MAX_SEED

from .key import Key
from .redaction import redact

MAX_RETRY_AFTER_SECONDS = 86_400.0  # a longer pause than a day is a mistake, or another unit
ASK_AGAIN = ": ask again in a moment."
MAX_OUTPUTS = 16  # the service makes two pictures at most

_MAX_QUOTED_CHARS = 200  # of the service's own message, in a sentence
_MAX_SHOWN_CHARS = 500  # of a body that is not JSON
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

State = Literal["done", "waiting"]


class RateLimited(Unavailable):
    """Rejected because of the rate or a full queue. Nothing was accepted, so the same request may be sent again."""


class JobFailed(Unavailable):
    """The service accepted the job and gave it up: polling it again gives nothing."""


class JobNotFound(Unavailable):
    """The service does not know this job. Normal for a few seconds after submit (retry), and permanent after 24 h."""


@dataclass(frozen=True)
class JobResponse:
    """What is known of one job, merged from all responses about it.

    Attributes:
        state: "waiting" also for a job that runs.
        id: the service's id of the job; None if it never named one.
        output: links, or pictures as base64 or data URIs; may be empty although the job is done.
        eta_seconds: the service's estimate, not negative.
        seed: the one that was used.
        seconds: how long the service worked on the picture.
        nsfw: the verdict of the service's safety checker; None if it gave none.
        raw: the last response as JSON without key and pictures, to be shown.
    """

    state: State
    id: str | None
    output: tuple[str, ...] = field(default=(), repr=False)  # a picture may be in it
    eta_seconds: float | None = None
    seed: int | None = None
    seconds: float | None = None
    nsfw: bool | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of_job(cls, job: str) -> "JobResponse":
        """Return a waiting JobResponse for a job of which only the service's id is known.

        Args:
            job: the id.

        Raises:
            RequestError: if it does not have the form of an id.
        """
        if not isinstance(job, str) or not _ID.fullmatch(job):
            raise RequestError("This is not the number of a ModelsLab job: it holds letters, digits, - and _ only.")
        return cls("waiting", job)


def parse(
    status_code: int,
    headers: Mapping[str, str],
    body_bytes: bytes,
    *,
    sent: JobResponse | None = None,
    key: Key | None = None,
) -> JobResponse:
    """Parse a response: the body first, then the HTTP status.

    Args:
        status_code: the HTTP status.
        headers: with lower-case names; only `retry-after` is read.
        body_bytes: whatever was received.
        sent: None for the response to a submission; for one to a poll the job that was polled, which is merged into
            the result.
        key: masked in everything that the service echoes.

    Raises:
        NotConfigured: if the service does not accept the key.
        Refused: if it declines the request.
        RateLimited: if its queue is full, or requests come too fast.
        JobFailed: if it gave up the job.
        JobNotFound: if it does not know the polled job.
        Unavailable: for a poll, if the fault may pass.
        OutcomeUnknown: for a submission that may have been accepted.
    """
    parsed = _read(body_bytes, headers, key)
    del body_bytes, headers  # they may echo the key, and a traceback may show this frame
    job = parsed.id or (sent.id if sent else None)
    if sent is not None and parsed.id is not None and parsed.id != sent.id:
        raise Unavailable(MODELSLAB, f"ModelsLab answered about another job than {sent.id}{ASK_AGAIN}")
    if parsed.status == "success" and (parsed.output or job):
        return _merge(parsed, "done", job, sent)
    if parsed.status == "processing" and job:
        return _merge(parsed, "waiting", job, sent)
    raise _error_for(status_code, parsed, sent)


def _merge(parsed: "_ParsedBody", state: State, job: str | None, sent: JobResponse | None) -> JobResponse:
    old = sent or JobResponse(state, job)
    return replace(
        old,
        state=state,
        id=job,
        output=parsed.output if state == "done" else (),
        eta_seconds=parsed.eta if state == "waiting" else None,
        seed=old.seed if parsed.seed is None else parsed.seed,
        seconds=old.seconds if parsed.seconds is None else parsed.seconds,
        nsfw=old.nsfw if parsed.nsfw is None else parsed.nsfw,
        raw=parsed.raw,
    )


class _ParsedBody(NamedTuple):
    """The fields of a response, whatever it looked like. The key is masked in all of them."""

    status: str
    message: str
    code: str
    field: str  # the request's field that the message is about
    id: str | None
    output: tuple[str, ...]
    eta: float | None
    seed: int | None
    seconds: float | None
    nsfw: bool | None
    retry_after: float | None
    raw: Mapping[str, Any]


def _read(body: bytes, headers: Mapping[str, str], key: Key | None) -> _ParsedBody:
    """Never raises."""
    text = body.decode("utf-8-sig", errors="replace")
    try:
        value = json.loads(text, parse_constant=lambda _: None, strict=False)
    except (ValueError, RecursionError):
        value = text.strip()
    if isinstance(value, list) and len(value) == 1:  # other endpoints wrap the response in a list
        value = value[0]
    if not isinstance(value, dict):  # a page of HTML, nothing, or a bare “Try Again”
        value = {"message": value} if isinstance(value, str) and value and "<" not in value else {}
    meta = value.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    name, message = _message(value)
    message = " ".join(_scrubbed(message, key).split())
    return _ParsedBody(
        status=_word(value.get("status")),
        message=message if len(message) <= _MAX_QUOTED_CHARS else message[:_MAX_QUOTED_CHARS] + "…",
        code=_word(value.get("code")),
        field=_scrubbed(name, key)[:40],
        id=_id(value.get("id")) or _id(value.get("request_id")),
        output=_links(value, key),
        eta=_number(value.get("eta")),
        seed=_seed(meta.get("seed", value.get("seed"))),
        seconds=_number(value.get("generationTime")),
        nsfw=_truth(value.get("nsfw_content_detected", meta.get("nsfw_content_detected"))),
        retry_after=_retry_after(value, headers, message),
        raw=redact(value, key) if value else {"unreadable": _scrubbed(text, key)[:_MAX_SHOWN_CHARS]},
    )


def _message(value: Mapping[str, Any]) -> tuple[str, str]:
    """The request's field that the message is about, or "", and the message."""
    for name in ("message", "messege", "errors", "error", "detail"):
        field_name, text = "", value.get(name)
        for _ in range(4):  # {"message": {"prompt": ["The prompt field is required."]}}
            if isinstance(text, dict) and text:
                field_name, text = next(iter(text.items()))
            elif isinstance(text, list) and text:
                text = text[0]
        if isinstance(text, str) and text.strip():
            return ("" if field_name == "message" else field_name), text
    return "", ""


def _scrubbed(text: str, key: Key | None) -> str:
    return key.scrub(text) if key is not None else text


def _word(value: object) -> str:
    return value.strip().lower()[:40] if isinstance(value, str) else ""


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 10**64 else ""
    return value.strip() if isinstance(value, str) and _ID.fullmatch(value.strip()) else None


def _links(value: Mapping[str, Any], key: Key | None) -> tuple[str, ...]:
    """Links or inline pictures. `future_links` are ignored: their files do not exist yet."""
    for name in ("output", "proxy_links", "links"):
        found = value.get(name)
        found = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        texts = [text.strip() for text in found[:MAX_OUTPUTS] if isinstance(text, str) and text.strip()]
        if texts:
            return tuple(_scrubbed(text, key) for text in texts)  # a link with the key would hand it to another host
    return ()


def _number(value: object) -> float | None:
    """A number that is finite and not negative, also one that is written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or (isinstance(value, str) and value[40:]):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _seed(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number <= MAX_SEED and number == int(number) else None


def _truth(value: object) -> bool | None:
    if isinstance(value, list) and value:
        found = [_truth(one) for one in value[:MAX_OUTPUTS]]
        return True if True in found else False if False in found else None
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool) or value in (0, 1) else None


_WAIT = re.compile(r"\bwait (?:for )?(\d{1,4}) ?s", re.IGNORECASE)  # the spam filter's: “wait for 30 seconds”


def _retry_after(value: Mapping[str, Any], headers: Mapping[str, str], message: str) -> float | None:
    """Seconds, from the body, the header or the message, in this order. None for a negative or absurd number."""
    words = _WAIT.search(message)
    for candidate in (value.get("retry_after"), headers.get("retry-after"), words and words[1]):
        seconds = _number(candidate)
        if seconds is not None:
            return seconds if seconds <= MAX_RETRY_AFTER_SECONDS else None
    return None


# The kind of error, by the response's own code, then by its message, then by the HTTP status. The first pattern wins.
Kind = Literal["key", "credits", "plan", "rate", "link", "missing", "field", "warming", "fault", "declined"]

_BY_CODE: dict[str, Kind] = {
    "validation_error": "field",
    "invalid_api_key": "key",
    "unauthenticated": "key",
    "insufficient_balance": "credits",
    "no_subscription": "plan",
    "forbidden": "plan",
    "not_found": "missing",
    "rate_limited": "rate",
    "upstream_unavailable": "fault",
    "provider_error": "fault",
    "server_error": "fault",
}
_WORDS: dict[Kind, str] = {
    "key": r"\b(invalid|wrong|missing|unknown|incorrect) api.?key|unauthenticated|unauthori[sz]ed",
    "credits": r"\b(insufficient|not enough|no) (credit|balance|fund)|add (more )?credits|out of credits",
    "plan": r"\bsubscription|\bpremium\b|upgrade your plan",
    "rate": r"\brate limit|too many requests|queued requests allowed|\bwait (for )?\d+ ?s",
    "link": r"unable to (fetch|download|load|read) .*image|image.* (url|link)",
    "missing": r"^request not found",
    "warming": r"^try again\W*$",
    "fault": r"internal server error|^server error|temporarily unavailable|try again later",
}
_BY_WORDS = {kind: re.compile(words, re.IGNORECASE) for kind, words in _WORDS.items()}
_BY_STATUS: dict[int, Kind] = {
    401: "key",
    402: "credits",
    403: "plan",
    404: "missing",
    408: "fault",
    410: "missing",
    422: "field",
    425: "fault",
    429: "rate",
}


def _kind(status_code: int, parsed: _ParsedBody) -> Kind | None:
    """The kind of error, or None if the response does not report one in a known way."""
    if parsed.field:
        return "key" if parsed.field == "key" else "field"
    by_words = next((kind for kind, words in _BY_WORDS.items() if words.search(parsed.message)), None)
    by_status = _BY_STATUS.get(status_code) or ("fault" if status_code >= 500 else None)
    known = _BY_CODE.get(parsed.code) or by_words or by_status
    if known or parsed.status in ("error", "failed") or 400 <= status_code < 500:
        return known or "declined"
    return None


def _error_for(status_code: int, parsed: _ParsedBody, sent: JobResponse | None) -> BackendError:
    """The error for a response that is neither a queued nor a finished job."""
    kind = _kind(status_code, parsed)
    quoted = f" (“{parsed.message.rstrip('.')}”)" if parsed.message else ""
    if parsed.status not in ("", "error", "failed"):
        kind = None  # “processing” without a job's number, “success” without a picture, or a new word
    refused = _REFUSALS.get(kind or "")
    if kind == "key":
        return NotConfigured(MODELSLAB, "ModelsLab does not accept this key: copy it again from modelslab.com.")
    if kind == "field" and parsed.field:
        return Refused(MODELSLAB, f"ModelsLab does not accept {parsed.field}{quoted}: change it and try again.")
    if refused is not None:
        return Refused(MODELSLAB, refused.format(quoted=quoted))
    if kind == "rate":
        return _rate_limited(parsed)
    if sent is not None:
        return _poll_error(sent, status_code, kind, parsed, quoted)
    if kind == "missing":
        return Refused(
            MODELSLAB,
            f"ModelsLab has no head shot at this address{quoted}: choose the other API, or check the address.",
        )
    if kind == "warming":
        return JobFailed(MODELSLAB, "ModelsLab is still loading its model (“Try Again”): try again in a minute.")
    if parsed.status == "failed":
        return _failed(parsed, quoted)
    if kind == "declined":
        return Refused(MODELSLAB, f"ModelsLab declined the request{quoted or f' (HTTP {status_code})'}: change it.")
    return outcome_unknown(_describe(status_code, parsed, quoted))


_REFUSALS = {
    "credits": "The ModelsLab account has no credits left{quoted}: add some at modelslab.com, then try again.",
    "plan": "ModelsLab does not let this key make head shots{quoted}: choose another plan, or the other API.",
    "link": "ModelsLab could not open the photo's link{quoted}: use a public link, or send the photo itself.",
    "field": "ModelsLab does not accept one of the settings{quoted}: change it and try again.",
}


def _poll_error(
    sent: JobResponse, status_code: int, kind: Kind | None, parsed: _ParsedBody, quoted: str
) -> BackendError:
    """The error for a response to a poll."""
    if kind == "missing":
        return JobNotFound(MODELSLAB, f"ModelsLab does not know job {sent.id}: it keeps them for 24 hours.")
    if parsed.status == "failed":
        return _failed(parsed, quoted)
    if kind == "declined" and parsed.status:
        return Refused(MODELSLAB, f"ModelsLab gave up job {sent.id}{quoted}: change the request.")
    if kind == "declined" or (kind is None and parsed.status):
        what = _describe(status_code, parsed, quoted)
        return OutcomeUnknown(
            MODELSLAB, f"{what} about job {sent.id}, which may have been billed: look at modelslab.com."
        )
    return Unavailable(MODELSLAB, f"{_describe(status_code, parsed, quoted)} about job {sent.id}{ASK_AGAIN}")


def _rate_limited(parsed: _ParsedBody) -> RateLimited:
    seconds = parsed.retry_after
    when = f"in {math.ceil(seconds)} seconds" if seconds else "in a moment"
    limit = re.search(r"\bmaximum (\d{1,3}) ", parsed.message, re.IGNORECASE)
    full = f"takes {limit[1]} headshots of this key at once" if limit else "has taken as many headshots as it may"
    return RateLimited(MODELSLAB, f"ModelsLab {full}: try again {when}.", retry_after=seconds)


def _failed(parsed: _ParsedBody, quoted: str) -> BackendError:
    if not parsed.message or re.search(r"try again|time[d ]*out|\berror\b|unavailable", parsed.message, re.IGNORECASE):
        return JobFailed(
            MODELSLAB, f"ModelsLab could not make this headshot{quoted}: try again, which may be charged again."
        )
    return Refused(MODELSLAB, f"ModelsLab did not make this headshot{quoted}: change the photo or the prompt.")


def _describe(status_code: int, parsed: _ParsedBody, quoted: str) -> str:
    if 300 <= status_code < 400:
        return f"ModelsLab redirected the request to another address (HTTP {status_code}), where the key must not go"
    if status_code >= 400 or parsed.status in ("error", "failed"):
        return f"ModelsLab answered with a fault{quoted or f' (HTTP {status_code})'}"
    if parsed.status == "processing":
        return "ModelsLab took the request without giving it a job number"
    if parsed.status == "success":
        return "ModelsLab says that it is done, but sent no picture"
    if parsed.status:
        return f"ModelsLab answered with a status that is not known here (“{parsed.status[:20]}”)"
    return "ModelsLab's answer cannot be read"


def outcome_unknown(what: str) -> OutcomeUnknown:
    """Return the error for a submission whose outcome is not known.

    Args:
        what: what happened after the request was sent; a sentence without its full stop.
    """
    return OutcomeUnknown(
        MODELSLAB,
        f"{what}. The request may have been billed, so it was not sent again: "
        "look at modelslab.com, or try again, which may be charged twice.",
    )


def unknown_result(why: str) -> OutcomeUnknown:
    """Return the error for a job that is done, but whose picture cannot be downloaded.

    Args:
        why: a clause.
    """
    return OutcomeUnknown(
        MODELSLAB,
        f"ModelsLab made the headshot, but {why.rstrip('.')}. It was billed: "
        "ask for it again later, within 24 hours, or look at modelslab.com.",
    )
