"""What AWS does, Step Functions above all, and the emulator only as it is corrected: `src/stack/aws` has the pages.

AWS_ENDPOINT_URL says where the emulator is.
"""

import io
import json
import os
import tempfile
import time
import unittest
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

OPTIONS = Config(retries={"max_attempts": 0}, parameter_validation=False)
STATES = boto3.client("stepfunctions", config=OPTIONS)
SQS = boto3.client("sqs", config=OPTIONS)
ROLE = "arn:aws:iam::000000000000:role/any"
ENDS = SQS.create_queue(QueueName="ends")["QueueUrl"]
CALLS = os.path.join(tempfile.mkdtemp(), "calls")

# Notes each call, and fails as long as the test asks for.
HANDLER = """
import json

def handle(event, context):
    with open(event["calls"], "a") as calls:
        print(json.dumps(event), file=calls)
    if event["attempt"] < event["fails"]:
        raise ValueError("no")
    return {}
"""

# The same as a process of its own, which speaks the Runtime API as our functions do, and where it fails is killed.
BOOTSTRAP = """#!/usr/bin/env python3
import json, os, signal
from urllib.request import Request, urlopen

runtime = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urlopen(runtime + "next") as called:
        request, event = called.headers["Lambda-Runtime-Aws-Request-Id"], json.load(called)
    with open(event["calls"], "a") as calls:
        print(json.dumps({**event, "process": os.getpid()}), file=calls)
    if event["attempt"] < event["fails"]:
        os.kill(os.getpid(), signal.SIGKILL)
    urlopen(Request(runtime + request + "/response", b"{}"))
"""


def setUpModule():
    functions = boto3.client("lambda", config=OPTIONS)
    for name, runtime, file, text in [
        ("step", "python3.12", "step.py", HANDLER),
        ("process", "provided.al2023", "bootstrap", BOOTSTRAP),
    ]:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr(file, text)
        functions.create_function(
            FunctionName=name, Runtime=runtime, Handler="step.handle", Role=ROLE, Timeout=30,
            Code={"ZipFile": code.getvalue()},
        )
    events = boto3.client("events", config=OPTIONS)
    statuses = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
    events.put_rule(Name="ends", EventPattern=json.dumps({"source": ["aws.states"], "detail": {"status": statuses}}))
    queue = "arn:aws:sqs:" + os.environ["AWS_REGION"] + ":000000000000:ends"
    events.put_targets(Rule="ends", Targets=[{"Id": "1", "Arn": queue}])


def machine(state, **more):
    machine.number = getattr(machine, "number", 0) + 1
    states = {"Only": {"Next": "Done", **state}, "Done": {"Type": "Succeed"}}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Only", "States": states, **more}
    made = STATES.create_state_machine(name=f"m{machine.number}", roleArn=ROLE, definition=json.dumps(definition))
    return made["stateMachineArn"]


def calls(fails=0, token=False, retry=(), function="step"):
    context = "$states.context"
    payload = {"calls": CALLS, "fails": fails, "attempt": "{% " + context + ".State.RetryCount %}"}
    payload["execution"] = "{% " + context + ".Execution.Id %}"
    if token:
        payload["token"] = "{% " + context + ".Task.Token %}"
    resource = "arn:aws:states:::lambda:invoke" + (".waitForTaskToken" if token else "")
    arguments = {"FunctionName": function, "Payload": payload}
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, "TimeoutSeconds": 20, "Retry": list(retry)}


def waits(seconds, **more):
    return {**calls(token=True), "TimeoutSeconds": seconds, **more}


def start(machine_arn, name="a", given=None):
    given = json.dumps(given or {})
    return STATES.start_execution(stateMachineArn=machine_arn, name=name, input=given)["executionArn"]


def end(execution, patience=20):
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found = STATES.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found["status"], found.get("error")
        time.sleep(0.05)
    return "RUNNING", None


def called(execution):
    """The calls of the function for an execution, in order."""
    if not os.path.exists(CALLS):
        return []
    with open(CALLS) as lines:
        every = [json.loads(line) for line in lines]
    return [one for one in every if one["execution"] == execution]


def tokens(execution, number=1):
    until = time.monotonic() + 15
    while time.monotonic() < until:
        if len(found := called(execution)) >= number:
            return [one["token"] for one in found]
        time.sleep(0.05)
    raise AssertionError("no token")


