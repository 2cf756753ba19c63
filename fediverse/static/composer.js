// The composer's live counter. Without this script the server counts, and says so.
import { count } from "./counting.js";

const CODE_POINTS = 1400;

function points(text) {
  return [...text.normalize("NFC")].length;
}

// What the server counts: line ends are one character, and white space at the end does not count.
function normal(text) {
  return text
    .replace(/\r\n?|[\x85\u2028\u2029]/gu, "\n")
    .replaceAll("\t", " ")
    .replace(/\n{3,}/gu, "\n\n")
    .trimEnd()
    .replace(/^\n+/u, "");
}

function watch(form) {
  const limit = Number(form.dataset.limit);
  const text = form.querySelector("textarea");
  const warning = form.querySelector("[name=spoiler_text]");
  const counter = form.querySelector("[data-counter]");
  const button = form.querySelector("button.primary");
  const said = document.createElement("span");
  said.className = "visually-hidden";
  said.setAttribute("aria-live", "polite");
  counter.after(said);

  function update() {
    const words = normal(text.value);
    const left = limit - count(words, warning.value.trim());
    const tooMany = points(words) + points(warning.value) > CODE_POINTS;
    counter.textContent = String(left);
    counter.classList.toggle("near", left <= 20 && left >= 0);
    counter.classList.toggle("over", left < 0 || tooMany);
    button.disabled = left < 0 || tooMany || words.trim() === "";
    if (left <= 20) said.textContent = left < 0 ? `${-left} characters too many` : `${left} characters left`;
  }

  form.addEventListener("input", update);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !button.disabled) form.requestSubmit(button);
  });
  form.addEventListener("submit", () => {
    button.setAttribute("aria-busy", "true");
  });
  update();
  if (document.activeElement === text || location.hash === "#text") {
    text.focus();
    text.setSelectionRange(text.value.length, text.value.length);
  }
}

document.querySelectorAll("[data-composer]").forEach(watch);
