// The desk's part of the page: it draws the face that Python gives it, and does what only the page can do:
// save the notebook that it stands in, fold the method section away, open a file.
//
// JupyterLab hands itself out as window.jupyterapp where it was started by `fourrounds study`
// (LabApp.expose_app_in_browser). Elsewhere the panel still works, and says what it cannot do.

const ALIVE_EVERY = 15_000; // milliseconds; Python's GRACE is many times as long
const LAST_MINUTES = 5;

const lab = () => window.jupyterapp ?? null;

/** The notebook panel of JupyterLab that `el` stands in, or null. */
function notebookOf(el) {
  const app = lab();
  if (!app) return null;
  for (const widget of app.shell.widgets("main")) {
    if (widget.context && widget.content?.widgets && widget.node.contains(el)) return widget;
  }
  return null;
}

function serverRoot() {
  const data = document.getElementById("jupyter-config-data");
  return data ? JSON.parse(data.textContent).serverRoot ?? "" : "";
}

/** Save the notebook, and tell what is on the screen; or tell why that could not be done. */
async function saved(el) {
  const notebook = notebookOf(el);
  if (!notebook) {
    return {
      why: lab()
        ? "This cell is shown outside of its notebook. Submit in the notebook itself."
        : "This JupyterLab was not opened by `make study`, so this button cannot save the notebook. " +
          "Save it (Ctrl-S), and run the command in a terminal.",
    };
  }
  const { context } = notebook;
  try {
    await context.save();
  } catch (error) {
    return { why: `JupyterLab could not save the notebook (${error?.message ?? error}).` };
  }
  if (context.model.dirty) return { why: "JupyterLab did not save the notebook." };
  const cells = context.model.toJSON().cells.map(({ cell_type, source }) => ({ cell_type, source }));
  return { path: context.localPath, cells };
}

/** Hide or show the cells of the method section. */
function fold(el, folded) {
  for (const cell of notebookOf(el)?.content.widgets ?? []) {
    if (cell.model.getMetadata?.("fourrounds")?.role === "method") cell.setHidden(folded);
  }
}

