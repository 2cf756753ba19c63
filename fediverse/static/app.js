// What makes pages a little nicer; every one of them works without it.

const MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

// "14 m", "3 h", "23 Nov": in the reader's own time zone and language.
function short(then, now) {
  const seconds = (now - then) / 1000;
  if (seconds < MINUTE) return "now";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} m`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h`;
  const options = { day: "numeric", month: "short" };
  if (then.getFullYear() !== now.getFullYear()) options.year = "numeric";
  return then.toLocaleDateString(undefined, options);
}

function tellTimes(root) {
  const now = new Date();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const then = new Date(time.dateTime);
    const full = then.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    time.textContent = "full" in time.dataset ? full : short(then, now);
    time.title = full;
  }
}

// Likes, boosts and pins without leaving the page: the server answers with the post as it is now.
async function act(event) {
  const button = event.submitter;
  const form = event.target.closest(".post-actions");
  if (!button?.formAction) return;
  if (button.dataset.confirm && !window.confirm(button.dataset.confirm)) {
    event.preventDefault();
    return;
  }
  if (!form || button.dataset.confirm) return;
  event.preventDefault();
  button.disabled = true;
  try {
    const answer = await fetch(button.formAction, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { "X-Fragment": "post" },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.querySelector(".post-actions");
    const focused = button.getAttribute("formaction").replace(/\/un(?=[a-z]+$)|\/(?=[a-z]+$)/u, "/");
    form.replaceWith(now);
    [...now.querySelectorAll("button[formaction]")]
      .find((other) => other.getAttribute("formaction").replace(/\/un(?=[a-z]+$)|\/(?=[a-z]+$)/u, "/") === focused)
      ?.focus();
  } catch {
    button.disabled = false;
    // The form's own way: the server says on a page what is wrong.
    form.action = button.formAction;
    form.submit();
  }
}

// One open menu at a time, closed by a click elsewhere and by Escape.
function closeMenus(event) {
  for (const menu of document.querySelectorAll("details.more[open]")) {
    if (event.type === "keydown" ? event.key === "Escape" : !menu.contains(event.target)) {
      menu.open = false;
      if (event.type === "keydown") menu.querySelector("summary").focus();
    }
  }
}

tellTimes(document);
document.addEventListener("submit", act);
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", closeMenus);
