/* SPDX-License-Identifier: Apache-2.0 */
/* The run: what a .txt says behind "-- profcore"; and the start of it all. */

const { losses, overhead, clock, call, memory } = run, kept = losses.kept_calls, processes = run.processes || [];
const openCalls = exactSum(functions, (f) => f.open_calls);
const cost = overhead.scope_ps === null ? null : Math.round(Number(allCalls) * overhead.scope_ps / 1000);
const known = (value, key, show) => (value === null ? explained(missing[key]) : show(value));
const some = (value) => (value === null ? 'unavailable' : bytes(value));

function processText({ pid, host }) {
  if (pid === null && host === null) return 'process unavailable';
  return (pid === null ? 'process' : 'process ' + pid) + (host === null ? '' : ' on ' + host);
}

function callText() {
  const { tid, name } = run.threads[0], isSlow = call.kept_because === 'slow';
  return 'One call of ' + run.root + ': ' + time(call.duration_ns) + ', its call ' + count(call.number) + ', ended ' +
    utc(Number(call.ended_unix_us) / 1000, 23) + ' on thread ' + tid + ' ' + name + '. Kept ' +
    (isSlow ? 'because it took longer than ' + time(call.slower_than_ns) : 'as one in ' + count(call.every_nth)) +
    '. What ran below it on its own thread; a kept call has no percentiles and no memory.';
}

/* A pool's probe has a reason at hand, which counts where a call lacks its figures. */
const hasFailed = (probe) => !probe.is_level || functions.some((f) => Number((own(f.probes, probe.name) || {}).failed_calls));

/* What a reader must know before believing the rest. */
function notes() {
  const list = [];
  if (call) list.push(callText());
  else if (run.root !== null) list.push('What ran under ' + run.root + '; memory, threads, losses and clock are the whole process\'s.');
  if (Number(losses.lost)) list.push(plural(losses.lost, 'scope') + ' lost: memory for recording was spent.');
  if (Number(losses.counter_values)) list.push(plural(losses.counter_values, 'value') + ' and events beside scopes lost, for want of memory.');
  if (openCalls) list.push(plural(openCalls, 'call') + ' had not ended: counted with the time so far.');
  if (clock && !clock.steady) list.push('The clock is not known to be steady: take durations with care.');
  if (clock && Number(clock.went_back)) list.push('The clock went back during ' + plural(clock.went_back, 'scope') + ', which count as 0 s.');
  if (overhead.subtracted) list.push('The profiler\'s own cost is subtracted from times, but for extremes and percentiles.');
  if (functions.some((f) => f.estimate)) list.push('Some functions are sampled (\u2248): every call is counted, some are timed; their times, ' +
    'and their callers\' self times, are estimates.');
  for (const probe of probes) if (probe.failed !== null && hasFailed(probe)) list.push(probe.name + ' failed: ' + probe.failed);
  return list;
}

function processFacts() {
  const SHOWN = 20, lines = processes.slice(0, SHOWN).map((process) => process.name + ', ' + processText(process));
  if (processes.length > SHOWN) lines.push('and ' + count(processes.length - SHOWN) + ' more');
  if (lines.length) return [['merged from', make('ul', null, ...lines.map((text) => make('li', null, text)))]];
  return [['host', known(run.host, 'host', String)], ['process', known(run.pid, 'pid', String)]];
}

function lossFacts() {
  const all = plural(losses.lost, 'scope') + ' lost', list = [];
  if (losses.repaired === null) list.push(['losses', make('span', null, all + ', others ', explained(missing.losses))]);
  else list.push(['losses', all + ', ' + count(losses.repaired) + ' closed by repair, ' + plural(losses.unmatched, 'end') + ' without a scope']);
  if (kept && Number(kept.met)) {
    const over = exactSum(['saved', 'lost', 'unsaved'], (key) => kept[key]), waiting = BigInt(kept.met) - over;
    list.push(['kept calls', plural(kept.met, 'call') + ' met their rule: ' + count(kept.saved) + ' saved, ' + count(kept.lost) +
      ' lost for want of memory, ' + count(kept.unsaved) + ' not written, ' + count(waiting > 0n ? waiting : 0n) + ' waiting']);
  }
  const { events, events_lost: unkept, events_filtered: short } = losses;
  if (!call && (Number(events) || Number(short))) list.push(['events', count(events) + ', of them ' + count(unkept) + ' not kept' +
    (Number(short) ? '; ' + plural(short, 'scope') + ' too short to be one' : '')]);
  const { unsaved_functions: unsaved, removed_files: removed } = losses;
  if (Number(unsaved)) list.push(['missing', 'the files of ' + plural(unsaved, 'function') + ', for which the folder had no room']);
  if (Number(removed)) list.push(['removed', plural(removed, 'older file') + ', to keep the folder within its limits']);
  return list;
}