function clockText(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** What the clock shows after `seconds`: the time, and in words what is to be known about it. */
function clockFace(clock, seconds) {
  const left = clock.allowed - seconds;
  if (clock.down) {
    const words = left < 0 ? `over, ${clock.phase}` : `left of the ${clock.phase}`;
    return { time: clockText(left), words, late: left < 0 };
  }
  const state = clock.running ? clock.phase : "paused";
  const words =
    left < 0
      ? `over by ${clockText(left)}`
      : left <= 60 * LAST_MINUTES
        ? `${clockText(left)} left`
        : `of ${clockText(clock.allowed)}`;
  return { time: clockText(seconds), words: `${words}, ${state}`, late: left <= 60 * LAST_MINUTES };
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function render({ model, el }) {
  el.classList.add("fourrounds-panel");
  const timers = [];
  let received = performance.now();
  let chip = null;
  let typed = ""; // what stands in the input, kept when the face is drawn anew

  const tell = async (button) => {
    const message = { do: button.do, root: serverRoot() };
    if (button.value !== undefined) message.value = button.value;
    if (button.ask) message.value = typed;
    typed = "";
    if (button.save) {
      status.textContent = "Saving the notebook ...";
      message.page = await saved(el);
    }
    model.send(message);
  };

  const status = make("p", "fourrounds-status");
  status.setAttribute("role", "status"); // read out when it changes

  function tick() {
    const { clock } = model.get("face");
    if (!clock) return;
    const passed = clock.running ? (performance.now() - received) / 1000 : 0;
    const face = clockFace(clock, clock.seconds + passed);
    for (const place of [el.querySelector(".fourrounds-clock"), chip]) {
      if (!place) continue;
      place.querySelector("b").textContent = face.time;
      place.querySelector("span").textContent = face.words;
      place.classList.toggle("fourrounds-late", face.late);
    }
  }

  /** A small clock that stays in sight while the notebook is scrolled. */
  function showChip(clock) {
    const notebook = notebookOf(el);
    if (!clock?.chip || !notebook) {
      chip?.remove();
      chip = null;
      return;
    }
    if (!chip) {
      chip = make("button", "fourrounds-chip");
      chip.type = "button";
      chip.title = "Your clock: go to it";
      chip.append(make("b"), " ", make("span"));
      chip.onclick = () => el.scrollIntoView({ block: "center" });
      notebook.node.append(chip);
    }
  }

  function draw() {
    const face = model.get("face");
    const focused = el.contains(document.activeElement) ? document.activeElement.dataset.do : null;
    received = performance.now();
    el.replaceChildren();
    if (face.clock) {
      const clock = make("div", "fourrounds-clock");
      clock.setAttribute("role", "timer");
      clock.append(make("b"), " ", make("span"));
      el.append(clock);
    }
    if (face.html) {
      const html = make("div", "fourrounds-html jp-RenderedHTMLCommon");
      html.innerHTML = face.html; // Python escapes whatever a learner's code could have made
      for (const node of html.querySelectorAll("button[data-press]")) {
        node.onclick = () => tell({ do: node.dataset.press, value: node.dataset.value });
      }
      el.append(html);
    }
    const row = make("div", "fourrounds-row");
    if (face.ask) {
      const label = make("label", null, `${face.ask.label} `);
      const input = make("input");
      Object.assign(input, { type: "number", min: 0, max: face.ask.max, step: "any", value: typed });
      input.dataset.do = "ask";
      input.oninput = () => (typed = input.value);
      label.append(input, ` ${face.ask.unit}`);
      row.append(label);
    }
    for (const button of face.buttons ?? []) {
      const node = make("button", button.main ? "fourrounds-main" : "", button.label);
      node.type = "button";
      node.dataset.do = button.do;
      node.disabled = Boolean(face.busy);
      if (button.title) node.title = button.title;
      node.onclick = () => {
        node.disabled = true; // a second click does nothing until the face is drawn anew
        tell(button).catch((error) => {
          status.textContent = `This could not be done: ${error?.message ?? error}`;
          node.disabled = false;
        });
      };
      row.append(node);
    }
    if (row.childNodes.length) el.append(row);
    status.textContent = face.status ?? "";
    status.classList.toggle("fourrounds-error", Boolean(face.error));
    el.append(status);
    if (focused) el.querySelector(`[data-do="${focused}"]`)?.focus();
    showChip(face.clock);
    if (face.fold !== undefined) fold(el, face.fold);
    tick();
  }

  function onMessage(message) {
    if (message.status !== undefined) status.textContent = message.status;
    if (message.open) {
      const app = lab();
      if (app) app.commands.execute("docmanager:open", { path: message.open });
      else status.textContent = `It is ${message.open}.`;
    }
  }

  // What one panel did may change what another shows: a submission stops the clock.
  const look = (event) => {
    const face = model.get("face");
    if (event.detail !== model && (face.clock || face.again)) model.send({ do: "alive", root: serverRoot() });
  };
  const changed = () => {
    draw();
    window.dispatchEvent(new CustomEvent("fourrounds", { detail: model }));
  };

  model.on("change:face", changed);
  model.on("msg:custom", onMessage);
  window.addEventListener("fourrounds", look);
  draw();
  // Where the cell is drawn before it stands in the page, the notebook is found a moment later.
  requestAnimationFrame(draw);
  timers.push(setInterval(tick, 1000));
  timers.push(
    setInterval(() => {
      if (model.get("face").clock?.running) model.send({ do: "alive", root: serverRoot() });
    }, ALIVE_EVERY),
  );

  // A kernel that is restarted has forgotten this panel: run its cell again, so that the clock is at hand.
  let watched = null;
  const onStatus = (_, now) => {
    if (now === "restarting" || now === "autorestarting") watched.lost = true;
    if (now === "idle" && watched.lost) {
      watched.lost = false;
      const notebook = notebookOf(el);
      const index = notebook?.content.widgets.findIndex((cell) => cell.node.contains(el)) ?? -1;
      if (index < 0) return;
      const { content } = notebook;
      const active = content.activeCellIndex;
      content.deselectAll();
      content.activeCellIndex = index;
      lab()
        .commands.execute("notebook:run-cell")
        .finally(() => (content.activeCellIndex = active));
    }
  };
  requestAnimationFrame(() => {
    const session = notebookOf(el)?.sessionContext;
    if (!session || !model.get("face").again) return;
    watched = { session, lost: false };
    session.statusChanged.connect(onStatus);
  });

  return () => {
    timers.forEach(clearInterval);
    watched?.session.statusChanged.disconnect(onStatus);
    chip?.remove();
    window.removeEventListener("fourrounds", look);
    model.off("change:face", changed);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
