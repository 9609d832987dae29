// Stands first in somebody's page within a frame, and answers the page around it (frames.js), which so knows that this
// one is not hanging. What it needs is kept at once, because the page may replace anything later.
(() => {
  document.currentScript.remove();
  const outer = parent;
  if (outer === self) return;
  const say = (heartbeat) => outer.postMessage({ mturkhub: "heartbeat", heartbeat }, "*");
  addEventListener("message", (event) => {
    if (event.source !== outer || event.data?.mturkhub !== "ping") return;
    event.stopImmediatePropagation();
    say(event.data.ping);
  });
  addEventListener("pagehide", () => say("leaving"));
  say("here");
})();
