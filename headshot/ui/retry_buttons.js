// The buttons of a headshot that has not landed: ask for it again, or send it again.
const ANSWERED_WITHIN_MS = 2000;

element.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-act]");
  if (!button) return;
  const buttons = [...button.parentElement.querySelectorAll("button[data-act]")];
  for (const each of buttons) each.disabled = true; // against the double click; the server sends once however often
  // What was refused leaves the card as it is, and its buttons are needed again.
  setTimeout(() => buttons.forEach((each) => (each.disabled = false)), ANSWERED_WITHIN_MS);
  trigger("select", { action: button.dataset.act, id: button.dataset.job });
});
