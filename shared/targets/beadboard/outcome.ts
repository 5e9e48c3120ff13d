import * as z from 'zod';

import { JOB_ID } from '../../beads/rows/notes.ts';
import type { DispatchOutcome } from '../target.ts';
import type { HttpAnswer } from '../../runtime/http.ts';
import { parseJson } from '../../runtime/json.ts';
import { quoted } from '../../runtime/quote.ts';

const accepted = z.object({ job_id: z.string().regex(JOB_ID) });
/** FastAPI's `detail` may be text or a list of problems; BeadBoard passes it on as it is. */
const refused = z.object({ error: z.union([z.string().min(1), z.array(z.unknown()).min(1)]) });

/** Whoever stands in between gave up waiting; the request may have been carried out. */
const DOUBTFUL: ReadonlySet<number> = new Set([408, 425, 499, 503, 504]);
const FIRST_SERVER_ERROR = 500;

/**
 * The errors of BeadBoard that are no refusal (its src/app/api/agent-dispatch/route.ts): the agent
 * service took the request and named no job, or `fetch` threw, which Node words in these ways
 * whether or not the request had been sent. All others repeat a refusal of the agent service, its
 * 429 `Queue full` among them; but one of its own 5xx may have come after it had queued the job.
 */
const NO_REFUSAL = [
  /missing job_id/i,
  /fetch failed/i,
  /failed to reach/i,
  /terminated|aborted|other side closed|socket|network|time[d ]?-? ?out/i,
  /HTTP (408|5\d\d)\b/,
];
/** The statuses under which BeadBoard says that there was no room, and its words. */
const BUSY_STATUS: ReadonlySet<number> = new Set([409, 502]);
const BUSY = /agent is busy|queue full/i;

/**
 * @param answer BeadBoard's answer to `POST /api/agent-dispatch`. Of its body only the field
 *   `error` is repeated: everything else may be the page of a proxy.
 */
export function outcomeOf({ status, body }: HttpAnswer): DispatchOutcome {
  const json = parseJson(body);
  if (status >= 200 && status < 300) {
    const parsed = accepted.safeParse(json);
    return parsed.success
      ? { kind: 'accepted', jobId: parsed.data.job_id }
      : unclear(`HTTP ${status} without a job id`);
  }
  const parsed = refused.safeParse(json);
  const error = parsed.success ? textOf(parsed.data.error) : undefined;
  const words = error === undefined ? NOT_BEADBOARD : quoted(error);
  if (!isRefusal(status, error)) return unclear(`HTTP ${status}: ${words}`);
  const isBusy = BUSY_STATUS.has(status) && error !== undefined && BUSY.test(error);
  return { kind: 'refused', reason: isBusy ? 'busy' : 'refused', words, httpStatus: status };
}

const NOT_BEADBOARD = 'the answer is not one of BeadBoard';
const textOf = (error: string | unknown[]) =>
  typeof error === 'string' ? error : JSON.stringify(error);

function unclear(words: string): DispatchOutcome {
  return { kind: 'unknown', reason: 'unclear-answer', words };
}

/**
 * A server error is a refusal only in BeadBoard's own words; whoever answers 3xx or 4xx has done
 * nothing.
 */
function isRefusal(status: number, error: string | undefined): boolean {
  if (DOUBTFUL.has(status)) return false;
  if (status < FIRST_SERVER_ERROR) return true;
  return error !== undefined && !NO_REFUSAL.some((pattern) => pattern.test(error));
}
