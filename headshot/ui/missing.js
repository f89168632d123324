// The buttons of a headshot that has not landed: ask for it again, or send it again.
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-act]");
  if (!button) return;
  for (const other of button.parentElement.querySelectorAll("button[data-act]")) other.disabled = true; // sent once
  trigger("select", { action: button.dataset.act, id: button.dataset.job });
});
