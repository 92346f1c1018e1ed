// Every word of the board, in the languages it speaks. A function takes the numbers in it.

const plural = (n, one, many) => `${number(n)} ${Math.abs(n) < 2 && n !== 0 ? one : many}`;

const en = {
  board: "Board",
  token: "This board asks for a token:",
  enter: "Enter",
  wrongToken: "That is not this board's token.",
  noServer: "The board cannot be reached. It tries again by itself.",
  live: "Live: what changes in the folder appears here by itself.",
  asking: "Many follow this board; it is asked again now and then.",
  noSuch: "There is no such run in this folder.",
  nothing: "No runs yet. They appear here as soon as one begins in this folder.",
  cut: "This folder holds more than can be looked into; some of it is not shown.",
  loading: "Looking …",
  find: "Find",
  atWork: "At work",
  all: "Runs, studies and searches",
  runs: "Runs",
  curves: "Learning curves",
  lines: "Accuracy over the epochs: validation in colour, training dashed.",
  name: "name",
  state: "state",
  progress: "epochs",
  validation: "validation",
  test: "test",
  changed: "changed",
  pick: (name) => `Choose ${name} to compare`,
  compare: "Compare two",
  compareHint: "Choose two runs that are finished.",
  binder: "Open the binder",
  searchPage: "Open the page of the search",
  sheet: "Open the sheet",
  states: {
    running: "running", waiting: "waiting", finished: "finished", failed: "failed",
    interrupted: "interrupted", ended: "given up", broken: "cannot be read", skipped: "skipped",
  },
  stages: { head: "the head learns", training: "training", scoring: "scoring" },
  kinds: { run: "run", study: "study", search: "search" },
  epochOf: (n, all) => `epoch ${n} of ${all}`,
  epochs: (n) => plural(n, "epoch", "epochs"),
  doneOf: (n, all) => `${n} of ${all} finished`,
  allDone: (n) => plural(n, "run", "runs"),
  trials: (n) => plural(n, "trial finished", "trials finished"),
  left: (time) => `at most ${time} left`,
  seconds: (n) => `${n} s`,
  minutes: (n) => `${n} min`,
  hours: (n) => `${n} h`,
  loss: "Loss",
  accuracy: "Accuracy",
  epoch: "epoch",
  training: "training",
  trainLoss: "training loss",
  valLoss: "validation loss",
  trainAccuracy: "training accuracy",
  valAccuracy: "validation accuracy",
  testAccuracy: "test accuracy",
  rate: "learning rate",
  best: "best epoch",
  timeLeft: "left, at most",
  asTable: "The same as a table",
  headFirst: "The head, which learns first",
  noCurve: "Nothing was trained, or not for a whole epoch yet.",
  chart: (what, n, train, val) => `${what} over ${n} epochs: training at ${train}, validation at ${val}.`,
  now: (n, all, val) => `Epoch ${n} of ${all}, validation ${val}.`,
  comparing: "Two runs, photo by photo",
  first: "First run",
  second: "Second run",
  split: "Photos",
  testPhotos: "test photos",
  valPhotos: "validation photos",
  choose: "choose …",
  fewRuns: "No two runs of this folder have been scored yet.",
  table: (n) => `Who is right on ${number(n)} photos. Choose a field to see its photos.`,
  rightOf: (name) => `${name} right`,
  wrongOf: (name) => `${name} wrong`,
  photosIn: {
    first: (a, b) => `Right in ${a}, wrong in ${b}`,
    second: (a, b) => `Wrong in ${a}, right in ${b}`,
    both: () => "Right in both",
    neither: () => "Wrong in both",
  },
  difference: (points, low, high) =>
    `Accuracy of the first minus that of the second: ${points} points (95% interval ${low} to ${high}).`,
  tested: (p, groups) =>
    groups ? `Exact sign-flip test over ${number(groups)} groups: p ${p}.` : `Exact McNemar test: p ${p}.`,
  different: "The two differ: that is more than chance would do.",
  alike: (more) =>
    more ? `These photos cannot tell the two apart; about ${number(more)} more would.` : "These photos cannot tell the two apart.",
  alone: "This is the test of one pair alone; a binder corrects for all pairs of its study.",
  validationChose: "Validation photos have chosen the epoch of each run, and may favour either.",
  label: "label",
  probability: "probability",
  noPreview: "This photo is gone or has changed.",
  noneHere: "No photo is here.",
  showing: (from, to, all) => `${from}–${to} of ${number(all)}`,
  earlier: "Earlier",
  later: "Later",
  sheets: "The two sheets, side by side",
  earlierSheets: "Previous sheet at the right",
  laterSheets: "Next sheet at the right",
  sheetOf: (name) => `Sheet of ${name}`,
  noSheet: "It has no sheet.",
  notBegun: "Not begun",
  moreOthers: (count) => `and ${number(count)} more`,
  language: "",
};

