// Which articles may answer: a form, chips of what is chosen, and the page's address, so that a filtered room can be
// shared.

const MANY = ["language", "source"];
const DAYS = ["since", "until"];
const isDay = (value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value));

/** The filters in `host`; returns a function that gives them as the server takes them, and in words. */
export function filters(host, { lang, texts }) {
  const form = host.querySelector("#or-filter");
  const chips = host.querySelector("#or-chosen");
  const summary = host.querySelector(".or-filters > summary");
  const field = host.querySelector("#or-question");
  let chosen = []; // [name, value], also what the form does not offer
  const has = (name, value) => chosen.some((one) => one[0] === name && one[1] === value);
  const all = (name) => chosen.filter((one) => one[0] === name).map((one) => one[1]);
  for (const [name, value] of new URLSearchParams(location.search)) {
    const usable = MANY.includes(name) ? value && !has(name, value) : DAYS.includes(name) && isDay(value);
    if (usable) chosen.push([name, value]);
  }

  function label(name, value) {
    if (DAYS.includes(name)) {
      const day = new Date(value).toLocaleDateString(lang === "en" ? "en-GB" : lang, { dateStyle: "long", timeZone: "UTC" });
      return `${name === "since" ? texts.filter_since : texts.filter_until} ${day}`;
    }
    const box = [...form.elements].find((input) => input.name === name && input.value === value);
    return box?.parentElement.textContent ?? value;
  }

  function chip(one) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label(...one);
    button.setAttribute("aria-label", texts.filter_remove.replace("{name}", () => button.textContent));
    button.addEventListener("click", () => {
      chosen = chosen.filter((other) => other !== one);
      show();
      field.focus();
    });
    item.append(button);
    return item;
  }

  function inAddress() {
    const address = new URL(location);
    for (const name of [...MANY, ...DAYS]) address.searchParams.delete(name);
    for (const [name, value] of chosen) address.searchParams.append(name, value);
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }

  function show() {
    for (const input of form.elements) {
      if (MANY.includes(input.name)) input.checked = has(input.name, input.value);
      if (DAYS.includes(input.name)) input.value = all(input.name)[0] ?? "";
    }
    chips.replaceChildren(...chosen.map(chip));
    chips.hidden = !chosen.length;
    summary.textContent = chosen.length ? `${texts.filters} (${chosen.length})` : texts.filters;
    inAddress();
  }

  form.addEventListener("change", ({ target: { name, value, checked } }) => {
    chosen = chosen.filter((one) => one[0] !== name || (MANY.includes(name) && one[1] !== value));
    if (MANY.includes(name) ? checked : value) chosen.push([name, value]);
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    chosen = [];
    show();
  });
  addEventListener("popstate", inAddress); // the sheet's "back" leads to an address from before a change

  show();
  return () => ({
    options: { languages: all("language"), sources: all("source"), since: all("since")[0], until: all("until")[0] },
    within: chosen.map((one) => label(...one)).join(" · "),
  });
}
