"use strict";
// All text reaches the page as text (append, textContent): a file's name cannot be markup.

const WIDE = 1000, ROWS = 25, LANE = 14, HIGH = 70;
const $ = (id) => document.getElementById(id);
const ID = location.pathname.match(/^\/jobs\/([\w-]+)$/)?.[1];

function make(tag, facts = {}, ...parts) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...parts);
  return node;
}

function drawn(tag, facts = {}, ...parts) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(facts)) node.setAttribute(name, value);
  node.append(...parts);
  return node;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function warn(node, text) {
  put(node, text);
  node.hidden = !text;
}

const clock = (s) => {
  const tenths = Math.round(10 * s);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
};
const percent = (share) => `${Math.round(100 * share)} %`;
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

async function ask(method, address, body) {
  const answer = await fetch(address, { method, body, headers: { "X-Eifer": "page" } }).catch(() => null);
  if (!answer) throw new Error("eifer page does not answer: was it ended? Start it again.");
  if (!answer.ok) {
    const text = await answer.text();
    let why = text;
    try { why = JSON.parse(text).error; } catch { /* words as they are */ }
    throw new Error(why);
  }
  return answer.status === 204 ? null : answer.json();
}

// ---- What is going on: one stream of events tells of all jobs.

let source = null, away = false;

function listen() {
  if (source || document.hidden) return;
  source = new EventSource("/api/events");
  source.onmessage = (event) => {
    if (away) { away = false; warn($("lost"), ""); }
    const jobs = JSON.parse(event.data);
    if (ID) tellJob(jobs.find((job) => job.id === ID));
    else tellJobs(jobs);
  };
  source.onerror = () => {
    away = true;
    const ended = source.readyState === EventSource.CLOSED;
    warn($("lost"), ended
      ? "eifer page was started again: open the address that it printed."
      : "eifer page does not answer: was it ended? If it is started again, open the address that it prints.");
  };
}

// A browser keeps six connections to a server: tabs that nobody sees need none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { source?.close(); source = null; } else listen();
});

const DOING = { opening: "Opening the models", reading: "Reading", overlay: "Drawing the film" };

function words(job) {
  if (job.state === "waiting") return job.before ? `Waits, ${job.before} before it` : "Waits, is next";
  if (job.state === "done") return "Read";
  if (job.state === "cancelled") return "Cancelled";
  if (job.state === "failed") return `Not read: ${job.error}`;
  if (!job.time_s) return DOING[job.doing] ?? job.doing;
  const end = job.duration_s ? ` of ${clock(job.duration_s)}` : "";
  return `${DOING[job.doing] ?? job.doing}: ${clock(job.time_s)}${end}`;
}

function act(method, address, then = () => {}) {
  return () => ask(method, address).then(then, (error) => warn($("lost"), error.message));
}

// The state of a job with what can be done: its nodes stay, so that a focused button does.
function Line(id, name, home) {
  const text = make("span"), bar = make("progress", { "aria-label": `Progress of ${name}` });
  const stop = make("button", { type: "button", onclick: act("POST", `/api/jobs/${id}/cancel`) }, "Cancel");
  const go = make("button", { type: "button", onclick: act("POST", `/api/jobs/${id}/continue`) }, "Go on");
  const del = act("DELETE", `/api/jobs/${id}`, home);
  const remove = make("button", { type: "button", onclick: () => { if (confirm(`Delete what was read of ${name}?`)) del(); } }, "Delete");
  for (const button of [stop, go, remove]) button.setAttribute("aria-label", `${button.textContent}: ${name}`);
  this.node = make("div", { class: "state" }, text, bar, stop, go, remove);
  this.tell = (job) => {
    put(text, words(job));
    bar.hidden = job.state !== "running";
    const at = job.duration_s && job.time_s ? Math.min(1, job.time_s / job.duration_s) : null;
    if (at === null) bar.removeAttribute("value"); else bar.value = at;
    bar.setAttribute("aria-valuetext", words(job));
    stop.hidden = !["waiting", "running"].includes(job.state);
    go.hidden = !["cancelled", "failed"].includes(job.state);
    if (job.ends) remove.title = `Else deleted on ${new Date(1000 * job.ends).toLocaleString()}`;
  };
}