const fr = {
  board: "Tableau",
  token: "Ce tableau demande un jeton :",
  enter: "Entrer",
  wrongToken: "Ce n’est pas le jeton de ce tableau.",
  noServer: "Le tableau ne répond pas. Il réessaie de lui-même.",
  live: "En direct : ce qui change dans le dossier apparaît ici de soi-même.",
  asking: "Beaucoup suivent ce tableau ; il est interrogé de temps en temps.",
  noSuch: "Il n’y a pas de tel entraînement dans ce dossier.",
  nothing: "Pas encore d’entraînement. Dès qu’il en commence un dans ce dossier, il apparaît ici.",
  cut: "Ce dossier contient plus que ce qui peut être parcouru ; tout n’est pas montré.",
  loading: "Lecture …",
  find: "Chercher",
  atWork: "En cours",
  all: "Entraînements, études et recherches",
  runs: "Entraînements",
  curves: "Courbes d’apprentissage",
  lines: "Exactitude au fil des époques : validation en couleur, apprentissage en tirets.",
  name: "nom",
  state: "état",
  progress: "époques",
  validation: "validation",
  test: "test",
  changed: "modifié",
  pick: (name) => `Choisir ${name} pour comparer`,
  compare: "Comparer les deux",
  compareHint: "Choisissez deux entraînements terminés.",
  binder: "Ouvrir le classeur",
  searchPage: "Ouvrir la page de la recherche",
  sheet: "Ouvrir la feuille",
  states: {
    running: "en cours", waiting: "en attente", finished: "terminé", failed: "échoué",
    interrupted: "interrompu", ended: "abandonné", broken: "illisible", skipped: "passé",
  },
  stages: { head: "la tête apprend", training: "apprentissage", scoring: "évaluation" },
  kinds: { run: "entraînement", study: "étude", search: "recherche" },
  epochOf: (n, all) => `époque ${n} sur ${all}`,
  epochs: (n) => (n > 1 ? `${number(n)} époques` : `${n} époque`),
  doneOf: (n, all) => `${n} sur ${all} terminés`,
  allDone: (n) => (n > 1 ? `${number(n)} entraînements` : `${n} entraînement`),
  trials: (n) => (n > 1 ? `${number(n)} essais terminés` : `${n} essai terminé`),
  left: (time) => `encore ${time} au plus`,
  seconds: (n) => `${n} s`,
  minutes: (n) => `${n} min`,
  hours: (n) => `${n} h`,
  loss: "Perte",
  accuracy: "Exactitude",
  epoch: "époque",
  training: "apprentissage",
  trainLoss: "perte d’apprentissage",
  valLoss: "perte de validation",
  trainAccuracy: "exactitude d’apprentissage",
  valAccuracy: "exactitude de validation",
  testAccuracy: "exactitude de test",
  rate: "taux d’apprentissage",
  best: "meilleure époque",
  timeLeft: "reste, au plus",
  asTable: "La même chose en tableau",
  headFirst: "La tête, qui apprend d’abord",
  noCurve: "Rien n’a été entraîné, ou pas encore pendant une époque entière.",
  chart: (what, n, train, val) => `${what} sur ${n} époques : apprentissage à ${train}, validation à ${val}.`,
  now: (n, all, val) => `Époque ${n} sur ${all}, validation ${val}.`,
  comparing: "Deux entraînements, photo par photo",
  first: "Premier",
  second: "Second",
  split: "Photos",
  testPhotos: "photos de test",
  valPhotos: "photos de validation",
  choose: "choisir …",
  fewRuns: "Ce dossier n’a pas encore deux entraînements évalués.",
  table: (n) => `Lequel a raison sur ${number(n)} photos. Choisissez une case pour voir ses photos.`,
  rightOf: (name) => `${name} juste`,
  wrongOf: (name) => `${name} faux`,
  photosIn: {
    first: (a, b) => `Juste dans ${a}, faux dans ${b}`,
    second: (a, b) => `Faux dans ${a}, juste dans ${b}`,
    both: () => "Juste dans les deux",
    neither: () => "Faux dans les deux",
  },
  difference: (points, low, high) =>
    `Exactitude du premier moins celle du second : ${points} points (intervalle à 95 % : ${low} à ${high}).`,
  tested: (p, groups) =>
    groups ? `Test exact des signes sur ${number(groups)} groupes : p ${p}.` : `Test exact de McNemar : p ${p}.`,
  different: "Les deux diffèrent : c’est plus que le hasard ne ferait.",
  alike: (more) =>
    more
      ? `Ces photos ne peuvent pas les départager ; environ ${number(more)} de plus le pourraient.`
      : "Ces photos ne peuvent pas les départager.",
  alone: "C’est le test d’une seule paire ; un classeur corrige pour toutes les paires de son étude.",
  validationChose: "Les photos de validation ont choisi l’époque de chacun, et peuvent en favoriser un.",
  label: "étiquette",
  probability: "probabilité",
  noPreview: "Cette photo n’est plus là ou a changé.",
  noneHere: "Aucune photo ici.",
  showing: (from, to, all) => `${from}–${to} sur ${number(all)}`,
  earlier: "Précédentes",
  later: "Suivantes",
  sheets: "Les deux feuilles, côte à côte",
  earlierSheets: "Feuille précédente à droite",
  laterSheets: "Feuille suivante à droite",
  sheetOf: (name) => `Feuille de ${name}`,
  noSheet: "Il n’a pas de feuille.",
  notBegun: "Pas commencés",
  moreOthers: (count) => `et ${number(count)} de plus`,
  language: "en",
};

