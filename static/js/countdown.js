// A test's clock: counts down from the server's figure, warns in the last minute, and asks the server when it is over.
(() => {
  const clock = document.querySelector("[data-countdown]");
  const lastMinute = document.querySelector("[data-last-minute]");
  const endsAt = performance.now() + Number(clock.dataset.left) * 1000;
  const figure = clock.querySelector("[data-clock]");
  const bar = clock.querySelector("progress");
  clock.querySelector("[data-clock-word]").hidden = false;
  const two = (number) => String(number).padStart(2, "0");
  const tick = () => {
    const left = Math.max(0, Math.round((endsAt - performance.now()) / 1000));
    const hours = Math.floor(left / 3600);
    const minutes = Math.floor(left / 60) % 60;
    figure.textContent = hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
    bar.value = left;
    lastMinute.hidden = left > 60;
    if (left > 0) return;
    clearInterval(beat);
    location.replace(location.href);
  };
  const beat = setInterval(tick, 1000);
  tick();
})();
