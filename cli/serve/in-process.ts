import * as z from 'zod';

import { typeOf } from '../../shared/events/event-types.ts';
import type { Delivery } from '../../shared/events/sink.ts';
import { describeError } from '../../shared/runtime/errors.ts';
import { parseJson } from '../../shared/runtime/json.ts';
import { traceOf } from '../../shared/runtime/trace.ts';
import type { TickRunner } from '../../shared/tick/tick-runner.ts';

const wakeUp = z.object({ type: z.string(), traceparent: z.string().optional() });

/** Takes the watcher's wake-ups to the functions of this process, in place of a broker. */
export class InProcess {
  readonly #byType: ReadonlyMap<string, TickRunner>;

  constructor({ dispatch, reap }: { dispatch: TickRunner; reap: TickRunner }) {
    this.#byType = new Map([
      [typeOf('dispatch.due.v1'), dispatch],
      [typeOf('reap.due.v1'), reap],
    ]);
  }

  /** Answers when the tick has ended, as a broker does; never throws. */
  async deliver(event: string): Promise<Delivery> {
    const { type, traceparent } = wakeUp.parse(parseJson(event));
    try {
      await this.#byType.get(type)?.run(traceOf(traceparent), type);
      return { kind: 'taken' };
    } catch (error) {
      return { kind: 'away', problem: describeError(error).message };
    }
  }
}
