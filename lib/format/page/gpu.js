/* SPDX-License-Identifier: Apache-2.0 */
/* GPU work, the memory that all threads share, and utilisation: for runs that have any of them. */

const gpu = run.gpu || null, pools = run.pools || [], utilization = run.utilization || null;
const isTraced = gpu !== null && gpu.kernels !== undefined;

/* A pool of which nothing was ever told: its probes and itself are not worth a line.  Why one that is awaited is not there is. */
const isIdle = (pool) => !pool.reason && ![pool.changes, pool.retries, pool.exhausted].some(Number);
const isTold = (probe) => !pools.some((pool) => isIdle(pool) && probe.name.startsWith(pool.name + '.'));

/* What marks a figure of GPU work: a bound, an estimate, or both bounds, which is neither. */
function bound({ is_lower_bound: isLower, is_upper_bound: isUpper, is_estimate: isEstimate }) {
  if (isEstimate || (isLower && isUpper)) return '\u2248 ';
  return isLower ? '\u2265 ' : isUpper ? '\u2264 ' : '';
}

function interval(work) {
  if (!work.is_estimate) return null;
  return 'an estimate, \u00b1 ' + (work.busy_interval_ns == null ? 'unknown' : time(work.busy_interval_ns)) + ' (95 %)';
}

function gpuTime(f, key) {
  if (!f.gpu || f.gpu[key] === undefined) return { value: NaN, cell: '' };
  return { value: Number(f.gpu[key]), cell: bound(f.gpu) + time(f.gpu[key]), title: interval(f.gpu) || exactly(f.gpu[key]) };
}

function gpuCount(f, key, show) {
  if (!f.gpu || f.gpu[key] === undefined) return { value: NaN, cell: '' };
  return { value: Number(f.gpu[key]), cell: show(f.gpu[key]), title: count(f.gpu[key]) };
}

const gpuColumns = () => (functions.some((f) => f.gpu) ? [
  { name: 'GPU busy', hint: 'while any work ran that the function and what it called launched; overlaps count once', get: (f) => gpuTime(f, 'busy_ns') },
  { name: 'GPU self', hint: 'the same, of what the function launched itself', get: (f) => gpuTime(f, 'self_busy_ns') },
  { name: 'kernels', hint: 'that ran for it', get: (f) => gpuCount(f, 'kernels', count) },
  { name: 'copied', hint: 'bytes, to, from and on GPUs', get: (f) => gpuCount(f, 'copied_bytes', bytes) },
] : []);

/* How long its work goes on, on average, when its calls have ended. */
function afterEnd(f) {
  const calls = Number(f.primitive_calls) - Number(f.open_calls), ended = Number(f.cumulative_ns) - Number(f.open_ns);
  return Number(f.gpu.calls) > 0 && calls > 0 ? Number(f.gpu.done_ns) / Number(f.gpu.calls) - ended / calls : 0;
}

function gpuFigures(f) {
  if (!f.gpu) return [];
  const work = f.gpu, launches = Number(work.launches), after = afterEnd(f), marked = (ns) => make('span', { title: interval(work) }, bound(work) + time(ns));
  if (work.kernels === undefined) return [['GPU busy', marked(work.busy_ns)], ['its end', 'waits for the GPU']];
  const list = [['GPU busy', marked(work.busy_ns)], ['GPU self', marked(work.self_busy_ns)], ['kernels', count(work.kernels) + ', ' + time(work.kernel_ns)],
    ['copies', count(work.copies) + ', ' + bytes(work.copied_bytes) + ', ' + time(work.copy_ns)]];
  if (Number(work.sets)) list.push(['sets', count(work.sets) + ', ' + time(work.set_ns)]);
  if (launches) list.push(['queued', time(Number(work.queue_ns) / launches) + ' on average, ' + time(work.queue_max_ns) + ' at most']);
  if (Number(work.waits)) list.push(['waits for GPU', count(work.waits) + ', ' + time(work.wait_ns)]);
  if (work.is_waited) list.push(['its end', 'waits for the GPU']);
  else if (after > 0) list.push(['work after end', time(after) + ' on average']);
  return list;
}

