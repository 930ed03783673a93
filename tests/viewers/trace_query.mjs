// SPDX-License-Identifier: Apache-2.0
// Asks Perfetto's trace_processor, compiled to WebAssembly, about a trace.
//
//     node trace_query.mjs ENGINE-FOLDER TRACE SQL...
//
// Prints one JSON array of rows for each query, on a line of its own; exit
// status 1 when a query fails.  The engine is made for browser workers: what
// it expects of one is put in place here.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';

const [folder, trace, ...queries] = process.argv.slice(2);
const CHUNK = 1 << 25;

// What a worker has.
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = function () {};
const location = { href: pathToFileURL(path.resolve(folder)).href + '/' };
Object.defineProperty(globalThis, 'location', { value: location, configurable: true });
for (const level of ['log', 'info', 'warn']) console[level] = () => {}; // progress, and what it misses of a browser

// The 32-bit engine, with its program given instead of fetched, and its door kept for us.
const changes = [
  ['this.useMemory64 = hasMemory64Support();', 'this.useMemory64 = false;'],
  ['locateFile: (s) => s,', 'locateFile: (s) => s, wasmBinary: globalThis.wasmProgram,'],
  ['const wasmBridge = new wasm_bridge_1.WasmBridge();',
   'const wasmBridge = new wasm_bridge_1.WasmBridge(); globalThis.wasmBridge = wasmBridge;'],
];
globalThis.wasmProgram = new Uint8Array(fs.readFileSync(path.join(folder, 'trace_processor.wasm')));
let source = fs.readFileSync(path.join(folder, 'engine_bundle.node.js'), 'utf8');
for (const [from, to] of changes) {
  if (!source.includes(from)) throw new Error(`this is another engine: it has no "${from}"`);
  source = source.replace(from, to);
}
vm.runInThisContext(source, { filename: 'engine_bundle.js' });
const bridge = globalThis.wasmBridge;
while (!bridge.reqBufferAddr) await new Promise((resolve) => setTimeout(resolve, 5)); // until it has started

const { EngineBase } = await import(pathToFileURL(path.resolve(folder, 'engine.mjs')).href);
class Engine extends EngineBase {
  constructor() {
    super();
    this.mode = 'WASM';
    this.id = 'trace_query';
    bridge.messagePort = { postMessage: (data) => this.onRpcResponseBytes(data) };
  }
  rpcSendRequestBytes(data) {
    bridge.onMessage({ data });
  }
}

const engine = new Engine();
const bytes = new Uint8Array(fs.readFileSync(trace));
for (let at = 0; at < bytes.length; at += CHUNK) await engine.parse(bytes.subarray(at, at + CHUNK));
await engine.notifyEof();

const plain = (value) => (typeof value === 'bigint' ? Number(value) : value);
for (const query of queries) {
  const result = await engine.query(query);
  const failure = result.error?.();
  if (failure) {
    console.error(failure);
    process.exitCode = 1;
    continue;
  }
  const columns = result.columns();
  const rows = [];
  for (const row = result.iter({}); row.valid(); row.next())
    rows.push(Object.fromEntries(columns.map((column) => [column, plain(row.get(column))])));
  fs.writeSync(1, JSON.stringify(rows) + '\n');
}
process.exit();
