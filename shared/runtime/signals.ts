/**
 * Keeps the process alive while a tick runs. The functions-framework ends it at once on SIGTERM and
 * SIGINT, and answers 500, which would cut a tick off between a POST and the record of its outcome.
 * Here the signal waits for the running ticks, which take no new bead, and then does what it did.
 */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT'];

let running = 0;
let held: NodeJS.Signals | undefined;
let listeners: { signal: NodeJS.Signals; listener: NodeJS.SignalsListener }[] = [];

/** Whether the process has been told to end; a tick then takes no new bead. */
export const isStopping = (): boolean => held !== undefined;

/** Runs `work` to its end, whatever signal comes meanwhile. */
export async function holdSignals<T>(work: () => Promise<T>): Promise<T> {
  if (running === 0) takeOver();
  running += 1;
  try {
    return await work();
  } finally {
    running -= 1;
    if (running === 0) handBack();
  }
}

function hold(signal: NodeJS.Signals): void {
  held = signal;
}

/**
 * Our listener comes first and stays for good: were there none for a moment, Node would let go of
 * the signal, and lose one that is already on its way.
 */
function takeOver(): void {
  for (const signal of SIGNALS) {
    if (!process.listeners(signal).includes(hold)) process.on(signal, hold);
    for (const listener of process.listeners(signal)) {
      if (listener === hold) continue;
      listeners.push({ signal, listener });
      process.off(signal, listener);
    }
  }
}

function handBack(): void {
  for (const { signal, listener } of listeners) process.on(signal, listener);
  listeners = [];
  // The answer goes out first.
  if (held !== undefined) setImmediate(() => process.kill(process.pid, held));
}
