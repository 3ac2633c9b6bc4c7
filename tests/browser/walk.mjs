// Clicks through the dashboard in a real Chromium: node walk.mjs ADDRESS DIRECTORY.
// Ends with 1 and says why when the console has an error, something is wider than the screen, or a click leads nowhere.
// Pictures of every page go to DIRECTORY, light and dark, of a desk and of a phone.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const [address, directory] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });
const faults = [];
const fault = (text) => { faults.push(text); console.error(text); };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) fault(`console: ${m.text()}`); });
  page.on("pageerror", (e) => fault(`page: ${e}`));
  page.on("request", (r) => { if (!r.url().startsWith(address)) fault(`asks elsewhere: ${r.url()}`); });
  page.on("response", (r) => { if (r.status() >= 400) fault(`${r.status()} ${r.url()}`); });
  return page;
}

async function expect(what, holds) { if (!(await holds)) fault(`not so: ${what}`); }

// With script: what a person does.
const desk = { viewport: { width: 1280, height: 860 } };
{
  const page = await open(desk);
  await page.goto(address + "/");
  await page.waitForSelector("#live section");
  await page.getByRole("link", { name: "amd-epyc-2c-24g" }).first().click();
  await page.fill("input[type=search]", "tcp p50");
  const rows = page.locator("table.heat tbody:not([hidden]) tr:not(.group):not([hidden])");
  await expect("the filter leaves one row", rows.count().then((n) => n === 1));
  await rows.first().locator("th a").click();
  await page.getByRole("link", { name: /docker\+nat/ }).first().click();
  const dots = page.locator("svg.history a");
  await expect("a dot for each sweep", dots.count().then((n) => n >= 7));
  await dots.last().focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("#rounds svg.rounds");
  await expect("the page stayed", page.evaluate(() => location.hash === "#rounds"));
  await page.locator("#rounds h2 a").click();
  await expect("a sweep's page", page.locator("h1").first().isVisible());
  await page.getByRole("link", { name: "Compare", exact: true }).click();
  await page.getByRole("button", { name: "Compare" }).click();
  await expect("a table of differences", page.locator("table.diff").first().isVisible());
  await page.getByRole("link", { name: "Alerts", exact: true }).click();
  await page.getByRole("link", { name: "Queue", exact: true }).click();
  await expect("progress", page.locator("progress").isVisible());
  await page.context().close();
}

// Without script the same pages are there.
{
  const page = await open({ ...desk, javaScriptEnabled: false });
  await page.goto(address + "/");
  await page.getByRole("link", { name: "amd-epyc-2c-24g" }).first().click();
  await page.locator("table.heat td a").first().click();
  await page.locator("svg.history a").last().focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("#rounds svg.rounds");
  await page.context().close();
}

// Pictures.
const query = "class=amd-epyc-2c-24g&profile=smoke";
const metric = `/metric?${query}&workload=rr&case=tcp&metric=p50&environment=docker%2Bnat`;
const sweep = process.env.SWEEP;
const pages = {
  overview: "/", group: `/group?${query}`, metric, rounds: `${metric}&rounds=${sweep}`,
  sweep: `/sweep/${sweep}`, compare: `/compare?from=${process.env.BEFORE}&to=${sweep}`, queue: "/queue", alerts: "/alerts",
};
const screens = { desk: desk.viewport, phone: { width: 390, height: 844 } };
for (const [screen, viewport] of Object.entries(screens)) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open({ viewport, colorScheme, deviceScaleFactor: screen === "phone" ? 2 : 1 });
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(address + path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) fault(`${name} is ${wide} px wider than a ${screen}`);
      await page.screenshot({ path: join(directory, `${name}-${screen}-${colorScheme}.png`), fullPage: true });
    }
    await page.context().close();
  }
}
await browser.close();
process.exit(faults.length > 0 ? 1 : 0);
