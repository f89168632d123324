// The server names a headshot by its settings, and that name wins over the link's own. So a click on a download link saves
// the file from here, under the person's name. The component may be mounted again, but the page's listener must be added once.
if (!document.documentElement.dataset.team) {
  document.documentElement.dataset.team = "listening";
  document.addEventListener("click", async (event) => {
    const link = event.target.closest?.("#team a.download");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const response = await fetch(link.href);
    if (!response.ok) return open(link.href, "_blank"); // the page that opens says why
    const named = document.createElement("a");
    named.href = URL.createObjectURL(await response.blob());
    named.download = link.download;
    named.click();
    setTimeout(() => URL.revokeObjectURL(named.href), 60_000);
  });
}
