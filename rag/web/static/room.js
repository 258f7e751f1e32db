// Brings the room to life once Gradio has put its markup in place.
import { acts, copier } from "./acts.js";
import { asking } from "./asking.js";
import { cards } from "./cards.js";
import { conversation } from "./conversation.js";
import { filters } from "./filters.js";
import { others, sheet } from "./sheet.js";

const LANGUAGE = "on-record:lang";
const DRAFT = "on-record:draft"; // a question that is half written when the language is switched

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

/** What the browser keeps under `key`, after it was given `value`. Null where storage is closed. */
const remembered = (key, value) => {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null;
  }
};

/** Puts the language of an earlier visit into the address, from which the server reads it, if it is another one. */
function inRememberedLanguage() {
  const address = new URL(location);
  const spoken = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => ["nl", "de", "en"].includes(tag)) ?? "en";
  if (address.searchParams.has("lang") || [null, spoken].includes(remembered(LANGUAGE))) return false;
  address.searchParams.set("lang", remembered(LANGUAGE));
  location.replace(address);
  return true;
}

function languages() {
  document.querySelector(".or-languages").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const address = new URL(location);
    address.searchParams.set("lang", remembered(LANGUAGE, link.lang) ?? link.lang);
    remembered(DRAFT, document.querySelector("#or-question").value);
    location.assign(address);
  });
}

/** "/" goes to the question, 1 to 5 open the quotations of the latest answer, Esc closes what is open. */
function keys(field, talk, paper) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
    const asking = field.offsetParent !== null; // and not looking into the archive
    const open = document.querySelector(".or-filters[open]");
    if (event.key === "Escape" && open && asking) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (event.key === "Escape" && paper.isOpen()) paper.close();
    else if (event.key === "Escape" && event.target === field) field.blur();
    else if (typing) return;
    else if (event.key === "/") {
      event.preventDefault();
      (asking ? field : document.querySelector("#or-archive input[type=search]"))?.focus();
    } else if (asking && /^[1-5]$/.test(event.key)) {
      talk.latest()?.querySelectorAll(".or-card .or-open")[Number(event.key) - 1]?.click();
    }
  });
}

/**
 * The tabs are Gradio's; which of them is open stands in the address, and "back" leads to the one before. `opened` is
 * called whenever the archive opens. Returns two functions: `follow` opens the tab that the address says, `settle` lets
 * the address say which tab is open.
 */
async function tabs(opened) {
  const buttons = await there("#or-tabs [role=tablist]");
  const tab = (name) => buttons.querySelector(`[data-tab-id=${name}]`);
  const open = () => (tab("archive").getAttribute("aria-selected") === "true" ? "archive" : null);
  const said = () => new URL(location).searchParams.get("view");
  const follow = () => said() !== open() && tab(said() === "archive" ? "archive" : "ask").click();
  const address = () => {
    const now = new URL(location);
    if (open()) now.searchParams.set("view", open());
    else now.searchParams.delete("view");
    return now;
  };
  const show = () => {
    document.body.classList.toggle("or-in-archive", open() === "archive");
    if (open()) opened();
    if (said() !== open()) history.pushState(null, "", address());
  };
  new MutationObserver(show).observe(buttons, { attributes: true, subtree: true, attributeFilter: ["aria-selected"] });
  follow();
  return { follow, settle: () => said() !== open() && history.replaceState(history.state, "", address()) };
}

async function start() {
  if (inRememberedLanguage()) return;
  const host = await there("#or-room .or-conversation");
  const box = await there("#or-sheet");
  const field = host.querySelector("#or-question");
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
    asked: filters(host, { lang, texts }),
    changed() {
      const empty = !log.querySelector(".or-turn");
      document.body.classList.toggle("or-begun", !empty);
      host.querySelector("#or-new").hidden = empty;
    },
  });
  const paper = sheet(box, {
    room: document.getElementById("or-main"),
    home: () => (field.offsetParent ? field : document.querySelector("#or-tabs [role=tab][aria-selected=true]")),
    lang,
    texts,
    copy,
  });
  const openArticle = (href, from) => paper.open(href, { from, also: others(talk.turn(from), href) });
  acts(log, { root, texts, copy, say, conversation: talk });
  asking(host, field, talk);
  keys(field, talk, paper);
  languages();
  let list = null;
  const view = tabs(async () => {
    if (list) {
      if (!document.querySelector("#or-archive form")) list.reload(); // it could not be loaded before
      return;
    }
    const slot = await there("#or-archive .or-list");
    const { mount } = await import("./archive.js");
    list ??= mount(slot, {
      root,
      lang,
      failure: texts.unreachable,
      openArticle: (href, from) => paper.open(href, { from }),
    });
    const dropping = document.querySelector("#or-uploads:has(.or-upload)"); // where the settings allow it
    const changed = async () => {
      await list.reload();
      document.querySelector("p.or-archive").textContent = slot.querySelector("[data-archive]").dataset.archive;
    };
    if (dropping) (await import("./uploads.js")).mount(dropping, { root, changed });
  });
  if (host.querySelector(".or-switch")) {
    (await import("./written.js")).mount(host, { root, lang, texts, say, remembered, talk });
  }
  addEventListener("popstate", async () => {
    const { follow, settle } = await view;
    if (!paper.isOpen()) return follow();
    paper.hide();
    settle(); // the tab may have been changed while the sheet was open
  });

  cards(log, openArticle);
  const editions = async () => log.querySelector(".or-open") && (await import("./editions.js")).check(log, { root, texts });
  document.addEventListener("visibilitychange", editions);
  editions(); // of the conversation that was kept
  field.value = remembered(DRAFT) ?? "";
  remembered(DRAFT, "");
  field.focus({ preventScroll: true });
  document.body.classList.add("or-ready");
}

start();
