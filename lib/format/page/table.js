/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms, the table of functions, and all about the one that is chosen. */

/* ---- histograms, on the grid of <profcore/snapshot.h>: 16 buckets an octave ---- */

const octaves = (ns) => Math.log2(ns + 16);
const begin = (index) => (index < 16 ? 0 : (16 + (index & 15)) * 2 ** ((index >> 4) - 1) - 16);
const hasHistogram = (f) => f.histogram !== null && f.histogram.length > 0;
const ends = (f) => [f.histogram[0][0], f.histogram[f.histogram.length - 1][0] + 1];
const common = [...functions, ...spans].filter(hasHistogram).map(ends)
  .reduce(([low, high], [first, last]) => [Math.min(low, first), Math.max(high, last)], [976, 0]);

/* Bars of `size` buckets each; the area of a bar is its calls. */
function bars(f, size) {
  const found = new Map();
  for (const [index, calls] of f.histogram) found.set(Math.floor(index / size), (found.get(Math.floor(index / size)) || 0) + Number(calls));
  return [...found].map(([at, calls]) => {
    const from = begin(at * size), to = begin((at + 1) * size);
    return { from, to, calls, density: calls / (octaves(to) - octaves(from)) };
  });
}

function scale([first, last], width) {
  const low = octaves(begin(first)), wide = octaves(begin(last)) - low || 1;
  return (ns) => (octaves(ns) - low) / wide * width;
}

function sparkline(f) {
  if (!hasHistogram(f)) return '';
  const WIDTH = 72, HEIGHT = 18, x = scale(common, WIDTH), list = bars(f, 4), top = Math.max(...list.map((bar) => bar.density));
  const d = list.map((bar) => {
    const from = x(bar.from).toFixed(1), wide = Math.max(1, x(bar.to) - x(bar.from)).toFixed(1);
    return 'M' + from + ' ' + Math.min(HEIGHT - 1, HEIGHT - HEIGHT * bar.density / top).toFixed(1) + 'h' + wide + 'V' + HEIGHT + 'H' + from + 'Z';
  });
  return shape('svg', { class: 'spark', viewBox: '0 0 73 18', width: WIDTH + 1, height: HEIGHT, 'aria-hidden': 'true' },
    shape('path', { d: d.join('') }));
}

const WIDTH = 400, HEIGHT = 120, TOP = 44, BASE = TOP + HEIGHT;

/* At 1, 2, 5, 10, ... as far as there is room. */
function putTicks(picture, x, last) {
  for (let ns = 1, free = 16; ns < last; ns *= String(ns)[0] === '2' ? 2.5 : 2) {
    if (x(ns) < free || x(ns) > WIDTH - 16) continue;
    free = x(ns) + 58;
    picture.append(shape('line', { class: 'grid', x1: x(ns), x2: x(ns), y1: TOP, y2: BASE }),
      shape('text', { x: x(ns), y: BASE + 18, 'text-anchor': 'middle' }, time(ns).replace('.00', '')));
  }
}

function putMarks(picture, x, f) {
  for (const [name, ns] of [['min', f.min_ns], ['max', f.max_ns]]) {
    const d = 'M' + x(Number(ns)) + ' ' + BASE + 'l-4 7h8z';
    if (ns !== null) picture.append(shape('path', { class: 'end', d }, shape('title', null, name + ' ' + time(ns))));
  }
  SHARES.slice(0, 3).forEach(([name], i) => {
    const ns = f.percentiles[i], at = x(Number(ns)), y = 12 + 14 * i, isLeft = at > WIDTH * 0.75;
    if (ns !== null) picture.append(shape('line', { class: 'mark', x1: at, x2: at, y1: y - 9, y2: BASE }),
      shape('text', { class: 'label', x: isLeft ? at - 4 : at + 4, y, 'text-anchor': isLeft ? 'end' : 'start' }, name + ' ' + time(ns)));
  });
}

