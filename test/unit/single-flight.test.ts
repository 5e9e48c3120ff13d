import { describe, expect, it } from 'vitest';

import { SingleFlight } from '../../shared/runtime/single-flight.ts';

describe('one at a time', () => {
  it('runs follow one another, and all waiting callers share the next run', async () => {
    const ticks = new SingleFlight<string>();
    const runs: string[] = [];
    let running = 0;
    const gates = new Map<string, PromiseWithResolvers<void>>();
    const work = (name: string) => async () => {
      running += 1;
      expect(running).toBe(1);
      runs.push(name);
      const gate = Promise.withResolvers<void>();
      gates.set(name, gate);
      await gate.promise;
      running -= 1;
      return name;
    };
    const first = ticks.run(work('first'));
    const waiting = [ticks.run(work('second')), ticks.run(work('third'))];
    expect(runs).toEqual(['first']);

    gates.get('first')?.resolve();
    expect(await first).toBe('first');
    await new Promise(setImmediate);
    gates.get('second')?.resolve();
    expect(await Promise.all(waiting)).toEqual(['second', 'second']);
    expect(runs).toEqual(['first', 'second']);
  });

  it('the next run starts after a failed one, whose error only its own callers get', async () => {
    const ticks = new SingleFlight<string>();
    const failing = ticks.run(async () => {
      await new Promise(setImmediate);
      throw new Error('no');
    });
    const next = ticks.run(async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
    expect(await ticks.run(async () => 'again')).toBe('again');
  });
});
