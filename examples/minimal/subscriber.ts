// The smallest subscriber: node subscriber.ts. Prints each event once.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

const REMEMBERED = 10_000;
const seen = new Set<string>();

createServer((request, response) => {
  void (async () => {
    const { 'ce-id': id, 'ce-type': type, 'ce-subject': subject } = request.headers;
    const body = await text(request);
    if (typeof id !== 'string' || typeof type !== 'string') {
      // 400 is not repeated by a broker: what is no event never will be one.
      response.writeHead(400).end();
      return;
    }
    // An event comes at least once; it has the same id each time.
    if (!seen.has(id)) {
      if (seen.size >= REMEMBERED) seen.clear();
      console.log(String(subject), type, body);
      seen.add(id);
    }
    // No body: a broker would take one for an event of ours.
    response.writeHead(204).end();
  })();
}).listen(Number(process.env['PORT'] ?? 8080), () => console.log('listening'));
