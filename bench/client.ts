import { Agent, request } from 'node:http';

import { pingHeaders } from '../test/world/function.ts';

/** As a PingSource or a broker: connections are kept, the answer is waited for. */
const kept = new Agent({ keepAlive: true });

/**
 * Sends one tick to a function.
 * @param agent for connections; kept ones by default.
 * @returns the HTTP status of the answer.
 * @throws when there is no answer.
 */
export async function send(url: string, agent: Agent | false = kept): Promise<number> {
  const headers = pingHeaders('dispatch');
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, agent }, (response) => {
      response.resume().once('end', () => {
        resolve(response.statusCode ?? 0);
      });
    });
    sent.once('error', reject).end();
  });
}

/** The same. @throws when the answer is not 204, too. */
export async function tick(url: string, agent: Agent | false = kept): Promise<void> {
  const status = await send(url, agent);
  if (status !== 204) throw new Error(`${url} answered ${status}`);
}
