// The page around a requester's frame: counts down, fits the frame to its content, and goes on once the server says that
// the answer has arrived. What the frame tells is a hint and no more.
(() => {
  const clock = document.querySelector("[data-work]");
  const goOn = document.getElementById("go-on");
  const frame = document.getElementById("work-frame");
  const lost = document.querySelector("[data-lost]");
  const lastMinute = document.querySelector("[data-last-minute]");
  let endsAt = performance.now() + Number(clock.dataset.left) * 1000;
  let asking = false;
  let askedAt = -Infinity;
  let isHinted = false;
  // Sent once: a second form would break off the first, which may be accepting the next HIT.
  let isGoing = false;

  const ask = async () => {
    if (asking || isGoing) return;
    asking = true;
    askedAt = performance.now();
    isHinted = false;
    try {
      const answer = await fetch(clock.dataset.state, { headers: { Accept: "application/json" } });
      if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
      const told = await answer.json();
      lost.hidden = true;
      endsAt = performance.now() + told.seconds_left * 1000;
      if (told.state !== "accepted") {
        isGoing = true;
        goOn.submit();
      }
    } catch {
      lost.hidden = false;
      setTimeout(ask, 3000);
    } finally {
      asking = false;
    }
  };

  // A page can hint as often as it likes; the server is asked once a second.
  const hinted = () => {
    isHinted = true;
    if (performance.now() - askedAt > 1000) ask();
  };

  const figure = clock.querySelector("[data-clock]");
  const bar = clock.querySelector("progress");
  clock.querySelector("[data-clock-word]").hidden = false;
  const two = (number) => String(number).padStart(2, "0");
  let isOver = false;
  const tick = () => {
    const left = Math.max(0, Math.round((endsAt - performance.now()) / 1000));
    const hours = Math.floor(left / 3600);
    const minutes = Math.floor(left / 60) % 60;
    figure.textContent = hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
    bar.value = left;
    lastMinute.hidden = left > 60;
    if ((left === 0 && !isOver) || isHinted) ask();
    isOver = left === 0;
  };
  tick();
  setInterval(tick, 1000);

  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    isGoing = false;
    ask();
  });

  // The first load is the question; each further one may be the answer to its form.
  let loads = 0;
  frame?.addEventListener("load", () => {
    loads += 1;
    if (loads > 1) hinted();
  });
  addEventListener("message", (event) => {
    if (event.source === frame?.contentWindow && event.data?.mturkhub === "submitted") hinted();
  });

  const choice = document.getElementById("choose-next");
  choice.addEventListener("change", () => {
    fetch(choice.action, { method: "POST", body: new FormData(choice) });
  });
})();
