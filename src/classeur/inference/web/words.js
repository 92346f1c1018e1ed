// Every word on the page, in the languages it speaks. A function takes the numbers in it.

const en = {
  invitation: "Drop photos anywhere on this page, paste one, or:",
  choose: "Choose photos",
  camera: "Take a photo",
  shoot: "Take it",
  close: "Close",
  stays: "Photos go to this server and nowhere else; it does not keep them.",
  inBrowser: "Photos stay on this device: the network runs in this browser, and nothing is uploaded.",
  loading: "Loading the network …",
  token: "This server asks for a token:",
  enter: "Enter",
  wrongToken: "That is not this server's token.",
  answers: "Answers",
  order: "Order",
  byAdded: "as added",
  byLabel: "by label",
  bySurest: "surest first",
  byDoubtful: "least sure first",
  byStrange: "strangest first",
  wrong: "Wrong answers allowed",
  anyWrong: "no limit",
  atMost: (share) => `at most ${share}`,
  save: "Download CSV",
  clear: "Clear",
  look: "Where it looked",
  noHeat: "No heat map: ",
  heatAlt: (label) => `Heat map: where the network looked for ${label}`,
  waiting: "waiting …",
  unsure: "Unsure.",
  possible: (names) => `Unsure. It may be: ${names}.`,
  strange: "Strange: it is unlike the photos this network has learned from. The label may mean little.",
  undecodable: "is no photo that this browser can open",
  notFinite: "gets no finite probability from the network",
  unreadable: (reason) => `This file ${reason}.`,
  refused: (reason) => `No answer: ${reason}`,
  noPreview: "no preview",
  noCamera: "The camera cannot be used: ",
  noServer: "the server cannot be reached.",
  busy: "the server is busy; try again later.",
  knows: (n, names) => `Knows ${n} classes: ${names}`,
  more: (n) => `and ${n} more`,
  working: (done, all) => `${done} of ${all} photos …`,
  done: (n, failed) =>
    `${n} ${n === 1 ? "photo" : "photos"} classified` + (failed ? `, ${failed} could not be.` : "."),
  columns: ["photo", "label", "probability", "unsure", "possible", "strange", "error"],
  yes: "yes",
  no: "no",
};

const fr = {
  invitation: "Déposez des photos n’importe où sur cette page, collez-en une, ou :",
  choose: "Choisir des photos",
  camera: "Prendre une photo",
  shoot: "Photographier",
  close: "Fermer",
  stays: "Les photos vont à ce serveur et nulle part ailleurs ; il ne les garde pas.",
  inBrowser: "Les photos restent sur cet appareil : le réseau tourne dans ce navigateur, rien n’est envoyé.",
  loading: "Chargement du réseau …",
  token: "Ce serveur demande un jeton :",
  enter: "Entrer",
  wrongToken: "Ce n’est pas le jeton de ce serveur.",
  answers: "Réponses",
  order: "Ordre",
  byAdded: "d’ajout",
  byLabel: "par étiquette",
  bySurest: "les plus sûres d’abord",
  byDoubtful: "les moins sûres d’abord",
  byStrange: "les plus étranges d’abord",
  wrong: "Erreurs admises",
  anyWrong: "sans limite",
  atMost: (share) => `au plus ${share}`,
  save: "Télécharger en CSV",
  clear: "Effacer",
  look: "Où il a regardé",
  noHeat: "Pas de carte de chaleur : ",
  heatAlt: (label) => `Carte de chaleur : où le réseau a cherché ${label}`,
  waiting: "en attente …",
  unsure: "Pas sûr.",
  possible: (names) => `Pas sûr. Peut-être : ${names}.`,
  strange: "Étrange : elle ne ressemble pas aux photos dont ce réseau a appris. L’étiquette peut ne rien dire.",
  undecodable: "ce navigateur ne sait pas ouvrir cette photo",
  notFinite: "le réseau ne lui donne aucune probabilité finie",
  unreadable: (reason) => `Fichier illisible : « ${reason} ».`,
  refused: (reason) => `Pas de réponse : ${reason}`,
  noPreview: "pas d’aperçu",
  noCamera: "L’appareil photo ne peut pas servir : ",
  noServer: "le serveur ne répond pas.",
  busy: "le serveur est occupé ; réessayez plus tard.",
  knows: (n, names) => `Connaît ${n} classes : ${names}`,
  more: (n) => `et ${n} autres`,
  working: (done, all) => `${done} photos sur ${all} …`,
  done: (n, failed) =>
    (n > 1 ? `${n} photos classées` : `${n} photo classée`) +
    (failed ? `, ${failed} sans réponse.` : "."),
  columns: ["photo", "étiquette", "probabilité", "pas sûr", "peut-être", "étrange", "erreur"],
  yes: "oui",
  no: "non",
};

const wanted = navigator.languages.map((tag) => tag.slice(0, 2));
export const language = wanted.find((tag) => tag === "fr" || tag === "en") ?? "en";
export const words = language === "fr" ? fr : en;

/** Write the words into every element that names one. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-word]")) {
    element.textContent = words[element.dataset.word];
  }
}

const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });

/** Return a probability as people write it. What is not quite certain does not say 100 %. */
export function percent(probability) {
  if (probability > 0.999 && probability < 1) return "> " + share.format(0.999);
  if (probability < 0.001 && probability > 0) return "< " + share.format(0.001);
  return share.format(probability);
}