const wanted = navigator.languages.map((tag) => tag.slice(0, 2));
export const language = wanted.find((tag) => tag === "fr" || tag === "en") ?? "en";
export const words = language === "fr" ? fr : en;

const tenth = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
const share = new Intl.NumberFormat(language, { ...tenth, style: "percent" });
const whole = new Intl.NumberFormat(language);
const tenths = new Intl.NumberFormat(language, { ...tenth, signDisplay: "always" });
const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

/** Return a whole number as people write it. */
export function number(value) {
  return whole.format(value);
}

/** Return a share; a dash where there is none. */
export function percent(value) {
  return value === null || value === undefined ? "–" : share.format(value);
}

/** Return a difference of shares in points, with its sign. */
export function points(value) {
  return value === null ? "–" : tenths.format(100 * value).replace("-", "−");
}

/** Return a p-value with its sign of comparison. */
export function chance(p) {
  const three = new Intl.NumberFormat(language, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
  return p < 0.001 ? `< ${three.format(0.001)}` : `= ${three.format(p)}`;
}

/** Return a loss or a rate with three digits that matter. */
export function figure(value) {
  return value === null
    ? "–"
    : new Intl.NumberFormat(language, { maximumSignificantDigits: 3 }).format(value);
}

/** Return a time of the day with its date. */
export function when(text) {
  return text ? moment.format(new Date(text)) : "";
}

/** Return a number of seconds, roughly. */
export function duration(seconds) {
  if (seconds < 90) return words.seconds(Math.ceil(seconds));
  return seconds < 5400 ? words.minutes(Math.ceil(seconds / 60)) : words.hours(number(Math.ceil(seconds / 360) / 10));
}
