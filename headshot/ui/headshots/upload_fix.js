// Two fixes for Gradio's uploads. Browsers give IMG_1234.HEIC no type, and Gradio refuses every file without an image
// type: give it one, because the server checks the content and can say what is wrong. And Gradio derives an upload's
// path from its content and name, so two visitors with the same file would share, and delete, one upload: give each
// upload a random name.
const places = ":is(#photo, #check-file, #team-files)";
const many = "#team-files";

function renamed(file, input) {
  const chance = [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(16).padStart(8, "0")).join("");
  const type = file.type.startsWith("image/") ? file.type : "image/heic";
  if (!input.closest(many)) return new File([file], chance + (file.name.match(/\.\w{1,5}$/)?.[0] ?? ""), { type });
  // In a team the file's own name follows after a tilde, because the headshot is named after it. Of a file that is too
  // large only the name is sent, so that the others are still uploaded.
  const large = file.size > __MOST_BYTES__;
  return new File([large ? " " : file], `${chance}${large ? "+" : "~"}${file.name}`, { type });
}

// The component may be mounted again, when the page still has the listeners.
if (!document.documentElement.dataset.uploadFix) {
  document.documentElement.dataset.uploadFix = "on";
  document.addEventListener(
    "change",
    (event) => {
      const input = event.target;
      if (!input.matches?.(`${places} input[type=file]`)) return;
      const passed = new DataTransfer();
      for (const file of input.files) passed.items.add(renamed(file, input));
      input.files = passed.files;
    },
    true,
  );
  // A dropped file is handled like a chosen one, because Gradio's own handler would refuse it by its type.
  document.addEventListener(
    "drop",
    (event) => {
      const input = event.target.closest?.(places)?.querySelector("input[type=file]");
      if (!input || !event.dataTransfer.files.length) return;
      event.preventDefault();
      event.stopPropagation();
      event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true })); // without it Gradio's frame stays highlighted
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    },
    true,
  );
}
