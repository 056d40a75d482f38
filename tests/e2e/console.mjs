// What a requester does in the console's pages.
import { PASSWORD } from "./worker.mjs";

export const button = (page, name, exact = false) => page.getByRole("button", { name, exact });
export const dialog = (page) => page.locator("t-dialog[open]");
export const heading = (page, name) => page.getByRole("heading", { name, exact: true }).first();

export async function signIn(page, program, name) {
  await page.goto(`${program.url}/_/`);
  await page.getByLabel("Name or e-mail").fill(name);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
}

/** One of the header's pages. */
export async function goTo(page, link) {
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: link, exact: true }).click();
}

/** Makes a work team and gives back `count` links that lead into it. */
export async function makeTeam(page, name, count) {
  await goTo(page, "Teams");
  await button(page, "New team").first().click();
  await dialog(page).getByLabel("Name").fill(name);
  await button(page, "Save").click();
  await heading(page, name).waitFor();
  const links = [];
  for (let i = 0; i < count; i++) {
    await page.getByRole("article").filter({ hasText: name }).getByRole("button", { name: "Invite" }).click();
    await button(page, "Make the link").click();
    links.push(await page.getByLabel("Link").inputValue());
    await button(page, "Done").click();
    await dialog(page).waitFor({ state: "detached" });
  }
  return links;
}

/** How much of a shown mask or heat map is coloured: pixels by "r,g,b". */
export function shownColors(overlay) {
  return overlay.locator("canvas.layer").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const counts = {};
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 0) continue;
      const color = `${data[at]},${data[at + 1]},${data[at + 2]}`;
      counts[color] = (counts[color] ?? 0) + 1;
    }
    return counts;
  });
}
