// Other tabs of this browser hear what is deleted in this one, and draw anew what is left.
const siblings = new BroadcastChannel(`headshots ${location.pathname}`);

document.addEventListener("headshots-deleted", () => element.isConnected && siblings.postMessage("deleted"));

siblings.addEventListener("message", () => {
  if (!element.isConnected) return siblings.close(); // the component was mounted again
  const headshots = document.querySelector("#shots .shot:is(.landed, .waiting)") !== null;
  trigger("renew", { headshots, photo: document.querySelector("#photo img") !== null });
});
