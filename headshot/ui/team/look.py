"""Reads the look of a team: the current settings of the form, or saved ones."""

from typing import Any

import gradio as gr

from headshot.backend_names import AUTO
from headshot.comparison.labels import setting_labels
from headshot.errors import RequestError
from headshot.request import HeadshotRequest
from headshot.runs.history_recorder import HistoryRecorder
from headshot.runs.team import TeamLook
from headshot.sessions.tab_session import TabSession
from headshot.ui.headshots.form import Form
from headshot.ui.messages import Updates

_CURRENT = ""  # the dropdown's value for the current settings; any other value is the id of a saved look
_CHOICES = [("Current settings", _CURRENT)]


class TeamLookPart:
    """The dropdown that chooses the look, and the look that is chosen."""

    def __init__(self, form: Form, recorder: HistoryRecorder) -> None:
        self._form = form
        self._recorder = recorder

    def build(self) -> None:
        """Add the dropdown to the page."""
        self.choice = gr.Dropdown(
            _CHOICES,
            value=_CURRENT,
            label="Look",
            info="Everyone gets the same settings and the same seed.",
            filterable=False,
            elem_id="team-look",
        )

    @property
    def inputs(self) -> set[Any]:
        """The components that `read` needs the values of."""
        return {self.choice, *self._form.fields}

    async def refresh(self, values: Updates, session: TabSession) -> tuple[Updates, Updates]:
        """Read the saved looks again.

        Args:
            values: of `inputs`.
            session: the tab's.

        Returns:
            The values with a choice that still exists, and the dropdown's update.
        """
        saved = await self._recorder.saved_settings(session.owner)
        choices = [*_CHOICES, *((look.name, look.id) for look in saved)]
        chosen = values[self.choice] if values[self.choice] in [value for _, value in choices] else _CURRENT
        return {**values, self.choice: chosen}, {self.choice: gr.Dropdown(choices, value=chosen)}

    async def read(self, values: Updates, session: TabSession) -> TeamLook:
        """Return the chosen look.

        Args:
            values: of `inputs`.
            session: the tab's.

        Raises:
            RequestError: if the form has an error, or the saved look was deleted.
            NotConfigured: if the chosen backend is not ready.
        """
        # As a comparison of seeds, whatever is varied on the first tab: then the settings are those of its fields.
        values = {**values, self._form.varied: "seed"}
        request, name = self._form.requests(values)[0], ""
        chosen = values[self.choice]
        if chosen != _CURRENT:
            saved = await self._recorder.saved_settings(session.owner)
            look = next((each for each in saved if each.id == chosen), None)
            if look is None:
                raise RequestError("This look was deleted. Choose another one.")
            known = {key: value for key, value in look.settings.items() if key in HeadshotRequest.model_fields}
            request, name = HeadshotRequest(**{**known, "seed": request.seed}), look.name
            values[self._form.backend] = look.settings.get("backend") or AUTO
        backends = self._form.chain(values, session)
        return TeamLook(request, backends, setting_labels(request, backends[0].title, name))
