// What the board knows of the folder, kept up to date: by events, or by asking where that fails.

const AGAIN = 5000; // milliseconds until it is asked again

export const runs = new Map(); // id -> what GET /api/runs says of it
export const folder = { name: "", cut: false, whole: false };

let mark = "";
let told = () => {};
let felt = () => {};
let source = null;
let timer = 0;

/** Call `changed(ids)` when runs have changed, and `state(word)` when the line to the board does. */
export function follow(changed, state) {
  told = changed;
  felt = state;
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  start();
}

function start() {
  stop();
  if (document.hidden) return;
  source = new EventSource(`/api/events?since=${encodeURIComponent(mark)}`);
  source.addEventListener("runs", (event) => {
    take(JSON.parse(event.data));
    felt("live");
  });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return felt("noServer"); // it tries by itself
    stop();
    ask();
  };
}

function stop() {
  source?.close();
  source = null;
  clearTimeout(timer);
}

async function ask() {
  try {
    take(await get(`/api/runs?since=${encodeURIComponent(mark)}`));
    felt("asking");
  } catch (error) {
    felt(error.status === 401 ? "token" : "noServer");
    if (error.status === 401) return;
  }
  timer = setTimeout(start, AGAIN);
}

/** Begin again, with a token that has been entered. */
export function restart() {
  start();
}

function take(news) {
  const ids = new Set([...news.runs.map((run) => run.id), ...news.gone]);
  if (news.whole) {
    for (const id of runs.keys()) ids.add(id);
    runs.clear();
  }
  for (const id of news.gone) runs.delete(id);
  for (const run of news.runs) runs.set(run.id, run);
  Object.assign(folder, { name: news.folder, cut: news.cut, whole: true });
  mark = news.mark;
  told(ids);
}

/** Return what a route answers. Throws an error with its reason and status. */
export async function get(address) {
  const answer = await fetch(address);
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(told.error ?? answer.statusText), { status: answer.status });
  return told;
}

/** Return whether the board takes a token. */
export async function enter(token) {
  const answer = await fetch("/enter", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  return answer.ok;
}

const query = (values) => new URLSearchParams(values).toString();

export const address = {
  run: (run) => `/run?${query({ id: run.id })}`,
  study: (run) => `/study?${query({ id: run.id })}`,
  of: (run) => (run.kind === "run" ? address.run(run) : address.study(run)),
  file: (run, name) => `/files/${run.id ? `${run.id}/` : ""}${name}`,
  photo: (id, row) => `/photo?${query({ run: id, row })}`,
  compare: (first, second) => `/compare?${query({ first, second })}`,
};

/** Return the name of a run with that of its study. */
export function fullName(run) {
  const group = run.kind === "run" && run.group !== run.id ? runs.get(run.group) : null;
  return group && group.kind !== "run" ? `${group.name} / ${run.name}` : run.name;
}

/** Return the study or search of a run, if it is part of one. */
export function groupOf(run) {
  const group = runs.get(run.group);
  return run.kind === "run" && group && group.kind !== "run" ? group : null;
}
