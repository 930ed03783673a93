/* SPDX-License-Identifier: Apache-2.0 */
/* The slowest request, slice by slice, on the threads that it ran on; and spans. */

const { about: request = null, sites = [], tracks = [], slices = [] } = data.slowest || {};
const endOf = ([, , , from, ns]) => Number(from) + Number(ns);
const allOfIt = slices.reduce((latest, slice) => Math.max(latest, endOf(slice)), Math.max(1, request ? Number(request.duration_ns) : 0));
const shownSlices = new WeakMap(), view = { from: 0, to: allOfIt, focus: 0 };
const placeOf = ([name, file, at]) => (file === null ? '' : file + ':' + at);
const functionAt = ([name, file, at]) => functions.find((f) => f.name === name && f.file === file && (f.line === at || file === null));
const firstOf = tracks.map(() => Infinity);
for (const [track, , , from] of slices) firstOf[track] = Math.min(firstOf[track], Number(from));
const trackOrder = tracks.map((track, i) => i).sort((a, b) => firstOf[a] - firstOf[b]);

function linesOfSlice([track, site, , from, ns, isOpen]) {
  return [sites[site][0], placeOf(sites[site]), (Number(ns) || isOpen ? time(ns) : 'a moment') + (isOpen ? ' so far: it had not ended' : ''),
    percent(Number(ns), Number(request.duration_ns)) + ' of the request, from ' + time(from) + ' on', 'on ' + tracks[track][0]];
}

function sliceElement(slice, index, perNs) {
  const [, site, depth, from, ns, isOpen] = slice, start = Math.max(Number(from), view.from), end = Math.min(endOf(slice), view.to);
  const width = (end - start) * perNs, name = sites[site][0], kinds = ['frame', 'slice'];
  if (isOpen) kinds.push('open');
  if (state.query && matchesText(name, placeOf(sites[site]))) kinds.push('match');
  const element = make('div', { class: kinds.join(' '), role: 'img', 'aria-label': name + ', ' + time(ns), tabindex: index === view.focus ? 0 : -1,
    '--hue': hue({ name, file: sites[site][1] }) }, width > 3 ? name : '');
  element.style.left = (start - view.from) * perNs + '%';
  element.style.width = 'max(1px, ' + width + '% - 1px)';
  element.style.top = depth * ROW + 'px';
  shownSlices.set(element, index);
  return element;
}

/* At 0, and at four places more. */
function ticks() {
  const lane = make('div', { class: 'lane ticks', 'aria-hidden': 'true' });
  for (let i = 0; i < 5; i++) {
    const mark = make('span', { class: 'tick' }, time(Math.round(view.from + (view.to - view.from) * i / 5)));
    mark.style.left = 20 * i + '%';
    lane.append(mark);
  }
  return lane;
}

function drawSlowest() {
  const perNs = 100 / (view.to - view.from || 1), lanes = tracks.map(() => []), hadFocus = $('lanes').contains(document.activeElement);
  slices.forEach((slice, i) => { if (Number(slice[3]) <= view.to && endOf(slice) >= view.from) lanes[slice[0]].push(i); });
  $('lanes').replaceChildren(ticks(), ...trackOrder.map((track) => {
    const list = lanes[track];
    const [name, tid] = tracks[track], title = name + (tid ? ' (' + tid + ')' : '');
    const lane = make('div', { class: 'lane' }, make('span', { class: 'of', title }, title), ...list.map((i) => sliceElement(slices[i], i, perNs)));
    lane.style.height = (1 + list.reduce((deepest, i) => Math.max(deepest, slices[i][2]), 0)) * ROW + 2 + 'px';
    return list.length ? lane : null;
  }).filter(Boolean));
  $('all-of-it').hidden = view.from === 0 && view.to === allOfIt;
  if (hadFocus) $('lanes').querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
}

function look(from, to) {
  Object.assign(view, { from, to });
  drawSlowest();
}

function enlarge(index) {
  const slice = slices[index], f = functionAt(sites[slice[1]]);
  view.focus = index;
  if (f) choose(f);
  if (Number(slice[4])) look(Number(slice[3]), endOf(slice));
}

