// Elements that no template draws.
export function make(tag, className, ...content) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...content);
  return node;
}

export function icon(path) {
  return `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${path}"/></svg>`;
}

// Whether a click or a key comes without the keys that mean something else to the browser.
export const plain = (event) => !(event.altKey || event.ctrlKey || event.metaKey || event.shiftKey);
