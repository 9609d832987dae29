// Small helps around forms; each of them works without this script as well.
// data-drop: a place to drop a file onto its file input. data-fills="id": a file input whose text goes into a textarea.
// data-most-bytes="n": a file input that says so before a larger file is sent in vain.
// data-toggles-all="name": a box that ticks all boxes of that name. data-selects: a field whose text is chosen when it is entered.
for (const place of document.querySelectorAll("[data-drop]")) {
  const input = place.querySelector("input[type=file]");
  for (const name of ["dragenter", "dragover"]) {
    place.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.add("is-over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    place.addEventListener(name, () => place.classList.remove("is-over"));
  }
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

document.addEventListener("change", async (event) => {
  const filler = event.target.closest("input[type=file][data-fills]");
  if (filler?.files.length) {
    const textarea = document.getElementById(filler.dataset.fills);
    textarea.value = await filler.files[0].text();
    textarea.dispatchEvent(new CustomEvent("replace", { detail: textarea.value }));
    textarea.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const limited = event.target.closest("input[type=file][data-most-bytes]");
  if (limited) {
    const most = Number(limited.dataset.mostBytes);
    const isTooLarge = [...limited.files].some((file) => file.size > most);
    const sentence = `The file is larger than ${most / 1024 ** 2} MB. Split it into several files.`;
    limited.setCustomValidity(isTooLarge ? sentence : "");
    limited.reportValidity();
  }
  const all = event.target.closest("[data-toggles-all]");
  if (all) {
    for (const box of document.getElementsByName(all.dataset.togglesAll)) box.checked = all.checked;
  }
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-selects]")) event.target.select();
});

// A button pressed twice by mistake sends once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
});
