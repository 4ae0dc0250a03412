"""Judges lifecycle events with libraries of the outside: the CloudEvents SDK and the Standard Webhooks library.

Reads one JSON document a line on standard input: `how` (`http`, `kafka` or `json`), `headers`, `body`, and for a signed
webhook `secret`. Writes what the SDK understood of each, one JSON document a line. The first that is not valid ends it.
"""

import json
import sys

from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import http as strict_http
from cloudevents.v1 import kafka as strict_kafka
from standardwebhooks import Webhook

STRUCTURED = "application/cloudevents"


def judged(case):
    """The event of one delivery, as the SDK reads it."""
    headers, body = case.get("headers", {}), case["body"].encode()
    if "secret" in case:
        # Also what makes it a Standard Webhook: id, time and signature are there, and the time is now.
        Webhook(case["secret"]).verify(body, headers)
        try:
            Webhook(case["secret"]).verify(body + b" ", headers)
        except Exception:  # noqa: BLE001 - any refusal will do
            pass
        else:
            raise ValueError("the signature covers nothing")
    # The SDK has two readers: the older one insists on the required attributes, the newer one checks their values.
    structured = headers.get("content-type", "").startswith(STRUCTURED)
    if case["how"] == "http":
        strict_http.from_http(headers, body)
        return http.from_http(http.HTTPMessage(headers=headers, body=body), JSONFormat(), CloudEvent)
    if case["how"] == "kafka":
        as_bytes = {name: value.encode() for name, value in headers.items()}
        strict = strict_kafka.from_structured if structured else strict_kafka.from_binary
        strict(strict_kafka.KafkaMessage(headers=as_bytes, key=case.get("key"), value=body))
        message = kafka.KafkaMessage(headers=as_bytes, key=case.get("key"), value=body)
        return kafka.from_kafka(message, JSONFormat(), CloudEvent)
    strict_http.from_json(body)
    return JSONFormat().read(CloudEvent, body)


def main():
    for line in sys.stdin:
        case = json.loads(line)
        event = judged(case)
        attributes = {name: str(value) for name, value in event.get_attributes().items()}
        data = event.get_data()
        if isinstance(data, (bytes, str)):
            data = json.loads(data)
        print(json.dumps({"attributes": attributes, "data": data}))


if __name__ == "__main__":
    main()
