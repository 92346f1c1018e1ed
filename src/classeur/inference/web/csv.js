// A table as CSV that a spreadsheet opens as text, and never as a formula.

function cell(value) {
  const text = String(value ?? "");
  const harmless = typeof value !== "number" && /^[=+\-@\t\r\n]/.test(text) ? "'" + text : text;
  return `"${harmless.replaceAll('"', '""')}"`;
}

/** Return rows of values as CSV; the mark in front tells spreadsheets that it is UTF-8. */
export function csv(rows) {
  return "\ufeff" + rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}

export function download(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
