"""Paid jobs in each state for the tests of the store."""

import os
from collections.abc import Callable

from keeping import ANN, PICTURE

from headshot.request import HeadshotRequest
from headshot.storage import (
    JobId,
    JobState,
    ModelsLabJob,
    Store,
    hash_token,
    key_fingerprint,
)

REQUEST = HeadshotRequest(prompt="teal backdrop", seed=7)


def add(store: Store, owner: str = ANN, comparison: str = "c", position: int = 0, **more: str | None) -> JobId:
    marks = {"key_fingerprint": key_fingerprint("key", store.salt), "photo_sha256": hash_token("photo")}
    return store.add(owner, comparison, position, REQUEST, api="v6", **(marks | more))


def send(store: Store, remote_id: str | None = "r1", owner: str = ANN, **more: str | None) -> JobId:
    """A job that the service has accepted."""
    job = add(store, owner, **more)
    store.sending(job)
    store.accepted(job, remote_id)
    return job


def finish(store: Store, picture: bytes = PICTURE, owner: str = ANN) -> JobId:
    job = send(store, remote_id=os.urandom(4).hex(), owner=owner)
    store.done(job, picture, "a.png")
    return job


def look(store: Store, job: JobId, owner: str = ANN) -> ModelsLabJob:
    found = store.job(owner, job)
    assert found is not None
    return found


def pending(store: Store) -> JobId:
    return add(store)


def sent(store: Store) -> JobId:
    job = add(store)
    store.sending(job)
    return job


def unknown(store: Store) -> JobId:
    job = sent(store)
    store.unknown(job, "No answer came.")
    return job


def done(store: Store) -> JobId:
    job = send(store)
    store.done(job, PICTURE, "a.png")
    return job


def failed(store: Store) -> JobId:
    job = sent(store)
    store.failed(job, "Declined.")
    return job


WAY_TO: dict[JobState, Callable[[Store], JobId]] = {
    JobState.PENDING: pending,
    JobState.SENT: sent,
    JobState.PROCESSING: send,
    JobState.UNKNOWN: unknown,
    JobState.DONE: done,
    JobState.FAILED: failed,
}
