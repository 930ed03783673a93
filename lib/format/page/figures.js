/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of the page, elements, and figures as they read.  All text goes into text nodes and attributes, so that no
 * name can become markup.  Numbers above 2^53 are strings in the data: texts show them to the last digit, drawings
 * round them.
 */
const data = JSON.parse(document.getElementById('data').textContent);
const run = data.summary, { functions, probes } = run, paths = run.paths || [], missing = run.unavailable || {};
const spans = run.spans || [];
functions.forEach((f, i) => { f.percentiles = data.percentiles[i]; });
spans.forEach((s, i) => Object.assign(s, { percentiles: data.span_percentiles[i], calls: s.count, isSpan: true }));
const state = { query: '', column: 4, descending: true, rows: 100, chosen: null, zoom: -1, focus: -1 };

const $ = (id) => document.getElementById(id);
const own = (object, key) => (object && Object.hasOwn(object, key) ? object[key] : null);
const sum = (list, value) => list.reduce((total, item) => total + Number(value(item)), 0);
const exactSum = (list, value) => list.reduce((total, item) => total + BigInt(value(item)), 0n);

/* ---- elements ---- */

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (key.startsWith('--')) element.style.setProperty(key, value);
    else if (value !== null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ''));
  return element;
}
const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const shape = (tag, attributes, ...children) => fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
const absent = (reason) => make('span', { class: 'absent', title: reason }, 'unavailable');
const explained = (reason) => make('span', { class: 'absent' }, 'unavailable' + (reason ? ' (' + reason + ')' : ''));
const heading = (name, i) => make('th', { scope: 'col', class: i ? null : 'text' }, name);
const headings = (...names) => make('thead', null, make('tr', null, ...names.map(heading)));
const line = (first, ...rest) => make('tr', null, make('th', { scope: 'row' }, first), ...rest.map((cell) => make('td', null, cell)));

/* ---- numbers ---- */

const count = (value) => BigInt(value).toLocaleString('en-US');
const fixed = (value, digits) => value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const plural = (value, noun) => count(value) + ' ' + noun + (Number(value) === 1 ? '' : 's');
const percent = (part, whole) => (whole > 0 ? fixed(100 * part / whole, 1) + ' %' : '\u2013');
const exactly = (ns) => count(ns) + ' ns';
const real = (value) => String(Number(value.toPrecision(6)));
const utc = (ms, digits) => new Date(ms).toISOString().replace('T', ' ').slice(0, digits) + ' UTC';

function time(value) {
  const ns = Number(value);
  if (ns < 1e3) return fixed(ns, Number.isInteger(ns) ? 0 : 1) + ' ns';
  if (ns < 1e6) return fixed(ns / 1e3, 2) + ' \u00b5s';
  return ns < 1e9 ? fixed(ns / 1e6, 2) + ' ms' : fixed(ns / 1e9, 2) + ' s';
}

function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = Math.abs(Number(value)), unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return (Number(value) < 0 ? '-' : '') + size.toFixed(unit ? 1 : 0) + ' ' + units[unit];
}

function inUnit(value, unit) {
  if (unit === 'ns') return Number(value) < 0 ? '-' + time(-Number(value)) : time(value);
  return unit === 'bytes' ? bytes(value) : count(value);
}

/* ---- figures of a function: a value to sort by, NaN where there is none; how it reads; more exactly, or why it is not there ---- */

const allSelf = sum(functions, (f) => f.self_ns), allCalls = exactSum(functions, (f) => f.calls);
const place = (f) => (f.file === null ? '' : f.file + ':' + f.line);
const whyNot = (f, key) => own(f.unavailable, key);
const recursive = (f) => String(f.calls) !== String(f.primitive_calls);
const SHARES = [['p50', 20], ['p90', 100], ['p99', 1000], ['p99.9', 10000]]; /* and the calls that they need */