/* Of a call path, with what lies below it. */
const workByPath = new Map((run.gpu_paths || []).map((work) => [Number(work.path), work]));
function gpuLine(path) {
  const work = workByPath.get(path);
  return work ? 'GPU busy ' + bound(work) + time(work.busy_ns || 0) + ', ' + plural(work.kernels || 0, 'kernel') : '';
}

/* ---- of the run ---- */

function gpuText() {
  if (!isTraced) return 'GPU time unavailable: ' + gpu.reason;
  const list = ['busy for ' + bound(gpu) + time(gpu.busy_ns) + ' of ' + time(gpu.elapsed_ns), plural(gpu.kernels, 'kernel') + ', ' +
    count(gpu.copies) + ' copies, ' + plural(gpu.sets, 'set')];
  if (gpu.is_estimate) list.push('traced for ' + time(gpu.traced_ns) + ' of that, to keep the budget: sums are estimates (\u2248)');
  if (Number(gpu.unattributed)) list.push(count(gpu.unattributed) + ' launched outside of scopes, or too long before');
  if (Number(gpu.cut)) list.push(plural(gpu.cut, 'launch').replace(/launchs$/, 'launches') + ' inside more than 32 functions');
  if (Number(gpu.lost)) list.push(count(gpu.lost) + ' more lost, without room or times for them or to another tool');
  list.push('tracing took ' + time(gpu.cost_ns) + ' of the processors, and ' + time(gpu.begin_ns) + ' to begin');
  if (gpu.status === 'unavailable') list.push('not traced any more: ' + gpu.reason);
  return list.join('; ');
}

function poolLine(pool) {
  if (pool.reason) return line(pool.name, absent(pool.reason), '', '', '', '', '', '');
  const some = (value) => (value === null ? absent(whyNot(pool, 'values') || 'what was told of it has gaps') : bytes(value));
  const sites = pool.exhaustions.map(({ bytes: wanted, path }) => bytes(wanted) + ' in ' + (path || '(outside all scopes)')).join('\n');
  const since = pool.has_ended ? 'allocated while GPU work was traced, as of its end' : pool.is_traced ? 'allocated since GPU tracing began' : null;
  return line(make('span', { title: since }, pool.name), some(pool.allocated_bytes), some(pool.reserved_bytes), (pool.peak_is_bound ? '\u2265 ' : '') + bytes(pool.allocated_peak_bytes),
    bytes(pool.reserved_peak_bytes), pool.allocated_mark_bytes === null ? '' : bytes(pool.allocated_mark_bytes), count(pool.retries),
    make('span', { title: sites || null }, count(pool.exhausted)));
}

function usageLine(row) {
  const show = (value) => (row.unit === 'bytes' ? bytes(value) : fixed(value, 1) + ' ' + row.unit);
  const some = (value) => (value === null ? absent(whyNot(row, 'values')) : show(value));
  return line(make('span', { title: row.of }, row.name, make('small', null, ' ' + row.of)), count(row.samples), some(row.mean), some(row.max),
    row.limit === null ? '' : show(row.limit));
}

function putBlock(title, names, lines) {
  const table = make('table', { class: 'small' }, headings(...names), make('tbody', null, ...lines));
  $('gpu').append(make('h3', null, title), make('div', { class: 'scroll' }, table));
}

function putGpu() {
  const isShown = gpu !== null && (isTraced || gpu.status === 'unavailable'), used = pools.filter((pool) => !isIdle(pool));
  const rows = utilization ? utilization.rows : [];
  if (isShown) $('gpu').append(make('p', { id: 'gpu-work' }, gpuText()));
  if (used.length) putBlock('Memory that all threads share',
    ['pool', 'now', 'reserved', 'peak', 'peak reserved', 'at prof_memory_mark()', 'retries', 'out of memory'], used.map(poolLine));
  if (rows.length) putBlock('Utilization, mean and highest of the samples', ['of', 'samples', 'mean', 'highest', 'limit'], rows.map(usageLine));
  if (!isShown && !used.length && !rows.length) $('gpu').remove();
}
