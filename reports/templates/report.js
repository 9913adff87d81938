"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text, className) => {
    const node = document.createElement(tag);
    if (tag === "button") node.type = "button";
    if (text) node.textContent = text;
    if (className) node.className = className;
    return node;
  };

  /* Messages and the clipboard */
  const toast = document.querySelector(".toast");
  let timer;
  const say = (text) => {
    toast.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => { toast.textContent = ""; }, 2500);
  };
  const copyByHand = (text) => {
    const area = make("textarea");
    area.value = text;
    area.setAttribute("aria-label", "Text to copy");
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const copy = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      if (!copyByHand(text)) return say("The browser does not allow copying");
    }
    return say(`Copied as ${what}`);
  };

  /* Tables: text of the cells, copy buttons, sorting */
  const words = (cell) => cell.textContent.replace(/\s+/g, " ").trim();
  const grid = (table) => [...table.rows].map((row) => [...row.cells].map(words));
  const markdown = (rows) => {
    const line = (cells) => `| ${cells.map((c) => c.replace(/\\/g, "\\\\").replace(/\|/g, "\\|").replace(/</g, "&lt;")).join(" | ")} |`;
    return [line(rows[0]), line(rows[0].map(() => "---")), ...rows.slice(1).map(line)].join("\n") + "\n";
  };
  const csv = (rows) => {
    // A leading = + - @ would be a formula in a spreadsheet.
    const safe = (c) => (/^[=+@\t\r]|^-(?![\d.])/.test(c) && !/^\+[\d.]/.test(c) ? `'${c}` : c);
    const quote = (c) => (/[",\n]/.test(c) ? `"${c.replace(/"/g, '""')}"` : c);
    return rows.map((row) => row.map((c) => quote(safe(c))).join(",")).join("\r\n") + "\r\n";
  };
  const forms = { Markdown: markdown, CSV: csv };
  all("table[data-copy]").forEach((table) => {
    const box = make("div", "", "copy");
    const name = table.dataset.copy;
    Object.keys(forms).forEach((kind) => {
      const button = make("button", `Copy as ${kind}`);
      button.dataset.form = kind;
      button.setAttribute("aria-label", `Copy the table “${name}” as ${kind}`);
      box.append(button);
    });
    table.closest(".scroll").after(box);
  });

  all("pre.commands").forEach((block) => {
    const box = make("div", "", "copy");
    const button = make("button", "Copy the commands");
    button.addEventListener("click", () => copy(block.textContent, "text"));
    box.append(button);
    block.after(box);
  });

  const value = (row, column) => {
    const cell = row.cells[column];
    if (!cell) return null;
    if ("v" in cell.dataset) return cell.dataset.v === "" ? null : Number(cell.dataset.v);
    const text = words(cell);
    if (text === "–") return null;
    return cell.classList.contains("num") && !Number.isNaN(Number(text)) ? Number(text) : text;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number"
    ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  /* Up, down, and back to the order of the page. */
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  const sortBy = (table, column) => {
    const heads = [...table.tHead.rows[0].cells];
    const way = next[heads[column].getAttribute("aria-sort")];
    heads.forEach((head) => head.setAttribute("aria-sort", "none"));
    heads[column].setAttribute("aria-sort", way);
    const rows = [...table.tBodies[0].rows].map((row) => [
      way === "none" ? Number(row.dataset.place) : value(row, column), row,
    ]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return way === "descending" ? compare(b, a) : compare(a, b);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  all("table[data-sort]").forEach((table) => {
    [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
    [...table.tHead.rows[0].cells].forEach((head) => {
      const button = make("button", "", "sort");
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
    });
  });
  /* One listener for all tables, so that those in the enlarged view answer too. */
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const head = button.closest("th");
    if (button.matches(".sort")) sortBy(head.closest("table"), head.cellIndex);
    const { form } = button.dataset;
    if (form) copy(forms[form](grid(button.parentNode.previousElementSibling.querySelector("table"))), form);
  });

  /* A table that is wider than its box says so; a link to a section opens it. */
  const widths = () => all(".scroll").forEach((box) => box.toggleAttribute("data-wide", box.scrollWidth > box.clientWidth + 1));
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    for (let node = target; node; node = node.parentElement) if (node.matches("details")) node.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("resize", widths);
  addEventListener("hashchange", reveal);
  document.addEventListener("toggle", widths, true);
  widths();
  reveal();

  /* Gallery */
  const list = (text, separator) => text.split(separator).slice(0, -1).map((v) => v.trim());
  const of = (values, figure) => {
    const known = values.filter((v) => v !== "").map(Number);
    return known.length ? figure(known) : null;
  };
  const mean = (known) => known.reduce((a, b) => a + b) / known.length;
  const range = (known) => Math.max(...known) - Math.min(...known);

  all(".gallery").forEach((gallery) => {
    const tools = gallery.querySelector(".tools");
    if (!tools) return;
    tools.hidden = false;
    const box = gallery.querySelector(".cards");
    const cards = all(".card", box).map((node, place) => ({
      node,
      place,
      group: node.dataset.group,
      score: list(node.dataset.score, " "),
      overlap: list(node.dataset.overlap, ","),
      chance: list(node.dataset.p, " "),
      quadrant: list(node.dataset.quadrant, ","),
    }));
    const choice = (name) => tools.querySelector(name).value;
    const keys = {
      worst: (card) => card.place,
      score: (card, run) => of(run === "" ? card.score : [card.score[run]], mean),
      overlap: (card, run) => of(run === "" ? card.overlap : [card.overlap[run]], mean),
      range: (card) => of(card.chance, range),
    };
    const apply = () => {
      const [by, run, group, quadrant] = [".sort-by", ".by-run", ".by-group", ".by-quadrant"].map(choice);
      const change = tools.querySelector(".by-change")?.value || "";
      const down = by.startsWith("-");
      const key = keys[by.replace("-", "")];
      const ordered = cards.map((card) => [key(card, run), card]);
      ordered.sort(([a, x], [b, y]) => {
        if (a === null || b === null) return (a === null) - (b === null) || x.place - y.place;
        return (down ? b - a : a - b) || x.place - y.place;
      });
      let shown = 0;
      ordered.forEach(([, card]) => {
        const quadrants = run === "" ? card.quadrant : [card.quadrant[run]];
        const visible = (change === "" || card.node.dataset.change === change) && (group === "" || card.group === group) && (quadrant === "" || quadrants.includes(quadrant));
        card.node.hidden = !visible;
        shown += visible;
      });
      box.append(...ordered.map(([, card]) => card.node));
      tools.querySelector(".count").textContent = `${shown} of ${cards.length} images`;
    };
    all("select", tools).forEach((select) => select.addEventListener("change", apply));

    const toggles = all(".toggle", tools);
    const toggle = (button) => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      gallery.classList.toggle(`no-${button.dataset.layer}`, !on);
    };
    toggles.forEach((button) => button.addEventListener("click", () => toggle(button)));

    /* Enlarged view of one image */
    const dialog = make("dialog");
    dialog.setAttribute("aria-label", "One image, enlarged");
    gallery.append(dialog);
    const bar = make("div", "", "bar-top");
    const stage = make("div");
    dialog.append(bar, stage);
    let current = null;
    const show = (card) => {
      current = card;
      const head = card.querySelector("h3").cloneNode(true);
      all("button", head).forEach((button) => button.remove());
      stage.replaceChildren(head, card.querySelector(".strip").cloneNode(true));
      if (!dialog.open) dialog.showModal();
    };
    const move = (step) => {
      const shown = all(".card:not([hidden])", box);
      const next = shown[shown.indexOf(current) + step];
      if (next) show(next);
    };
    [["← Previous", () => move(-1)], ["Next →", () => move(1)], ["Close", () => dialog.close()]].forEach(([text, act]) => {
      const button = make("button", text);
      button.addEventListener("click", act);
      bar.append(button);
    });
    dialog.addEventListener("close", () => {
      if (current) current.querySelector("h3 button").focus();
    });
    cards.forEach(({ node }) => {
      const button = make("button", "Enlarge");
      button.setAttribute("aria-label", `Enlarge ${node.querySelector(".id").textContent}`);
      button.addEventListener("click", () => show(node));
      node.querySelector("h3").append(button);
    });

    /* Single keys act only while the gallery is under the pointer or holds the focus. */
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input, select, textarea")) return;
      if (dialog.open && event.key === "ArrowLeft") move(-1);
      if (dialog.open && event.key === "ArrowRight") move(1);
      if (!dialog.open && !gallery.matches(":hover, :focus-within")) return;
      const layer = { a: "heat", r: "border" }[event.key.toLowerCase()];
      toggles.filter((button) => button.dataset.layer === layer).forEach(toggle);
    });
    apply();
  });
})();