/* The same for the same function, in any profile. */
function hue(f) {
  let hash = 2166136261;
  for (const c of f.name + ' ' + f.file) hash = Math.imul(hash ^ c.codePointAt(0), 16777619);
  return String((hash >>> 0) % 360);
}

function share(f, ns) {
  const value = Number(ns), part = allSelf > 0 ? value / allSelf : 0;
  return { value, cell: (f.estimate ? '\u2248 ' : '') + time(ns), title: estimate(f) || exactly(ns), share: part };
}

function each(ns, calls) {
  const value = Number(ns) / Number(calls);
  return Number(calls) > 0 ? { value, cell: time(value) } : { value: NaN, cell: '' };
}

function percentile(f, index) {
  const ns = f.percentiles[index], wanted = SHARES[index][1];
  if (ns !== null) return { value: Number(ns), cell: time(ns), title: exactly(ns) };
  if (f.histogram === null) return { value: NaN, cell: absent(whyNot(f, 'histogram')), title: whyNot(f, 'histogram') };
  const ended = exactSum(f.histogram, (pair) => pair[1]);
  return { value: NaN, cell: '\u2013', title: 'needs ' + plural(wanted, f.isSpan ? 'span' : 'call') + ', has ' + count(ended) };
}

function extreme(f, key) {
  return f[key] === null ? { cell: absent(), title: whyNot(f, key) } : { cell: time(f[key]), title: exactly(f[key]) };
}

function estimate(f) {
  if (!f.estimate) return null;
  const { timed_calls: timed, interval_ns: half } = f.estimate, interval = half === null ? 'unavailable' : time(half);
  return 'an estimate: ' + count(timed) + ' of ' + plural(f.calls, 'call') + ' timed, \u00b1 ' + interval + ' (95 %)';
}

/* Per second spent in the function, of one thread. */
function rate(f) {
  if (!f.items) return { value: NaN, cell: whyNot(f, 'items') ? absent(whyNot(f, 'items')) : '' };
  const { count: items, unit } = f.items, spent = Number(f.cumulative_ns), value = Number(items) * 1e9 / spent;
  if (!(spent > 0)) return { value: NaN, cell: absent('no time was spent') };
  return { value, cell: fixed(value, 1) + ' ' + unit + '/s', title: count(items) + ' ' + unit };
}

function measure(f, probe) {
  if (probe.name !== 'rss') return own(f.probes, probe.name);
  const memory = f.memory;
  return memory && { growth: memory.rss_growth_bytes, peak: memory.rss_peak_bytes, peak_is_bound: memory.rss_peak_is_bound };
}

function measured(f, probe, isPeak) {
  const found = measure(f, probe), isGauge = probe.kind === 'gauge';
  const why = whyNot(f, probe.name === 'rss' ? 'memory' : 'probes.' + probe.name);
  if (!found) return { value: NaN, cell: why ? absent(why) : '', title: why };
  const value = isPeak ? found.peak : isGauge ? found.growth : found.sum;
  const sign = isPeak && found.peak_is_bound ? '\u2265 ' : !isPeak && isGauge && Number(value) > 0 ? '+' : '';
  return { value: Number(value), cell: sign + inUnit(value, probe.unit), title: count(value) + ' ' + probe.unit };
}

/* How the time of calls was spent, as to the calling thread: what the first block of probes in a .txt says. */
function spent(f) {
  const cpu = own(f.probes, 'cpu.time'), wait = own(f.probes, 'wait.cpu'), wall = Number(f.cumulative_ns) - Number(f.open_ns);
  if (!cpu || !wait || Number(cpu.failed_calls) || Number(wait.failed_calls) || !(wall > 0)) return [];
  const on = Math.min(Number(cpu.sum), wall), waiting = Math.min(Number(wait.sum), wall), blocked = Math.max(0, wall - on - waiting);
  return [['on a CPU', on], ['waiting for one', waiting], ['blocked', blocked]].map(([name, ns]) => [name, time(ns) + ', ' + percent(ns, wall)]);
}