def refusal(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def told(execution, seen=[]):
    """How often an end of the execution was told, and as what; a second after the last word."""
    quiet = time.monotonic() + 1
    while time.monotonic() < quiet:
        for message in SQS.receive_message(QueueUrl=ENDS, MaxNumberOfMessages=10).get("Messages", []):
            SQS.delete_message(QueueUrl=ENDS, ReceiptHandle=message["ReceiptHandle"])
            detail = json.loads(message["Body"])["detail"]
            seen.append((detail["executionArn"], detail["status"]))
        time.sleep(0.1)
    return [status for arn, status in seen if arn == execution]


class TimeOuts(unittest.TestCase):
    def test_of_a_task_may_be_an_expression_and_is_caught(self):
        late = [{"ErrorEquals": ["States.Timeout"], "Next": "Done"}]
        arn = machine(waits("{% $states.input.seconds %}", Catch=late))
        began = time.monotonic()
        execution = start(arn, given={"seconds": 1})
        [waited] = tokens(execution)
        self.assertEqual(end(execution), ("SUCCEEDED", None))
        self.assertGreater(time.monotonic() - began, 1)
        self.assertEqual(refusal(STATES.send_task_success, taskToken=waited, output="{}"), "TaskTimedOut")

    def test_of_a_task_is_a_whole_number_from_one(self):
        arn = machine(waits("{% $states.input.seconds %}"))
        for number, seconds in enumerate([0, 1.5, "x"]):
            execution = start(arn, f"bad-{number}", {"seconds": seconds})
            self.assertEqual(end(execution), ("FAILED", "States.QueryEvaluationError"), seconds)

    def test_of_the_machine_ends_a_wait_for_a_token(self):
        execution = start(machine(waits(30), TimeoutSeconds=1))
        [waited] = tokens(execution)
        self.assertEqual(end(execution)[0], "TIMED_OUT")
        self.assertEqual(refusal(STATES.send_task_success, taskToken=waited, output="{}"), "TaskTimedOut")
        self.assertEqual(told(execution), ["TIMED_OUT"])
        history = STATES.get_execution_history(executionArn=execution)["events"]
        self.assertEqual(history[-1]["type"], "ExecutionTimedOut")

    def test_of_the_machine_ends_a_wait_and_a_pause_between_tries(self):
        pause = start(machine({"Type": "Wait", "Seconds": 3}, TimeoutSeconds=1))
        retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 5}
        tries = start(machine(calls(fails=9, retry=[retry]), TimeoutSeconds=1))
        self.assertEqual([end(pause)[0], end(tries)[0]], ["TIMED_OUT", "TIMED_OUT"])
        before = len(called(tries))
        time.sleep(3)
        self.assertEqual([end(pause)[0], end(tries)[0]], ["TIMED_OUT", "TIMED_OUT"])
        self.assertEqual(len(called(tries)), before, "a call after the end")


class Stops(unittest.TestCase):
    def test_end_a_wait_for_good_and_are_told_of_once(self):
        execution = start(machine(waits(3)))
        [waited] = tokens(execution)
        for _ in range(2):
            STATES.stop_execution(executionArn=execution)
        for answer in [
            refusal(STATES.send_task_success, taskToken=waited, output="{}"),
            refusal(STATES.send_task_failure, taskToken=waited),
            refusal(STATES.send_task_heartbeat, taskToken=waited),
        ]:
            self.assertEqual(answer, "TaskTimedOut")
        time.sleep(4)
        self.assertEqual(end(execution)[0], "ABORTED")
        self.assertEqual(told(execution), ["ABORTED"])


