// Browsers give no type to IMG_1234.HEIC, and Gradio turns away every file without a picture's type. The server looks at
// the content and says in a sentence what is wrong: let it see the file. And Gradio names an upload's place by its
// content and name: under its own name, one visitor's portrait.jpg could be deleted as another's.
const places = "#photo, #check-file";
const uploads = ":is(#photo, #check-file) input[type=file]";

function renamed(file) {
  const chance = crypto.getRandomValues(new Uint32Array(4)).join("");
  const ending = file.name.match(/\.\w{1,5}$/)?.[0] ?? "";
  const type = file.type.startsWith("image/") ? file.type : "image/heic";
  return new File([file], chance + ending, { type });
}

document.addEventListener(
  "change",
  (event) => {
    const input = event.target;
    if (!input.matches?.(uploads)) return;
    const passed = new DataTransfer();
    for (const file of input.files) passed.items.add(renamed(file));
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