// ---- The start: what is given, and all that there is.

const lines = new Map();

function tellJobs(jobs) {
  $("none").hidden = jobs.length > 0;
  const known = new Set(jobs.map((job) => job.id));
  for (const [id, line] of lines) if (!known.has(id)) { line.item.remove(); lines.delete(id); }
  jobs.forEach((job, place) => {
    if (!lines.has(job.id)) {
      const line = new Line(job.id, job.name);
      line.item = make("li", {}, make("a", { href: `/jobs/${job.id}` }, job.name), line.node);
      lines.set(job.id, line);
    }
    const { item, tell } = lines.get(job.id);
    if ($("jobs").children[place] !== item) $("jobs").insertBefore(item, $("jobs").children[place] ?? null);
    tell(job);
  });
}

// Of several refusals each is told.
const refuse = (text) => warn($("refused"), [$("refused").textContent, text].filter(Boolean).join(" · "));

function upload(file) {
  const request = new XMLHttpRequest(), bar = make("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
  const item = make("li", {}, make("b", {}, file.name),
    make("div", { class: "state" }, make("span", {}, "Uploading"), bar,
      make("button", { type: "button", onclick: () => request.abort(), "aria-label": `Cancel the upload of ${file.name}` }, "Cancel")));
  $("uploads").append(item);
  return new Promise((resolve) => {
    request.open("PUT", `/api/jobs?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("X-Eifer", "page");
    request.upload.onprogress = (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; };
    request.onloadend = () => {
      item.remove();
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* no words */ }
      if (request.status === 201) return resolve(told.id);
      if (request.status || !request.aborted) refuse(`${file.name}: ${told.error ?? (request.responseText || "the upload broke off: was eifer page ended?")}`);
      return resolve(null);
    };
    request.onabort = () => { request.aborted = true; };
    request.send(file);
  });
}

async function give(files) {
  if (!$("uploads").children.length) warn($("refused"), "");
  const about = await known;
  let last = null;
  for (const file of files) {
    if (file.size > about.most_bytes) refuse(`${file.name}: larger than ${about.most_bytes / 1e9} GB. Make it smaller, or start eifer page with another --max-gb.`);
    else last = (await upload(file)) ?? last;
  }
  // To leave would end what still arrives.
  if (last && files.length === 1 && !$("uploads").children.length) location.assign(`/jobs/${last}`);
}

const known = ID ? null : ask("GET", "/api/about");

function start() {
  $("start").hidden = false;
  window.addEventListener("beforeunload", (event) => { if ($("uploads").children.length) event.preventDefault(); });
  $("file").addEventListener("change", () => { const files = [...$("file").files]; $("file").value = ""; give(files); });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) give([...event.dataTransfer.files]);
    });
  }
  $("named").addEventListener("submit", (event) => {
    event.preventDefault();
    warn($("refused"), "");
    ask("POST", "/api/jobs", JSON.stringify({ path: $("path").value }))
      .then((told) => location.assign(`/jobs/${told.id}`), (error) => warn($("refused"), error.message));
  });
  known.then((about) => {
    put($("limits"), `mp4, mov, mkv, webm or avi; up to ${about.most_bytes / 1e9} GB and ${about.max_minutes} minutes. It stays on this machine, and is deleted ${about.keep_hours} hours after it was read.`);
    $("named").hidden = !about.allow.length;
    put($("allowed"), `In ${about.allow.join(", ")}.`);
  }, (error) => warn($("lost"), error.message));
}

// ---- One job: how far it is, then what was read.

let line = null, shown = false, before = "";

function tellJob(job) {
  $("job").hidden = false;
  if (!job) {
    put($("name"), "No such video");
    $("state").replaceChildren("It was deleted, by hand or after its time. ", make("a", { href: "/" }, "Give it again"));
    $("reading").hidden = true;
    $("video").removeAttribute("src");
    return;
  }
  put($("name"), job.name);
  document.title = `${job.name}: ${job.state === "running" && job.duration_s ? percent(job.time_s / job.duration_s) : job.state}`;
  if (!line) {
    line = new Line(job.id, job.name, () => location.assign("/"));
    $("state").replaceChildren(line.node);
  }
  line.tell(job);
  // A screen reader says what has changed, and not each frame.
  if (job.state !== before) put($("told"), words(job));
  before = job.state;
  if (job.state === "done" && !shown) {
    shown = true;
    ask("GET", `/api/jobs/${ID}/picture`).then(show, (error) => warn($("lost"), error.message));
  }
}

function show(read) {
  const { summary, names, times, frames, faces, drawings } = read, end = summary.duration_s, video = $("video");
  $("reading").hidden = false;
  warn($("cut"), summary.cut_short ? `What was read ends at ${clock(end)}: ${summary.cut_short}` : "");
  put($("read-by"), `Read with eifer ${summary.version}, ${summary.per_second} frames a second. Arousal and valence were estimated ${summary.told}.`);

  // The first face of each frame looked at, and of the one after the last.
  const first = new Uint32Array(times.length + 1);
  for (const face of faces) first[face[0] + 1]++;
  for (let k = 0; k < times.length; k++) first[k + 1] += first[k];
  const at = (time) => {
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      // Containers round times to the millisecond.
      if (times[middle] <= time + 0.002) low = middle; else high = middle - 1;
    }
    return low;
  };
  const facesAt = (k) => faces.slice(first[k], first[k + 1]);
  const look = ([, , , , , , arousal, , expression, chance, unsure]) => {
    if (arousal === null) return "unsure face";
    if (!names.length) return "";
    return `${names[expression]} ${percent(chance)}${unsure ? ", uncertain" : ""}`;
  };
  const tag = (face) => {
    if (face[6] === null) return ["unsure"];
    return names.length ? [`${names[face[8]]}${face[10] ? "?" : ""}`, make("i", {}, ` ${percent(face[9])}`)] : [];
  };
  const mood = (face) => face[6] === null ? "" : `arousal ${signed(face[6])}, valence ${signed(face[7])}`;
  const told = (face) => [look(face), mood(face)].filter(Boolean).join("; ");

  // The video: as it is, or where the browser cannot, the film.
  const whole = () => { if (!copied) { copied = true; $("copy").hidden = false; $("toggle").hidden = true; $("boxes").hidden = true; video.src = `/api/jobs/${ID}/files/overlay.mp4`; } };
  let copied = false, present = -1;
  video.addEventListener("error", whole);
  video.addEventListener("loadedmetadata", () => { present = -1; if (!video.videoWidth) whole(); });
  const strips = [];
  const tell = (time) => {
    const k = at(time);
    for (const strip of strips) strip(time, k);
    put($("clock"), `${clock(time)} of ${clock(end)}`);
    if (k === present) return;
    present = k;
    const here = facesAt(k), { videoWidth: wide, videoHeight: high } = video;
    $("now").replaceChildren(...here.map((face) => make("li", {}, `Person ${face[1]}: ${told(face)}`)));
    if (!here.length) $("now").append(make("li", {}, "No face in this frame"));
    $("boxes").replaceChildren(...!wide ? [] : here.map((face) => {
      const [, who, x, y, w, h, , , , , unsure] = face;
      const box = make("div", { class: "box" }, make("span", {}, `${who} `, ...tag(face)));
      box.classList.toggle("doubt", unsure !== false && names.length > 0);
      box.classList.toggle("high", y < 0.12 * high);
      box.classList.toggle("right", x > 0.6 * wide);
      Object.assign(box.style, { left: `${100 * x / wide}%`, top: `${100 * y / high}%`, width: `${100 * w / wide}%`, height: `${100 * h / high}%` });
      return box;
    }));
    for (const row of $("table").querySelectorAll("tr[data-k]")) row.classList.toggle("present", Number(row.dataset.k) === k);
  };
  // Where the sound begins first, the browser's clock is ahead of the first frame by `shift`.
  let shift = 0;
  const now = () => Math.max(0, video.currentTime - shift);
  const seek = (time) => {
    // A little later: the frame at that time, and not the one before it.
    video.currentTime = Math.max(0, Math.min(time + shift + 0.001, video.duration || end));
    tell(now());
  };
  if (video.requestVideoFrameCallback) {
    const next = (_, frame) => {
      if (!video.currentTime) shift = frame.mediaTime;
      tell(frame.mediaTime - shift);
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  } else video.addEventListener("timeupdate", () => tell(now()));
  for (const name of ["seeked", "loadeddata"]) video.addEventListener(name, () => tell(now()));
  // A screen reader is told of a moment that stands still, not of each that passes.
  for (const name of ["play", "pause"]) video.addEventListener(name, () => { $("now").ariaLive = video.paused ? "polite" : "off"; });
  $("show").addEventListener("change", () => { $("boxes").hidden = !$("show").checked; });

  // A strip is a slider over the video's time.
  function strip(label, said, ...drawings) {
    const cursor = make("div", { class: "cursor" });
    const node = make("div", { class: "strip", tabIndex: 0, role: "slider", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": end }, ...drawings, cursor);
    node.addEventListener("click", (event) => {
      const place = node.getBoundingClientRect();
      seek(end * (event.clientX - place.left) / place.width);
    });
    node.addEventListener("keydown", (event) => {
      const k = at(now());
      const to = {
        ArrowRight: times[Math.min(k + 1, times.length - 1)], ArrowUp: times[Math.min(k + 1, times.length - 1)],
        ArrowLeft: times[Math.max(k - 1, 0)], ArrowDown: times[Math.max(k - 1, 0)],
        PageUp: now() + 10, PageDown: now() - 10, Home: 0, End: times[times.length - 1],
      }[event.key];
      if (event.key === " ") { if (video.paused) video.play(); else video.pause(); } else if (to === undefined) return; else seek(to);
      event.preventDefault();
    });
    let second = -1;
    strips.push((time, k) => {
      cursor.style.left = `${100 * Math.min(1, time / end)}%`;
      // Not oftener: a screen reader says it.
      if (!video.paused && Math.floor(time) === second) return;
      second = Math.floor(time);
      node.setAttribute("aria-valuenow", time.toFixed(1));
      node.setAttribute("aria-valuetext", `${clock(time)}, ${said(k)}`);
    });
    return node;
  }
  const picture = (high, px, ...parts) => {
    const svg = drawn("svg", { viewBox: `0 0 ${WIDE} ${high}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...parts);
    svg.style.height = `${px}px`;
    return svg;
  };
  const bar = ({ x, width, lane = 0, uncertain = false }, facts = {}) =>
    drawn("rect", { x, width, y: lane * LANE + (uncertain ? 5 : 2), height: uncertain ? 4 : 10, ...facts });
  const ticks = () => make("div", { class: "ticks", "aria-hidden": "true" }, ...[0, 1, 2, 3, 4, 5, 6].map((k) => make("span", {}, clock(end * k / 6))));

  const people = $("people"), alone = summary.people.length === 1;
  people.append(make("p", {}, `${summary.frames} frames were looked at over ${clock(end)}, ${summary.frames_without_face} of them without a face. ${summary.people.length} ${alone ? "person was" : "persons were"} told apart. A click in a strip, or its arrow keys, go to that moment.`));
  if (summary.frames_without_face) {
    people.append(make("h2", {}, "Frames without a face"), make("div", { class: "time" },
      make("div", { class: "names" }, "no face"),
      strip("Frames without a face, over time", (k) => facesAt(k).length ? "a face" : "no face", picture(LANE, 16, ...drawings[0].there.map((place) => bar(place)))), ticks()));
  }
  if (summary.people.length) {
    const key = (name) => drawn("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" }, drawn("path", { class: name, d: "M0 5 H30" }));
    people.append(make("p", { class: "key soft" }, key("arousal"), " arousal (dashed) ", key("valence"), " valence", names.length ? "; a thin bar is an uncertain expression" : ""));
  }
  for (const person of summary.people) {
    const { lanes, curves } = drawings[person.person], who = person.person;
    const said = (k) => { const face = facesAt(k).find((one) => one[1] === who); return face ? told(face) : "not in the picture"; };
    const mean = person.arousal_mean === null ? "" : `; mean arousal ${signed(person.arousal_mean)}, valence ${signed(person.valence_mean)}`;
    const pictures = [picture(HIGH, 84, drawn("path", { class: "zero", d: `M0 ${HIGH / 2} H${WIDE}` }), drawn("path", { class: "arousal", d: curves.arousal }), drawn("path", { class: "valence", d: curves.valence }))];
    const scale = [make("div", { class: "names ends" }, make("span", {}, "+1"), make("span", {}, "0"), make("span", {}, "−1"))];
    if (names.length) {
      pictures.unshift(picture(LANE * names.length, 16 * names.length,
        ...names.flatMap((_, k) => k % 2 ? [drawn("rect", { class: "odd", x: 0, width: WIDE, y: k * LANE, height: LANE })] : []),
        ...lanes.map((place) => bar(place, { class: names[place.lane] }))));
      scale.unshift(make("div", { class: "names" }, ...names.map((name) => make("span", {}, name))));
    }
    people.append(make("h2", { id: `person-${who}` }, `Person ${who}`),
      make("p", {}, `In ${person.frames} frames, from ${clock(person.first_s)} to ${clock(person.last_s)}${mean}.`),
      make("div", { class: "time" }, make("div", { "aria-hidden": "true" }, ...scale),
        strip(`Person ${who} over time: expressions, arousal and valence`, said, ...pictures), ticks()));
  }
  // Shares of time.
  const head = (...cells) => make("thead", {}, make("tr", {}, ...cells.map((cell) => make("th", { scope: "col" }, cell))));
  const share = (value, name) => {
    const line = make("div", { class: `bar ${name}` });
    line.style.width = `${100 * value}%`;
    return make("td", {}, percent(value), ...name ? [line] : []);
  };
  $("shares").append(head("Person", ...names, ...names.length ? ["of these uncertain"] : [], "unsure face", "frames"),
    make("tbody", {}, ...summary.people.map((person) => make("tr", {}, make("th", { scope: "row" }, `${person.person}`),
      ...names.map((name) => share(person.expressions[name], name)), ...names.length ? [share(person.uncertain)] : [], share(person.unsure), make("td", {}, `${person.frames}`)))));

  // The table, a part at a time.
  for (const person of summary.people) $("who").append(make("option", { value: person.person }, `${person.person}`));
  let chosen = faces, from = 0;
  const page = (start) => {
    from = Math.max(0, Math.min(start, ROWS * Math.floor((chosen.length - 1) / ROWS)));
    const rows = chosen.slice(from, from + ROWS);
    $("table").replaceChildren(head("time", "frame", "person", names.length ? "expression" : "", "arousal", "valence"),
      make("tbody", {}, ...rows.map((face) => {
        const row = make("tr", {}, make("td", {}, make("button", { type: "button", onclick: () => seek(times[face[0]]) }, clock(times[face[0]]))),
          make("td", {}, `${frames[face[0]]}`), make("td", {}, `${face[1]}`), make("td", {}, look(face)),
          ...[6, 7].map((k) => make("td", {}, face[k] === null ? "" : signed(face[k]))));
        row.dataset.k = face[0];
        row.classList.toggle("present", face[0] === present);
        return row;
      })));
    put($("part"), chosen.length ? `${from + 1} to ${from + rows.length} of ${chosen.length}; all are in faces.csv` : "no face");
    $("before").disabled = !from;
    $("after").disabled = from + ROWS >= chosen.length;
  };
  $("before").addEventListener("click", () => page(from - ROWS));
  $("after").addEventListener("click", () => page(from + ROWS));
  $("here").addEventListener("click", () => page(Math.max(0, chosen.findIndex((face) => face[0] >= present))));
  $("who").addEventListener("change", () => { chosen = $("who").value ? faces.filter((face) => face[1] === Number($("who").value)) : faces; page(0); });
  page(0);
  for (const id of ["shares", "table"]) $(id).closest("section").hidden = !faces.length;

  for (const [name, what] of [["faces.csv", "a row for each face"], ["summary.json", "these numbers"], ["overlay.mp4", "the film with boxes"], ["index.html", "a page that needs nothing else"]]) {
    $("files").append(make("li", {}, make("a", { href: `/api/jobs/${ID}/files/${name}`, download: "" }, name), `, ${what}`));
  }
  $("columns").append(...read.columns.flatMap(([name, unit, meaning]) => [make("dt", {}, name), make("dd", {}, unit ? `${meaning} (${unit})` : meaning)]));
  video.src = `/api/jobs/${ID}/video`;
  tell(0);
}

if (!ID) start();
listen();
