"""Paid jobs at a remote service, never lost and never sent twice; and the history of all headshots.

              add           sending          accepted             done
    (nothing) ───► PENDING ─────────► SENT ───────────► PROCESSING ───► DONE
                      ▲                │ │                ▲    │
                      └────────────────┘ │ unknown        │    │ unknown
                    reset_to_pending     └───► UNKNOWN ───┘ ◄──┘
                                                  │  accepted
                                                  └───────────────────► DONE
                                                            done
    from everywhere but DONE: failed ───► FAILED

Each arrow is one transaction, committed before the next step: `sending` is committed before the POST, so every job
that a crash leaves in SENT may have been billed. A job is sent once; a visitor who wants it sent again gets another
job. DONE and FAILED are final, and the first one wins. UNKNOWN is not: a late webhook, or another poll, may still
finish the job.

All of it is synchronous on purpose, and called from worker threads: a transaction takes milliseconds, an asynchronous
driver of SQLite is only a thread too, and threads, scripts and both databases share one code path. One process at a
time runs the jobs of a database (see `Store.recover`); any number of processes may read them.

`Store.history` holds the things that visitors see again: comparisons and their headshots, saved settings, and votes. It
does not use the jobs. Both share the database and the pictures, each of which is stored once.
"""

from .database import StoreError
from .history import History
from .job_states import NotAcceptedReason, StateError
from .records import (
    Ballot,
    Event,
    HistoryEntry,
    JobId,
    Kind,
    ModelsLabJob,
    Outcome,
    Poll,
    Recovery,
    SavedSettings,
    StoredHeadshot,
    Usage,
    hash_token,
    key_fingerprint,
)
from .schema import JobState
from .store import REMOTE_KEPT, Store

__all__ = [
    "REMOTE_KEPT",
    "Ballot",
    "Event",
    "History",
    "HistoryEntry",
    "JobId",
    "JobState",
    "Kind",
    "ModelsLabJob",
    "NotAcceptedReason",
    "Outcome",
    "Poll",
    "Recovery",
    "SavedSettings",
    "StateError",
    "Store",
    "StoreError",
    "StoredHeadshot",
    "Usage",
    "hash_token",
    "key_fingerprint",
]
