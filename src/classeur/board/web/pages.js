// The pages of the folder, of a study and of a run.

import { bestOf, chart } from "./chart.js";
import { el, find, say, title } from "./dom.js";
import { address, folder, get, groupOf, runs } from "./feed.js";
import { progressOf, progressText, runTable, stateOf, worksOf } from "./table.js";
import { duration, figure, percent, words } from "./words.js";

const lastPart = (path) => path.replace(/\/+$/, "").split("/").at(-1) || path;
const home = () => [words.board, "/"];

/** All that is in the folder. */
export function folderPage() {
  const table = runTable(words.all);
  const works = el("ul", { class: "works" });
  const atWork = el("section", { "aria-labelledby": "at-work" }, el("h2", { id: "at-work" }, words.atWork), works);
  const where = el("p", { class: "quiet" });
  find("main").replaceChildren(where, atWork, table.element);
  return () => {
    title(lastPart(folder.name));
    where.textContent = folder.name;
    const all = [...runs.values()];
    const busy = worksOf(all);
    works.replaceChildren(...busy);
    atWork.hidden = !busy.length;
    table.element.hidden = !all.length;
    table.update(all.filter((run) => !groupOf(run)));
    say(folder.cut ? words.cut : all.length ? "" : words.nothing);
  };
}

/** A study or a search: its runs, how far it is, its binder. */
export function studyPage(id) {
  const table = runTable(words.runs, true);
  const facts = el("div");
  const told = el("div", { class: "quoted", lang: words.language || null });
  const charts = el("div", { class: "small charts" });
  const drawn = el("section", { "aria-labelledby": "curves" },
    el("h2", { id: "curves" }, words.curves), el("p", { class: "quiet" }, words.lines), charts);
  const rest = el("section");
  find("main").replaceChildren(facts, told, table.element, drawn, rest);
  const load = latest(async () => {
    const found = await get(`/api/study?${new URLSearchParams({ id })}`);
    told.replaceChildren(...found.conclusion.map((text) => el("p", {}, text)));
    charts.replaceChildren(...curvesOf(id, found.curves));
    drawn.hidden = !charts.children.length;
  });
  return (changed) => {
    const study = runs.get(id);
    find("main").hidden = !study;
    if (!study) return missing();
    title(study.name, [home()]);
    say("");
    const inside = [...runs.values()].filter((run) => run.group === id && run.kind === "run");
    const page = study.kind === "study" ? words.binder : words.searchPage;
    facts.replaceChildren(
      el("div", { class: "whole" }, el("p", {}, stateOf(study), " · ", progressText(study)), progressOf(study)[1]),
      study.reason ? el("p", { class: "problem" }, study.reason) : "",
      study.pages.includes("index.html")
        ? el("p", { class: "buttons" }, el("a", { class: "button first", href: address.file(study, "index.html") }, page))
        : "");
    table.update(inside);
    rest.replaceChildren(...notBegun(study));
    if (inside.some((run) => changed.has(run.id)) || changed.has(id)) load();
  };
}

function missing() {
  title("?", [home()]);
  say(words.noSuch);
}

function curvesOf(id, curves) {
  const inside = [...runs.values()].filter((run) => curves[run.id]?.length);
  inside.sort((a, b) => (b.val_accuracy ?? -1) - (a.val_accuracy ?? -1));
  const longest = Math.max(2, ...inside.map((run) => curves[run.id].length));
  return inside.map((run) =>
    el("figure", {},
      el("figcaption", {}, el("a", { href: address.run(run) }, run.name)),
      chart(curves[run.id], "accuracy", longest, true)));
}

function notBegun(study) {
  const others = Object.entries(study.others);
  if (!others.length) return [];
  return [
    el("h2", {}, words.notBegun),
    el("ul", {}, others.map(([name, reason]) =>
      el("li", {}, `${name}: ${words.states[reason ? "skipped" : "waiting"]}`, reason ? el("small", { class: "quiet" }, ` ${reason}`) : "")),
      study.more_others ? el("li", {}, words.moreOthers(study.more_others)) : ""),
  ];
}

/** One run: how far it is, its curves, its sheet. */
export function runPage(id) {
  const facts = el("div");
  const curves = el("section", { "aria-label": words.curves });
  const table = el("div");
  const more = el("details", {}, el("summary", {}, words.asTable), table);
  find("main").replaceChildren(facts, curves, more);
  const load = latest(async () => {
    const { history, head } = await get(`/api/run?${new URLSearchParams({ id })}`);
    const run = runs.get(id);
    curves.replaceChildren(...chartsOf(run, history, head));
    table.replaceChildren(historyTable(history.length ? history : head));
    more.hidden = !history.length && !head.length;
  });
  return (changed) => {
    const run = runs.get(id);
    find("main").hidden = !run;
    if (!run) return missing();
    const group = groupOf(run);
    title(run.name, [home(), ...(group ? [[group.name, address.study(group)]] : [])]);
    facts.replaceChildren(...factsOf(run));
    if (run.state === "running" && run.epoch) say(words.now(run.epoch, run.epochs, percent(run.val_accuracy)), true);
    else say("");
    if (changed.has(id)) load();
  };
}

function factsOf(run) {
  const rows = [[words.valAccuracy, percent(run.val_accuracy)]];
  if (run.test_accuracy !== null) rows.push([words.testAccuracy, percent(run.test_accuracy)]);
  if (run.seconds_left) rows.push([words.timeLeft, duration(run.seconds_left)]);
  return [
    el("div", { class: "whole" }, el("p", {}, stateOf(run), " · ", progressText(run)), progressOf(run)[1]),
    run.reason ? el("p", { class: "problem" }, run.reason) : "",
    el("dl", { class: "facts" }, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    run.pages.includes("report.html")
      ? el("p", { class: "buttons" }, el("a", { class: "button first", href: address.file(run, "report.html") }, words.sheet))
      : "",
  ];
}

function chartsOf(run, history, head) {
  if (!history.length && !head.length) return [el("p", { class: "quiet" }, words.noCurve)];
  const shown = history.length ? history : head;
  const epochs = run.state === "running" ? run.epochs : shown.length;
  return [
    history.length ? "" : el("h2", {}, words.headFirst),
    el("div", { class: "charts" }, ["loss", "accuracy"].map((what) =>
      el("figure", {}, el("figcaption", {}, words[what]), chart(shown, what, epochs)))),
  ];
}

function historyTable(history) {
  const best = bestOf(history);
  const columns = [
    ["train_loss", words.trainLoss, figure], ["val_loss", words.valLoss, figure],
    ["train_accuracy", words.trainAccuracy, percent], ["val_accuracy", words.valAccuracy, percent],
    ["learning_rate", words.rate, figure],
  ];
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, words.epoch), columns.map(([, name]) => el("th", { scope: "col", class: "n" }, name)))),
    el("tbody", {}, history.map((row) => el("tr", {},
      el("th", { scope: "row" }, String(row.epoch), row.epoch === best ? el("small", {}, words.best) : ""),
      columns.map(([key, , say]) => el("td", { class: "n" }, say(row[key]))))))));
}

/** Return a function that does some work, once more afterwards if it was called meanwhile. */
function latest(work) {
  let busy = false;
  let again = false;
  return async function run() {
    again = busy;
    if (busy) return;
    busy = true;
    try {
      await work();
    } catch (error) {
      say(error.message);
    }
    busy = false;
    if (again) run();
  };
}
