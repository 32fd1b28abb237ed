// Server-sent events over fetch, which unlike EventSource can send the token; resumes where it broke off.

import { request } from "./api.js";

const SILENCE_MS = 25_000; // the server says something every 10 s
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 5_000;

/** The events of one connection, until it ends. Raises ApiError or a TypeError when it breaks. */
export async function* read(path, { after, signal, opened } = {}) {
  const own = new AbortController();
  const stop = () => own.abort();
  signal?.addEventListener("abort", stop, { once: true });
  let alarm = setTimeout(stop, SILENCE_MS);
  try {
    const headers = { Accept: "text/event-stream", ...(after ? { "Last-Event-ID": String(after) } : {}) };
    const response = await request(path, { headers, signal: own.signal });
    opened?.();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(alarm);
      alarm = setTimeout(stop, SILENCE_MS);
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    clearTimeout(alarm);
    signal?.removeEventListener("abort", stop);
    own.abort();
  }
}

/** The document in the data lines of a block; null for comments and for what is not JSON. */
export function parse(block) {
  const lines = block.split("\n").filter((line) => line.startsWith("data:"));
  if (!lines.length) return null;
  try {
    return JSON.parse(lines.map((line) => line.slice(5).trimStart()).join("\n"));
  } catch {
    return null;
  }
}

/**
 * Follow a stream for as long as the page lives. `onLink` hears "live" and "lost".
 * @returns a function that ends it
 */
export function follow(path, { onEvent, onLink }) {
  const ended = new AbortController();
  run(path, { onEvent, onLink, signal: ended.signal });
  return () => ended.abort();
}

async function run(path, { onEvent, onLink, signal }) {
  let after = null, wait = FIRST_WAIT_MS;
  const opened = () => {
    wait = FIRST_WAIT_MS;
    onLink("live");
  };
  while (!signal.aborted) {
    try {
      for await (const event of read(path, { after, signal, opened })) {
        after = event.seq ?? after;
        onEvent(event);
      }
    } catch (error) {
      if (error.status === 401) return;
    }
    if (signal.aborted) return;
    onLink("lost");
    await pause(wait * (0.75 + Math.random() / 2), signal);
    wait = Math.min(LONGEST_WAIT_MS, wait * 2);
  }
}

/** Wait, or less when the browser says that the network is back. */
function pause(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(end, ms);
    function end() {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      done();
    }
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
