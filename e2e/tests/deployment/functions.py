"""Stands in for the functions' program: every step is done at once, but that a kitchen is told of the order and waited
for. What it has to remember it keeps beside the emulator's own files; what it may do its roles say."""

import base64
import json
import os
import pathlib
import tempfile
import time
import urllib.request

KEPT = pathlib.Path(tempfile.gettempdir(), "token")


def client(service):
    import boto3  # Slow, and most functions need none.

    return boto3.client(service)


def prepare(event):
    order = event["order"]
    topic = "comanda/{installation}/{tenant}/centro/kitchen/{orderId}/prepare".format(**order)
    command = {"command": "prepare", "commandId": "c-1", "seq": 1, "orderId": order["orderId"], "items": []}
    client("iot-data").publish(topic=topic, qos=1, payload=json.dumps(command))
    return {"result": "Waiting", "phase": "Preparing", "seconds": 600}


def answer(event, handler):
    if handler == "await":
        # Under its name at once whole.
        made = KEPT.with_suffix(".new")
        made.write_text(event["token"])
        made.rename(KEPT)
        return {}
    if handler == "device-ack":
        if json.loads(base64.b64decode(event["payload"]))["event"] == "ready":
            while not KEPT.exists():
                time.sleep(0.05)
            client("stepfunctions").send_task_success(taskToken=KEPT.read_text(), output="{}")
        return {}
    if event["step"] == "RequestPreparation" and not KEPT.exists():
        return prepare(event)
    return {"result": "Done", "phase": "Delivered"}


# Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(API + "next") as call:
        request, event = call.headers["Lambda-Runtime-Aws-Request-Id"], json.load(call)
    try:
        said, way = answer(event, os.environ["_HANDLER"]), "/response"
    except Exception as error:
        said, way = {"errorType": type(error).__name__, "errorMessage": str(error)}, "/error"
    urllib.request.urlopen(API + request + way, json.dumps(said).encode()).close()
