// The page: photos in, a card for each with what the network says.

import { classify, explain, model, useToken } from "./ask.js";
import { setUpCamera } from "./camera.js";
import { csv, download } from "./csv.js";
import { judge, offer } from "./unsure.js";
import { language, percent, translate, words } from "./words.js";

const TOP = 3;
const NAMED = 12; // classes that are listed at the top of the page

const find = (id) => document.getElementById(id);
let served = null; // what GET /model says
let cards = []; // { file, item, answer, reason }, as added

// ---------------------------------------------------------------------------- start

async function start() {
  document.documentElement.lang = language;
  translate(document);
  find("token-form").addEventListener("submit", enter);
  say(words.loading);
  try {
    introduce(await model());
    say("");
  } catch (error) {
    say("");
    find("token-form").hidden = error.status !== 401;
    if (error.status !== 401) say(error.message || words.noServer);
  }
}

async function enter(event) {
  event.preventDefault();
  useToken(find("token").value);
  try {
    introduce(await model());
    find("token-form").hidden = true;
    say("");
    find("files").focus();
  } catch (error) {
    say(error.status === 401 ? words.wrongToken : error.message || words.noServer);
  }
}

function introduce(facts) {
  served = facts;
  document.title = `${facts.name} · Classeur`;
  find("name").textContent = facts.name;
  find("version").textContent = `Classeur ${facts.version}`;
  const names = facts.class_names.slice(0, NAMED);
  const rest = facts.class_names.length - names.length;
  const all = names.join(", ") + (rest ? ` ${words.more(rest)}` : "") + ".";
  find("classes").textContent = words.knows(facts.class_names.length, all);
  find("order").querySelector("[value=strange]").hidden = !facts.tells_strange;
  find("stays").textContent = facts.in_browser ? words.inBrowser : words.stays;
  find("api").hidden = facts.in_browser === true;
  offer(facts.levels ?? [], judgeAgain);
  find("take").hidden = false;
  setUpInputs();
}

function setUpInputs() {
  find("files").addEventListener("change", () => {
    add([...find("files").files]);
    find("files").value = "";
  });
  document.addEventListener("paste", (event) => add([...event.clipboardData.files]));
  const over = (on) => document.body.classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? over(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    add([...event.dataTransfer.files]);
  });
  setUpCamera(add, (reason) => say(words.noCamera + reason));
  find("order").addEventListener("change", arrange);
  find("save").addEventListener("click", () => download(csv(table()), "classeur.csv"));
  find("clear").addEventListener("click", clear);
}

// ---------------------------------------------------------------------------- photos

async function add(files) {
  const fresh = files.map(newCard);
  if (!fresh.length) return;
  cards.push(...fresh);
  find("results").hidden = false;
  count();
  await Promise.all(fresh.map(answerFor));
  arrange();
}

async function answerFor(card) {
  try {
    card.answer = await classify(card.file, TOP);
    judge(card.answer);
    show(card);
  } catch (error) {
    // the server's sentence begins with "the file": the card says that in its own language
    const reason = error.message.match(/^the file (.*)\.$/s)?.[1];
    const said = error.message || (error.status === 503 ? words.busy : words.noServer);
    card.reason = reason ?? said;
    fail(card, reason ? words.unreadable(reason) : words.refused(said));
  }
  count();
}

function judgeAgain() {
  for (const card of cards.filter((card) => card.answer)) {
    judge(card.answer);
    mark(card);
  }
}

function count() {
  const failed = cards.filter((card) => card.reason).length;
  const answered = cards.filter((card) => card.answer).length;
  const all = answered + failed === cards.length;
  say(all ? words.done(answered, failed) : words.working(answered + failed, cards.length));
}

function clear() {
  for (const card of cards) URL.revokeObjectURL(card.url);
  cards = [];
  find("photos").replaceChildren();
  find("results").hidden = true;
  say("");
  find("files").focus();
}

function say(text) {
  find("status").textContent = text;
}

// ---------------------------------------------------------------------------- cards

