// Times in the reader's own zone, and frames that grow with what they hold.
for (const time of document.querySelectorAll("time[data-local]")) {
  time.title = time.textContent;
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
}

// A page may ask for any height; more than this is no page for a person.
const TALLEST = 12000;
addEventListener("message", (event) => {
  const frame = document.querySelector("iframe[data-grows]");
  if (!frame || event.source !== frame.contentWindow || event.data?.mturkhub !== "height") return;
  const height = Number(event.data.height);
  if (height > 0) frame.style.height = `${Math.min(height, TALLEST)}px`;
});
