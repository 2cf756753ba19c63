// How long a Note is, counted exactly as the server counts (fediverse/text/counting.py and microsyntax.py):
// NFC; each link is 23 letters; @user@host is @user; grapheme clusters. Both are held to tests/data/counting.json.

export const URL_LENGTH = 23;

const NOT_WORD_MARKS = "\\uFE00-\\uFE0F\\u20E3";
// Scripts written without spaces: their letters end a host or a URL rather than continue it.
const UNSPACED =
  "\\u0E00-\\u0FFF\\u1000-\\u109F\\u1100-\\u11FF\\u1780-\\u17FF\\u2E80-\\u9FFF\\uA960-\\uA97F" +
  "\\uAC00-\\uD7FF\\uF900-\\uFAFF\\uFE30-\\uFE4F\\uFF00-\\uFFEF\\u{1AFF0}-\\u{1B16F}\\u{20000}-\\u{3FFFF}";
const WORD = `(?![${NOT_WORD_MARKS}])[\\p{L}\\p{M}\\p{N}_]`;
const SPACED_WORD = `(?![${NOT_WORD_MARKS}${UNSPACED}])[\\p{L}\\p{M}\\p{N}_]`;

const here = (pattern) => new RegExp(pattern, "uy");

const START = /[Hh][Tt][Tt][Pp][Ss]?:\/\/|[@#＃]/gu;
const URL_MUST_NOT_FOLLOW = here("[A-Za-z0-9@#$_]");
const AUTHORITY = here('[^\\s/?#<>"]*');
const HOST = here(`(?:(?![${NOT_WORD_MARKS}])[\\p{L}\\p{M}\\p{N}._\\-])+`);
const IPV6 = here("\\[[0-9A-Fa-f:.]{2,45}\\]");
const PORT = here(":([0-9]{1,5})(?![0-9A-Za-z_])");
const PATH = here(
  `(?:(?![${NOT_WORD_MARKS}${UNSPACED}])[A-Za-z0-9\\-._~:/?#@!$&'()*+,;=%\\[\\]|\\p{L}\\p{M}\\p{N}])+`,
);
const LATIN_RUN = here("[A-Za-z0-9_][\\p{Script=Latin}\\p{M}0-9_\\-]*");
const TRAILING = new Set(".,:;!?'*~&$@|([");
const MENTION_MUST_NOT_FOLLOW = here(`${SPACED_WORD}|[@＠/=#＃$&%]`);
const USERNAME = here("[A-Za-z0-9_][A-Za-z0-9_.\\-]*");
const LOCAL_USERNAME = here("[A-Za-z0-9_]+");
const MENTION_MUST_NOT_PRECEDE = here(`[@＠]|://|${SPACED_WORD}`);
const TAG_MUST_NOT_FOLLOW = here(`${WORD}|[#＃&/=]`);
const TAG_INNER = "_\\u200C\\u200D\\u00B7\\u05BE\\u05F3\\u05F4\\u0F0B\\u0F0C\\u30A0\\u30FB\\u3003\\uA67E\\uFF5E\\u301C";
const TAG = here(`[\\p{L}\\p{Nd}_](?:(?![${NOT_WORD_MARKS}])[\\p{L}\\p{M}\\p{Nd}${TAG_INNER}])*`);
const TAG_TRAILING = /[\u200c\u200d\u00b7\u30a0\u30fb\uff5e\u301c]+$/u;
const TAG_MUST_NOT_PRECEDE = here("[#＃]|://");
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/u;
const NUMERIC_END = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/u;

function match(pattern, text, at) {
  pattern.lastIndex = at;
  const found = pattern.exec(text);
  return found ? found[0] : null;
}

// Whether the character before `at` matches: a whole character, not half of one.
function follows(pattern, text, at) {
  if (at === 0) return false;
  const low = text.charCodeAt(at - 1);
  const size = low >= 0xdc00 && low <= 0xdfff && at > 1 ? 2 : 1;
  return match(pattern, text, at - size) !== null;
}

function trimEnd(text, characters) {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

// The host with its port folded as the server folds it, or null when it is none.
function isHost(host) {
  let name = host.replace(/\uff1a/gu, ":");
  const port = /:([0-9]{1,5})$/u.exec(name);
  if (port) {
    if (Number(port[1]) < 1 || Number(port[1]) > 65535) return false;
    name = name.slice(0, port.index);
  }
  if (name.startsWith("[")) return URL.canParse(`http://${name}/`);
  if (/[^\x00-\x7f]/u.test(name)) {
    if (!URL.canParse(`http://${name}/`)) return false;
    const folded = new URL(`http://${name}/`).hostname;
    if (!areLabels(name.split(/[.\u3002\uff0e\uff61]/u), folded.split("."))) return false;
    name = folded;
  }
  name = name.toLowerCase().replace(/\.$/u, "");
  if (!name || name.length > 253) return false;
  if (NUMERIC_END.test(name)) return isIPv4(name);
  return name.split(".").every((label) => LABEL.test(label));
}

// IDNA 2008 is stricter than URL parsers: beside a label that is not ASCII, none may hold "_" or have stray hyphens.
function areLabels(typed, folded) {
  const isEncoded = (label) => label.toLowerCase().startsWith("xn--");
  if (!folded.some((label, i) => isEncoded(label) && !isEncoded(typed[i] ?? ""))) return true;
  return typed.every((label) => isEncoded(label) || !/^-|-$|_|^..--/u.test(label));
}

function isIPv4(name) {
  const parts = name.split(".");
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/u.test(part) && Number(part) <= 255);
}

function hostEnd(text, start) {
  const bracketed = match(IPV6, text, start);
  if (bracketed) return isHost(bracketed) ? start + bracketed.length : null;
  const run = match(HOST, text, start);
  if (run === null) return null;
  let host = trimEnd(run, ".-_");
  if (/[^\x00-\x7f]/u.test(host)) {
    const latin = match(LATIN_RUN, host, host.lastIndexOf(".") + 1);
    if (latin !== null) {
      const end = host.lastIndexOf(".") + 1 + latin.length;
      host = trimEnd(host.slice(0, end), "-_");
    }
  }
  return isHost(host) ? start + host.length : null;
}

function hasTopLevel(host) {
  if (host.startsWith("[") || host.toLowerCase() === "localhost" || /^[0-9.]+$/u.test(host)) return true;
  const last = host.slice(host.lastIndexOf(".") + 1);
  return host.includes(".") && [...last].length > 1;
}

function trimPath(text, first, end) {
  const path = text.slice(first, end);
  const many = (character) => path.split(character).length - 1;
  const surplus = { ")": many(")") - many("("), "]": many("]") - many("[") };
  const closing = { "(": ")", "[": "]" };
  while (end > first) {
    const last = text[end - 1];
    if (last in surplus) {
      if (surplus[last] <= 0) break;
      surplus[last] -= 1;
    } else if (!TRAILING.has(last)) {
      break;
    } else if (last in closing) {
      surplus[closing[last]] += 1;
    }
    end -= 1;
  }
  return end;
}

// Each returns [entity or null, where to go on].
function link(text, start, authorityStart) {
  if (follows(URL_MUST_NOT_FOLLOW, text, start)) return [null, authorityStart];
  const authority = match(AUTHORITY, text, authorityStart) ?? "";
  const authorityEnd = authorityStart + authority.length;
  if (authority.includes("@")) return [null, authorityEnd];
  let end = hostEnd(text, authorityStart);
  if (end === null) return [null, authorityStart];
  const port = match(PORT, text, end);
  const host = text.slice(authorityStart, end);
  if (port !== null) end += port.length;
  else if (text[end] === ":" && /\p{Nd}/u.test(text[end + 1] ?? "")) return [null, authorityStart];
  if (["/", "?", "#"].includes(text[end])) {
    end = trimPath(text, end, end + match(PATH, text, end).length);
  } else if (port === null && !hasTopLevel(host)) {
    return [null, authorityStart];
  }
  return [{ start, end, shown: "x".repeat(URL_LENGTH) }, end];
}

function mention(text, start) {
  const run = match(USERNAME, text, start + 1);
  if (run === null) return [null, start + 1];
  const runEnd = start + 1 + run.length;
  if (follows(MENTION_MUST_NOT_FOLLOW, text, start)) return [null, runEnd];
  if (text[runEnd] === "@" && !".-".includes(run.at(-1))) return remoteMention(text, start, run, runEnd);
  const nameEnd = start + 1 + match(LOCAL_USERNAME, text, start + 1).length;
  if (match(MENTION_MUST_NOT_PRECEDE, text, nameEnd) !== null) return [null, runEnd];
  return [{ start, end: nameEnd, shown: null }, nameEnd];
}

function remoteMention(text, start, username, at) {
  let end = text[at + 1] === "[" ? null : hostEnd(text, at + 1);
  if (end === null) return [null, at];
  const port = match(PORT, text, end);
  if (port !== null) end += port.length;
  if (["@", "＠"].includes(text[end]) || !isHost(text.slice(at + 1, end))) return [null, at];
  return [{ start, end, shown: `@${username}` }, end];
}

function hashtag(text, start) {
  const run = match(TAG, text, start + 1);
  if (run === null) return [null, start + 1];
  const runEnd = start + 1 + run.length;
  if (follows(TAG_MUST_NOT_FOLLOW, text, start)) return [null, runEnd];
  const name = run.replace(TAG_TRAILING, "");
  if (!/\p{L}/u.test(name) || match(TAG_MUST_NOT_PRECEDE, text, runEnd) !== null) return [null, runEnd];
  const end = start + 1 + name.length;
  return [{ start, end, shown: null }, end];
}

function shortened(text) {
  let result = "";
  let taken = 0;
  START.lastIndex = 0;
  for (let found = START.exec(text); found; found = START.exec(text)) {
    const start = found.index;
    const [entity, next] =
      found[0] === "@"
        ? mention(text, start)
        : found[0].length === 1
          ? hashtag(text, start)
          : link(text, start, START.lastIndex);
    if (entity && entity.shown !== null) {
      result += text.slice(taken, entity.start) + entity.shown;
      taken = entity.end;
    }
    START.lastIndex = next;
  }
  return result + text.slice(taken);
}

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

function clusters(text) {
  let number = 0;
  for (const _ of segmenter.segment(text)) number += 1;
  return number;
}

// The length of a Note in characters, its content warning included.
export function count(text, spoiler = "") {
  return clusters(shortened(text.normalize("NFC"))) + clusters(spoiler.normalize("NFC"));
}
