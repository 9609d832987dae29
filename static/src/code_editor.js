// CodeMirror over a textarea marked data-code-editor. The textarea stays the form's value and works without this script.
import { html } from "@codemirror/lang-html";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { Decoration, MatchDecorator, ViewPlugin } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { basicSetup, EditorView } from "codemirror";

// Colours are variables, so that the code follows the theme.
const colours = HighlightStyle.define([
  { tag: [tags.tagName, tags.keyword, tags.definitionKeyword], color: "var(--code-tag)" },
  { tag: [tags.attributeName, tags.propertyName, tags.className], color: "var(--code-name)" },
  { tag: [tags.attributeValue, tags.string, tags.number, tags.unit, tags.atom], color: "var(--code-value)" },
  { tag: tags.comment, color: "var(--text-3)", fontStyle: "italic" },
  { tag: [tags.angleBracket, tags.punctuation, tags.meta], color: "var(--text-2)" },
]);

// ${name} and ${*}, wherever they stand.
const placeholders = new MatchDecorator({
  regexp: /\$\{[^{}\n]{1,200}\}/g,
  decoration: Decoration.mark({ class: "cm-placeholder-name" }),
});
const markPlaceholders = ViewPlugin.define(
  (view) => ({
    marks: placeholders.createDeco(view),
    update(change) {
      this.marks = placeholders.updateDeco(change, this.marks);
    },
  }),
  { decorations: (plugin) => plugin.marks },
);

for (const textarea of document.querySelectorAll("textarea[data-code-editor]")) {
  const editor = new EditorView({
    doc: textarea.value,
    extensions: [
      basicSetup,
      html(),
      syntaxHighlighting(colours),
      markPlaceholders,
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
  // Ctrl or ⌘ with S saves, wherever the focus is.
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "s") return;
    event.preventDefault();
    document.querySelector(`button[form="${textarea.form.id}"]`)?.click();
  });
}
