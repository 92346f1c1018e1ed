// A table of runs that changes in place: rows keep their order and their focus.

import { el } from "./dom.js";
import { address, fullName, groupOf } from "./feed.js";
import { duration, percent, when, words } from "./words.js";

const COLUMNS = ["state", "progress", "validation", "test", "changed"];

/** Return { element, update(runs) }: a table with a field to choose two runs for comparison. */
export function runTable(caption, inGroup = false) {
  const rows = new Map(); // id -> { row, said }
  const chosen = new Set();
  const button = el("button", { type: "button", class: "first", disabled: true, click: go }, words.compare);
  const body = el("tbody");
  const head = el("tr", {},
    el("td", {}), el("th", { scope: "col" }, words.name),
    COLUMNS.map((name) => el("th", { scope: "col", class: number(name) }, words[name])));
  const find = el("input", { type: "search", "aria-label": words.find, placeholder: words.find, input: sift });
  const element = el("section", { "aria-label": caption },
    el("div", { class: "toolbar" }, el("h2", {}, caption), find, button),
    el("p", { class: "quiet" }, words.compareHint),
    el("div", { class: "scroll" }, el("table", { class: "table" }, el("thead", {}, head), body)));

  function go() {
    location.assign(address.compare(...chosen));
  }

  function sift() {
    const wanted = find.value.trim().toLocaleLowerCase();
    for (const { row, name } of rows.values()) row.hidden = !name.includes(wanted);
  }

  function choose(run, box) {
    box.checked ? chosen.add(run.id) : chosen.delete(run.id);
    if (chosen.size > 2) {
      const [first] = chosen;
      chosen.delete(first);
      rows.get(first).row.querySelector("input").checked = false;
    }
    button.disabled = chosen.size !== 2;
  }

  function update(runs) {
    const ids = new Set(runs.map((run) => run.id));
    for (const [id, { row }] of rows) {
      if (ids.has(id)) continue;
      row.remove();
      rows.delete(id);
      chosen.delete(id);
    }
    const fresh = runs.filter((run) => !rows.has(run.id));
    fresh.sort((a, b) => (a.when < b.when ? 1 : -1));
    if (inGroup) fresh.sort((a, b) => (b.val_accuracy ?? -1) - (a.val_accuracy ?? -1));
    const isFirst = !rows.size;
    for (const run of isFirst || inGroup ? fresh : fresh.reverse()) {
      const row = el("tr", { "data-id": run.id });
      rows.set(run.id, { row, said: "", name: fullName(run).toLocaleLowerCase() });
      isFirst || inGroup ? body.append(row) : body.prepend(row);
    }
    for (const run of runs) write(rows.get(run.id), run);
    button.disabled = chosen.size !== 2;
    find.hidden = rows.size < 8;
    sift();
  }

  function write(entry, run) {
    const said = JSON.stringify(run);
    if (entry.said === said) return;
    entry.said = said;
    if (!entry.row.children.length) entry.row.append(el("td", { class: "pick" }), el("th", { scope: "row" }));
    const [pick, name] = entry.row.children;
    if (!run.comparable) pick.replaceChildren();
    else if (!pick.children.length) {
      const box = el("input", { type: "checkbox", "aria-label": words.pick(run.name) });
      box.addEventListener("change", () => choose(run, box));
      pick.append(el("label", {}, box));
    }
    const link = name.querySelector("a") ?? name.appendChild(el("a", { href: address.of(run) }));
    link.textContent = inGroup ? run.name : fullName(run);
    name.querySelector("small")?.remove();
    if (run.kind !== "run") name.append(el("small", {}, words.kinds[run.kind]));
    entry.row.replaceChildren(pick, name, ...cells(run));
  }

  return { element, update };
}

const number = (name) => (["validation", "test"].includes(name) ? "n" : null);

function cells(run) {
  const inside = {
    state: [stateOf(run), run.reason ? el("small", { class: "problem" }, run.reason) : null],
    progress: progressOf(run),
    validation: [percent(run.val_accuracy)],
    test: [percent(run.test_accuracy)],
    changed: [when(run.when)],
  };
  return COLUMNS.map((name) => {
    const wide = ["state", "progress", "changed"].includes(name) ? "wide" : "";
    return el("td", { class: `${number(name) ?? ""} ${wide}`, "data-name": words[name] }, inside[name]);
  });
}

/** Return a mark with the state in words. */
export function stateOf(run) {
  return el("span", { class: `state ${run.state}` }, words.states[run.state] ?? run.state);
}

/** Return how far a run or a study has come, with a bar while it is at work. */
export function progressOf(run) {
  const [done, all] = run.kind === "run" ? [run.epoch, run.epochs] : [run.done, run.total];
  const bar = run.state === "running" && all > 0 && run.kind !== "search"
    ? el("progress", { max: all, value: Math.min(done, all), "aria-label": words.states.running })
    : null;
  return [el("span", {}, progressText(run)), bar];
}

/** Say the same in words. */
export function progressText(run) {
  if (run.kind === "search") return words.trials(run.done);
  if (run.kind === "study" && run.state === "finished" && run.done === run.total) return words.allDone(run.done);
  if (run.kind === "study") return words.doneOf(run.done, run.total);
  if (run.state === "finished") return run.epoch ? words.epochs(run.epoch) : "–";
  if (run.state === "running" && run.stage === "scoring") return words.stages.scoring;
  const stage = run.stage === "head" ? `, ${words.stages.head}` : "";
  return run.epochs ? words.epochOf(run.epoch, run.epochs) + stage : "";
}

/** Return a card for each run that is at work. */
export function worksOf(runs) {
  return runs.filter((run) => run.kind === "run" && run.state === "running").map((run) => {
    const group = groupOf(run);
    const left = run.seconds_left ? words.left(duration(run.seconds_left)) : "";
    return el("li", {},
      group ? el("p", { class: "file" }, el("a", { href: address.study(group) }, group.name)) : null,
      el("p", { class: "label" }, el("a", { href: address.run(run) }, run.name)),
      progressOf(run),
      el("p", { class: "quiet" }, [`${words.validation} ${percent(run.val_accuracy)}`, left].filter(Boolean).join(" · ")));
  });
}