function histogram(f) {
  const [first, last] = ends(f);
  let size = 1;
  while ((last - first) / size > 90 && size < 16) size *= 2;
  const margin = Math.max(size, Math.ceil((24 - (last - first)) / 2)); /* so that there is room for a tick */
  const span = [Math.max(16, first - margin), last + margin];
  const x = scale(span, WIDTH), list = bars(f, size), all = sum(list, (bar) => bar.calls), top = Math.max(...list.map((bar) => bar.density));
  const picture = shape('svg', { class: 'histogram', viewBox: '0 0 ' + WIDTH + ' ' + (BASE + 24), role: 'img', 'aria-label': 'Durations of ' + (f.isSpan ? 'spans' : 'calls') });
  putTicks(picture, x, begin(span[1]));
  for (const bar of list) {
    const height = Math.max(1.5, HEIGHT * bar.density / top), width = Math.max(1, x(bar.to) - x(bar.from) - 0.6);
    picture.append(shape('rect', { class: 'bar', x: x(bar.from), y: BASE - height, width, height },
      shape('title', null, time(bar.from) + ' to ' + time(bar.to) + ': ' + plural(bar.calls, f.isSpan ? 'span' : 'call') + ', ' + percent(bar.calls, all))));
  }
  picture.append(shape('line', { class: 'axis', x1: 0, x2: WIDTH, y1: BASE, y2: BASE }));
  putMarks(picture, x, f);
  return picture;
}

/* ---- the table ---- */

const columns = [
  { name: 'function', isText: true, get: (f) => ({ value: f.name.toLowerCase() }) },
  { name: 'ncalls', hint: 'calls, and after a slash those that were not recursive',
    get: (f) => ({ value: Number(f.calls), cell: count(f.calls) + (recursive(f) ? '/' + count(f.primitive_calls) : '') }) },
  { name: 'tottime', hint: 'time in the function itself', get: (f) => share(f, f.self_ns) },
  { name: 'percall', hint: 'tottime of one call', get: (f) => each(f.self_ns, f.calls) },
  { name: 'cumtime', hint: 'time in the function and all that it called', get: (f) => share(f, f.cumulative_ns) },
  { name: 'percall', hint: 'cumtime of one call that was not recursive', get: (f) => each(f.cumulative_ns, f.primitive_calls) },
  ...SHARES.slice(0, 3).map(([name], i) => ({ name, get: (f) => percentile(f, i),
    hint: 'of the durations of calls: the upper edge of a bucket, at most 12.5 % above the truth; \u2013: too few calls' })),
  { name: 'durations', hint: 'of calls, on one logarithmic axis for all functions; sorted by the longest',
    get: (f) => ({ value: f.max_ns === null ? NaN : Number(f.max_ns), cell: sparkline(f) }) },
];
if (functions.some((f) => f.items)) columns.push({ name: 'items per second', hint: 'spent in the function, of one thread', get: rate });
columns.push(...gpuColumns());
for (const probe of probes.filter(isTold)) {
  const hint = (probe.unit === 'ns' || probe.unit === 'bytes' ? '' : probe.unit + ', ') + 'of the ' + probe.of + ', summed over calls';
  columns.push({ name: probe.name, hint, get: (f) => measured(f, probe, false) });
  if (probe.kind === 'gauge') columns.push({ name: probe.name + ' peak', hint: 'the highest in any call; \u2265: at least',
    get: (f) => measured(f, probe, true) });
}

let listing = [];
const matchesText = (...texts) => texts.some((text) => text.toLowerCase().includes(state.query));
const matches = (f) => matchesText(f.name, place(f));

function nameButton(f) {
  return make('button', { type: 'button', class: 'name', title: f.name + ' ' + place(f), '--hue': hue(f), click: () => choose(f) },
    make('span', { class: 'swatch' }), f.name, make('small', null, ' ' + place(f)));
}

function listed() {
  const { get } = columns[state.column], way = state.descending ? -1 : 1;
  const keyed = functions.filter(matches).map((f) => [get(f).value, f]);
  keyed.sort(([a, f], [b, g]) => Number.isNaN(a) - Number.isNaN(b) || (a < b ? -way : a > b ? way : f.id - g.id));
  return keyed.map(([, f]) => f);
}

function sortBy(index) {
  state.descending = index === state.column ? !state.descending : !columns[index].isText;
  state.column = index;
  putTable();
  $('table').tHead.rows[0].cells[index].firstChild.focus();
}

function putRow(f) {
  const row = make('tr', { class: f === state.chosen ? 'chosen' : null, click: (event) => event.target.closest('button') || choose(f) },
    make('th', { scope: 'row' }, nameButton(f)));
  for (const { get } of columns.slice(1)) {
    const { cell, title = null, share: part } = get(f);
    const extra = part === undefined ? {} : { class: 'share', '--share': (100 * part).toFixed(2) + '%' };
    row.append(make('td', { title, ...extra }, cell));
  }
  return row;
}

