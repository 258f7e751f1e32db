// The archive's list in its tab: it follows as one types, and a bar of the chart chooses a month. The server makes the
// markup; the address of the room keeps what is chosen, under names that begin with "a.".

const NAMES = ["q", "language", "source", "since", "until", "month", "page"];
const PAUSE = 250; // ms after the last key

/** Load the list into `host`. `openArticle(href, element)` opens a headline; without it the link is followed. */
export function mount(host, { root = "", lang = "", failure = "", openArticle } = {}) {
  let state = Object.fromEntries(NAMES.map((name) => [name, new URLSearchParams(location.search).get(`a.${name}`) ?? ""]));
  let asked; // aborts the request under way
  let timer;
  const status = document.createElement("p");
  status.className = "or-hidden";
  status.setAttribute("role", "status");
  const slot = document.createElement("div");
  slot.className = "or-a-live";
  host.append(slot, status);
  const part = () => slot.querySelector(".or-a");
  const form = () => slot.querySelector(".or-a-form");

  async function fetched(kind) {
    asked?.abort();
    const mine = (asked = new AbortController());
    const said = new URLSearchParams(Object.entries({ ...state, lang, part: kind }).filter(([, value]) => value));
    const response = await fetch(`${root}/archive?${said}`, { signal: mine.signal });
    if (!response.ok && response.status !== 503) throw new Error(`status ${response.status}`);
    return response.text();
  }

  function remember() {
    const address = new URL(location);
    for (const name of NAMES) {
      if (state[name]) address.searchParams.set(`a.${name}`, state[name]);
      else address.searchParams.delete(`a.${name}`);
    }
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }

  function announce() {
    const said = [...slot.querySelectorAll(".or-notice, .or-a-count, .or-a-none")].map((line) => line.textContent);
    status.textContent = said.join(" ");
  }

  /** Load the list for the state. `focus` says that what had it goes with the old list. */
  async function load({ focus = false } = {}) {
    clearTimeout(timer);
    remember();
    mark();
    const old = slot.querySelector(".or-a-list");
    if (!old) return start();
    old.setAttribute("aria-busy", "true");
    try {
      const html = await fetched("list");
      const fresh = document.createRange().createContextualFragment(html).firstElementChild;
      slot.querySelector(".or-a-list").replaceWith(fresh);
      if (focus) {
        fresh.tabIndex = -1;
        fresh.focus({ preventScroll: true });
        if (fresh.getBoundingClientRect().top < 0) fresh.scrollIntoView({ block: "start" });
      }
      announce();
    } catch (error) {
      if (error.name !== "AbortError") failed();
    }
  }

  function failed() {
    const list = slot.querySelector(".or-a-list");
    list.removeAttribute("aria-busy");
    const line = list.querySelector(".or-a-failed") ?? document.createElement("p");
    line.className = "or-notice or-a-failed";
    line.textContent = part().dataset.failed;
    list.prepend(line);
    status.textContent = line.textContent;
  }

  async function start() {
    try {
      slot.innerHTML = await fetched("1");
      announce();
      listen();
    } catch (error) {
      if (error.name !== "AbortError") slot.textContent = failure;
    }
  }

  /** Put the state into the fields, all but the one that is being typed in. */
  function show() {
    for (const field of form().elements) {
      if (!NAMES.includes(field.name) || field === document.activeElement) continue;
      const value = state[field.name];
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) {
        field.add(new Option(value, value)); // a period that the form did not offer
      }
      field.value = value;
    }
  }

  function choose(change, options) {
    state = { ...state, page: "", ...change };
    show();
    load(options);
  }

  function typed() {
    const said = new FormData(form());
    for (const name of NAMES) if (name !== "page") state[name] = String(said.get(name) ?? "").trim();
    state.page = "";
  }

  function listen() {
    form()?.addEventListener("input", ({ target }) => {
      typed();
      clearTimeout(timer);
      // A date that is being typed is empty or in the year 2 until it is whole.
      timer = setTimeout(load, target.type === "date" ? 3 * PAUSE : target.tagName === "SELECT" ? 0 : PAUSE);
    });
    form()?.addEventListener("submit", (event) => {
      event.preventDefault();
      typed();
      load();
    });
  }

  slot.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.matches(".or-a-headline a")) {
      if (!openArticle) return;
      event.preventDefault();
      openArticle(link.getAttribute("href"), link);
    } else if (link.matches(".or-a-pages a, .or-a-chosen a, .or-a-reset a")) {
      event.preventDefault();
      const said = new URL(link.href).searchParams;
      choose(Object.fromEntries(NAMES.map((name) => [name, said.get(name) ?? ""])), { focus: true });
    }
  });

  addEventListener("popstate", remember); // an address from before the last choice has come back

  // The chart, which Gradio draws and draws anew on its own time.
  const known = new WeakSet();

  /** Show in the chart which bars are chosen. */
  function mark() {
    for (const plot of document.querySelectorAll("#or-chart .js-plotly-plot")) {
      if (!known.has(plot) || !window.Plotly) continue;
      const chosen = plot.data.map(({ customdata }) => {
        const fits = ([month, language]) => month === state.month && (!state.language || language === state.language);
        return state.month ? customdata.flatMap((bar, i) => (fits(bar) ? [i] : [])) : null;
      });
      window.Plotly.restyle(plot, { selectedpoints: chosen });
    }
  }

  function attach() {
    for (const plot of document.querySelectorAll("#or-chart .js-plotly-plot")) {
      if (known.has(plot) || !plot.on || !plot.data) continue;
      known.add(plot);
      // Plotly follows the window only, and the column also narrows when an article opens beside it.
      new ResizeObserver(() => window.Plotly?.Plots.resize(plot)).observe(plot.parentElement);
      if (part()) {
        plot.setAttribute("role", "img");
        plot.setAttribute("aria-label", part().dataset.chart);
      }
      plot.on("plotly_click", ({ points: [{ customdata }] }) => {
        const [month, language] = customdata;
        const again = month === state.month && language === state.language;
        choose(again ? { month: "", language: "" } : { month, language });
      });
      mark();
    }
  }

  const ready = start().then(() => {
    attach();
    new MutationObserver(attach).observe(document.querySelector("#or-chart") ?? document.body, { childList: true, subtree: true });
  });
  return { ready, reload: start };
}
