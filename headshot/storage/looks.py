"""Looks: settings that a visitor keeps under a name."""

import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select

from headshot.errors import RequestError

from .records import SavedSettings, checked, one_line
from .schema import LookRow
from .unit_of_work import UnitOfWork

MAX_LOOKS = 50  # a list that can still be read
MAX_NAME_CHARACTERS = 40
MAX_SETTINGS_CHARACTERS = 20_000  # two prompts of 2,000 characters, each escaped in JSON, and some numbers

# A browser keeps no cookie longer (RFC 6265bis, section 5.5): whose look it is cannot come back for it.
KEPT = timedelta(days=400)


class SavedSettingsTable:
    def __init__(self, ground: UnitOfWork) -> None:
        self._ground = ground

    def save(self, owner: str, name: str, settings: Mapping[str, Any]) -> SavedSettings:
        """Keep settings, as JSON's types, under a name; those that the visitor has under that name are replaced.

        Raises RequestError where the name or the settings are too long, or there are too many looks.
        """
        checked(owner=owner)
        name = one_line(name, "The look's name", MAX_NAME_CHARACTERS)
        if not name:
            raise RequestError("Give the look a name, to find it by.")
        plain = dict(settings)
        if len(json.dumps(plain)) > MAX_SETTINGS_CHARACTERS:
            raise RequestError("The look holds too much text: shorten its prompt.")
        with self._ground.write(lock=True) as session:
            row = session.scalars(select(LookRow).where(LookRow.owner == owner, LookRow.name == name)).one_or_none()
            if row is None:
                count = select(func.count()).select_from(LookRow).where(LookRow.owner == owner)
                if session.scalars(count).one() >= MAX_LOOKS:
                    raise RequestError(f"At most {MAX_LOOKS} looks are kept: delete one that you no longer need.")
                row = LookRow(id=secrets.token_hex(16), owner=owner, name=name)
                session.add(row)
            row.settings = plain
            row.saved_at = self._ground.clock()
            session.flush()
            session.refresh(row)  # as it is read later: JSON's types
            return _look(row)

    def all(self, owner: str) -> tuple[SavedSettings, ...]:
        """By name."""
        with self._ground.read() as session:
            rows = session.scalars(select(LookRow).where(LookRow.owner == owner))
            return tuple(sorted(map(_look, rows), key=lambda look: (look.name.casefold(), look.name)))

    def delete(self, owner: str, look: str) -> bool:
        with self._ground.write() as session:
            this = delete(LookRow).where(LookRow.owner == owner, LookRow.id == look)
            gone = session.scalar(this.returning(LookRow.id)) is not None
        self._ground.vacuum(gone)
        return gone

    def forgotten(self) -> ColumnElement[bool]:
        """Which looks nobody can ask for any more."""
        return LookRow.saved_at < self._ground.clock() - KEPT


def _look(row: LookRow) -> SavedSettings:
    return SavedSettings(row.id, row.name, row.settings)
