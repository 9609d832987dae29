// Says in the page's live region why a browser gave no passkey; allauth's scripts would only tell the console.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const isElsewhere = event.detail.exception.name === "SecurityError" || !window.PublicKeyCredential;
  const strip = document.createElement("div");
  strip.className = "strip strip-red";
  strip.appendChild(document.createElement("p")).textContent = isElsewhere
    ? `Browsers give passkeys only to pages with a name and https, or at localhost; this one is at ${location.host}. ` +
      "Open it by its name, or use a code."
    : "The browser gave no passkey: it has none for this page, or the question was closed. Try again, or use a code.";
  document.getElementById("messages").replaceChildren(strip);
});
