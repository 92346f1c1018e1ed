// Elements without a template language: text is always text, never HTML.

/** Make an element. A function among the attributes is a listener; false and null leave one out. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for a part of a drawing. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

export const find = (id) => document.getElementById(id);

/** Say something to everybody; with `unseen`, only to those who do not see the page. */
export function say(text, unseen = false) {
  find("status").classList.toggle("unseen", unseen);
  if (find("status").textContent !== text) find("status").textContent = text;
}

/** Name the page and what is above it: [[text, address], …]. */
export function title(name, above = []) {
  document.title = `${name} · Classeur`;
  find("name").textContent = name;
  const links = above.flatMap(([text, address]) => [" › ", el("a", { href: address }, text)]);
  find("where").replaceChildren("Classeur", ...links);
}
