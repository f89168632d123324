"""Paid jobs at a remote service, never lost and never sent twice; and the history of all that was made.

              add           sending          accepted             done
    (nothing) ───► PENDING ─────────► SENT ───────────► PROCESSING ───► DONE
                      ▲                │ │                ▲    │
                      └────────────────┘ │ unknown        │    │ unknown
                           withdrawn     └───► UNKNOWN ───┘ ◄──┘
                                                  │  accepted
                                                  └───────────────────► DONE
                                                            done
    from everywhere but DONE: failed ───► FAILED

Each arrow is one transaction, committed before the next step is taken: `sending` before the POST, so that whatever a
crash leaves in SENT may have been billed. A job is sent once; to send it again is another job, for which a visitor
asks. DONE and FAILED are ends, and the first one wins. UNKNOWN is none: a webhook that comes late, or another look at
the service, may still finish it.

Synchronous on purpose, to be called from worker threads: a transaction takes milliseconds, an asynchronous driver of
SQLite is a thread behind another face, and threads, scripts and both databases share one path. One process at a time
runs the jobs of a database (see `Store.recover`); any number may read them.

`Store.history` is about what visitors see again: comparisons and their headshots, looks, and votes. It knows nothing of
jobs, and shares with them the database and the pictures, each of which lies there once, whoever wants it.
"""

from .database import StoreError
from .history import History
from .job_states import StateError, StateNotReached
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
    "Outcome",
    "Poll",
    "Recovery",
    "SavedSettings",
    "StateError",
    "StateNotReached",
    "Store",
    "StoreError",
    "StoredHeadshot",
    "Usage",
    "hash_token",
    "key_fingerprint",
]
