// The buttons of a vote: begun, read again, closed, and its link copied.
element.addEventListener("click", async ({ target }) => {
  const button = target.closest("button[data-act]");
  if (!button) return;
  const { act, code = "" } = button.dataset;
  if (act !== "copy") return trigger("select", { action: act, code });
  const link = new URL(`vote/${code}`, document.baseURI).href;
  try {
    await navigator.clipboard.writeText(link);
    button.textContent = "Copied";
  } catch {
    prompt("Copy this link:", link); // where a browser lets no page write to the clipboard
  }
});
