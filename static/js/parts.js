// <button data-shows="part"> in [data-part] shows one part of a page where there is no room for all of them side by side.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-shows]");
  const whole = button?.closest("[data-part]");
  if (!whole) return;
  whole.dataset.part = button.dataset.shows;
  for (const each of whole.querySelectorAll("[data-shows]")) {
    each.setAttribute("aria-pressed", String(each === button));
  }
});
for (const whole of document.querySelectorAll('[data-part="all"]')) whole.querySelector("[data-shows]").click();
