// Looks at reports in a real Chromium: node report.mjs DIRECTORY NAME... (DIRECTORY/NAME.html).
// Ends with 1 and says why when the markup is not valid, axe-core finds an obstacle, the console has an error, a page asks for
// anything or is wider than the screen, or a table does not sort or filter. Pictures go to DIRECTORY.
import { HtmlValidate } from "html-validate";
import { chromium } from "playwright-core";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [directory, ...names] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const faults = [];
const fault = (text) => { faults.push(text); console.error(text); };

// Rules of the standard; those of taste (long titles, inline style sheets, one element a line) are not asked.
const validator = new HtmlValidate({
  extends: ["html-validate:standard", "html-validate:a11y"],
  rules: { "long-title": "off", "no-inline-style": "off", "no-trailing-whitespace": "off", "require-sri": "off", "svg-focusable": "off" },
});
for (const name of names) {
  const report = await validator.validateFile(join(directory, `${name}.html`));
  const seen = new Set();
  for (const message of report.results.flatMap((result) => result.messages)) {
    if (seen.has(message.ruleId)) continue;
    seen.add(message.ruleId);
    fault(`${name}:${message.line}:${message.column}: ${message.message} (${message.ruleId})`);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function open(name, options) {
  const context = await browser.newContext({ ...options, bypassCSP: false });
  const page = await context.newPage();
  const address = `file://${join(directory, name)}.html`;
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) fault(`${name}: console: ${m.text()}`); });
  page.on("pageerror", (e) => fault(`${name}: ${e}`));
  page.on("dialog", (d) => { fault(`${name}: a name ran: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => { if (r.url() !== address) fault(`${name}: asks for ${r.url()}`); });
  await page.goto(address);
  return page;
}

const unfold = (page) => page.evaluate(() => { for (const d of document.querySelectorAll("details")) d.open = true; });

// Obstacles, with everything unfolded. The large page takes half a minute; in the dark it has no colours that the small one has not.
for (const name of names) {
  for (const colorScheme of name === "large" ? ["light"] : ["light", "dark"]) {
    const page = await open(name, { viewport: { width: 1280, height: 900 }, colorScheme });
    await unfold(page);
    // Through the debugger, which the page's policy does not concern.
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Runtime.evaluate", { expression: axe });
    const found = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
    for (const violation of found.violations) {
      const nodes = violation.nodes.slice(0, 3).map((n) => `${n.target} ${n.any[0]?.message ?? ""}`).join(" | ");
      fault(`${name} ${colorScheme}: ${violation.id}: ${violation.help}: ${nodes}`);
    }
    await page.context().close();
  }
}

const screens = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
for (const name of names) {
  for (const [screen, viewport] of Object.entries(screens)) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open(name, { viewport, colorScheme });
      const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (await wide() > 0) fault(`${name} is ${await wide()} px wider than a ${screen}`);
      await page.screenshot({ path: join(directory, `${name}-${screen}-${colorScheme}.png`), fullPage: name !== "large" });
      // Colours move nothing.
      if (colorScheme === "light") {
        await unfold(page);
        if (await wide() > 0) fault(`${name}, unfolded, is ${await wide()} px wider than a ${screen}`);
      }
      await page.context().close();
    }
  }
}

// What the script adds, and that nothing is missing without it.
{
  const page = await open("small", { viewport: screens.desk });
  const rows = page.locator("table.costs tbody tr:not([hidden])");
  const all = await rows.count();
  await page.getByLabel("Show only rows like …").fill("docker+nat");
  const some = await rows.count();
  if (!(some > 0 && some < all)) fault(`the filter leaves ${some} of ${all} rows`);
  await page.getByLabel("Show only rows like …").fill("");
  const tolls = () => page.locator("table.costs tbody td:nth-child(4)").evaluateAll((cells) => cells.map((c) => Number(c.dataset.v)));
  await page.getByRole("button", { name: "toll ○" }).click();
  const rising = await tolls();
  if (rising.some((v, i) => i > 0 && v < rising[i - 1])) fault(`not sorted: ${rising}`);
  await page.getByRole("button", { name: "toll ○" }).click();
  const falling = await tolls();
  if (falling.some((v, i) => i > 0 && v > falling[i - 1])) fault(`not sorted the other way: ${falling}`);
  await unfold(page);
  for (const table of await page.locator("main table").all()) {
    const [sorts, filters] = [await table.getAttribute("data-sort"), await table.getAttribute("data-filter")];
    if (sorts === null || !filters) fault(`a table without sort or filter: ${await table.getAttribute("class")}`);
  }
  // Groups stand by their first row, what has no toll last, up or down.
  const heat = page.locator("table.heat[data-filter*=metrics]");
  const firsts = () => heat.locator("tbody").evaluateAll((bodies) =>
    bodies.map((b) => b.querySelector("tr:not(.group)").cells[2].dataset.v ?? "none"));
  for (const sign of [1, -1]) {
    await heat.locator("thead button").nth(2).click();
    const order = (await firsts()).map((v) => v === "none" ? Infinity : sign * Number(v));
    if (order.some((v, i) => i > 0 && v < order[i - 1])) fault(`groups are not sorted: ${order}`);
    const heads = await heat.locator("tbody").evaluateAll((bodies) => bodies.every((b) => b.rows[0].classList.contains("group")));
    if (!heads) fault("a group has lost its head");
  }
  await page.context().close();
  const plain = await open("small", { viewport: screens.desk, javaScriptEnabled: false });
  if (await plain.locator("table.costs tbody tr").count() !== all) fault("rows are missing without script");
  if (await plain.locator("input").count() !== 0) fault("an input that does nothing without script");
  await plain.context().close();
}
await browser.close();
process.exit(faults.length > 0 ? 1 : 0);
