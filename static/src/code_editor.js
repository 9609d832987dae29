// CodeMirror over a textarea marked data-code-editor. The textarea stays the form's value and works without this script.
import { html } from "@codemirror/lang-html";
import { basicSetup, EditorView } from "codemirror";

for (const textarea of document.querySelectorAll("textarea[data-code-editor]")) {
  const editor = new EditorView({
    doc: textarea.value,
    extensions: [
      basicSetup,
      html(),
      EditorView.lineWrapping,
      EditorView.cspNonce.of(textarea.closest("[data-style-nonce]")?.dataset.styleNonce ?? ""),
      EditorView.contentAttributes.of({ "aria-label": textarea.dataset.codeEditor || "HTML" }),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged) return;
        textarea.value = update.state.doc.toString();
        textarea.dispatchEvent(new Event("input", { bubbles: true }));
      }),
    ],
  });
  textarea.hidden = true;
  textarea.after(editor.dom);
  // A file that was chosen replaces what is written.
  textarea.addEventListener("replace", (event) => {
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: event.detail } });
  });
}