class Tokens(unittest.TestCase):
    def test_are_answered_once(self):
        execution = start(machine(waits(20)))
        [waited] = tokens(execution)
        self.assertIsNone(refusal(STATES.send_task_success, taskToken=waited, output="{}"))
        self.assertEqual(refusal(STATES.send_task_success, taskToken=waited, output="{}"), "TaskTimedOut")
        self.assertEqual(end(execution)[0], "SUCCEEDED")
        self.assertEqual(refusal(STATES.send_task_success, taskToken=waited, output="{}"), "TaskTimedOut")

    def test_are_new_for_each_try_of_a_function_that_fails(self):
        retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 5, "BackoffRate": 1}
        execution = start(machine(calls(fails=2, token=True, retry=[retry])))
        first, _, last = tokens(execution, 3)
        self.assertEqual([one["attempt"] for one in called(execution)], [0, 1, 2])
        self.assertEqual(refusal(STATES.send_task_success, taskToken=first, output="{}"), "TaskTimedOut")
        self.assertIsNone(refusal(STATES.send_task_success, taskToken=last, output="{}"))
        self.assertEqual(end(execution)[0], "SUCCEEDED")

    def test_do_not_hide_an_error_that_is_not_tried_again(self):
        execution = start(machine(calls(fails=9, token=True)))
        self.assertEqual(end(execution)[0], "FAILED")
        self.assertEqual(len(called(execution)), 1)


class Names(unittest.TestCase):
    def test_name_one_execution_while_it_runs_and_refuse_another_after_it(self):
        arn = machine({"Type": "Wait", "Seconds": 2})
        execution = start(arn, "same", {"a": 1})
        self.assertEqual(start(arn, "same", {"a": 1}), execution)
        again = {"stateMachineArn": arn, "name": "same"}
        self.assertEqual(refusal(STATES.start_execution, **again, input='{"a": 2}'), "ExecutionAlreadyExists")
        end(execution)
        self.assertEqual(refusal(STATES.start_execution, **again, input='{"a": 1}'), "ExecutionAlreadyExists")
        self.assertEqual(len(STATES.list_executions(stateMachineArn=arn)["executions"]), 1)

    def test_have_at_most_80_characters_and_none_that_aws_refuses(self):
        arn = machine({"Type": "Wait", "Seconds": 1})
        for name in ["", "x" * 81, "a b", "a\x85b", *(f"a{sign}b" for sign in '<>{}[]?*"#%\\^|~`$&,;:/')]:
            self.assertEqual(refusal(STATES.start_execution, stateMachineArn=arn, name=name), "InvalidName", name)
        for name in ["x" * 80, "a.b_c-d+e", "ñandú"]:
            self.assertIsNone(refusal(STATES.start_execution, stateMachineArn=arn, name=name), name)


class Errors(unittest.TestCase):
    # dg/concepts-error-handling.html. AWS's pages name the error now `Runtime.ExitError`, now `Lambda.Unknown`.
    def test_of_a_function_whose_process_is_killed_are_tried_again_in_another(self):
        retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 5, "BackoffRate": 1}
        execution = start(machine(calls(fails=2, retry=[retry], function="process")))
        self.assertEqual(end(execution)[0], "SUCCEEDED")
        self.assertEqual([one["attempt"] for one in called(execution)], [0, 1, 2])
        self.assertEqual(len({one["process"] for one in called(execution)}), 3)

    def test_of_a_function_whose_process_is_killed_end_a_wait_for_a_token(self):
        execution = start(machine(calls(fails=9, token=True, function="process")))
        self.assertEqual(end(execution)[0], "FAILED")
        self.assertEqual(len(called(execution)), 1)

    def test_of_the_machine_itself_are_not_among_states_all(self):
        every = {"ErrorEquals": ["States.ALL"]}
        state = {"Type": "Task", "Resource": "arn:aws:states:::nothing:here", "Arguments": {}}
        arn = machine({**state, "Catch": [{**every, "Next": "Done"}]})
        self.assertEqual(end(start(arn)), ("FAILED", "States.Runtime"))


class Rules(unittest.TestCase):
    def test_call_a_function_whose_process_is_killed_twice_more(self):
        iot = boto3.client("iot", config=OPTIONS)
        [function] = [one for one in boto3.client("lambda", config=OPTIONS).list_functions()["Functions"]
                      if one["FunctionName"] == "process"]
        action = {"lambda": {"functionArn": function["FunctionArn"]}}
        payload = {"sql": "SELECT * FROM 'said'", "actions": [action], "ruleDisabled": False}
        iot.create_topic_rule(ruleName="calls", topicRulePayload=payload)
        said = {"calls": CALLS, "attempt": 0, "fails": 1, "execution": "of a rule"}
        data = boto3.client("iot-data", config=OPTIONS, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        data.publish(topic="said", qos=1, payload=json.dumps(said))
        until = time.monotonic() + 15
        while len(called("of a rule")) < 3 and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1)
        self.assertEqual(len(called("of a rule")), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
