"""Paid jobs at a remote service: never lost, and never sent twice.

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
"""

from .database import StoreError
from .machine import StateError, Untaken
from .schema import State
from .store import REMOTE_KEPT, Store
from .words import Event, Job, JobId, Recovery, key_mark, mark

__all__ = [
    "REMOTE_KEPT",
    "Event",
    "Job",
    "JobId",
    "Recovery",
    "State",
    "StateError",
    "Store",
    "StoreError",
    "Untaken",
    "key_mark",
    "mark",
]
