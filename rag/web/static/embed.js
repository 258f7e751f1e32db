// Brings the panel to life: the conversation in a frame, whose articles unfold in their cards.
import { acts, copier } from "./acts.js";
import { asking } from "./asking.js";
import { cards } from "./cards.js";
import { conversation } from "./conversation.js";
import { check } from "./editions.js";
import { outside } from "./outside.js";
import { others } from "./sheet.js";
import { unfolder } from "./unfold.js";

const GREETING = 400; // ms in which the page around says hello, if it means to
const MOST_SOURCES = 20;

const host = document.querySelector(".or-conversation");
const line = document.querySelector(".or-archive");
const field = host.querySelector("#or-question");
const log = host.querySelector("#or-log");
const heard = host.querySelector("#or-heard");
const { lang } = host;
const { root } = host.dataset;
const texts = JSON.parse(host.dataset.texts);
const query = new URLSearchParams(location.search);
const sources = [...new Set(query.getAll("source").map((name) => name.trim()).filter(Boolean))].slice(0, MOST_SOURCES);
let furnished = false;
let first = query.get("q")?.trim(); // asked as soon as the archive may be asked

const { greeted, tell, request, hasToken } = outside([location.origin, ...JSON.parse(document.body.dataset.origins)], {
  changed: () => furnished || furnish(),
  called: () => field.focus({ preventScroll: true }),
});

const say = (text) => (heard.textContent = text);
const copy = copier(texts, say);
const talk = conversation(host, {
  root,
  lang,
  texts,
  request,
  kept: false,
  asked: () => ({ options: { sources }, within: "" }),
  changed() {
    const begun = log.querySelector(".or-turn") !== null;
    document.body.classList.toggle("or-begun", begun);
    host.querySelector("#or-new").hidden = !begun;
  },
});
const unfolded = unfolder({ lang, texts, request, asPage: () => !hasToken() }); // a new tab would have no token
acts(log, { root, texts, copy, say, request, conversation: talk });
asking(host, field, talk);
document.addEventListener("visibilitychange", () => check(log, { root, texts, request }));
cards(log, (href, link) => unfolded.toggle(href, link, others(talk.turn(link), href)));

/** The archive in one line and the examples, as far as the reader may see them. */
async function furnish() {
  const answer = await request(`${root}/embed/room?lang=${lang}`, {}, 0).catch(() => null);
  if (!answer?.ok) {
    line.textContent = answer?.status === 401 ? texts.access_wanted : texts.unreachable;
    return;
  }
  const found = await answer.json();
  if (furnished) return; // by a token that came meanwhile
  furnished = true;
  line.textContent = found.line;
  host.insertAdjacentHTML("beforeend", found.examples);
  grow();
  if (first) talk.ask(first);
  first = null;
}

function only() {
  const chips = host.querySelector("#or-chosen");
  for (const name of sources) {
    const chip = document.createElement("li");
    chip.textContent = name;
    chip.dir = "auto";
    chips.append(chip);
  }
  chips.setAttribute("aria-label", texts.filter_sources);
  chips.hidden = !sources.length;
}

/** Tells the page around how high the panel would like to be: as its parts together, which have no margins. */
const parts = () => [...document.querySelectorAll(".or-embed-head, .or-conversation > :not(.or-hidden)")];
const report = () => tell({ type: "on-record:height", height: parts().reduce((sum, part) => sum + part.offsetHeight, 0) });
const sizes = new ResizeObserver(report);
function grow() {
  for (const part of parts()) sizes.observe(part);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.key === "Escape") return unfolded.foldOne() || tell({ type: "on-record:close" });
  if (event.target.closest("input, textarea, select")) return;
  if (event.key === "/") {
    event.preventDefault();
    field.focus();
  } else if (/^[1-5]$/.test(event.key)) {
    talk.latest()?.querySelectorAll(".or-card .or-open")[Number(event.key) - 1]?.click();
  }
});

async function start() {
  only();
  grow();
  greeted.then(report);
  if (parent === window) field.focus();
  else await Promise.race([greeted, new Promise((resolve) => setTimeout(resolve, GREETING))]);
  // A token that came with the greeting has furnished the room already.
  if (!hasToken()) await furnish();
  document.body.classList.add("or-ready");
}

start();
