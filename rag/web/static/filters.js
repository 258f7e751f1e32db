// Which articles may answer: a form, chips of what is chosen, and the page's address, so that a filtered room can be shared.

const MANY = ["language", "source"];
const DAYS = ["since", "until"];

/** The filters in `host`. */
export function filters(host, { texts }) {
  const form = host.querySelector("#or-filter");
  const chips = host.querySelector("#or-chosen");
  const summary = host.querySelector(".or-filters > summary");
  const field = host.querySelector("#or-question");
  const chosen = new URLSearchParams(); // what of the address is ours, also what the form does not offer
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (value && [...MANY, ...DAYS].includes(name) && !chosen.has(name, value)) chosen.append(name, value);
  }

  function label(name, value) {
    if (name === "since") return `${texts.filter_since} ${value}`;
    if (name === "until") return `${texts.filter_until} ${value}`;
    const box = [...form.elements].find((input) => input.name === name && input.value === value);
    return box?.parentElement.textContent ?? value;
  }

  function chip([name, value]) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label(name, value);
    button.setAttribute("aria-label", texts.filter_remove.replace("{name}", button.textContent));
    button.addEventListener("click", () => {
      chosen.delete(name, value);
      show();
      field.focus();
    });
    item.append(button);
    return item;
  }

  function show() {
    for (const input of form.elements) {
      if (MANY.includes(input.name)) input.checked = chosen.has(input.name, input.value);
      if (DAYS.includes(input.name)) input.value = chosen.get(input.name) ?? "";
    }
    chips.replaceChildren(...[...chosen].map(chip));
    chips.hidden = chosen.size === 0;
    summary.textContent = chosen.size ? `${texts.filters} (${chosen.size})` : texts.filters;
    const address = new URL(location);
    for (const name of [...MANY, ...DAYS]) address.searchParams.delete(name);
    for (const [name, value] of chosen) address.searchParams.append(name, value);
    history.replaceState(history.state, "", address);
  }

  form.addEventListener("change", ({ target }) => {
    if (MANY.includes(target.name)) {
      chosen.delete(target.name, target.value);
      if (target.checked) chosen.append(target.name, target.value);
    } else if (target.value) chosen.set(target.name, target.value);
    else chosen.delete(target.name);
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    for (const name of [...chosen.keys()]) chosen.delete(name);
    show();
  });

  show();
  return () => ({
    options: {
      languages: chosen.getAll("language"),
      sources: chosen.getAll("source"),
      since: chosen.get("since"),
      until: chosen.get("until"),
    },
    within: [...chosen].map(([name, value]) => label(name, value)).join(" · "),
  });
}
