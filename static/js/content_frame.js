// Runs at the end of a requester's page in a Worker's frame. Forms that say nowhere to go are led to the marketplace,
// a page without a way to submit gets one, and the page around is told how tall this one is.
(() => {
  const words = document.currentScript.dataset;
  const told = new URLSearchParams(location.search);
  const assignmentId = told.get("assignmentId");
  const isPreview = assignmentId === "ASSIGNMENT_ID_NOT_AVAILABLE";
  const target = `${(told.get("turkSubmitTo") || "").replace(/\/+$/, "")}/mturk/externalSubmit`;
  const fields = "input, select, textarea, button";

  const lead = (form) => {
    // The attribute, because a field named "action" hides the property.
    if (!form.getAttribute("action")) form.setAttribute("action", target);
    if (new URL(form.getAttribute("action"), document.baseURI).href.split("?")[0] !== target) return;
    form.setAttribute("method", "post");
    let field = form.querySelector("[name=assignmentId]");
    if (!field) {
      field = document.createElement("input");
      field.type = "hidden";
      field.name = "assignmentId";
      form.append(field);
    }
    field.value ||= assignmentId;
  };

  const addSubmit = (form) => {
    const button = document.createElement("button");
    button.textContent = isPreview ? words.preview : words.submit;
    button.disabled = isPreview;
    button.style.cssText =
      "display:block;margin:16px 0;padding:10px 20px;border:0;border-radius:6px;font:600 16px system-ui,sans-serif;" +
      `color:#fff;background:${isPreview ? "#626a75" : "#1c5bc9"}`;
    form.append(button);
  };

  const prepare = () => {
    const hasCrowdForm = document.querySelector("crowd-form");
    if (!document.forms.length && !hasCrowdForm) {
      const form = document.createElement("form");
      form.id = "mturk_form";
      document.body.append(form);
      // Named rather than moved into the form, so that the page's own styles and scripts go on finding them.
      for (const field of document.querySelectorAll(fields)) if (!field.form) field.setAttribute("form", form.id);
    }
    for (const form of document.forms) lead(form);
    const hasButton = document.querySelector("button, input[type=submit], input[type=image], input[type=button]");
    if (!hasButton && !hasCrowdForm && document.forms.length) addSubmit(document.forms[0]);
  };

  // A page as tall as its frame and a bit would grow for ever: when growing leaves the same rest, it stops.
  let rest = 0;
  const tell = () => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    const over = height - innerHeight;
    if (over === rest && over > 0) return;
    rest = over;
    parent.postMessage({ mturkhub: "height", height }, "*");
  };

  prepare();
  addEventListener("load", tell);
  new ResizeObserver(tell).observe(document.documentElement);
})();
