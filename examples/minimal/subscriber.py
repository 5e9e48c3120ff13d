# The smallest subscriber: python3 subscriber.py. Prints each event once.
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REMEMBERED = 10_000
seen: set[str] = set()


class Subscriber(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        event_id, event_type = self.headers.get("ce-id"), self.headers.get("ce-type")
        if event_id is None or event_type is None:
            # 400 is not repeated by a broker: what is no event never will be one.
            return self.answer(400)
        # An event comes at least once; it has the same id each time.
        if event_id not in seen:
            if len(seen) >= REMEMBERED:
                seen.clear()
            print(self.headers.get("ce-subject"), event_type, body, flush=True)
            seen.add(event_id)
        # No body: a broker would take one for an event of ours.
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Subscriber)
print("listening", flush=True)
server.serve_forever()
