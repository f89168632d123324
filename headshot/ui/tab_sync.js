// Tells the other tabs of this browser about deletions in this one, so that they redraw what is left.
const channel = new BroadcastChannel(`headshots ${location.pathname}`);

document.addEventListener("headshots-deleted", () => element.isConnected && channel.postMessage("deleted"));

channel.addEventListener("message", () => {
  if (!element.isConnected) return channel.close(); // the component was mounted again, with a channel of its own
  const headshots = document.querySelector("#shots .shot:is(.completed, .waiting)") !== null;
  trigger("refresh", { headshots, photo: document.querySelector("#photo img") !== null });
});
