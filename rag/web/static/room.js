// Brings the room to life once Gradio has put its markup in place.
import { acts, copier } from "./acts.js";
import { mount as mountArchive } from "./archive.js";
import { conversation } from "./conversation.js";
import { filters } from "./filters.js";
import { sheet } from "./sheet.js";
import { mount as mountUploads } from "./uploads.js";

const LANGUAGE = "on-record:lang";

/** The element, as soon as it is there. */
const there = (selector) =>
  new Promise((resolve) => {
    const look = () => {
      const found = document.querySelector(selector);
      if (found) {
        observer.disconnect();
        resolve(found);
      }
    };
    const observer = new MutationObserver(look);
    observer.observe(document.documentElement, { childList: true, subtree: true });
    look();
  });

const remembered = (value) => {
  try {
    if (value) localStorage.setItem(LANGUAGE, value);
    return localStorage.getItem(LANGUAGE);
  } catch {
    return null; // storage is closed
  }
};

/** The language that the reader chose on an earlier visit, into the address, from which the server reads it. */
function inRememberedLanguage() {
  const address = new URL(location);
  if (address.searchParams.has("lang") || !remembered()) return false;
  address.searchParams.set("lang", remembered());
  location.replace(address);
  return true;
}

function languages() {
  document.querySelector(".or-languages").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const address = new URL(location);
    address.searchParams.set("lang", remembered(link.lang) ?? link.lang);
    location.assign(address);
  });
}

function asking(host, talk, look) {
  const field = host.querySelector("#or-question");
  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, 160)}px`;
  };
  const submit = () => {
    const question = field.value;
    field.value = "";
    grow();
    talk.ask(question);
  };
  field.addEventListener("input", grow);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && !field.value) {
      field.value = look.asked() ?? "";
      event.preventDefault();
    }
  });
  host.querySelector("#or-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
    field.focus();
  });
  host.querySelector("#or-examples")?.addEventListener("click", ({ target }) => {
    if (target.closest("button")) talk.ask(target.textContent);
  });
  host.querySelector("#or-new").addEventListener("click", () => {
    talk.clear();
    field.focus();
  });
  return field;
}

/** "/" goes to the question, 1 to 5 open the quotations of the latest answer, Esc closes what is open. */
function keys(field, talk, paper) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
    const open = document.querySelector(".or-filters[open]");
    if (event.key === "Escape" && open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (event.key === "Escape" && paper.isOpen()) paper.close();
    else if (typing) return;
    else if (event.key === "/") {
      event.preventDefault();
      field.focus();
    } else if (/^[1-5]$/.test(event.key)) {
      talk.latest()?.querySelectorAll(".or-card .or-open")[Number(event.key) - 1]?.click();
    }
  });
}

/** The spans of the turn's other quotations that stand in the same article. */
function others(turn, href) {
  const address = new URL(href, location.origin);
  const id = decodeURIComponent(address.pathname.split("/article/")[1] ?? "");
  const start = Number(address.searchParams.get("start"));
  return (turn?.feedback.citations ?? []).filter((one) => one.article === id && one.start !== start);
}

/** The tabs are Gradio's; which of them is open stands in the address. `first` is called when the archive opens. */
async function tabs(first) {
  const buttons = await there("#or-tabs [role=tablist]");
  const view = () => (buttons.querySelector("[aria-selected=true]")?.dataset.tabId === "archive" ? "archive" : null);
  const shown = () => {
    const address = new URL(location);
    if (view()) address.searchParams.set("view", view());
    else address.searchParams.delete("view");
    history.replaceState(history.state, "", address);
    document.body.classList.toggle("or-in-archive", view() === "archive");
    if (view() === "archive") first();
  };
  if (new URL(location).searchParams.get("view") === "archive") {
    buttons.querySelector("[data-tab-id=archive]")?.click();
  }
  new MutationObserver(shown).observe(buttons, { attributes: true, subtree: true, attributeFilter: ["aria-selected"] });
}

async function start() {
  if (inRememberedLanguage()) return;
  const host = await there("#or-room .or-conversation");
  const aside = await there("#or-sheet");
  const { root } = host.dataset;
  const texts = JSON.parse(host.dataset.texts);
  const lang = host.lang;
  document.documentElement.lang = lang;
  const heard = host.querySelector("#or-heard");
  const say = (text) => (heard.textContent = text);
  const copy = copier(texts, say);
  const log = host.querySelector("#or-log");
  const talk = conversation(host, {
    root,
    lang,
    texts,
    asked: filters(host, { texts }),
    changed() {
      const empty = !log.querySelector(".or-turn");
      document.body.classList.toggle("or-begun", !empty);
      host.querySelector("#or-new").hidden = empty;
    },
  });
  const paper = sheet(aside, { room: document.getElementById("or-main"), lang, texts, copy });
  const openArticle = (href, from) => paper.open(href, { from, also: others(talk.turn(from), href) });
  acts(log, { root, texts, copy, say, conversation: talk });
  const field = asking(host, talk, { asked: () => [...log.querySelectorAll(".or-question")].at(-1)?.textContent });
  keys(field, talk, paper);
  languages();
  let opened = false;
  tabs(async () => {
    if (opened) return;
    opened = true;
    const slot = await there("#or-archive .or-list");
    const list = mountArchive(slot, { root, lang, openArticle: (href, from) => paper.open(href, { from }) });
    mountUploads(document.getElementById("or-uploads"), { root, changed: list.reload });
  });

  log.addEventListener("click", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.shiftKey || target.closest("button, form")) return;
    const marker = target.closest("a.or-marker");
    if (marker) {
      event.preventDefault(); // Gradio's <base> would make "#…" a new address
      const card = document.getElementById(marker.getAttribute("href").slice(1));
      card?.scrollIntoView({ block: "center" });
      card?.querySelector(".or-open")?.focus({ preventScroll: true });
      return;
    }
    if (target.closest("a:not(.or-open)") || String(getSelection())) return;
    const link = target.closest("a.or-open") ?? target.closest(".or-card")?.querySelector("a.or-open");
    if (!link) return;
    event.preventDefault();
    openArticle(link.getAttribute("href"), link);
  });

  field.focus({ preventScroll: true });
  document.body.classList.add("or-ready");
}

start();
