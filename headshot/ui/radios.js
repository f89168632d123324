// Gradio gives every radio button a name of its own, so that the arrow keys find no neighbour: as one group they do.
document.addEventListener("focusin", (event) => {
  if (!event.target.matches?.("fieldset input[type=radio]")) return;
  const group = event.target.closest("fieldset");
  for (const radio of group.querySelectorAll("input[type=radio]")) radio.name = group.id;
});