function putTable() {
  const all = plural(functions.length, 'function'), order = state.descending ? 'descending' : 'ascending';
  listing = listed();
  $('table').tHead.replaceChildren(make('tr', null, ...columns.map(({ name, hint = null, isText }, i) => make('th',
    { scope: 'col', class: isText ? 'text' : null, 'aria-sort': i === state.column ? order : 'none' },
    make('button', { type: 'button', title: hint, click: () => sortBy(i) }, name)))));
  $('table').tBodies[0].replaceChildren(...listing.slice(0, state.rows).map(putRow));
  $('shown').textContent = listing.length === functions.length ? all : count(listing.length) + ' of ' + all;
  const rest = listing.length - state.rows;
  $('more').hidden = rest <= 0;
  $('more').textContent = rest > 500 ? 'Show 500 more' : 'Show the other ' + rest;
}

/* ---- one function ---- */

function choose(f) {
  state.chosen = f;
  for (const row of $('table').tBodies[0].rows) row.classList.toggle('chosen', listing[row.sectionRowIndex] === f);
  putDetail(f);
  redraw();
}

function relatives(f, end, other, title, none) {
  const SHOWN = 50, list = run.edges.filter((edge) => edge[end] === f.id).sort((a, b) => Number(b.cumulative_ns) - Number(a.cumulative_ns));
  if (!list.length) return make('p', { class: 'hint' }, none);
  const lineOf = (edge) => line(nameButton(functions[edge[other]]), count(edge.calls), time(edge.self_ns), time(edge.cumulative_ns));
  const lines = list.slice(0, SHOWN).map(lineOf);
  if (list.length > SHOWN) lines.push(line('and ' + count(list.length - SHOWN) + ' more'));
  return make('table', { class: 'small' }, headings(title, 'ncalls', 'tottime', 'cumtime'), make('tbody', null, ...lines));
}

function figuresOf(f) {
  const reading = ({ cell, title }) => (typeof cell === 'string' && cell !== '\u2013' ? make('span', { title }, cell) : explained(title));
  const list = [['calls', count(f.calls) + (recursive(f) ? ', ' + count(f.primitive_calls) + ' not recursive' : '')],
    ['self time', time(f.self_ns) + ', ' + percent(Number(f.self_ns), allSelf)],
    ['cumulative', time(f.cumulative_ns) + ', ' + percent(Number(f.cumulative_ns), allSelf)]], parts = spent(f);
  if (f.estimate) list.push(['sampled', estimate(f)]);
  if (Number(f.open_calls)) list.push(['not ended', plural(f.open_calls, 'call') + ', counted with ' + time(f.open_ns) + ' so far']);
  if (f.histogram === null) list.push(['percentiles', explained(whyNot(f, 'histogram'))]);
  else list.push(...SHARES.map(([name], i) => [name, reading(percentile(f, i))]));
  list.push(['shortest', reading(extreme(f, 'min_ns'))], ['longest', reading(extreme(f, 'max_ns'))]);
  if (f.items) list.push(['items', count(f.items.count) + ' ' + f.items.unit], ['a second', rate(f).cell]);
  else if (whyNot(f, 'items')) list.push(['items', explained(whyNot(f, 'items'))]);
  list.push(...gpuFigures(f), ...parts);
  for (const probe of probes.filter(isTold)) {
    const value = measured(f, probe, false);
    if (value.cell === '' || (parts.length && (probe.name === 'cpu.time' || probe.name === 'wait.cpu'))) continue;
    list.push([probe.name, reading(value)]);
    if (probe.kind === 'gauge' && typeof value.cell === 'string') list.push([probe.name + ' peak', measured(f, probe, true).cell]);
  }
  return list;
}

function putDetail(f) {
  $('detail').replaceChildren(make('h2', { '--hue': hue(f) }, make('span', { class: 'swatch' }), f.name),
    make('p', { class: 'hint place' }, place(f) || 'no file'),
    hasHistogram(f) ? histogram(f) : make('p', { class: 'hint' }, 'No histogram of durations: ' + (whyNot(f, 'histogram') || 'no call has ended')),
    make('dl', { class: 'figures' }, ...figuresOf(f).flatMap(([name, value]) => [make('dt', null, name), make('dd', null, value)])),
    relatives(f, 'callee', 'caller', 'Called by', 'Called by no other function.'),
    relatives(f, 'caller', 'callee', 'Calls', 'Calls no other function.'));
}
