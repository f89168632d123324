// Browsers give no type to IMG_1234.HEIC, and Gradio turns away every file without a picture's type. The server looks at
// the content and says in a sentence what is wrong: let it see the file.
document.addEventListener(
  "change",
  (event) => {
    const input = event.target;
    if (!input.matches?.("#photo input[type=file]")) return;
    const known = (file) => file.type.startsWith("image/");
    if ([...input.files].every(known)) return;
    const relabelled = new DataTransfer();
    for (const file of input.files) {
      relabelled.items.add(known(file) ? file : new File([file], file.name, { type: "image/heic" }));
    }
    input.files = relabelled.files;
  },
  true,
);