function memoryFacts() {
  const samples = memory && memory.rss_samples;
  if (call) return [];
  const recording = (used) => bytes(used) + ' of ' + bytes(overhead.memory_limit_bytes) + ' used';
  const resident = (m) => some(m.rss_start_bytes) + ' when recording started, ' + bytes(m.rss_bytes) + ' at the end, peak ' + some(m.rss_peak_bytes);
  const list = [['memory for recording', known(overhead.memory_used_bytes, 'losses', recording)], ['resident memory', known(memory, 'memory', resident)]];
  if (samples) list.push(['sampled', 'every ' + count(samples.every_ms) + ' ms, ' + plural(samples.count, 'time') + ': mean ' +
    bytes(samples.mean_bytes) + ', highest ' + bytes(samples.peak_bytes)]);
  return list;
}

function costText(ps) {
  const probing = Number(overhead.gauges_ns) ? ', and ' + time(overhead.gauges_ns) + ' in reading probes' : '';
  const telling = Number(overhead.kept_ns) ? ', and ' + time(overhead.kept_ns) + ' in telling single calls apart' : '';
  return fixed(Number(ps) / 1000, 1) + ' ns a scope when measured at start, ' + plural(allCalls, 'scope') + ': about ' + time(cost) +
    (overhead.subtracted ? ', subtracted from times' : ', included in times') + probing + telling;
}

function clockText({ source, hz, steady }) {
  return (source === null ? 'source unavailable' : source) + (hz === null ? '' : ', ' + count(hz) + ' Hz') +
    (steady ? ', steady' : ', not known to be steady');
}

function facts() {
  const list = [['run', run.name], ...processFacts(), ['taken', known(run.taken_unix_s, 'taken_unix_s', (s) => utc(1000 * s, 19))],
    ['recorded for', known(run.recorded_ns, 'recorded_ns', time)]];
  const threads = ({ recorded, live }) => plural(recorded, 'thread') + ' recorded, ' + count(live) + ' live';
  if (!call) list.push(['threads', known(run.thread_counts, 'thread_counts', threads)]);
  list.push(...lossFacts(), ...memoryFacts(), ['clock', known(clock, 'clock', clockText)],
    ['overhead', known(overhead.scope_ps, 'overhead', costText)], ['written by', 'profcore ' + data.version]);
  return list.flatMap(([name, value]) => [make('dt', null, name), make('dd', null, value)]);
}

function putList(id, names, lines, none) {
  const table = make('table', { class: 'small' }, headings(...names), make('tbody', null, ...lines));
  $(id).append(lines.length ? make('div', { class: 'scroll' }, table) : make('p', { class: 'hint' }, none));
}

function putLists() {
  const value = (c, key) => (c[key] === null ? absent(whyNot(c, 'values') || whyNot(c, 'sum')) : real(c[key]));
  const mean = (c) => (c.sum === null ? value(c, 'sum') : real(c.sum / Number(c.count)));
  const threadLine = (t) => line(t.name, t.tid === null ? '' : String(t.tid), count(t.calls), count(t.lost), count(t.repaired), count(t.unmatched));
  const counterLine = (c) => line(make('span', { title: place(c) }, c.name, make('small', null, ' ' + place(c))),
    count(c.count), value(c, 'last'), mean(c), value(c, 'min'), value(c, 'max'), count(c.not_finite));
  putList('threads', ['thread', 'id', 'calls', 'lost', 'repaired', 'unmatched'], run.threads.map(threadLine),
    'Threads are unavailable: ' + (missing.thread_counts || 'none was recorded'));
  putList('counters', ['counter', 'count', 'last', 'mean', 'min', 'max', 'not finite'], run.counters.map(counterLine), 'The program kept none.');
}

function putRun() {
  const card = (name, value) => make('div', null, make('dt', null, name), make('dd', null, value));
  const from = processes.length ? 'merged from ' + count(processes.length) + ' processes' : processText(run);
  document.title = run.name + ' \u2013 profcore';
  $('title').textContent = run.name;
  $('subtitle').textContent = from + ' \u00b7 ' + (run.taken_unix_s === null ? 'time unavailable' : utc(1000 * run.taken_unix_s, 19));
  $('notes').append(...notes().map((text) => make('li', { class: 'note' }, text)));
  $('cards').append(card('Recorded', run.recorded_ns === null ? absent(missing.recorded_ns) : time(run.recorded_ns)),
    card('Time in functions', time(allSelf)),
    card('Threads', run.thread_counts === null ? absent(missing.thread_counts) : count(run.thread_counts.recorded)),
    card('Functions', count(functions.length)), card('Calls', count(allCalls)), card('Scopes lost', count(losses.lost)),
    card('Overhead', cost === null ? absent(missing.overhead) : make('span', { title: 'about ' + time(cost) }, '\u2248 ' + percent(cost, allSelf))));
  putLists();
  $('run').append(make('dl', { class: 'figures' }, ...facts()));
}

putRun();
putTree();
putTable();
putSlowest();
putSpans();
putGpu();
if (functions.length) choose(listing[0]);
$('more').addEventListener('click', () => { state.rows += 500; putTable(); });
$('search').addEventListener('input', (event) => search(event.target.value));
$('search').addEventListener('keydown', (event) => { if (event.key === 'Escape') search(event.target.value = ''); });
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.matches('input')) return;
  $('search').focus();
  event.preventDefault();
});
