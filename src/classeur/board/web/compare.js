// Two runs photo by photo, and their sheets side by side.

import { el, find, say, title } from "./dom.js";
import { address, fullName, get, runs } from "./feed.js";
import { chance, number, percent, points, words } from "./words.js";

const SPLITS = { test: "testPhotos", val: "valPhotos" };
const TINY = 64; // pixels up to which a photo is shown pixel by pixel

export function comparePage(asked) {
  const now = {
    first: asked.get("first") ?? "", second: asked.get("second") ?? "",
    split: asked.get("split") ?? "test", cell: asked.get("cell") ?? "first", page: 0,
  };
  const first = el("select", { change: (event) => change({ first: event.target.value, page: 0 }) });
  const second = el("select", { change: (event) => change({ second: event.target.value, page: 0 }) });
  const split = el("select", { change: (event) => change({ split: event.target.value, page: 0 }) },
    Object.entries(SPLITS).map(([key, word]) => el("option", { value: key, selected: key === now.split }, words[word])));
  const result = el("div");
  const frames = el("div", { class: "sheets" });
  const sheets = el("details", { toggle: showSheets }, el("summary", {}, words.sheets), leaf(), frames);
  let begun = false;

  find("main").replaceChildren(
    el("div", { class: "two" }, choice(words.first, first), choice(words.second, second), choice(words.split, split)),
    result, sheets);

  function leaf() {
    const button = (word, step) => el("button", { type: "button", click: () => turn(step) }, words[word]);
    return el("p", { class: "buttons" }, button("earlierSheets", -1), button("laterSheets", 1));
  }

  function turn(step) {
    const ids = [...second.options].map((option) => option.value).filter((id) => id && id !== now.first);
    const place = ids.indexOf(now.second) + step;
    if (ids.length) change({ second: ids[(place + ids.length) % ids.length], page: 0 });
  }

  function change(values) {
    Object.assign(now, values);
    const { page, ...kept } = now;
    history.replaceState(null, "", `/compare?${new URLSearchParams(kept)}`);
    fill();
    show();
    showSheets();
  }

  function fill() {
    const comparable = [...runs.values()].filter((run) => run.comparable);
    for (const [select, chosen] of [[first, now.first], [second, now.second]]) {
      select.replaceChildren(el("option", { value: "" }, words.choose), ...comparable
        .map((run) => [fullName(run), run.id]).sort()
        .map(([name, id]) => el("option", { value: id, selected: id === chosen }, name)));
      select.value = comparable.some((run) => run.id === chosen) ? chosen : "";
    }
    if (comparable.length < 2) say(words.fewRuns);
  }

  async function show() {
    const wanted = JSON.stringify(now);
    if (!now.first || !now.second) return result.replaceChildren();
    say(words.loading);
    try {
      const found = await get(`/api/compare?${new URLSearchParams(now)}`);
      if (wanted !== JSON.stringify(now)) return;
      const held = result.contains(document.activeElement) && document.activeElement.dataset.cell;
      result.replaceChildren(summary(found), table(found), gallery(found));
      if (held) result.querySelector(`[data-cell=${held}]`).focus();
      say("");
    } catch (error) {
      result.replaceChildren();
      say(error.message);
    }
  }

  const nameOf = (id) => (runs.has(id) ? runs.get(id).name : id);

  function names() {
    const [a, b] = [nameOf(now.first), nameOf(now.second)];
    return a === b ? [fullName(runs.get(now.first)), fullName(runs.get(now.second))] : [a, b];
  }

  function summary(found) {
    const sentences = [
      words.difference(...found.difference.map(points)),
      words.tested(chance(found.p), found.groups),
      found.differs ? words.different : words.alike(found.more_photos),
    ];
    return el("section", {},
      el("p", { class: "lede" }, sentences[2]),
      el("p", {}, `${sentences[0]} ${sentences[1]}`),
      el("p", { class: "quiet" }, words.alone),
      found.split === "val" ? el("p", { class: "quiet" }, words.validationChose) : "");
  }

  function table(found) {
    const [a, b] = names();
    const field = (cell) => el("td", {}, el("button", {
      type: "button", "aria-pressed": String(cell === now.cell), "data-cell": cell,
      click: () => change({ cell, page: 0 }),
      "aria-label": `${number(found.counts[cell])}: ${words.photosIn[cell](a, b)}`,
    }, number(found.counts[cell])));
    return el("div", { class: "scroll" }, el("table", { class: "four" },
      el("caption", {}, words.table(found.photos)),
      el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, words.rightOf(b), el("small", {}, percent(found.accuracy[1]))), el("th", { scope: "col" }, words.wrongOf(b)))),
      el("tbody", {},
        el("tr", {}, el("th", { scope: "row" }, words.rightOf(a), el("small", {}, percent(found.accuracy[0]))), field("both"), field("first")),
        el("tr", {}, el("th", { scope: "row" }, words.wrongOf(a)), field("second"), field("neither")))));
  }

  function gallery(found) {
    const all = found.counts[now.cell];
    const from = now.page * found.page_size;
    const page = (word, step, there) => el("button", { type: "button", disabled: !there, click: () => change({ page: now.page + step }) }, words[word]);
    return el("section", { "aria-labelledby": "gallery" },
      el("div", { class: "toolbar" }, el("h2", { id: "gallery" }, words.photosIn[now.cell](...names()))),
      el("ol", { class: "gallery", start: from + 1 }, found.photos_of.map(card)),
      all ? el("p", { class: "buttons" },
        page("earlier", -1, now.page > 0), page("later", 1, from + found.page_size < all),
        el("span", { class: "quiet" }, words.showing(from + 1, Math.min(all, from + found.page_size), all))) : el("p", { class: "quiet" }, words.noneHere));
  }

  function card(photo) {
    const frame = el("div", { class: "frame" });
    const image = el("img", { alt: photo.path, loading: "lazy", decoding: "async", src: address.photo(now.first, photo.row) });
    image.addEventListener("load", () => image.classList.toggle("tiny", Math.max(image.naturalWidth, image.naturalHeight) <= TINY));
    image.addEventListener("error", () => frame.replaceChildren(el("p", { class: "quiet" }, words.noPreview)));
    frame.append(image);
    return el("li", {}, frame,
      el("p", { class: "file" }, photo.path),
      el("p", { class: "truth" }, photo.label),
      el("dl", {}, photo.said.map((said, i) => el("div", { class: said.right ? "right" : "wrong" },
        el("dt", {}, names()[i]),
        el("dd", {}, el("span", { class: "mark", "aria-hidden": "true" }, said.right ? "✓" : "✗"), said.label),
        el("dd", {}, percent(said.probability))))));
  }

  function showSheets() {
    if (!sheets.open) return;
    frames.replaceChildren(...[now.first, now.second].map((id) => {
      const run = runs.get(id);
      if (!run?.pages.includes("report.html")) return el("p", { class: "quiet" }, words.noSheet);
      return el("iframe", { title: words.sheetOf(fullName(run)), src: address.file(run, "report.html"), loading: "lazy" });
    }));
  }

  function choice(word, select) {
    return el("label", { class: "choice" }, word, select);
  }

  return (changed) => {
    title(words.comparing, [[words.board, "/"]]);
    fill();
    if (!begun || changed.has(now.first) || changed.has(now.second)) show();
    begun = true;
  };
}
