// What the form has stays in this browser, and goes into links. Never a key, never a photo.
const KEPT = `headshot form ${location.pathname}`;
const COPIED_MS = 2000;
let settings = null; // as the server last read the form

export function mountForm(props, watch, restore) {
  const kept = localStorage.getItem(KEPT) ?? "";
  const query = location.search.slice(1);
  if (kept || query) restore({ kept, query });
  if (query) history.replaceState(null, "", addressWithout(query)); // or a reload would bring the link's settings again
  watch("value", () => {
    settings = props.value;
    localStorage.setItem(KEPT, JSON.stringify(settings));
  });
}

// With the pictures goes what was typed for them. What is on the screen stays there.
export function forgetForm() {
  settings = null;
  localStorage.removeItem(KEPT);
}

// Gradio's own names begin with underscores.
function addressWithout(query) {
  const left = [...new URLSearchParams(query)].filter(([name]) => name.startsWith("__"));
  return left.length ? `${location.pathname}?${new URLSearchParams(left)}` : location.pathname;
}

export async function copyLink(button) {
  const link = new URL(location.pathname, location.href);
  const kept = settings ?? JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  link.search = new URLSearchParams(Object.entries(kept).map(([name, value]) => [name, String(value)]));
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(link.href);
    button.textContent = "Link copied";
  } catch {
    // Refused, or not available: a page over plain http has no clipboard.
    history.replaceState(null, "", link);
    button.textContent = "The link is in the address bar";
  }
  setTimeout(() => (button.textContent = label), COPIED_MS);
}
