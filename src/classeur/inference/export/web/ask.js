// What the page asks of the network, which runs in this browser: no photo leaves it.

import { words } from "./words.js";

export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

let facts = null; // model.json
let worker = null;
let last = Promise.resolve(); // the photo before

/** Return what model.json says, once the network is there. Throws Refused. */
export async function model() {
  const response = await fetch("model.json").catch(() => null);
  if (!response?.ok) throw new Refused(0, "");
  facts = await response.json();
  await inTurn(null);
  return facts;
}

/** Return what the network says of a photo. Throws Refused with the reason. */
export async function classify(file, top) {
  const { probabilities } = await inTurn(file);
  const all = facts.class_names
    .map((label, at) => ({ label, probability: probabilities[at] }))
    .sort((a, b) => b.probability - a.probability);
  if (!all.every(({ probability }) => Number.isFinite(probability))) throw unreadable(words.notFinite);
  return { ...all[0], top: all.slice(0, top), all, unsure: null, possible: null, strange: null };
}

function unreadable(reason) {
  return new Refused(422, `the file ${reason}.`);
}

// one at a time: a decoded photo is large
function inTurn(file) {
  const said = last.then(() => ask(file));
  last = said.catch(() => {});
  return said;
}

async function ask(file) {
  worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const said = await new Promise((done) => {
    worker.onmessage = ({ data }) => done(data);
    worker.onerror = ({ message }) => done({ failed: message || words.noServer });
    worker.postMessage(file);
  });
  if (said.undecodable) throw unreadable(words.undecodable);
  if (said.failed) {
    worker.terminate(); // what is left of its memory is in no known state
    worker = null;
    throw new Refused(500, said.failed);
  }
  return said;
}

// A page with a server has these two.
export function useToken() {}
export async function explain() {
  throw new Refused(404, "");
}
