// Builds static/dist: one style sheet for each site, the icons as one sprite, the code editor. Run by `npm run build`.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const out = new URL("dist/", import.meta.url);
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

await build({
  entryPoints: {
    main: "static/css/main.css",
    marketplace: "static/css/marketplace.css",
    code_editor: "static/src/code_editor.js",
  },
  outdir: "static/dist",
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2021", "chrome100", "firefox100", "safari15"],
  loader: { ".woff2": "file", ".woff": "file", ".svg": "dataurl" },
  logLevel: "warning",
});

// The names are those of Tabler's outline icons; templates write {% icon "home" %}.
const names = JSON.parse(await readFile(new URL("src/icons.json", import.meta.url), "utf8"));
const symbols = await Promise.all(
  names.map(async (name) => {
    const file = new URL(`../node_modules/@tabler/icons/icons/outline/${name}.svg`, import.meta.url);
    const inner = (await readFile(file, "utf8")).match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1].trim();
    return `<symbol id="${name}" viewBox="0 0 24 24">${inner.replace(/\s*\n\s*/g, "")}</symbol>`;
  }),
);
await writeFile(
  new URL("icons.svg", out),
  `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`,
);
