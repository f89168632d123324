// The buttons of a vote: start, refresh, close, copy the link.
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
    prompt("Copy this link:", link); // the browser denies access to the clipboard
  }
});
