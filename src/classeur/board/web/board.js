// The board: picks the page by its address, and keeps it up to date.

import { comparePage } from "./compare.js";
import { find, say } from "./dom.js";
import { enter, folder, follow, restart } from "./feed.js";
import { folderPage, runPage, studyPage } from "./pages.js";
import { language, words } from "./words.js";

const asked = new URLSearchParams(location.search);
const pages = {
  "/run": () => runPage(asked.get("id") ?? ""),
  "/study": () => studyPage(asked.get("id") ?? ""),
  "/compare": () => comparePage(asked),
};
let update = null;

document.documentElement.lang = language;
for (const element of document.querySelectorAll("[data-word]")) element.textContent = words[element.dataset.word];
find("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!(await enter(find("token").value).catch(() => false))) return say(words.wrongToken);
  find("token-form").hidden = true;
  say("");
  restart();
});

say(words.loading);
follow(
  (changed) => {
    if (!folder.whole) return;
    if (!update) {
      update = (pages[location.pathname] ?? folderPage)();
      say("");
    }
    update(changed);
  },
  (state) => {
    find("token-form").hidden = state !== "token";
    if (state === "token") {
      say("");
      find("token").focus();
    } else find("feed").textContent = words[state];
  },
);
