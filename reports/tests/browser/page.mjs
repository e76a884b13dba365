// Opens report pages in a browser as people do, with hands on the keyboard, and tells what is wrong with them.
//
//     node page.mjs CHROMIUM PAGE...
//
// A page's directory says what it is (`invalid`, `hostile`, `million`, ...). Prints a line for each finding; the exit
// code is 1 if there is any. Figures are printed, not judged: machines differ.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const [program, ...pages] = process.argv.slice(2);

const findings = [];
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] });
for (const path of pages) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ["light", "dark"]) await inspect(path, size, viewport, colorScheme);
  }
}
await browser.close();
for (const finding of findings) console.log(`FOUND ${finding}`);
process.exit(findings.length > 0 ? 1 : 0);

async function inspect(path, size, viewport, colorScheme) {
  const kind = basename(dirname(path));
  const where = `${kind}, ${size}, ${colorScheme}:`;
  const found = (what) => findings.push(`${where} ${what}`);
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  const address = pathToFileURL(path).href;
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) found(`the console says: ${message.text()}`); });
  page.on("pageerror", (error) => found(`the script failed: ${error}`));
  page.on("dialog", (dialog) => { found(`a dialog opened: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (request.url().split("#")[0] !== address && !request.url().startsWith("blob:")) found(`it asked for ${request.url()}`); });
  try {
    await page.goto(address);
    await page.waitForSelector("#page[data-read=true]", { timeout: 60_000 });
    await seen(page, kind, viewport, found);
    if (colorScheme === "light") {
      if (size === "desktop") await keyboard(page, kind, found);
      if (size === "desktop" && kind === "invalid") await linked(context, address, found);
      if (kind === "million") await figures(page, where);
    }
    await accessible(page, found);
  } catch (error) {
    found(String(error));
  }
  await context.close();
}

/** What is looked for is in the first view, and nothing is pushed out of the window. */
async function seen(page, kind, viewport, found) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (overflow > 0) found(`it is ${overflow} pixels wider than the window`);
  const told = await page.evaluate(() => ({
    images: document.querySelectorAll("img, iframe, object, embed").length,
    lists: [...document.querySelectorAll(".list")].map((list) => list.querySelectorAll(".rows .row:not([hidden])").length),
    unread: document.getElementById("page").textContent.includes("can't be shown"),
  }));
  if (told.images > 0) found("an element came from data");
  if (told.unread) found("something could not be read");
  if (told.lists.some((rows) => rows === 0) && kind !== "harness-failure") found("a list is empty");
  if (!["invalid", "hostile", "crowded", "untimed"].includes(kind)) return;
  const box = await page.locator("#anomaly-box").boundingBox();
  const bar = await page.locator("#anomaly-box .bar.culprit").first().boundingBox();
  if (!box || !bar) { found("the anomaly is not drawn"); return; }
  // On a phone the story alone fills most of the view: the drawing has to begin in it.
  const bottom = viewport.width > 600 ? bar.y + bar.height : box.y;
  if (kind === "invalid" && bottom > viewport.height) found(`the anomaly is not in the first view: it is at ${Math.round(bottom)}`);
  if (bar.x + bar.width > box.x + box.width + 1) found("the contradiction is outside of its box");
}

/** Everything can be reached and used without a mouse. */
async function keyboard(page, kind, found) {
  const reached = new Set();
  await page.evaluate(() => document.body.focus());
  for (let i = 0; i < 400; i += 1) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      const element = document.activeElement;
      const place = element.closest(".repeat, #anomaly-box, .attempt, .brush, .list, .fields, header, section");
      return { end: element === document.body, what: element.getAttribute("aria-label") || element.textContent.slice(0, 40), place: place ? place.id || place.getAttribute("class") || place.getAttribute("aria-labelledby") || place.localName : "" };
    });
    if (now.end) break;
    reached.add(now.place).add(now.what);
  }
  const expected = ["harness-failure", "untimed"].includes(kind) ? [] : ["Begin of the stretch", "Zoom in on time"];
  if (kind === "invalid") expected.push("Copy", "anomaly-box", "attempt", "Show 5 other clients");
  for (const what of expected) if (![...reached].some((one) => one.startsWith(what))) found(`Tab does not reach “${what}”`);
  if (kind === "invalid") await steps(page, found);
  if (!["harness-failure", "untimed"].includes(kind)) await moments(page, found);
  if (kind !== "harness-failure") await lists(page, found);
}

/** A link to an operation opens the page at that operation. */
async function linked(context, address, found) {
  const page = await context.newPage();
  await page.goto(`${address}#op=500`);
  const active = "[role=grid][data-searches][aria-activedescendant]";
  await page.waitForSelector(active);
  const row = await page.locator(active).evaluate((grid) => document.getElementById(grid.getAttribute("aria-activedescendant")).getAttribute("aria-rowindex"));
  if (row !== "502") found(`the link to operation 500 opens row ${row}`);
  await page.close();
}

async function steps(page, found) {
  const marks = () => page.locator("#anomaly-box .badge-step").count();
  const all = await marks();
  await page.locator("[data-move=back]").focus();
  await page.keyboard.press("Enter");
  if (await marks() >= all) found("a step back shows no fewer steps");
  await page.keyboard.press("Enter");
  await page.locator("[data-move=next]").focus();
  await page.keyboard.press("Enter");
  const width = () => page.locator("#anomaly-box svg").evaluate((svg) => svg.getBoundingClientRect().width);
  const before = await width();
  await page.locator("#anomaly-box").focus();
  await page.keyboard.press("+");
  if (await width() <= before) found("plus does not zoom the drawing");
  await page.keyboard.press("0");
  if (await width() !== before) found("0 does not show all of the drawing");
  await page.locator("#anomaly-box g.operation[tabindex]").first().focus();
  await page.keyboard.press("Enter");
  if (await page.locator(".told button").count() === 0) found("an operation that is chosen tells nothing");
}

async function moments(page, found) {
  await page.locator("[aria-label^='Time axis']").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("+");
  await page.keyboard.press("Enter");
  await page.waitForTimeout(50);
  const state = await page.evaluate(() => ({ ...shared.state, hash: location.hash }));
  if (!(state.to - state.from < state.end)) found("plus does not zoom the time axis");
  if (!/^#t=\d/.test(state.hash)) found(`the moment has no link: ${state.hash}`);
  await page.keyboard.press("0");
  await page.waitForFunction(() => shared.isWhole());
  const begin = page.locator(".brush [role=slider]").first();
  await begin.focus();
  await page.keyboard.press("PageUp");
  if (await page.evaluate(() => shared.state.from) <= 0) found("the begin of the stretch does not move");
  await page.keyboard.press("PageDown");
  const half = await page.evaluate(() => shared.state.end / 2);
  await page.evaluate((time) => { location.hash = `#t=${time}`; }, half);
  await page.waitForFunction((time) => Math.abs(shared.state.moment - time) < 1e-6, half);
}

async function lists(page, found) {
  const list = page.locator("#history").locator("xpath=ancestor::section").locator("[role=grid]");
  await list.focus();
  await page.keyboard.press("End");
  const [active, count] = await list.evaluate((grid) => [document.getElementById(grid.getAttribute("aria-activedescendant"))?.getAttribute("aria-rowindex"), grid.getAttribute("aria-rowcount")]);
  if (active !== count) found(`End goes to row ${active} of ${count}`);
  await page.keyboard.press("Enter");
  if (!(await page.locator(".detail").textContent()).includes("client")) found("an operation of the list tells nothing");
  await page.locator("#history").locator("xpath=ancestor::section").locator("select").first().selectOption({ index: 1 });
  await page.waitForFunction((grid) => Number(document.querySelector("[role=grid][data-searches]").dataset.searches) > 1);
  const rows = Number(await list.getAttribute("aria-rowcount"));
  if (rows < 2 || rows > Number(count)) found(`${rows - 1} operations of one kind`);
}

/** How it feels at a million operations. */
async function figures(page, where) {
  const root = page.locator("#page");
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  const list = page.locator("[role=grid][data-searches]");
  await list.scrollIntoViewIfNeeded();
  await list.hover();
  const frames = page.evaluate(() => new Promise((done) => {
    const times = [];
    const step = (now) => { times.push(now); if (times.length < 120) requestAnimationFrame(step); else done(times.slice(1).map((time, i) => time - times[i])); };
    requestAnimationFrame(step);
  }));
  for (let i = 0; i < 40; i += 1) await page.mouse.wheel(0, 400);
  const gaps = (await frames).sort((a, b) => a - b);
  const searches = Number(await list.getAttribute("data-searches"));
  await page.locator(".field-text input").first().fill("99");
  await page.waitForFunction((before) => Number(document.querySelector("[role=grid][data-searches]").dataset.searches) > before, searches);
  const figure = (value) => `${Number(value).toFixed(0)} ms`;
  console.log(`FIGURES ${where} first paint ${figure(paint)}, drawn in ${figure(await root.getAttribute("data-first-ms"))}, all operations read after ${figure(await root.getAttribute("data-read-ms"))}, `
    + `scroll: a frame takes ${figure(gaps[60])} (median), ${figure(gaps[gaps.length - 1])} (longest), text search of all ${figure(await list.getAttribute("data-search-ms"))}`);
}

async function accessible(page, found) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, nodes } of violations) {
    if (impact === "serious" || impact === "critical") found(`axe: ${id} (${impact}): ${nodes.slice(0, 2).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message || node.failureSummary || ""}`).join(" | ")}`);
  }
}