function newCard(file) {
  const item = find("card").content.cloneNode(true).firstElementChild;
  translate(item);
  const card = { file, item, url: URL.createObjectURL(file), answer: null, reason: "" };
  const photo = item.querySelector(".photo");
  photo.addEventListener("error", () => photo.replaceWith(text("p", words.noPreview, "none")));
  photo.src = card.url;
  item.querySelector(".file").textContent = file.name;
  item.querySelector(".label").textContent = words.waiting;
  find("photos").append(item);
  return card;
}

function show({ item, file, answer }) {
  item.querySelector(".label").textContent = answer.label;
  mark({ item, answer });
  item.querySelector(".top").replaceChildren(...answer.top.map(rankedClass));
  const look = item.querySelector(".look");
  look.hidden = !served.explains;
  look.setAttribute("aria-label", `${words.look}: ${file.name}`);
  look.addEventListener("click", () => toggleHeat(item, file, answer.label));
}

function mark({ item, answer }) {
  item.classList.toggle("unsure", answer.unsure === true);
  const marks = item.querySelector(".marks");
  marks.replaceChildren();
  if (answer.unsure) {
    const names = answer.possible?.join(", ");
    marks.append(text("span", names ? words.possible(names) : words.unsure));
  }
  if (answer.strange) marks.append(text("span", words.strange));
}

function rankedClass({ label, probability }) {
  const row = document.createElement("li");
  const bar = document.createElement("i");
  bar.style.width = `${100 * probability}%`;
  const frame = text("span", "", "bar");
  frame.append(bar);
  row.append(text("span", label, "name"), text("span", percent(probability), "share"), frame);
  return row;
}

function fail({ item }, reason) {
  item.classList.add("error");
  item.querySelector(".label").textContent = reason;
}

async function toggleHeat(item, file, label) {
  const look = item.querySelector(".look");
  const on = look.getAttribute("aria-pressed") !== "true";
  look.setAttribute("aria-pressed", on);
  try {
    if (on && !item.querySelector(".heat")) item.querySelector(".picture").append(await heat(file, label));
  } catch (error) {
    look.setAttribute("aria-pressed", false);
    say(words.noHeat + (error.message || words.noServer));
    return;
  }
  const shown = look.getAttribute("aria-pressed") === "true";
  item.classList.toggle("looking", shown);
  item.querySelector(".heat")?.toggleAttribute("hidden", !shown);
}

async function heat(file, label) {
  const layer = document.createElement("img");
  layer.className = "heat";
  layer.alt = words.heatAlt(label);
  layer.src = await explain(file, label);
  await layer.decode();
  URL.revokeObjectURL(layer.src);
  return layer;
}

function text(tag, content, kind = "") {
  const element = document.createElement(tag);
  element.textContent = content;
  element.className = kind;
  return element;
}

// ---------------------------------------------------------------------------- order, table

const ORDERS = {
  added: () => 0,
  label: (a, b) => a.answer.label.localeCompare(b.answer.label, language) || ORDERS.surest(a, b),
  surest: (a, b) => b.answer.probability - a.answer.probability,
  doubtful: (a, b) => a.answer.probability - b.answer.probability,
  strange: (a, b) => (b.answer.strangeness ?? 0) - (a.answer.strangeness ?? 0),
};

function sorted() {
  const by = ORDERS[find("order").value];
  if (by === ORDERS.added) return cards;
  const answered = cards.filter((card) => card.answer);
  return [...answered.sort(by), ...cards.filter((card) => !card.answer)];
}

function arrange() {
  find("photos").append(...sorted().map((card) => card.item));
}

function table() {
  const flag = (value) => (value === null ? "" : value ? words.yes : words.no);
  const rows = sorted().map(({ file, answer: a, reason }) =>
    a
      ? [file.name, a.label, a.probability, flag(a.unsure), a.possible?.join("|"), flag(a.strange), ""]
      : [file.name, "", "", "", "", "", reason],
  );
  return [words.columns, ...rows];
}

start();
