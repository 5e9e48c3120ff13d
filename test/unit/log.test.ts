import { describe, expect, it } from 'vitest';

import { createLog } from '../../shared/runtime/log.ts';
import { oneLine } from '../../shared/runtime/quote.ts';

/** Values that no line has. */
const UNUSED = {
  AGENT_SERVICE_TOKEN: 'not-in-any-line-1',
  BEADS_DOLT_PASSWORD: 'not-in-any-line-2',
};

function logged(
  entry: object,
  message = 'hello',
  secrets: Record<string, string> = UNUSED,
): string {
  const written: string[] = [];
  const log = createLog('x', { level: 'info', secrets }, { write: (line) => written.push(line) });
  log.info(entry, message);
  return written.join('');
}

describe('the log', () => {
  it.each([
    { password: 'hunter2' },
    { headers: { authorization: 'Bearer hunter2' } },
    { settings: { agent: { token: 'hunter2' } } },
    { AGENT_SERVICE_TOKEN: 'hunter2' },
    { env: { BEADS_DOLT_PASSWORD: 'hunter2' } },
    { answer: { body: 'the prompt: hunter2' } },
    { bead: { description: 'hunter2', id: 'code-a1' } },
  ])('the log hides what must not be printed: %j', (entry) => {
    expect(logged(entry)).not.toContain('hunter2');
    expect(logged(entry)).toContain('[hidden]');
  });

  it('the log hides the value of a secret everywhere and stays valid JSON', () => {
    const secret = 'hun"ter\\2';
    const line = logged({ error: { message: `refused ${secret}` } }, `with ${secret}`, {
      A: secret,
    });
    expect(JSON.parse(line)).toMatchObject({
      error: { message: 'refused [hidden]' },
      msg: 'with [hidden]',
    });
  });

  it('the log shows ids and titles', () => {
    expect(logged({ bead: { id: 'code-a1', title: 'A bead' } })).toContain('A bead');
  });
});

describe('what a note quotes', () => {
  it.each([
    ['{"error":"no"}', '{"error":"no"}'],
    ['Invalid token', 'Invalid token'],
    ['Authorization: Bearer abc.def said no', 'Authorization: Bearer [secret] said no'],
    ['{"token":"abc","x":1}', '{"token":"[secret]","x":1}'],
    ['GET /x?api_key=abc&y=1', 'GET /x?api_key=[secret]&y=1'],
    ['password = hunter2', 'password = [secret]'],
  ])('a note quotes text without its secrets: %s', (text, quoted) => {
    expect(oneLine(text)).toBe(quoted);
  });
});
