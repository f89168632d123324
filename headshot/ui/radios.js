// Gradio gives every radio button its own name, so the arrow keys do not move between them. Make them one group.
document.addEventListener("focusin", (event) => {
  if (!event.target.matches?.("fieldset input[type=radio]")) return;
  const group = event.target.closest("fieldset");
  for (const radio of group.querySelectorAll("input[type=radio]")) radio.name = group.id;
});
