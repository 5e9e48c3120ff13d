"""Reads HTTP messages from stdin, one JSON object with headers and body a line, with the CloudEvents
SDK for Python, and prints each as the event that it made of it. Any warning is an error."""

import json
import sys
import warnings

warnings.simplefilter("error")

from cloudevents.core.bindings.http import HTTPMessage, from_http_event  # noqa: E402

for line in sys.stdin:
    message = json.loads(line)
    event = from_http_event(HTTPMessage(message["headers"], message["body"].encode()))
    print(json.dumps({**event.get_attributes(), "data": event.get_data()}, default=str))
