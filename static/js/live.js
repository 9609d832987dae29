// Fragments that ask again: <div data-live="15" hx-get=… hx-trigger="live">. Only while the page is seen.
const due = new Map();
setInterval(() => {
  if (document.hidden) return;
  const now = Date.now();
  for (const part of document.querySelectorAll("[data-live]")) {
    const every = Number(part.dataset.live) * 1000;
    const last = due.get(part.id) ?? now;
    if (!due.has(part.id)) due.set(part.id, now);
    if (now - last < every || part.contains(document.activeElement)) continue;
    due.set(part.id, now);
    htmx.trigger(part, "live");
  }
}, 500);
