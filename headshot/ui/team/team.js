// The server names a headshot by its settings, which wins over the link's own name: under a person's name it is saved from
// here. The component may be mounted again, and the page's listener is still there then.
if (!document.documentElement.dataset.team) {
  document.documentElement.dataset.team = "heard";
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
