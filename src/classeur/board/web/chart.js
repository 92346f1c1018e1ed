// Loss or accuracy over the epochs, of training and of validation.

import { svg } from "./dom.js";
import { figure, percent, words } from "./words.js";

const LARGE = { width: 460, height: 270, left: 48, right: 104, top: 10, bottom: 34, names: true };
const SMALL = { width: 260, height: 150, left: 40, right: 10, top: 8, bottom: 24, names: false };

/** Draw one figure of a history: "loss" or "accuracy". */
export function chart(history, what, epochs, small = false) {
  const box = small ? SMALL : LARGE;
  const say = what === "loss" ? figure : percent;
  const lines = ["train", "val"].map((split) => history.map((row) => row[`${split}_${what}`]));
  const last = lines.map((line) => say(line.at(-1) ?? null));
  const label = words.chart(words[what], history.length, ...last);
  const scale = scaleOf(lines.flat(), what, Math.max(epochs, history.length, 2), box);
  const parts = [...axes(scale, say, box)];
  const best = bestOf(history);
  if (best) parts.push(svg("line", { class: "best", x1: scale.x(best), x2: scale.x(best), y1: box.top, y2: box.height - box.bottom }));
  lines.forEach((line, i) => parts.push(...drawn(line, ["train", "val"][i], scale)));
  if (box.names) parts.push(...names(lines, scale, box));
  return svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": label }, parts);
}

/** Return the epoch whose weights are kept: highest accuracy, then lowest loss, on validation. */
export function bestOf(history) {
  let best = null;
  for (const row of history) {
    const better = best && (row.val_accuracy - best.val_accuracy || best.val_loss - row.val_loss);
    if (!best || better > 0) best = row;
  }
  return best?.epoch ?? 0;
}

function scaleOf(values, what, epochs, box) {
  const known = values.filter((value) => value !== null);
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (!known.length) [low, high] = [0, 1];
  const room = 0.06 * Math.max(high - low, 0.02);
  low = what === "loss" ? 0 : Math.max(0, low - room);
  high = what === "loss" ? high + room : Math.min(1, high + room);
  const step = nice((high - low) / 4);
  const inner = box.height - box.top - box.bottom;
  return {
    ticks: Array.from({ length: 12 }, (_, i) => (Math.ceil(low / step) + i) * step).filter((t) => t <= high + 1e-9),
    epochs,
    x: (epoch) => box.left + ((epoch - 1) / (epochs - 1)) * (box.width - box.left - box.right),
    y: (value) => box.top + (1 - (value - low) / (high - low)) * inner,
  };
}

function nice(rough) {
  const unit = 10 ** Math.floor(Math.log10(rough));
  return unit * ([1, 2, 2.5, 5].find((factor) => factor * unit >= rough) ?? 10);
}

function* axes(scale, say, box) {
  for (const tick of scale.ticks) {
    const y = scale.y(tick);
    yield svg("line", { class: "axis", x1: box.left, x2: box.width - box.right, y1: y, y2: y });
    yield svg("text", { x: box.left - 6, y: y + 4, "text-anchor": "end" }, say(tick).replace(/[.,]0(?=\s?%)/, ""));
  }
  const bottom = box.height - box.bottom + 18;
  const step = Math.max(1, nice((scale.epochs - 1) / (box.names ? 6 : 4)));
  const shown = new Set([1]);
  for (let epoch = Math.ceil(step); epoch <= scale.epochs; epoch += Math.ceil(step)) if (epoch > step / 2 + 1) shown.add(epoch);
  for (const epoch of shown) yield svg("text", { x: scale.x(epoch), y: bottom, "text-anchor": "middle" }, String(epoch));
  if (box.names) yield svg("text", { x: box.width - box.right + 16, y: bottom }, words.epoch);
}

function* drawn(line, name, scale) {
  let points = [];
  for (const [i, value] of [...line, null].entries()) {
    if (value !== null) points.push(`${scale.x(i + 1).toFixed(1)},${scale.y(value).toFixed(1)}`);
    else if (points.length) {
      yield svg("polyline", { class: name, points: points.join(" ") });
      points = [];
    }
  }
  const end = line.at(-1);
  if (end !== null && end !== undefined) yield svg("circle", { class: name, cx: scale.x(line.length), cy: scale.y(end), r: 3 });
}

function names(lines, scale, box) {
  const [train, val] = lines.map((line) => scale.y(line.at(-1) ?? 0));
  if (!lines[0].length) return [];
  const apart = Math.max(0, 15 - Math.abs(train - val)) / 2;
  const [up, down] = train < val ? [-apart, apart] : [apart, -apart];
  const x = scale.x(lines[0].length) + 8;
  return [
    svg("text", { class: "train", x, y: train + 4 + up }, words.training),
    svg("text", { class: "val", x, y: val + 4 + down }, words.validation),
  ];
}
