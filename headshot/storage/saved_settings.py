"""Form settings that a visitor saves under a name; the page calls them looks."""

import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select

from headshot.errors import RequestError

from .records import SavedSettings, check_hashes, one_line
from .schema import LookRow
from .unit_of_work import UnitOfWork

MAX_SAVED = 50  # a list that can still be read
MAX_NAME_CHARACTERS = 40
MAX_SETTINGS_CHARACTERS = 20_000  # two prompts of 2,000 characters, each escaped in JSON, and some numbers

# A browser keeps no cookie longer (RFC 6265bis, section 5.5): after that, nobody can ask for these settings.
KEPT = timedelta(days=400)


class SavedSettingsTable:
    """The saved settings of all visitors of one store."""

    def __init__(self, unit_of_work: UnitOfWork) -> None:
        self._unit_of_work = unit_of_work

    def save(self, owner: str, name: str, settings: Mapping[str, Any]) -> SavedSettings:
        """Save settings under a name, in the place of those that the visitor has under that name.

        Args:
            owner: the hash of the visitor's token.
            name: one line, trimmed.
            settings: values of JSON's types.

        Raises:
            RequestError: if the name is missing, the name or the settings are too long, or there are too many.
        """
        check_hashes(owner=owner)
        name = one_line(name, "The look's name", MAX_NAME_CHARACTERS)
        if not name:
            raise RequestError("Give the look a name, to find it by.")
        plain = dict(settings)
        if len(json.dumps(plain)) > MAX_SETTINGS_CHARACTERS:
            raise RequestError("The look holds too much text: shorten its prompt.")
        with self._unit_of_work.write(lock=True) as session:
            row = session.scalars(select(LookRow).where(LookRow.owner == owner, LookRow.name == name)).one_or_none()
            if row is None:
                count = select(func.count()).select_from(LookRow).where(LookRow.owner == owner)
                if session.scalars(count).one() >= MAX_SAVED:
                    raise RequestError(f"At most {MAX_SAVED} looks are kept: delete one that you no longer need.")
                row = LookRow(id=secrets.token_hex(16), owner=owner, name=name)
                session.add(row)
            row.settings = plain
            row.saved_at = self._unit_of_work.clock()
            session.flush()
            session.refresh(row)  # as it is read later: JSON's types
            return _from_row(row)

    def all(self, owner: str) -> tuple[SavedSettings, ...]:
        """Return a visitor's saved settings, by name."""
        with self._unit_of_work.read() as session:
            rows = session.scalars(select(LookRow).where(LookRow.owner == owner))
            return tuple(sorted(map(_from_row, rows), key=lambda saved: (saved.name.casefold(), saved.name)))

    def delete(self, owner: str, settings_id: str) -> bool:
        """Delete one of a visitor's saved settings; False if there is none of that id."""
        with self._unit_of_work.write() as session:
            this = delete(LookRow).where(LookRow.owner == owner, LookRow.id == settings_id)
            gone = session.scalar(this.returning(LookRow.id)) is not None
        self._unit_of_work.vacuum(gone)
        return gone

    def expired(self) -> ColumnElement[bool]:
        """Return the SQL condition for settings that nobody can ask for any more."""
        return LookRow.saved_at < self._unit_of_work.clock() - KEPT


def _from_row(row: LookRow) -> SavedSettings:
    return SavedSettings(row.id, row.name, row.settings)
