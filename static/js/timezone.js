// Tells the server the reader's time zone, so that pages show their own time.
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `mturkhub_tz=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
})();
