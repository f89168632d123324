"""How long a tab's photo and files are kept, beside the settings `keep_minutes` (files, photo) and `history_hours`.

`SessionRegistry.sweep` deletes what is older; `SessionRegistry.evict` holds the photos of all tabs within PHOTO_BYTES.
"""

GRACE_SECONDS = 300.0  # of a closed tab: a phone that shows another app for a while drops its connection
PHOTO_BYTES = 2**30  # of all tabs' photos together: twenty of the largest, hundreds from phones, on a machine of 4 GB
