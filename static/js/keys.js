// <a data-key="j"> and <button data-key="a"> are pressed by that letter, outside of fields and dialogs.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select, [contenteditable], dialog, .cm-editor")) return;
  if (document.querySelector("dialog[open]")) return;
  const wanted = CSS.escape(event.key.length === 1 ? event.key.toLowerCase() : event.key);
  const target = document.querySelector(`[data-key="${wanted}"]:not([aria-disabled="true"])`);
  if (!target) return;
  event.preventDefault();
  target.click();
});
