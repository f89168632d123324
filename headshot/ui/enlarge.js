// A headshot opens large in a dialog of its own, outside this component, whose content is renewed while pictures land.
const dialog = document.createElement("dialog");
dialog.className = "enlarged";
dialog.innerHTML = `
  <img alt="">
  <nav>
    <button type="button" data-go="-1" aria-label="Previous headshot">←</button>
    <span></span>
    <a download>Download</a>
    <button type="button" data-go="1" aria-label="Next headshot">→</button>
    <button type="button" data-close aria-label="Close">✕</button>
  </nav>`;
document.body.append(dialog);

const links = () => [...element.querySelectorAll("a.frame")];
let at = 0;

function show(index) {
  const all = links();
  if (!all.length) return dialog.close();
  at = (index + all.length) % all.length;
  const link = all[at];
  const picture = dialog.querySelector("img");
  picture.src = link.href;
  picture.alt = link.querySelector("img").alt;
  dialog.querySelector("span").textContent = link.querySelector("img").alt;
  const download = dialog.querySelector("a");
  download.href = link.href;
  download.download = link.dataset.name;
}

element.addEventListener("click", (event) => {
  const link = event.target.closest("a.frame");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(links().indexOf(link));
  dialog.showModal();
});

dialog.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (event.target === dialog || (button && "close" in button.dataset)) dialog.close();
  else if (button) show(at + Number(button.dataset.go));
});

dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") show(at - 1);
  if (event.key === "ArrowRight") show(at + 1);
});
