// What is said of a field that is filled in wrongly: in the page's language, where the browser would use its own.

// The name that stands beside a field: its label without the field itself and without hints.
function label(field) {
  const around = (field.labels?.[0] ?? field.closest("label"))?.cloneNode(true);
  around?.querySelectorAll("input, select, textarea, button, datalist, small").forEach((part) => part.remove());
  return around?.textContent.trim() || field.getAttribute("aria-label") || "";
}

function complaint(field, words) {
  const wrong = field.validity;
  const number = (key, n) => words[key].replace("{n}", n);
  if (wrong.badInput) return words[field.type === "number" ? "v_number" : "v_moment"];
  if (wrong.valueMissing && field.type === "checkbox") return words.v_check;
  if (wrong.valueMissing) return words[field.tagName === "SELECT" ? "v_choose" : "v_missing"];
  if (wrong.rangeUnderflow) return number("v_least", field.min);
  if (wrong.rangeOverflow) return number("v_most", field.max);
  if (wrong.stepMismatch) return words.v_step;
  if (wrong.tooShort) return number("v_short", field.minLength);
  if (wrong.tooLong) return number("v_long", field.maxLength);
  if (wrong.typeMismatch) return words.v_address;
  return words.v_pattern;
}

// Complain in the words of `words()` from now on; returns how to stop.
export function complainInWords(words) {
  const invalid = ({ target }) => {
    target.setCustomValidity("");
    if (target.validity.valid) return;
    const [said, name] = [words(), label(target)];
    target.setCustomValidity(`${name}${name && (document.documentElement.lang === "en" ? ": " : "：")}${complaint(target, said)}`);
  };
  const mended = ({ target }) => target.setCustomValidity?.("");
  document.addEventListener("invalid", invalid, true);
  document.addEventListener("input", mended, true);
  document.addEventListener("change", mended, true);
  return () => {
    document.removeEventListener("invalid", invalid, true);
    document.removeEventListener("input", mended, true);
    document.removeEventListener("change", mended, true);
  };
}
