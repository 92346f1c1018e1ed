// How many answers may be wrong: asked here where no server says when to be unsure.

import { percent, words } from "./words.js";

const choice = () => document.getElementById("allowed");
let levels = [];

/** Offer the levels { max_error, below, possible_from } that the network can promise. */
export function offer(promised, changed) {
  levels = promised;
  const options = levels.map((level, at) => new Option(words.atMost(percent(level.max_error)), at));
  choice().replaceChildren(new Option(words.anyWrong, ""), ...options);
  choice().parentElement.hidden = !levels.length;
  choice().addEventListener("change", changed);
}

/** Say of an answer whether it is unsure by the level that is chosen; a server has said so itself. */
export function judge(answer) {
  if (!levels.length) return;
  const level = levels[choice().value];
  answer.unsure = level ? answer.probability < level.below : null;
  const possible = ({ probability }, rank) => rank === 0 || probability >= level.possible_from;
  answer.possible = answer.unsure ? answer.all.filter(possible).map(({ label }) => label) : null;
}
