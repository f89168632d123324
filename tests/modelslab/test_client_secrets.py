"""Where the key could be seen, and is not."""

import asyncio
import ssl

import httpx
import pytest
from loopback import CANARY, LINK, REQUEST, client, everything_loggable, listening, run, traces
from service import Exchange, Service, closed_port

from headshot.errors import NotConfigured
from headshot.modelslab.client import HeadShotClient
from headshot.modelslab.key import Key
from headshot.modelslab.transport import _reason


def test_the_search_for_traces_finds_what_httpx_leaves() -> None:
    with closed_port() as port, pytest.raises(httpx.ConnectError) as caught:
        httpx.post(f"http://127.0.0.1:{port}", json={"key": CANARY})
    assert traces(everything_loggable(caught.value)) != []


def test_a_call_that_is_cancelled_on_its_way_shows_no_key() -> None:
    async def hang(exchange: Exchange) -> None:
        await exchange.body()
        await asyncio.sleep(0.5)

    async def job() -> None:
        async with client(service) as found:
            sending = asyncio.create_task(found.submit(REQUEST, LINK))
            await asyncio.sleep(0.15)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await sending
            assert traces(everything_loggable(caught.value)) == []
            with pytest.raises(TimeoutError) as late:
                async with asyncio.timeout(0.1):
                    await found.submit(REQUEST, LINK)
            assert traces(everything_loggable(late.value)) == []

    with Service() as service:
        service.script("submit", hang)
        asyncio.run(job())


def test_a_whole_job_logs_no_key_though_the_service_echoes_it() -> None:
    with listening() as log, Service() as service:
        run(service)
    assert "HTTP Request: POST" in log.getvalue()
    assert traces(log.getvalue()) == []


def test_a_client_and_what_it_returns_show_no_key() -> None:
    async def job() -> str:
        async with client(service) as found:
            reply = await found.submit(REQUEST, LINK)
            return repr((found, vars(found), reply, dict(reply.raw)))

    with Service() as service:
        assert traces(asyncio.run(job())) == []


@pytest.mark.parametrize(("key", "words"), [("", "no ModelsLab key"), ("two words", "copy it again")])
def test_what_cannot_be_a_key_is_refused_before_anything_is_sent(key: str, words: str) -> None:
    with pytest.raises(NotConfigured, match=words):
        HeadShotClient(key)


@pytest.mark.parametrize(
    "address", ["http://modelslab.com", "ftp://modelslab.com", "modelslab.com", "http://127.0.0.1.evil.com"]
)
def test_the_key_goes_nowhere_unprotected(address: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        HeadShotClient(Key(CANARY), base_url=address)


def test_proxies_of_the_environment_never_see_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as port:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        with Service() as service:
            assert run(service) == service.file


def test_a_certificate_that_is_not_trusted_is_told_apart() -> None:
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")
    assert _reason(error, sent=False) == "its certificate is not trusted"
