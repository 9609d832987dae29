// Frames with somebody else's page in them: <div data-watched="5"><iframe …>, a note [data-stopped="silent"], another
// [data-stopped="loud"], each with a [data-loads-again]</div>. A page that leaves a question of ours unanswered for so many
// seconds is taken out (with 0 none is asked), and so is one that floods this page with messages. This works where the
// browser gives a sandboxed frame a process of its own, as Chromium does; others ask the person whether to stop the script.
(() => {
  const MOST_MESSAGES_A_SECOND = 2000;
  const states = new WeakMap();
  // A frame that takes the place of a hanging one may get its process, and then hangs before it has said a word.
  const LOADING = { isWatched: true, ping: "the first word", missed: -5 };
  const stateOf = (frame) => {
    if (!states.has(frame)) states.set(frame, { ...LOADING, messages: 0, since: 0 });
    return states.get(frame);
  };

  const stop = (frame, why) => {
    const note = frame.parentElement.querySelector(`[data-stopped="${why}"]`);
    states.delete(frame);
    frame.remove();
    note.hidden = false;
    note.querySelector("[data-loads-again]").onclick = () => {
      note.hidden = true;
      note.before(frame);
    };
  };

  // Also for a message of a frame within the frame.
  const frameOf = (source) => {
    const frames = [...document.querySelectorAll("[data-watched] > iframe")];
    for (let from = source; from && from !== window; from = from === from.parent ? null : from.parent) {
      const found = frames.find((frame) => frame.contentWindow === from);
      if (found) return found;
    }
    return null;
  };

  addEventListener("message", (event) => {
    const frame = frameOf(event.source);
    if (!frame) return;
    const state = stateOf(frame);
    const now = performance.now();
    if (now - state.since > 1000) Object.assign(state, { messages: 0, since: now });
    state.messages += 1;
    if (state.messages > MOST_MESSAGES_A_SECOND) {
      event.stopImmediatePropagation();
      stop(frame, "loud");
    } else if (event.source === frame.contentWindow && event.data?.mturkhub === "heartbeat") {
      const { heartbeat } = event.data;
      if (heartbeat === "here" || heartbeat === "leaving") {
        Object.assign(state, { isWatched: heartbeat === "here", ping: "", missed: 0 });
      } else if (heartbeat === state.ping) {
        Object.assign(state, { ping: "", missed: 0 });
      }
    }
  });

  // A page in a frame may call focus(), and get what the person goes on typing into a field of ours. Out of such a field the
  // keyboard goes with the pointer or with Tab alone.
  let held = null;
  let isTab = false;
  addEventListener("focusin", (event) => {
    held = event.target.closest("textarea, [contenteditable], input:not([type=checkbox], [type=radio], [type=file])");
    isTab = false;
  });
  addEventListener("keydown", (event) => (isTab = event.key === "Tab"), true);
  addEventListener("blur", () => {
    const frame = document.activeElement;
    if (!held || isTab || !frame?.matches("[data-watched] > iframe:not(:hover)")) return;
    // Once the browser is done with moving it.
    setTimeout(() => held.focus({ preventScroll: true }));
  });

  setInterval(() => {
    // A page that nobody sees is slowed down by the browser.
    if (document.hidden) return;
    for (const frame of document.querySelectorAll("[data-watched] > iframe")) {
      const state = stateOf(frame);
      const patience = Number(frame.parentElement.dataset.watched);
      if (!patience || !state.isWatched) continue;
      if (!state.ping) {
        // Not to be known beforehand, or a page could answer first and hang afterwards.
        state.ping = crypto.getRandomValues(new Uint32Array(4)).join("-");
        frame.contentWindow.postMessage({ mturkhub: "ping", ping: state.ping }, "*");
      } else if (++state.missed >= patience) {
        stop(frame, "silent");
      }
    }
  }, 1000);
})();
