// The buttons of a failed or missing headshot: check it again, send it again, generate it.
const DISABLED_MS = 2000; // then the buttons are needed again, if the action was refused and the card is unchanged

element.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-act]");
  if (!button) return;
  const buttons = [...button.parentElement.querySelectorAll("button[data-act]")];
  for (const each of buttons) each.disabled = true; // against a double click, although the server sends only once
  setTimeout(() => buttons.forEach((each) => (each.disabled = false)), DISABLED_MS);
  trigger("select", { action: button.dataset.act, id: button.dataset.job });
});
