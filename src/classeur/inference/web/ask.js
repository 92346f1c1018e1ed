// What the page asks of the server. A page without a server has another file by this name.

const AT_ONCE = 3; // requests under way
const PATIENCE = 20; // times that a busy server is asked again

export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

let token = "";
let underWay = 0;
const queue = [];

export function useToken(text) {
  token = text;
}

/** Return what is served. Throws Refused; its status is 0 where there is no server. */
export async function model() {
  return (await ask("model")).json();
}

/** Return what the network says of a photo. Throws Refused with the reason. */
export async function classify(file, top) {
  const response = await inTurn(() => ask(`predict?top_k=${top}`, file));
  return (await response.json()).photos[0];
}

/** Return the address of a heat map to lay over the photo. Throws Refused with the reason. */
export async function explain(file, label) {
  const response = await inTurn(() => ask(`explain?label=${encodeURIComponent(label)}`, file));
  return URL.createObjectURL(await response.blob());
}

async function ask(path, file) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  for (let tries = 1; ; tries++) {
    let response;
    try {
      // what kind of photo it is, the server finds out
      if (file) headers["Content-Type"] = "application/octet-stream";
      response = await fetch(path, { method: file ? "POST" : "GET", headers, body: file });
    } catch {
      throw new Refused(0, "");
    }
    if (response.ok) return response;
    if (response.status === 503 && tries < PATIENCE) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((wake) => setTimeout(wake, 1000 * seconds * (1 + Math.random())));
      continue;
    }
    const said = await response.json().catch(() => ({}));
    throw new Refused(response.status, said.error ?? response.statusText);
  }
}

async function inTurn(work) {
  if (underWay === AT_ONCE) await new Promise((wake) => queue.push(wake));
  else underWay++;
  try {
    return await work();
  } finally {
    const next = queue.shift();
    if (next) next();
    else underWay--;
  }
}
