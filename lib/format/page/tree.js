/* SPDX-License-Identifier: Apache-2.0 */
/* The call tree as an icicle, the outermost calls on top: only the rows that are in sight are elements. */

const ROW = 21, LEAST = 1; /* pixels */
const PRINTED = 60; /* rows */
const parents = Int32Array.from(paths, (path) => (path[0] === null ? -1 : path[0]));
const totals = Float64Array.from(paths, (path) => Number(path[3] || 0));
const kids = new Int32Array(paths.length), firstKid = new Int32Array(paths.length + 2); /* of path i from firstKid[i + 1]; -1: the whole */
const canvas = make('div', { class: 'canvas', role: 'none' }), frames = new WeakMap(), drawn = new Map();
let rows = [], whole = 0, canvasWidth = 1, hasTree = false, isPrinting = false;

const functionOf = (path) => functions[paths[path][1]];
const childrenOf = (path) => kids.subarray(firstKid[path + 1], firstKid[path + 2]);
const totalOf = (path) => (path < 0 ? whole : totals[path]);
const labelOf = (path) => (path < 0 ? 'all' : functionOf(path).name);

function plant() {
  for (const parent of parents) firstKid[parent + 2]++;
  for (let i = 1; i < firstKid.length; i++) firstKid[i] += firstKid[i - 1];
  const next = firstKid.slice();
  parents.forEach((parent, path) => { kids[next[parent + 1]++] = path; });
  for (let path = -1; path < paths.length; path++) childrenOf(path).sort((a, b) => totals[b] - totals[a]);
  whole = sum(childrenOf(-1), (path) => totals[path]);
}

/* Children stand by their time, so those too small to see are the last ones: one frame. */
function framesBelow(frame) {
  const list = childrenOf(frame.path), level = frame.level + 1, found = [];
  const perNs = frame.width / (Math.max(totalOf(frame.path), sum(list, (path) => totals[path])) || 1);
  let x = frame.x, i = 0;
  for (; i < list.length && totals[list[i]] * perNs >= LEAST; i++) {
    found.push({ path: list[i], level, x, width: totals[list[i]] * perNs });
    x += totals[list[i]] * perNs;
  }
  const rest = list.length - i, restNs = rest ? sum(list.subarray(i), (path) => totals[path]) : 0;
  if (restNs * perNs >= LEAST) found.push({ path: frame.path, rest, restNs, level, x, width: restNs * perNs });
  return found;
}

/* Rows of frames, left to right; around the one that is enlarged stand those that it is in. */
function layOut() {
  const width = canvasWidth = canvas.clientWidth || 1, above = [];
  for (let path = state.zoom; path !== -1;) above.push(path = parents[path]);
  rows = above.reverse().map((path, level) => [{ path, level, x: 0, width, isAbove: true }]);
  const stack = [{ path: state.zoom, level: rows.length, x: 0, width }];
  for (let frame = stack.pop(); frame; frame = stack.pop()) {
    (rows[frame.level] ||= []).push(frame);
    if (!frame.rest) stack.push(...framesBelow(frame).reverse());
  }
  canvas.style.height = (isPrinting ? Math.min(rows.length, PRINTED) : rows.length) * ROW + 'px';
}

function frameElement(frame) {
  const { path, rest = 0 } = frame, f = rest || path < 0 ? null : functionOf(path);
  const name = rest ? '+' + count(rest) + ' more' : labelOf(path), ns = rest ? frame.restNs : totalOf(path), kinds = ['frame'];
  if (rest || path < 0) kinds.push(rest ? 'rest' : 'all');
  if (frame.isAbove) kinds.push('above');
  if (f && state.query && matches(f)) kinds.push('match');
  if (f && f === state.chosen) kinds.push('chosen');
  const element = make('div', { class: kinds.join(' '), role: 'treeitem', 'aria-level': frame.level + 1,
    'aria-label': name + ', ' + time(ns) + ', ' + percent(ns, whole), tabindex: !rest && path === state.focus ? 0 : -1,
    '--hue': f ? hue(f) : '0' }, frame.width > 24 ? name : '');
  element.style.left = 100 * frame.x / canvasWidth + '%';
  element.style.width = 'max(1px, ' + 100 * frame.width / canvasWidth + '% - 1px)';
  frames.set(element, frame);
  return element;
}

function draw() {
  const flame = $('flame'), first = isPrinting ? 0 : Math.floor(flame.scrollTop / ROW) - 4;
  const last = isPrinting ? PRINTED - 1 : Math.ceil((flame.scrollTop + flame.clientHeight) / ROW) + 4;
  for (const [level, row] of drawn) if (level < first || level > last) row.remove(), drawn.delete(level);
  for (let level = Math.max(0, first); level <= last && level < rows.length; level++) {
    if (drawn.has(level)) continue;
    const row = make('div', { class: 'row', role: 'none' }, ...rows[level].map(frameElement));
    row.style.top = level * ROW + 'px';
    drawn.set(level, canvas.appendChild(row));
  }
}

function redraw() {
  const hadFocus = canvas.contains(document.activeElement);
  for (const row of drawn.values()) row.remove();
  drawn.clear();
  if (!hasTree) return;
  draw();
  if (hadFocus) canvas.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
}

/* ---- moving about ---- */

function focusOn(frame) {
  const flame = $('flame'), top = frame.level * ROW;
  state.focus = frame.rest ? state.focus : frame.path;
  if (top < flame.scrollTop) flame.scrollTop = top;
  if (top + ROW > flame.scrollTop + flame.clientHeight) flame.scrollTop = top + ROW - flame.clientHeight;
  redraw();
  for (const element of drawn.get(frame.level).children) if (frames.get(element) === frame) element.focus({ preventScroll: true });
}