function steerSlices(event) {
  const elements = [...$('lanes').querySelectorAll('.slice')], at = elements.indexOf(event.target), index = shownSlices.get(event.target);
  const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: elements.length - 1 };
  if (at < 0) return;
  if (event.key === 'Enter' || event.key === ' ') enlarge(index);
  else if (event.key === 'Escape') look(0, allOfIt);
  else if (!Object.hasOwn(moves, event.key)) return;
  else {
    const next = elements[Math.max(0, Math.min(elements.length - 1, moves[event.key]))];
    event.target.setAttribute('tabindex', -1);
    next.setAttribute('tabindex', 0);
    view.focus = shownSlices.get(next);
    next.focus();
  }
  event.preventDefault();
}

function watchSlices(lanes) {
  const tellOf = (target, x, y) => tell(linesOfSlice(slices[shownSlices.get(target)]), x, y);
  lanes.addEventListener('click', ({ target }) => shownSlices.has(target) && enlarge(shownSlices.get(target)));
  lanes.addEventListener('keydown', steerSlices);
  lanes.addEventListener('mousemove', (event) => (shownSlices.has(event.target) ? tellOf(event.target, event.clientX, event.clientY) : hide()));
  for (const end of ['scroll', 'mouseleave', 'focusout']) lanes.addEventListener(end, hide);
  lanes.addEventListener('focusin', ({ target }) => {
    const { left, bottom } = target.getBoundingClientRect();
    if (shownSlices.has(target) && target.matches(':focus-visible')) tellOf(target, left, bottom - 12);
  });
  $('all-of-it').addEventListener('click', () => look(0, allOfIt));
}

function putSlowest() {
  if (!request) {
    const why = 'A summary has no single calls, so the slowest request is not here. It is in a page that is made of the run\u2019s .pftrace, ' +
      'or written when the run ends (PROFCORE_FORMATS=html).';
    $('lanes').replaceWith(make('p', { class: 'hint', id: 'no-slowest' }, why));
    return;
  }
  const { request: id, of, duration_ns: ns, start_unix_us: us, left_out: left, lost } = request, name = sites[request.site][0];
  $('which').textContent = (id === null ? name : 'request ' + id + ', ' + name) + ': ' + time(ns) + ', the longest of ' + count(of) +
    (Number(us) ? ', from ' + utc(Number(us) / 1000, 23) + ' on' : '');
  $('about-slowest').textContent = (id === null ? 'No event names a request, so it is the longest call of those there are many of. '
    : 'Left to right is time; what stands below another ran inside it. ') + 'Click to enlarge, arrow keys move.' +
    (Number(left) ? ' The ' + plural(left, 'shortest slice') + ' left out.' : '') +
    (Number(lost) ? ' ' + plural(lost, 'event') + ' of the run were no longer held: some may belong here.' : '');
  watchSlices($('lanes'));
  look(0, allOfIt);
}

/* ---- spans ---- */

function chooseSpan(s) {
  const figures = [['spans', count(s.count)], ['total', time(s.total_ns)], ...SHARES.map(([name], i) => [name, percentile(s, i).cell]),
    ['shortest', extreme(s, 'min_ns').cell], ['longest', extreme(s, 'max_ns').cell]];
  $('span').replaceChildren(make('h2', { '--hue': hue(s) }, make('span', { class: 'swatch' }), s.name),
    make('p', { class: 'hint place' }, place(s) || 'no file'),
    hasHistogram(s) ? histogram(s) : make('p', { class: 'hint' }, 'No histogram of durations: ' + whyNot(s, 'histogram')),
    make('dl', { class: 'figures' }, ...figures.flatMap(([name, value]) => [make('dt', null, name), make('dd', null, value)])));
}

function putSpans() {
  const lineOf = (s) => line(make('button', { type: 'button', class: 'name', title: s.name + ' ' + place(s), '--hue': hue(s), click: () => chooseSpan(s) },
    make('span', { class: 'swatch' }), s.name, make('small', null, ' ' + place(s))), count(s.count), time(s.total_ns),
    ...SHARES.map((share, i) => percentile(s, i).cell), extreme(s, 'max_ns').cell, sparkline(s));
  if (!spans.length) {
    $('spans').remove();
    return;
  }
  const sorted = [...spans].sort((a, b) => Number(b.total_ns) - Number(a.total_ns));
  $('span-table').append(make('table', { class: 'small' }, headings('span', 'count', 'total', ...SHARES.map(([name]) => name), 'longest', 'durations'),
    make('tbody', null, ...sorted.map(lineOf))));
  chooseSpan(sorted[0]);
}
