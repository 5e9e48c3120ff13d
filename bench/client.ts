import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';

/** As a PingSource or a broker: connections are kept, the answer is waited for. */
const kept = new Agent({ keepAlive: true });

/**
 * Sends one tick to a function.
 * @param agent for connections; kept ones by default.
 * @throws when there is no answer, or another one than 204.
 */
export async function tick(url: string, agent: Agent | false = kept): Promise<void> {
  const headers = {
    'ce-specversion': '1.0',
    'ce-type': 'dev.knative.sources.ping',
    'ce-source': '/apis/v1/namespaces/beads/pingsources/dispatch',
    'ce-id': randomUUID(),
  };
  await new Promise<void>((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, agent }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 204) resolve();
        else reject(new Error(`${url} answered ${response.statusCode}`));
      });
    });
    sent.once('error', reject).end();
  });
}