function zoom(path) {
  state.zoom = state.focus = path;
  $('whole').hidden = path < 0;
  layOut();
  const frame = rows.flat().find((other) => other.path === path && !other.rest);
  $('flame').scrollTop = Math.max(0, frame.level - 3) * ROW;
  focusOn(frame);
}

function enter(frame) {
  if (!frame.rest && frame.path >= 0) choose(functionOf(frame.path));
  zoom(frame.path);
}

function steer(event) {
  const frame = frames.get(event.target);
  if (!frame) return;
  const row = rows[frame.level], at = row.indexOf(frame), around = frame.rest ? frame.path : frame.path < 0 ? null : parents[frame.path];
  const moves = { ArrowLeft: row[at - 1], ArrowRight: row[at + 1], Home: rows[0][0],
    ArrowDown: (rows[frame.level + 1] || []).find((other) => !other.rest && parents[other.path] === frame.path && !frame.rest),
    ArrowUp: (rows[frame.level - 1] || []).find((other) => other.path === around) };
  if (event.key === 'Enter' || event.key === ' ') enter(frame);
  else if (event.key === 'Escape') zoom(-1);
  else if (!Object.hasOwn(moves, event.key)) return;
  else if (moves[event.key]) focusOn(moves[event.key]);
  event.preventDefault();
}

/* ---- the tip ---- */

function linesOf({ path, rest, restNs }) {
  const ns = rest ? restNs : totalOf(path), all = time(ns) + ', ' + percent(ns, whole) + ' of all';
  if (rest) return [plural(rest, 'call path') + ' below ' + labelOf(path), 'each narrower than a pixel; together ' + all];
  if (path < 0) return ['all call paths', all];
  const [parent, , calls = 0, , self = 0, open = 0, , estimated = 0] = paths[path];
  return [labelOf(path), place(functionOf(path)), plural(calls, 'call') + (Number(open) ? ', ' + count(open) + ' not ended' : ''),
    'total ' + all + (Number(estimated) ? ', an estimate' : ''), 'self ' + time(self) + ', ' + percent(Number(self), ns) + ' of it', gpuLine(path),
    parent === null ? '' : percent(ns, totals[parent]) + ' of ' + labelOf(parent)];
}

function tell(lines, x, y) {
  const tip = $('tip');
  tip.replaceChildren(...lines.filter(Boolean).map((text) => make('div', null, text)));
  tip.hidden = false;
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 8)) + 'px';
  tip.style.top = (y + 18 + tip.offsetHeight > innerHeight ? Math.max(4, y - tip.offsetHeight - 10) : y + 18) + 'px';
}
const hide = () => { $('tip').hidden = true; };

/* ---- all of it ---- */

function watch(flame) {
  const print = (is) => { isPrinting = is; layOut(); redraw(); };
  flame.addEventListener('click', (event) => frames.has(event.target) && enter(frames.get(event.target)));
  flame.addEventListener('keydown', steer);
  flame.addEventListener('scroll', () => { hide(); draw(); });
  flame.addEventListener('mousemove', (event) => (frames.has(event.target) ? tell(linesOf(frames.get(event.target)), event.clientX, event.clientY) : hide()));
  flame.addEventListener('mouseleave', hide);
  flame.addEventListener('focusout', hide);
  flame.addEventListener('focusin', ({ target }) => {
    const { left, bottom } = target.getBoundingClientRect();
    if (frames.has(target) && target.matches(':focus-visible')) tell(linesOf(frames.get(target)), left, bottom - 12);
  });
  $('whole').addEventListener('click', () => zoom(-1));
  new ResizeObserver(() => {
    if (canvas.clientWidth === canvasWidth) return draw();
    layOut();
    redraw();
  }).observe(flame);
  addEventListener('beforeprint', () => print(true));
  addEventListener('afterprint', () => print(false));
}

function putTree() {
  plant();
  hasTree = whole > 0;
  if (hasTree) {
    $('flame').append(canvas);
    $('about-tree').textContent = 'Width is time, summed over threads; below a function is what it called. Click to enlarge, arrow keys move.';
    watch($('flame'));
    return;
  }
  const none = paths.length || !missing.paths ? 'no time was measured' : 'call paths are not known, for ' + missing.paths;
  $('flame').replaceWith(make('p', { class: 'note', id: 'no-tree' }, 'There is no call tree to draw: ' + none +
    '. Who called whom stands beside the table, for the function that is chosen there.'));
}

/* Of the time, that in the outermost calls of functions that match. */
function search(text) {
  state.query = text.trim().toLowerCase();
  for (const id of ['tree', 'slowest']) $(id).classList.toggle('searching', state.query !== '');
  putTable();
  redraw();
  if (request) drawSlowest();
  const found = functions.filter(matches), ids = new Set(found.map((f) => f.id)), isInside = new Uint8Array(paths.length);
  let ns = 0;
  paths.forEach(([parent, id], path) => {
    const isBelow = parent !== null && isInside[parent] === 1;
    isInside[path] = isBelow || ids.has(id) ? 1 : 0;
    if (isInside[path] && !isBelow) ns += totals[path];
  });
  $('found').textContent = state.query === '' ? '' : plural(found.length, 'function') + (hasTree ? ', ' + percent(ns, whole) + ' of the time' : '');
}
