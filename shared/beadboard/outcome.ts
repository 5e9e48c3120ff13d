import * as z from 'zod';

import { BUSY_NOTE, failedNote } from '../beads/notes.ts';
import type { Doubt, Failure } from '../beads/transitions.ts';
import type { HttpAnswer } from '../http.ts';
import { parseJson } from '../json.ts';

/**
 * What a POST to BeadBoard came to. Only `refused` may give a bead back: everything that leaves a
 * doubt is `unknown`, because BeadBoard starts a second job when it is asked a second time.
 */
export type DispatchOutcome =
  | { kind: 'accepted'; jobId: string }
  | ({ kind: 'refused' } & Failure)
  | ({ kind: 'unknown' } & Doubt);

/** An id becomes part of notes and addresses, so that nothing else passes for one. */
const accepted = z.object({ job_id: z.string().regex(/^[\w.-]{1,128}$/) });
/** FastAPI's `detail` may be text or a list of problems; BeadBoard passes it on as it is. */
const refused = z.object({ error: z.union([z.string().min(1), z.array(z.unknown()).min(1)]) });

/** The gateway to the agent service failed, so that BeadBoard's own words decide. */
const BAD_GATEWAY = 502;
/** A proxy gave up waiting (408, 504), or a connection broke under a proxy (503). */
const DOUBTFUL: ReadonlySet<number> = new Set([408, 503, 504]);

/**
 * The 502 answers of BeadBoard that are no refusal (its src/app/api/agent-dispatch/route.ts): the
 * agent service took the request and named no job, or `fetch` threw, which Node words in these ways
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

/** @param answer BeadBoard's answer to `POST /api/agent-dispatch`. */
export function outcomeOf({ status, body }: HttpAnswer): DispatchOutcome {
  if (status >= 200 && status < 300) {
    const parsed = accepted.safeParse(parseJson(body));
    return parsed.success
      ? { kind: 'accepted', jobId: parsed.data.job_id }
      : unclear(`HTTP ${status} without a job id: ${body}`);
  }
  if (isRefusal(status, body)) {
    const reason = BUSY_NOTE.test(failedNote(body, status)) ? 'busy' : 'refused';
    return { kind: 'refused', reason, words: body, httpStatus: status };
  }
  return unclear(`HTTP ${status}: ${body}`);
}

function unclear(words: string): DispatchOutcome {
  return { kind: 'unknown', reason: 'unclear-answer', words };
}

function isRefusal(status: number, body: string): boolean {
  if (DOUBTFUL.has(status)) return false;
  if (status !== BAD_GATEWAY) return status <= 500;
  const parsed = refused.safeParse(parseJson(body));
  return parsed.success && !NO_REFUSAL.some((pattern) => pattern.test(String(parsed.data.error)));
}
