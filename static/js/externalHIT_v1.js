// Stands in for MTurk's old helper of this name, which pages written for it call.
function turkGetParam(name, otherwise) {
  const value = new URLSearchParams(window.location.search).get(name);
  return value === null ? (otherwise ?? "") : value;
}

function turkGetSubmitToHost() {
  return turkGetParam("turkSubmitTo", "").replace(/\/+$/, "");
}

// Copies the assignment's id into the page's form; in a preview the submit button says what to do first.
function turkSetAssignmentID(formId, buttonId) {
  const assignmentId = turkGetParam("assignmentId", "");
  const field = document.getElementById("assignmentId");
  if (field) field.value = assignmentId;
  const form = document.getElementById(formId || "mturk_form");
  if (form && turkGetSubmitToHost()) form.setAttribute("action", `${turkGetSubmitToHost()}/mturk/externalSubmit`);
  const button = document.getElementById(buttonId || "submitButton");
  if (button && assignmentId === "ASSIGNMENT_ID_NOT_AVAILABLE") {
    button.disabled = true;
    if ("value" in button && button.tagName === "INPUT") button.value = "You must ACCEPT the HIT before you can submit the results.";
    else button.textContent = "You must ACCEPT the HIT before you can submit the results.";
  }
}
