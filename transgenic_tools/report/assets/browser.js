// The locus browser. In: #index, #block-N (base64 of zlib of JSON) and #words. Out: the list, the drawing, the tables.
// Positions inside a locus are relative to its start, 0-based half-open; people see 1-based positions (`human`).
(() => {
  "use strict";
  const PAGE = 14;
  const TAIL = 14; // characters at the end of an ID that are always shown
  const REACH = 2000; // bases that can be seen on either side of a short locus
  const KIND = ["cds", "utr", "cds extra", "utr extra", "cds missing", "utr missing"];
  const KIND_WORDS = ["CDS", "UTR", "CDS, not in the reference isoform", "UTR, not in the reference isoform",
    "CDS of the reference isoform, missing", "UTR of the reference isoform, missing"];
  const STATUS_CSS = ["s-all", "s-cds", "s-diff", "s-none", "s-new"];
  const SITE = ["donor", "acceptor"];
  const words = JSON.parse(document.getElementById("words").textContent);
  const geo = words.geometry;
  const $ = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en-US");
  const human = (value) => number.format(value);
  const percent = (thousandths) => (thousandths === null ? "–" : Math.round(thousandths / 10) + " %");

  let index = null;
  let names = []; // of each locus, in lower case: gene, name, isoforms
  let shown = [];
  let page = 0;
  let current = -1;
  let locus = null;
  let view = { start: 0, end: 1 };
  let selected = null;
  const blocks = new Map();
  let genomes = null; // of each sample in which any place opens: length by sequence
  const signals = { width: 0, together: 1, stretches: new Map(), blocks: new Map() };

  async function unpack(id) {
    const text = atob($(id).textContent.trim());
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  function block(n) {
    if (!blocks.has(n)) {
      if (blocks.size > 24) blocks.delete(blocks.keys().next().value);
      blocks.set(n, unpack("block-" + n));
    }
    return blocks.get(n);
  }

  function make(tag, text, css) {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (css) node.className = css;
    return node;
  }

  function shape(tag, values, parent) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
    if (parent) parent.append(node);
    return node;
  }

  // --- list ---------------------------------------------------------------------------------------------------------

  function place(text) {
    const whole = text.trim().toLowerCase();
    if (index.seqids.some((name) => name.toLowerCase() === whole) || samplesOf(whole).length) return { seqid: whole, start: 0, end: Infinity };
    const match = /^(\S+?)[:\s]\s*([\d,]+)(?:\s*(?:-|\.\.|–|\s)\s*([\d,]+))?$/.exec(whole);
    if (!match) return null;
    const start = Number(match[2].replaceAll(",", "")) - 1;
    const end = match[3] ? Number(match[3].replaceAll(",", "")) : start + 1;
    return { seqid: match[1], start: Math.min(start, end - 1), end: Math.max(start + 1, end) };
  }

  // Why a search finds nothing, so that the next one may.
  function nothing(text, where) {
    if (!text) return "No locus has this outcome.";
    if (where && !index.seqids.some((name) => name.toLowerCase() === where.seqid) && !samplesOf(where.seqid).length) {
      return `Nothing found: there is no sequence ${text.split(/[:\s]/)[0]}. There is ${index.seqids.slice(0, 4).join(", ")}${index.seqids.length > 4 ? ", …" : ""}.`;
    }
    if (where) return `Nothing found: no locus of this page lies in ${text}.` + (genomes ? " Enter opens the place." : "");
    return `Nothing found for ${text}: no gene, name or isoform of this page has it.`;
  }

  function filter() {
    const text = $("query").value.trim().toLowerCase();
    const where = text ? place(text) : null;
    const status = $("status").value;
    const sample = $("sample").value;
    const found = [];
    for (let i = 0; i < index.id.length; i++) {
      if (status !== "" && index.status[i] !== Number(status)) continue;
      if (sample !== "" && index.samples[index.sample[i]] !== sample) continue;
      if (where) {
        if (index.seqids[index.seqid[i]].toLowerCase() !== where.seqid) continue;
        if (index.start[i] >= where.end || index.start[i] + index.length[i] <= where.start) continue;
      } else if (text && !names[i].includes(text)) continue;
      found.push(i);
    }
    const key = {
      confidence: (i) => (index.confidence[i] === null ? 2000 : index.confidence[i]),
      isoforms: (i) => -(index.reference[i] + index.predicted[i]),
      length: (i) => -index.length[i],
    }[$("order").value];
    if (key) found.sort((a, b) => key(a) - key(b) || a - b);
    shown = found;
    page = 0;
    list();
    if (!found.length) $("found").textContent = nothing($("query").value.trim(), where);
  }

  // After another sample was chosen, its locus is drawn: of the same gene where it has that one.
  function follow() {
    filter();
    const sample = $("sample").value;
    if (!shown.length || sample === "" || (locus && locus.sample === sample)) return;
    const same = shown.find((i) => locus && index.id[i] === locus.id && index.seqids[index.seqid[i]] === locus.seqid);
    open(same === undefined ? shown[0] : same);
  }

  // An ID whose end stays in sight where there is no room for all of it: long ones differ there.
  function named(id) {
    const node = make("span", undefined, "id");
    const tail = id.length > 2 * TAIL ? TAIL : 0;
    node.append(make("span", id.slice(0, id.length - tail), "head"), make("span", id.slice(id.length - tail), "tail"));
    return node;
  }

  // A name and what is said of it, for a line of so many characters: the note goes first, then the middle of the name.
  function shortened(id, note, fits) {
    const said = fits - note.length >= Math.min(id.length, 2 * TAIL) ? note : "";
    const room = fits - said.length;
    if (id.length <= room) return id + said;
    const tail = Math.min(TAIL, Math.max(room - 2, 1));
    return id.slice(0, Math.max(room - tail - 1, 0)) + "…" + id.slice(-tail) + said;
  }

  function list() {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    page = Math.min(Math.max(0, page), pages - 1);
    const rows = [];
    for (let r = 0; r < PAGE; r++) {
      const i = shown[page * PAGE + r];
      const row = make("tr");
      if (i === undefined) {
        row.className = "filler";
        const cell = make("td", "\u00a0");
        cell.colSpan = 3;
        row.append(cell);
      } else {
        const cell = make("th");
        cell.scope = "row";
        const open = make("button", undefined, "open");
        open.type = "button";
        open.dataset.locus = i;
        const dot = make("span", undefined, "key " + STATUS_CSS[index.status[i]]);
        dot.title = words.status[index.status[i]];
        open.title = index.id[i] + (index.name[i] ? " (" + index.name[i] + ")" : "");
        open.append(dot, named(index.id[i]));
        if (index.name[i]) open.append(make("span", index.name[i], "alias"));
        open.append(make("span", ", " + words.status[index.status[i]], "sr"));
        if (i === current) open.setAttribute("aria-current", "true");
        cell.append(open);
        row.append(cell, make("td", index.reference[i] + " / " + index.predicted[i], "num"),
          make("td", percent(index.confidence[i]), "num"));
      }
      rows.push(row);
    }
    $("rows").replaceChildren(...rows);
    $("found").textContent = human(shown.length) + (shown.length === 1 ? " locus" : " loci");
    $("page").textContent = "Page " + human(page + 1) + " of " + human(pages);
    $("previous").disabled = page === 0;
    $("next").disabled = page >= pages - 1;
  }

  // --- one locus ----------------------------------------------------------------------------------------------------

  function pairs(flat, width) {
    const out = [];
    for (let i = 0; i < flat.length; i += width) out.push(flat.slice(i, i + width));
    return out;
  }

  function isoform([id, score, match, nearest, boxes, introns, exonScores], predicted, strand) {
    const parts = pairs(boxes, 3).map(([kind, start, length]) => ({ kind, start, end: start + length }));
    const exons = [];
    for (const part of parts) {
      if (part.kind > 3) continue;
      const last = exons[exons.length - 1];
      if (last && last.end === part.start) last.end = part.end;
      else exons.push({ start: part.start, end: part.end });
    }
    const coding = parts.filter((p) => p.kind === 0 || p.kind === 2).reduce((sum, p) => sum + p.end - p.start, 0);
    return { id, score, match, nearest, parts, exons, coding, predicted, strand, exonScores,
      introns: pairs(introns, 2).map(([start, length]) => ({ start, end: start + length })) };
  }

  async function open(i, { focus = false, hash = true } = {}) {
    current = i;
    $("csv").hidden = false;
    const data = (await block(Math.floor(i / index.perBlock)))[i % index.perBlock];
    if (current !== i) return;
    const strand = index.strand[i];
    locus = {
      id: index.id[i], name: index.name[i], seqid: index.seqids[index.seqid[i]], start: index.start[i],
      length: index.length[i], strand, status: index.status[i], sample: index.samples[index.sample[i]],
      rows: [...data[0].map((row) => isoform(row, false, strand)), ...data[1].map((row) => isoform(row, true, strand))],
      reference: data[0].length,
      sites: pairs(data[2], 3).map(([at, kind, p]) => ({ at, kind, p })),
      arcs: (data[4] || []).map(([start, length, reads]) => ({ start, end: start + length, reads })),
      arcConditions: (index.arcConditions || [])[index.sample[i]] || [],
      usage: data[5] || [], usageConditions: (index.usageConditions || [])[index.sample[i]] || [],
      confidence: index.confidence[i], sequence: data[3] || "",
      neighbours: neighbours(i),
    };
    $("fasta").hidden = !locus.sequence;
    selected = null;
    conditions();
    fit();
    $("locus-title").textContent = locus.id + (locus.name ? " (" + locus.name + ")" : "");
    const sure = locus.confidence === null ? "" : " · confidence " + percent(locus.confidence);
    const whose = index.samples.length > 1 ? locus.sample + " · " : "";
    $("locus-place").textContent = whose + locus.seqid + ":" + human(locus.start + 1) + "–" + human(locus.start + locus.length)
      + " (" + locus.strand + ") · " + words.status[locus.status] + sure;
    $("detail").replaceChildren(make("p", "Choose an isoform, in the drawing or in the table, to read where it differs.", "hint"));
    table();
    draw();
    for (const button of $("rows").querySelectorAll("button")) {
      if (Number(button.dataset.locus) === i) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    if (hash) history.replaceState(null, "", "#locus/" + encodeURIComponent(locus.sample) + "/" + encodeURIComponent(locus.id));
    if (focus) $("locus-title").focus({ preventScroll: matchMedia("(min-width: 900px)").matches });
  }

  // --- any place ----------------------------------------------------------------------------------------------------

  const AROUND = 5000; // bases shown on either side of a single position
  const WIDEST = 2000000; // bases in view
  const WHOLE = 200000; // bases shown of a sequence that is named alone

  // The samples in which a place lies, the chosen one first.
  function samplesOf(seqid) {
    const chosen = $("sample").value || (locus && locus.sample);
    const found = Object.keys(genomes || {}).filter((name) => Object.keys(genomes[name]).some((one) => one.toLowerCase() === seqid));
    return found.sort((a, b) => (b === chosen) - (a === chosen));
  }

  // A stretch of a sequence, whether there are genes or not. Returns false where no genome here has it.
  function openPlace(where, asked, { focus = false, hash = true } = {}) {
    const sample = asked || samplesOf(where.seqid)[0];
    if (!sample || !genomes || !genomes[sample]) return false;
    const seqid = Object.keys(genomes[sample]).find((one) => one.toLowerCase() === where.seqid);
    if (seqid === undefined || where.start >= genomes[sample][seqid]) return false;
    const length = genomes[sample][seqid];
    let { start, end } = where;
    if (end === Infinity) end = WHOLE;
    if (end - start < 30) { start -= AROUND; end += AROUND; }
    start = Math.max(0, Math.min(start, length - 30));
    end = Math.min(length, end, start + WIDEST);
    current = -1;
    selected = null;
    const name = seqid + ":" + (start + 1) + "-" + end;
    locus = { id: name, name: "", seqid, start, length: end - start, strand: "+", sample, span: length, region: true, rows: [], reference: 0,
      sites: [], arcs: [], arcConditions: [], usage: [], usageConditions: [], confidence: null, sequence: "", neighbours: [] };
    $("fasta").hidden = $("csv").hidden = true;
    conditions();
    fit();
    $("locus-title").textContent = seqid + ":" + human(start + 1) + "–" + human(end);
    $("detail").replaceChildren(make("p", "Genes of both strands as arrows; a click opens one. Move and zoom reach the whole sequence.", "hint"));
    $("isoforms").replaceChildren();
    draw();
    for (const button of $("rows").querySelectorAll("button")) button.removeAttribute("aria-current");
    if (hash) history.replaceState(null, "", "#place/" + encodeURIComponent(sample) + "/" + encodeURIComponent(name));
    if (focus) $("locus-title").focus({ preventScroll: matchMedia("(min-width: 900px)").matches });
    return true;
  }

  function placeFromHash() {
    const match = /^#place\/([^/]*)\/(.+)$/.exec(location.hash);
    const where = match && place(decodeURIComponent(match[2]));
    return where ? [where, decodeURIComponent(match[1])] : null;
  }

  // Loci of the sample in view.
  function genesInView() {
    const found = [], low = locus.start + view.start, high = locus.start + view.end;
    for (let n = 0; n < index.id.length; n++) {
      if (index.start[n] >= high || index.start[n] + index.length[n] <= low) continue;
      if (index.samples[index.sample[n]] !== locus.sample || index.seqids[index.seqid[n]] !== locus.seqid) continue;
      found.push({ n, id: index.id[n], strand: index.strand[n], start: index.start[n] - locus.start,
        end: index.start[n] + index.length[n] - locus.start });
    }
    return found;
  }

  // --- what the scan says of every base -----------------------------------------------------------------------------

  async function readGenomes() {
    if ($("genomes")) {
      const told = await unpack("genomes");
      genomes = Object.fromEntries(Object.entries(told).map(([name, [seqids, lengths]]) => [name, Object.fromEntries(seqids.map((one, i) => [one, lengths[i]]))]));
    }
    if (!$("signals")) return;
    const told = await unpack("signals");
    signals.width = told.width;
    signals.together = told.together;
    told.stretches.forEach(([sample, seqid, start, bins], n) => {
      const key = sample + "\n" + seqid;
      if (!signals.stretches.has(key)) signals.stretches.set(key, []);
      signals.stretches.get(key).push({ n, start, end: start + bins * told.width });
    });
  }

  // Letters of a stretch, or null while its block is unpacked; then the view is drawn again.
  function letters(stretch) {
    const n = Math.floor(stretch.n / signals.together);
    const block = signals.blocks.get(n);
    if (block === undefined) {
      if (signals.blocks.size > 40) signals.blocks.delete(signals.blocks.keys().next().value);
      signals.blocks.set(n, null);
      unpack("signal-" + n).then((read) => { signals.blocks.set(n, read); if (locus) draw(); });
    }
    return block ? block[stretch.n % signals.together] : null;
  }

  // Outline of one strand of one kind: where bins are narrower than a pixel, the highest stands for all of it.
  function outline(stretches, kind, x, middle, reach) {
    const steps = [];
    for (const stretch of stretches) {
      const text = (letters(stretch) || [])[kind] || "";
      const first = Math.max(0, Math.floor((locus.start + view.start - stretch.start) / signals.width));
      const last = Math.min(text.length, Math.ceil((locus.start + view.end - stretch.start) / signals.width));
      for (let i = first; i < last; i++) {
        const value = (text.charCodeAt(i) - 48) / 20;
        if (value <= 0) continue;
        const left = x(stretch.start + i * signals.width - locus.start), right = x(stretch.start + (i + 1) * signals.width - locus.start);
        const before = steps[steps.length - 1];
        if (before && left - before.left < 1 && right - before.left < 1.5) { before.right = right; before.value = Math.max(before.value, value); }
        else if (before && before.value === value && Math.abs(before.right - left) < 0.01) before.right = right;
        else steps.push({ left, right, value });
      }
    }
    return steps.map((one) => `M${one.left.toFixed(1)} ${middle}V${(middle + reach * one.value).toFixed(1)}H${Math.max(one.right, one.left + 0.6).toFixed(1)}V${middle}Z`).join("");
  }

  function drawSignals(svg, y, x, width) {
    const low = locus.start + view.start, high = locus.start + view.end;
    const seen = (signals.stretches.get(locus.sample + "\n" + locus.seqid) || []).filter((one) => one.start < high && one.end > low);
    for (const [kind, name, css] of [[0, "Coding probability", "coding"], [2, "Site probability", "sites"]]) {
      shape("text", { x: geo.left, y: y + geo.heading - 7, class: "heading" }, svg).textContent = name;
      const middle = y + geo.heading + 24;
      for (const side of [0, 1]) {
        const path = outline(seen, kind + side, x, middle, side ? 22 : -22);
        const strand = side ? "−" : "+";
        shape("text", { x: 4, y: middle + (side ? 14 : -6), class: "tick" }, svg).textContent = strand;
        if (path) shape("title", {}, shape("path", { d: path, class: "signal " + css }, svg)).textContent = `${name}, ${strand} strand, bins of ${signals.width} bases`;
      }
      shape("line", { x1: geo.left, x2: width - geo.right, y1: middle, y2: middle, class: "axis" }, svg);
      y = middle + 28;
    }
    return y;
  }

  // Other loci of the sample that can come into view, on both strands.
  function neighbours(i) {
    const reach = Math.max(index.length[i], REACH), found = [];
    const low = index.start[i] - reach, high = index.start[i] + index.length[i] + reach;
    for (let n = 0; n < index.id.length; n++) {
      if (n === i || index.sample[n] !== index.sample[i] || index.seqid[n] !== index.seqid[i]) continue;
      if (index.start[n] < high && index.start[n] + index.length[n] > low) {
        found.push({ n, id: index.id[n], strand: index.strand[n], start: index.start[n] - index.start[i],
          end: index.start[n] + index.length[n] - index.start[i] });
      }
    }
    return found;
  }

  function fit() {
    const padding = locus.region ? 0 : Math.max(20, Math.floor(locus.length / 50));
    view = { start: -padding, end: locus.length + padding };
  }

  function zoom(factor, around = 0.5) {
    if (!locus) return;
    const whole = locus.length + 2 * Math.max(20, Math.floor(locus.length / 50));
    const most = locus.region ? Math.min(locus.span, WIDEST) : Math.max(whole * 1.5, locus.length + 2 * REACH);
    const width = Math.min(most, Math.max(30, (view.end - view.start) * factor));
    const centre = view.start + (view.end - view.start) * around;
    view = { start: centre - width * around, end: centre + width * (1 - around) };
    clamp();
    draw();
  }

  function pan(share) {
    if (!locus) return;
    const by = (view.end - view.start) * share;
    view = { start: view.start + by, end: view.end + by };
    clamp();
    draw();
  }

  function clamp() {
    const width = view.end - view.start;
    const low = locus.region ? -locus.start : -width * 0.5;
    const high = locus.region ? Math.max(low + width, locus.span - locus.start) : locus.length + width * 0.5;
    if (view.start < low) view = { start: low, end: low + width };
    if (view.end > high) view = { start: high - width, end: high };
  }

  function tickStep(length, ticks) {
    const wanted = Math.max(1, length / Math.max(1, ticks));
    for (let step = 1; ; step *= 10) for (const factor of [1, 2, 5]) if (step * factor >= wanted) return step * factor;
  }

  function words_of(iso) {
    let text = iso.predicted ? words.match[iso.match] || "" : words.sides[0].toLowerCase();
    if (iso.score !== null) text += ", " + percent(iso.score);
    return text;
  }

  function draw() {
    const stage = $("stage");
    const width = Math.max(280, stage.clientWidth);
    const scale = (width - geo.left - geo.right) / (view.end - view.start);
    const x = (at) => geo.left + (at - view.start) * scale;
    const cut = (value) => Math.min(width + 40, Math.max(-40, value));
    const active = document.activeElement && document.activeElement.closest && document.activeElement.closest("g.iso");
    const keep = active ? active.dataset.row : null;
    const svg = shape("svg", { width, role: "group", "aria-label": "Isoforms of " + locus.id + ", to scale" });
    let y = 0;
    const axisY = geo.axis - 8;
    shape("line", { x1: geo.left, x2: width - geo.right, y1: axisY, y2: axisY, class: "axis" }, svg);
    const step = tickStep(view.end - view.start, width / 130);
    const first = Math.ceil((locus.start + view.start + 1) / step) * step;
    for (let at = Math.max(step, first); at <= locus.start + view.end; at += step) {
      const px = x(at - 1 - locus.start);
      if (px < geo.left + 24 || px > width - geo.right - 24) continue;
      shape("line", { x1: px, x2: px, y1: axisY, y2: axisY + 5, class: "axis" }, svg);
      shape("text", { x: px, y: axisY - 5, class: "tick", "text-anchor": "middle" }, svg).textContent = human(at);
    }
    y = geo.axis;
    const heading = (text) => {
      shape("text", { x: geo.left, y: y + geo.heading - 7, class: "heading" }, svg).textContent = text;
      y += geo.heading;
    };
    const near = locus.region ? genesInView() : locus.neighbours.filter((one) => one.start < view.end && one.end > view.start);
    if (locus.region) {
      const from = Math.max(0, Math.round(locus.start + view.start)), to = Math.min(locus.span, Math.round(locus.start + view.end));
      const whose = index.samples.length > 1 ? locus.sample + " · " : "";
      $("locus-place").textContent = whose + locus.seqid + ":" + human(from + 1) + "–" + human(to) + " · both strands · "
        + (near.length ? human(near.length) + (near.length === 1 ? " gene" : " genes") : "no gene") + " in view";
    }
    if (near.length) {
      heading(locus.region ? "Genes, + strand above − strand" : "Neighbours");
      for (const strand of "+-") {
        for (const one of near.filter((other) => other.strand === strand)) {
          const left = cut(x(one.start)), right = cut(x(one.end)), tip = Math.min(6, (right - left) / 2);
          const points = strand === "+" ? [[left, 0], [right - tip, 0], [right, 4], [right - tip, 8], [left, 8]]
            : [[right, 0], [left + tip, 0], [left, 4], [left + tip, 8], [right, 8]];
          const mark = shape("g", { class: "neighbour", "data-locus": one.n }, svg);
          shape("polygon", { points: points.map(([px, py]) => px + "," + (y + py)).join(" ") }, mark);
          shape("title", {}, mark).textContent = `${one.id} (${strand}), ${human(locus.start + one.start + 1)}–${human(locus.start + one.end)}; a click opens it`;
          const from = Math.max(geo.left, left), room = Math.min(width - geo.right, right) - from;
          if (room > one.id.length * 6.2) shape("text", { x: from, y: y + 19, class: "tick" }, mark).textContent = one.id;
        }
        if (near.some((other) => other.strand === strand)) y += 24;
      }
    }
    locus.rows.forEach((iso, r) => {
      if (r === 0 && !iso.predicted) heading(words.sides[0]);
      if (iso.predicted && r === locus.reference) heading(words.sides[1]);
      const side = iso.predicted ? "predicted" : "reference";
      const group = shape("g", { class: "iso" + (selected === r ? " chosen" : ""), tabindex: 0, role: "button",
        "aria-pressed": selected === r, "aria-label": words.sides[iso.predicted ? 1 : 0].toLowerCase() + " isoform " + iso.id + ", " + words_of(iso), "data-row": r }, svg);
      shape("rect", { x: 2, y: y + 1, width: width - 4, height: geo.row - 2, rx: 6, class: "hit" }, group);
      const fits = Math.floor((width - geo.left - geo.right) / 6.6);
      shape("text", { x: geo.left, y: y + geo.label - 3, class: "name" }, group).textContent =
        shortened(iso.id, iso.predicted ? " · " + words_of(iso) : "", fits);
      const middle = y + geo.label + geo.cds / 2 + 2;
      for (const intron of iso.introns) {
        const left = cut(x(intron.start)), right = cut(x(intron.end));
        if (right <= -40 || left >= width + 40) continue;
        shape("line", { x1: left, x2: right, y1: middle, y2: middle, class: "intron " + side }, group);
        const reach = iso.strand === "+" ? 3 : -3;
        for (let at = left + Math.min(60, (right - left) / 2); right - left > 14 && at < right - 5; at += 60) {
          shape("path", { d: `M${at - reach} ${middle - 3}L${at} ${middle}L${at - reach} ${middle + 3}`, class: "intron " + side }, group);
        }
      }
      for (const part of iso.parts) {
        const left = cut(x(part.start)), right = cut(x(part.end));
        if (right <= -40 || left >= width + 40) continue;
        const tall = part.kind % 2 === 0 ? geo.cds : geo.utr;
        const box = shape("rect", { x: left, y: middle - tall / 2, width: Math.max(1, right - left), height: tall,
          class: "box " + KIND[part.kind] + " " + side }, group);
        shape("title", {}, box).textContent = KIND_WORDS[part.kind] + ", " + human(locus.start + part.start + 1) + "–"
          + human(locus.start + part.end) + ", " + human(part.end - part.start) + " bases";
      }
      y += geo.row;
    });
    if (locus.sites.length) {
      heading("Splice site probability");
      const base = y + geo.track - 8, tall = geo.track - 20;
      shape("line", { x1: geo.left, x2: width - geo.right, y1: base - tall, y2: base - tall, class: "grid" }, svg);
      shape("text", { x: geo.left, y: base - tall - 3, class: "tick" }, svg).textContent = "100 %";
      shape("line", { x1: geo.left, x2: width - geo.right, y1: base, y2: base, class: "axis" }, svg);
      for (const site of locus.sites) {
        const px = x(site.at + 0.5);
        if (px < geo.left - 2 || px > width - geo.right + 2) continue;
        const top = base - (tall * site.p) / 1000;
        const mark = shape("g", { class: "site " + SITE[site.kind] }, svg);
        shape("line", { x1: px, x2: px, y1: base, y2: top }, mark);
        shape("circle", { cx: px, cy: top, r: 3 }, mark);
        shape("title", {}, mark).textContent = SITE[site.kind] + " at " + human(locus.start + site.at + 1) + ", " + percent(site.p);
      }
      y += geo.track;
      const key = shape("g", { class: "sitekey" }, svg);
      SITE.forEach((name, n) => {
        shape("circle", { cx: width - geo.right - 128 + n * 64, cy: y - geo.track - geo.heading + 12, r: 3.5, class: "site " + name }, key);
        shape("text", { x: width - geo.right - 120 + n * 64, y: y - geo.track - geo.heading + 16, class: "tick" }, key).textContent = name;
      });
    }
    if (locus.arcConditions.length) {
      heading("Reads across introns" + (shownCondition() < 0 ? "" : ", " + locus.arcConditions[shownCondition()]));
      y = arcs(svg, y, x, cut, width);
    }
    if (signals.width) y = drawSignals(svg, y, x, width);
    const height = Math.max(y + geo.bottom, locus.region ? 120 : 0);
    svg.setAttribute("height", height);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    stage.replaceChildren(svg);
    if (keep !== null) {
      const again = stage.querySelector(`g.iso[data-row="${keep}"]`);
      if (again) again.focus({ preventScroll: true });
    }
  }

  // --- reads --------------------------------------------------------------------------------------------------------

  // The choice among conditions, where the sample has several; a choice outlives the locus.
  function conditions() {
    const names = locus.arcConditions, choice = $("condition");
    $("reads").hidden = names.length < 2;
    if ([...choice.options].slice(1).map((o) => o.textContent).join("\n") === names.join("\n")) return;
    choice.replaceChildren(...["all together", ...names].map((name, n) => {
      const option = make("option", name);
      option.value = n - 1;
      return option;
    }));
  }

  function shownCondition() {
    const chosen = Number($("condition").value || -1);
    return chosen < locus.arcConditions.length ? chosen : -1;
  }

  function arcReads(arc) {
    const n = shownCondition();
    return n < 0 ? arc.reads.reduce((sum, value) => sum + value, 0) : arc.reads[n];
  }

  // Who splices there: isoforms of the second set, of the first alone, or none.
  function arcSide(arc) {
    const users = locus.rows.filter((iso) => iso.introns.some((i) => i.start === arc.start && i.end === arc.end));
    return users.some((iso) => iso.predicted) ? "predicted" : users.length ? "reference" : "unused";
  }

  function arcs(svg, y, x, cut, width) {
    const shownArcs = locus.arcs.map((arc) => ({ ...arc, n: arcReads(arc) })).filter((arc) => arc.n > 0 && arc.start < view.end && arc.end > view.start);
    shape("line", { x1: geo.left, x2: width - geo.right, y1: y, y2: y, class: "grid" }, svg);
    if (!shownArcs.length) {
      shape("text", { x: geo.left, y: y + 18, class: "tick" }, svg).textContent = "no read in view";
      return y + 30;
    }
    const longest = Math.max(...shownArcs.map((arc) => arc.end - arc.start));
    const taken = [];
    // weak ones first, so that strong ones lie on top; labels the other way round, strong ones first
    for (const arc of shownArcs.sort((a, b) => a.n - b.n)) {
      const left = cut(x(arc.start)), right = cut(x(arc.end));
      arc.depth = 14 + (geo.arcs - 38) * Math.sqrt((arc.end - arc.start) / longest);
      arc.middle = (left + right) / 2;
      const side = arcSide(arc);
      const mark = shape("g", { class: "arc " + side }, svg);
      // a cubic whose handles lie at 4/3 of the depth reaches just that
      const low = y + (arc.depth * 4) / 3;
      shape("path", { d: `M${left} ${y}C${left} ${low} ${right} ${low} ${right} ${y}`, "stroke-width": Math.min(6, 1 + 1.4 * Math.log10(arc.n)).toFixed(1) }, mark);
      const each = locus.arcConditions.map((name, n) => `${name} ${human(arc.reads[n])}`).join(", ");
      const users = { predicted: words.sides[1], reference: "only " + words.sides[0].toLowerCase(), unused: "no isoform" }[side].toLowerCase();
      shape("title", {}, mark).textContent = `intron ${human(locus.start + arc.start + 1)}–${human(locus.start + arc.end)}, spliced by ${users}; reads: ${each}`;
    }
    for (const arc of shownArcs.reverse()) {
      const text = human(arc.n), half = text.length * 3.2 + 2, at = y + arc.depth + 11;
      if (arc.middle - half < 0 || arc.middle + half > width) continue;
      if (taken.some((one) => Math.abs(one.x - arc.middle) < one.half + half && Math.abs(one.y - at) < 11)) continue;
      taken.push({ x: arc.middle, y: at, half });
      shape("text", { x: arc.middle, y: at, class: "tick count", "text-anchor": "middle" }, svg).textContent = text;
    }
    return y + geo.arcs;
  }

  // Cells of the table: the isoform's share in each condition, the darker the larger.
  function shareCells(r) {
    const usage = locus.usage[r];
    return locus.usageConditions.map((name, n) => {
      const share = usage ? usage[0][n] : null;
      const cell = make("td", share === null ? "–" : percent(share) + (usage[1] ? "" : " ?"), "num share");
      if (share !== null) cell.style.setProperty("--share", share / 10 + "%");
      cell.title = share === null ? "no read of this gene, or an isoform without introns"
        : usage[1] ? `of the gene's reads in ${name}` : "isoforms with the same introns, or mixtures of others, explain the reads as well: an even part";
      return cell;
    });
  }

  function table() {
    const box = make("div", undefined, "scroll");
    const grid = make("table");
    const caption = make("caption", "Isoforms of " + locus.id, "sr");
    const head = make("tr");
    for (const [text, css] of [["Isoform", ""], ["Set", ""], ["Exons", "num"], ["CDS", "num"], ["Relation", ""], ["Prob.", "num"], ...locus.usageConditions.map((name) => [name, "num used"])]) {
      const cell = make("th", text, css);
      cell.scope = "col";
      if (css === "num used") cell.title = "Share of the isoform among the gene's, from reads across introns in " + text;
      if (text === "Prob.") cell.title = "Probability that the coding sequence of this isoform is exact, to the base";
      head.append(cell);
    }
    const top = make("thead");
    top.append(head);
    const body = make("tbody");
    locus.rows.forEach((iso, r) => {
      const row = make("tr");
      const name = make("th");
      name.scope = "row";
      const button = make("button", iso.id, "open");
      button.type = "button";
      button.dataset.row = r;
      name.append(button);
      row.append(name, make("td", words.sides[iso.predicted ? 1 : 0].toLowerCase()), make("td", human(iso.exons.length), "num"),
        make("td", human(iso.coding), "num"), make("td", iso.predicted ? words.match[iso.match] || "–" : "–"),
        make("td", percent(iso.score), "num"), ...shareCells(r));
      body.append(row);
    });
    grid.append(caption, top, body);
    box.append(grid);
    $("isoforms").replaceChildren(box);
  }

  function choose(r) {
    selected = r;
    const iso = locus.rows[r];
    draw();
    for (const button of $("isoforms").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", Number(button.dataset.row) === r);
    }
    const detail = [make("h4", iso.id)];
    const spliced = iso.exons.reduce((sum, e) => sum + e.end - e.start, 0);
    const facts = [words.sides[iso.predicted ? 1 : 0].toLowerCase(), iso.exons.length + (iso.exons.length === 1 ? " exon" : " exons"),
      "CDS " + human(iso.coding) + " bases", "spliced " + human(spliced) + " bases"];
    if (iso.score !== null) facts.push("probability " + percent(iso.score));
    detail.push(make("p", facts.join(" · ")));
    if (iso.predicted && iso.nearest >= 0) {
      const changes = iso.parts.filter((p) => p.kind > 1);
      const near = locus.rows[iso.nearest].id;
      detail.push(make("p", changes.length ? `Against ${near}: ${words.match[iso.match]}, ${changes.length} stretch${changes.length === 1 ? "" : "es"}.`
        : `Equal to ${near}.`));
      if (changes.length) {
        const items = make("ul");
        for (const part of changes.slice(0, 20)) {
          items.append(make("li", `${human(locus.start + part.start + 1)}–${human(locus.start + part.end)}, ${human(part.end - part.start)} bases: ${KIND_WORDS[part.kind]}`));
        }
        if (changes.length > 20) items.append(make("li", `and ${changes.length - 20} more`));
        detail.push(items);
      }
    }
    const fold = make("details");
    fold.append(make("summary", "Exons"));
    const order = iso.strand === "+" ? iso.exons.map((e, n) => [e, n]) : iso.exons.map((e, n) => [e, n]).reverse();
    const lines = make("ol");
    for (const [exon, n] of order) {
      const sure = iso.exonScores && iso.exonScores.length === iso.exons.length ? ", " + percent(iso.exonScores[n]) : "";
      lines.append(make("li", `${human(locus.start + exon.start + 1)}–${human(locus.start + exon.end)}, ${human(exon.end - exon.start)} bases${sure}`));
    }
    fold.append(lines);
    detail.push(fold);
    for (const [kind, text] of locus.sequence ? records(iso) : []) {
      const more = make("details");
      more.append(make("summary", `${kind}, ${human(text.length)} ${kind === "protein" ? "residues" : "bases"}`), make("pre", text.replace(/.{1,60}/g, "$&\n"), "sequence"));
      detail.push(more);
    }
    $("detail").replaceChildren(...detail);
  }

  function save(text, type, ending) {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = locus.id.replace(/[^\w.-]+/g, "_") + ending;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // Exons and coding parts of an isoform, left to right, positions relative to the locus.
  function coding(iso) {
    return iso.parts.filter((p) => p.kind === 0 || p.kind === 2);
  }

  function csv() {
    if (!locus) return;
    const quoted = (value) => (/[",\n]/.test(value) ? '"' + String(value).replaceAll('"', '""') + '"' : value);
    const rows = [["gene", "sample", "seqid", "strand", "isoform", "set", "probability", "part", "start", "end", "bases"]];
    for (const iso of locus.rows) {
      const head = [locus.id, locus.sample, locus.seqid, locus.strand, iso.id, words.sides[iso.predicted ? 1 : 0].toLowerCase(),
        iso.score === null ? "" : iso.score / 1000];
      for (const [part, list] of [["exon", iso.exons], ["CDS", coding(iso)]]) {
        for (const one of list) rows.push([...head, part, locus.start + one.start + 1, locus.start + one.end, one.end - one.start]);
      }
    }
    save(rows.map((row) => row.map(quoted).join(",")).join("\n") + "\n", "text/csv", ".csv");
  }

  const PAIR = { A: "T", C: "G", G: "C", T: "A", R: "Y", Y: "R", K: "M", M: "K", B: "V", V: "B", D: "H", H: "D" };
  const ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG";

  function spliced(parts, strand) {
    const bases = parts.map((p) => locus.sequence.slice(p.start, p.end)).join("");
    return strand === "+" ? bases : [...bases].reverse().map((b) => PAIR[b] || b).join("");
  }

  function protein(bases) {
    let out = "";
    for (let i = 0; i + 3 <= bases.length; i += 3) {
      const at = [...bases.slice(i, i + 3)].map((b) => "TCAG".indexOf(b));
      out += at.includes(-1) ? "X" : ACIDS[at[0] * 16 + at[1] * 4 + at[2]];
    }
    return out.replace(/\*$/, "");
  }

  function records(iso) {
    const cds = spliced(coding(iso), iso.strand);
    return [["transcript", spliced(iso.exons, iso.strand)], ["CDS", cds], ["protein", protein(cds)]].filter((row) => row[1]);
  }

  function fasta() {
    if (!locus || !locus.sequence) return;
    const place = `${locus.seqid}:${locus.start + 1}-${locus.start + locus.length}`;
    const all = [[`${locus.id} ${place}(+)`, locus.sequence]];
    for (const iso of locus.rows) for (const [kind, text] of records(iso)) all.push([`${iso.id} ${kind} ${words.sides[iso.predicted ? 1 : 0].toLowerCase()}`, text]);
    save(all.map(([name, text]) => ">" + name + "\n" + text.replace(/.{1,80}/g, "$&\n")).join(""), "text/plain", ".fa");
  }

  function download() {
    const source = $("stage").querySelector("svg");
    if (!source) return;
    const copy = source.cloneNode(true);
    const from = source.querySelectorAll("*"), to = copy.querySelectorAll("*");
    from.forEach((node, n) => {
      const style = getComputedStyle(node);
      for (const name of ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size", "font-weight", "opacity"]) {
        to[n].style.setProperty(name, style.getPropertyValue(name));
      }
    });
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const back = shape("rect", { width: "100%", height: "100%" });
    back.style.fill = getComputedStyle($("stage")).backgroundColor;
    copy.prepend(back);
    save(new XMLSerializer().serializeToString(copy), "image/svg+xml", ".svg");
  }

  // --- events -------------------------------------------------------------------------------------------------------

  function fromHash() {
    const match = /^#locus\/([^/]*)\/(.+)$/.exec(location.hash);
    if (!match) return -1;
    const sample = decodeURIComponent(match[1]), id = decodeURIComponent(match[2]);
    return index.id.findIndex((name, i) => name === id && index.samples[index.sample[i]] === sample);
  }

  function listen() {
    let timer = 0;
    $("query").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 120); });
    $("finder").addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      filter();
      const where = genomes ? place($("query").value) : null;
      if (where && openPlace(where, null, { focus: true })) return;
      if (shown.length) open(shown[0], { focus: true });
    });
    for (const id of ["status", "order"]) $(id).addEventListener("change", filter);
    $("sample").addEventListener("change", follow);
    $("condition").addEventListener("change", () => { if (locus) draw(); });
    $("previous").addEventListener("click", () => { page -= 1; list(); });
    $("next").addEventListener("click", () => { page += 1; list(); });
    $("rows").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) open(Number(button.dataset.locus), { focus: matchMedia("(max-width: 899px)").matches });
    });
    $("rows").addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const buttons = [...$("rows").querySelectorAll("button")];
      const next = buttons[buttons.indexOf(document.activeElement) + step];
      if (next) { event.preventDefault(); next.focus(); }
    });
    const stage = $("stage");
    $("isoforms").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) choose(Number(button.dataset.row));
    });
    const actions = { "zoom-in": () => zoom(0.6), "zoom-out": () => zoom(1 / 0.6), "pan-left": () => pan(-0.25),
      "pan-right": () => pan(0.25), reset: () => { if (locus) { fit(); draw(); } }, download, csv, fasta };
    for (const [id, act] of Object.entries(actions)) $(id).addEventListener("click", act);
    stage.addEventListener("keydown", (event) => {
      const group = event.target.closest && event.target.closest("g.iso");
      const act = { "+": actions["zoom-in"], "=": actions["zoom-in"], "-": actions["zoom-out"], ArrowLeft: actions["pan-left"],
        ArrowRight: actions["pan-right"], 0: actions.reset }[event.key];
      if (group && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); choose(Number(group.dataset.row)); }
      else if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
    });
    stage.addEventListener("wheel", (event) => {
      if (!locus || !(event.ctrlKey || event.metaKey || event.shiftKey)) return;
      event.preventDefault();
      const box = stage.getBoundingClientRect();
      zoom((event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8, (event.clientX - box.left) / box.width);
    }, { passive: false });
    let drag = null;
    stage.addEventListener("pointerdown", (event) => {
      if (locus && event.button === 0) drag = { x: event.clientX, from: { ...view }, moved: false };
    });
    addEventListener("pointermove", (event) => {
      if (!drag) return;
      const by = event.clientX - drag.x;
      if (Math.abs(by) < 5 && !drag.moved) return;
      drag.moved = true;
      const bases = (by / stage.clientWidth) * (drag.from.end - drag.from.start);
      view = { start: drag.from.start - bases, end: drag.from.end - bases };
      clamp();
      draw();
    });
    const drop = (event) => {
      const was = drag;
      drag = null;
      if (!was || was.moved || event.type === "pointercancel") return;
      const group = event.target.closest && event.target.closest("g.iso");
      if (group && stage.contains(group)) choose(Number(group.dataset.row));
      const near = event.target.closest && event.target.closest("g.neighbour");
      if (near && stage.contains(near)) open(Number(near.dataset.locus));
    };
    addEventListener("pointerup", drop);
    addEventListener("pointercancel", drop);
    let wide = 0;
    new ResizeObserver(() => { if (locus && stage.clientWidth !== wide) { wide = stage.clientWidth; draw(); } }).observe(stage);
    addEventListener("hashchange", () => {
      const i = fromHash(), there = placeFromHash();
      if (i >= 0 && i !== current) open(i, { hash: false });
      else if (there && openPlace(there[0], there[1], { hash: false })) $("loci").scrollIntoView();
    });
  }

  async function begin() {
    index = await unpack("index");
    await readGenomes();
    names = index.id.map((id, i) => [id, index.name[i], index.isoforms[i]].join("\n").toLowerCase());
    shown = index.id.map((_, i) => i);
    listen();
    const asked = fromHash();
    // Without a wish, begin where there is something to see: several isoforms on both sides, else a difference.
    const first = [(i) => index.reference[i] > 1 && index.predicted[i] > 1, (i) => index.status[i] === 2, () => true]
      .map((test) => index.id.findIndex((_, i) => test(i))).find((i) => i >= 0);
    if (index.id.length) await open(asked >= 0 ? asked : first, { hash: false });
    const there = placeFromHash();
    if (there && openPlace(there[0], there[1], { hash: false })) $("loci").scrollIntoView();
    if (asked >= 0) { page = Math.floor(asked / PAGE); $("loci").scrollIntoView(); }
    list();
    document.body.dataset.ready = "true";
  }

  begin().catch((error) => {
    $("found").textContent = "The loci could not be unpacked (" + error.message + "). This page needs a browser of 2023 or later.";
    throw error;
  });
})();
