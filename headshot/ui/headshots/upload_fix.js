// Browsers give no type to IMG_1234.HEIC, and Gradio turns away every file without a picture's type. The server looks at
// the content and says in a sentence what is wrong: let it see the file. And Gradio names an upload's place by its
// content and name: under its own name, one visitor's portrait.jpg could be deleted as another's.
const places = ":is(#photo, #check-file, #team-files)";
const many = "#team-files";

function renamed(file, input) {
  const chance = [...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(16).padStart(8, "0")).join("");
  const type = file.type.startsWith("image/") ? file.type : "image/heic";
  if (!input.closest(many)) return new File([file], chance + (file.name.match(/\.\w{1,5}$/)?.[0] ?? ""), { type });
  // Of many, its own name follows after a tilde, for it becomes the headshot's. Of what is too large only the name goes
  // up: the others go on.
  const large = file.size > __MOST_BYTES__;
  return new File([large ? " " : file], `${chance}${large ? "+" : "~"}${file.name}`, { type });
}

// The component may be mounted again, and the page's listeners are still there then.
if (!document.documentElement.dataset.anyFile) {
  document.documentElement.dataset.anyFile = "heard";
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
  // A dropped file takes the same way as a chosen one: Gradio's own would refuse it by its type.
  document.addEventListener(
    "drop",
    (event) => {
      const input = event.target.closest?.(places)?.querySelector("input[type=file]");
      if (!input || !event.dataTransfer.files.length) return;
      event.preventDefault();
      event.stopPropagation();
      event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true })); // Gradio's frame stays lit without it
      input.files = event.dataTransfer.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    },
    true,
  );
}
