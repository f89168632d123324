"""What the server does beside its page: sweeping, resuming and expiring jobs, and what it logs of them."""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from loopback import CANARY, LINK, QUICK, REQUEST, listening, loopback, traces
from loopback import client as client_of
from page import app_running, free_port
from service import Service

from headshot.backends import Backend
from headshot.modelslab.backend import ModelsLab
from headshot.modelslab.jobs import JobService
from headshot.sessions.registry import SessionRegistry
from headshot.settings import Settings
from headshot.storage import JobId, JobState, ModelsLabJob, Store, hash_token, key_fingerprint
from headshot.web import background_tasks, server

OWNER = hash_token("a visitor")
WITHIN = 20.0  # two cores that other tests may share


def test_a_sweep_that_fails_is_logged_and_not_the_last(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    again = threading.Event()

    class Stumbling(SessionRegistry):
        passes = 0

        def sweep(self) -> None:
            self.passes += 1
            if self.passes == 1:
                raise OSError("the first pass stumbles")
            super().sweep()
            again.set()

    sessions = Stumbling(tmp_path, keep_seconds=100, grace_seconds=0.05)
    folder = sessions.get("tab").write("a.png", b"a").parent

    async def swept() -> None:
        sweeping = asyncio.create_task(background_tasks._sweep(sessions))
        assert await asyncio.to_thread(again.wait, 5)
        sweeping.cancel()

    asyncio.run(swept())
    assert not folder.exists()
    assert "OSError: the first pass stumbles" in caplog.text


def _left_behind(store: Store, number: str) -> JobId:
    """A job that a server that was killed has sent, and that the service calls by that number."""
    job = store.add(
        OWNER,
        "comparison",
        0,
        REQUEST,
        api="enterprise",
        key_fingerprint=key_fingerprint(CANARY, store.salt),
        photo_sha256=hash_token("a photo"),
    )
    store.sending(job)
    store.accepted(job, number)
    return job


def _submitted(service: Service) -> str:
    async def submit() -> str:
        async with client_of(service) as client:
            reply = await client.submit(REQUEST, LINK)
        assert reply.id is not None
        return reply.id

    return asyncio.run(submit())


def _job_service(folder: Path, url: str = "https://modelslab.com") -> tuple[Settings, dict[str, Backend]]:
    settings = Settings(open_browser=False, data_dir=folder, modelslab_key=CANARY, modelslab_url=url)
    backend = ModelsLab(JobService(settings, polling=QUICK, resolve=loopback))
    return settings, {backend.name: backend}


def _job(store: Store, job: JobId) -> ModelsLabJob:
    found = store.job(OWNER, job)
    assert found is not None
    return found


def test_a_server_resumes_unfinished_jobs_and_leaves_its_own_to_the_next(tmp_path: Path) -> None:
    with Service() as service, Store.open(tmp_path) as store:
        done, never = (_left_behind(store, _submitted(service)) for _ in range(2))
        number = _job(store, never).remote_id
        assert number is not None
        service.jobs[int(number)].done_at = float("inf")
        site = server.start(*_job_service(tmp_path, service.base_url), port=free_port())
        try:
            deadline = time.monotonic() + WITHIN
            while _job(store, done).state is not JobState.DONE or _job(store, never).polls < 2:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            site.close()
        polls = service.polls
        time.sleep(10 * QUICK.poll_max)
        assert service.polls == polls
        assert _job(store, never).state is JobState.PROCESSING
        assert _job(store, done).picture is not None


def test_a_server_whose_first_page_takes_long_starts_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradio.networking.url_ok", lambda url: False)  # what Gradio makes of three seconds
    site = server.start(*_job_service(tmp_path), port=free_port())
    try:
        assert httpx.get(site.address, trust_env=False).status_code == 200
    finally:
        site.close()


def test_a_server_that_cannot_open_its_jobs_says_so_in_one_sentence_and_serves_its_page(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("where a folder should be")
    with listening() as log:
        site = server.start(*_job_service(tmp_path / "data"), port=free_port())
        try:
            assert httpx.get(site.address, trust_env=False).status_code == 200
            deadline = time.monotonic() + WITHIN
            while "Could not resume unfinished jobs" not in log.getvalue():
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            site.close()
    (sentence,) = [line for line in log.getvalue().splitlines() if "Could not resume unfinished jobs" in line]
    assert str(tmp_path / "data") in sentence or "folder" in sentence
    assert "Traceback" not in log.getvalue()
    assert traces(log.getvalue()) == []


def test_expired_jobs_are_deleted_and_a_job_service_without_any_opens_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "_EXPIRE_SECONDS", 0.05)

    async def maintained(folder: Path, gone: Callable[[], bool]) -> None:
        job_service = JobService(Settings(data_dir=folder))
        maintaining = asyncio.create_task(background_tasks._maintain_jobs(job_service, keep_seconds=0.2))
        for _ in range(round(WITHIN / 0.05)):
            if gone():
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("nothing has happened")
        maintaining.cancel()
        await job_service.close()

    with Store.open(tmp_path / "kept") as store:
        failed, under_way = (_left_behind(store, number) for number in ("1", "2"))
        store.failed(failed, "The service has failed.")
        asyncio.run(maintained(tmp_path / "kept", lambda: store.job(OWNER, failed) is None))
        assert _job(store, under_way).state is JobState.PROCESSING

    passes = iter(range(5))
    asyncio.run(maintained(tmp_path / "empty", lambda: next(passes, None) is None))
    assert not (tmp_path / "empty").exists()


def test_the_key_and_a_webhooks_token_reach_no_log_of_the_app(tmp_path: Path) -> None:
    token = secrets.token_urlsafe(32)
    with Service() as service, Store.open(tmp_path / "data") as store:
        _left_behind(store, _submitted(service))
        environment = {
            "HEADSHOT_MODELSLAB_KEY": CANARY,
            "HEADSHOT_MODELSLAB_URL": service.base_url,
            "HEADSHOT_PUBLIC_URL": "https://playground.example",
            "HEADSHOT_DATA_DIR": str(tmp_path / "data"),
        }
        with app_running(tmp_path, **environment) as app:
            answer = httpx.post(f"{app.address}webhooks/{token}", json={"id": 1}, trust_env=False)
            assert (answer.status_code, answer.text) == (404, "There is nothing here.")
            deadline = time.monotonic() + WITHIN
            while service.polls == 0:  # with the server's own key
                assert time.monotonic() < deadline
                time.sleep(0.05)
    log = app.log.read_text()
    assert token not in log
    assert traces(log) == []
