// As any_file.js does for one photo, for many: every file is let through, under a place nobody can guess. Its own name
// follows after a tilde, for it becomes the headshot's. Of what is too large only the name goes up: the others go on.
const MOST_BYTES = __MOST_BYTES__;
const field = "#team-files input[type=file]";

function renamed(file) {
  const chance = [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(16).padStart(8, "0")).join("");
  const large = file.size > MOST_BYTES;
  const type = file.type.startsWith("image/") ? file.type : "image/heic";
  return new File([large ? " " : file], `${chance}${large ? "+" : "~"}${file.name}`, { type });
}

// The component may be mounted again, and the page's listeners are still there then.
if (!document.documentElement.dataset.team) {
  document.documentElement.dataset.team = "heard";
  document.addEventListener(
    "change",
    (event) => {
      const input = event.target;
      if (!input.matches?.(field)) return;
      const passed = new DataTransfer();
      for (const file of input.files) passed.items.add(renamed(file));
      input.files = passed.files;
    },
    true,
  );
  document.addEventListener(
    "drop",
    (event) => {
      const input = event.target.closest?.("#team-files")?.querySelector("input[type=file]");
      if (!input || !event.dataTransfer.files.length) return;
      event.preventDefault();
      event.stopPropagation();
      event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true })); // Gradio's frame stays lit without it
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    },
    true,
  );
  // The server names a headshot by its settings, which wins over the link's own name: under a person's name it is saved
  // from here.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest?.("#team a.download");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const answer = await fetch(link.href);
    if (!answer.ok) return open(link.href, "_blank"); // which says why
    const named = document.createElement("a");
    named.href = URL.createObjectURL(await answer.blob());
    named.download = link.download;
    named.click();
    setTimeout(() => URL.revokeObjectURL(named.href), 60_000);
  });
}
