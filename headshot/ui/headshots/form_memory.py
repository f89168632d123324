"""Keeps what the form has in the browser, so that a reload brings it back, and puts it into links."""

from typing import Any

import gradio as gr

from headshot.comparison.form_values import FormValues
from headshot.ui import assets
from headshot.ui.messages import Updates, event_handler, toast

from .form import Form


class FormMemory:
    """The button *Copy link to these settings*, and a component without anything to see, whose value the browser keeps.

    Attributes:
        component: gets the form's values from the form, after each of its changes.
    """

    def __init__(self, form: Form) -> None:
        self._form = form

    def build(self) -> None:
        """Build the components."""
        self.component: Any = gr.HTML(
            html_template="",
            js_on_load=assets.call("mountForm", "props", "watch", "(found) => trigger('restore_form', found)"),
            apply_default_css=False,
            elem_id="form-state",
        )
        self._copy = gr.Button("Copy link to these settings", size="sm", elem_id="copy-link", min_width=0)

    def wire(self) -> None:
        """Connect the events. The form must be built."""
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        form = self._form
        self.component.restore_form(
            event_handler(self._restore), {self.component}, [*form.restorable, form.backend], **quick
        )
        # The button's words say how it went: a toast would be far from it.
        script = f"() => {assets.call('copyLink', 'document.querySelector(`#copy-link`)')}"
        self._copy.click(None, js=script, api_visibility="private")

    async def _restore(self, values: Updates, request: gr.Request, event: gr.EventData) -> Updates:
        """Fill the form from the link that was opened, else from what the browser kept. `query` and `kept` are text."""
        found, bad = FormValues.of_query(str(event.query or ""))
        if found == FormValues() and not bad:
            found = FormValues.of_json(str(event.kept or ""))
        if bad:
            one = len(bad) == 1
            toast(
                f"This link has {'a setting' if one else 'settings'} that cannot be used, and {'is' if one else 'are'} "
                f"left out: {', '.join(name.replace('_', ' ') for name in bad)}."
            )
        return self._form.filled(found) or {self.component: gr.skip()}
