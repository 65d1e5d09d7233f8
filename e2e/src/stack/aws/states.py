"""Step Functions as AWS has it, where ministack differs in something that orders depend on.

Each correction says AWS's rule first. Pages are below https://docs.aws.amazon.com/step-functions/latest/.
"""

import contextvars
import json
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ministack.services import stepfunctions as states

# The execution whose states this thread goes through.
CURRENT = contextvars.ContextVar("execution", default=None)
ENDS = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionAborted": "ABORTED",
    "ExecutionTimedOut": "TIMED_OUT",
}
# Held for moments, by whoever ends an execution or closes a token.
MOMENT = threading.RLock()
# Tokens whose task is over, however it ended.
CLOSED = set()


class Ended(BaseException):
    """Unwinds the thread of an execution that is over. It is no error, so that nothing catches or retries it."""


def over(execution):
    return execution is not None and execution.get("status", "RUNNING") != "RUNNING"


# An execution has one end. Nothing happens after it, and it is told of once. ministack lets a task that was waiting
# fail after StopExecution, and then the execution, a second time.
# apireference/API_StopExecution.html, dg/eventbridge-integration.html.

add_event, emit, fail, stop = (
    states._add_event,
    states._emit_execution_status_event,
    states._fail_execution,
    states._stop_execution,
)


def add_event_until_the_end(execution, event_type, details=None):
    with MOMENT:
        last = execution["events"][-1]["type"] if execution["events"] else None
        if last in ENDS:
            # Whoever comes second has set the status before the event.
            execution["status"] = ENDS[last]
        if last in ENDS or (over(execution) and event_type not in ENDS):
            raise Ended
        return add_event(execution, event_type, details)


def emit_once(execution):
    with MOMENT:
        if execution.get("told") == execution["status"] or execution.get("told") not in (None, "RUNNING"):
            return
        execution["told"] = execution["status"]
    emit(execution)


def fail_unless_over(execution, error, cause):
    with MOMENT:
        if over(execution):
            return
        execution["status"] = "FAILED"
    fail(execution, error, cause)


def stop_and_close(data):
    with MOMENT:
        answer = stop(data)
    close_tokens_of(data.get("executionArn"))
    return answer


# A machine's TimeoutSeconds ends an execution as TIMED_OUT. ministack does not look at it.
# dg/statemachine-structure.html.


def run(execution_arn):
    execution = states._executions.get(execution_arn)
    if execution is None:
        return
    CURRENT.set(execution)
    timer = None
    machine = states._state_machines.get(execution["stateMachineArn"]) or {}
    seconds = json.loads(machine.get("definition") or "{}").get("TimeoutSeconds")
    if seconds is not None:
        # In this context, as account and region come with it.
        timer = threading.Timer(seconds, contextvars.copy_context().run, (time_out, execution))
        timer.daemon = True
        timer.start()
    try:
        run_execution(execution_arn)
    except Ended:
        pass
    finally:
        if timer is not None:
            timer.cancel()


def time_out(execution):
    with MOMENT:
        if over(execution):
            return
        execution["status"] = "TIMED_OUT"
        execution["stopDate"] = states.now_iso()
        add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    emit_once(execution)
    close_tokens_of(execution["executionArn"])


run_execution = states._run_execution

# A task's TimeoutSeconds may be JSONata: a whole number from 1 to 99,999,999. ministack hands the text to a clock.
# dg/state-task.html.

execute_task = states._execute_task


def execute_task_for_seconds(state, raw_input, execution, ctx):
    if isinstance(state.get("TimeoutSeconds"), str):
        seconds = states._jsonata_state_field(state, "TimeoutSeconds", "number", raw_input, ctx)
        if seconds != int(seconds) or not 1 <= seconds <= 99_999_999:
            cause = f"TimeoutSeconds must be a whole number from 1 to 99999999, and was {seconds}"
            raise states._ExecutionError("States.QueryEvaluationError", cause)
        state = {**state, "TimeoutSeconds": int(seconds)}
    return execute_task(state, raw_input, execution, ctx)


# A task that waits for a token ends with whatever comes first: an answer to its token, an error of its function, its
# time-out, which began with it, or the end of the execution. ministack swallows the error of the function, and begins
# to count when the function is back. Each try has a token of its own. When the function is back, the history says
# TaskSubmitted, of which ministack knows nothing.
# dg/connect-to-resource.html#connect-wait-token, dg/concepts-error-handling.html, apireference/API_HistoryEvent.html.

invoke_with_callback = states._invoke_with_callback
apply_arguments = states._apply_jsonata_arguments


def arguments_with_a_new_token(state, raw_input, ctx=None):
    if ctx and ctx.get("Task", {}).get("Token") in CLOSED:
        ctx["Task"] = {"Token": states.new_uuid()}
    return apply_arguments(state, raw_input, ctx)


def wait_for_token(resource, arguments, token, state):
    execution, answered = CURRENT.get(), threading.Event()
    if execution is None or "states:::lambda:invoke" not in resource:
        return invoke_with_callback(resource, arguments, token, state)
    waiting = {"event": answered, "result": None, "error": None, "heartbeat": None, "execution": execution}
    with MOMENT:
        if over(execution):
            raise Ended
        states._task_tokens[token] = waiting

    def call():
        try:
            reference = states._resolve_lambda_function_ref(arguments.get("FunctionName", ""), optimized=True)
            states._call_lambda(reference, arguments.get("Payload", {}))
            details = {"resourceType": "lambda", "resource": "invoke.waitForTaskToken"}
            with MOMENT:
                if token not in CLOSED and not over(execution):
                    add_event_until_the_end(execution, "TaskSubmitted", {"taskSubmittedEventDetails": details})
        except states._ExecutionError as error:
            with MOMENT:
                if token not in CLOSED:
                    CLOSED.add(token)
                    waiting["error"] = {"Error": error.error, "Cause": error.cause}
                    answered.set()

    pool = ThreadPoolExecutor(max_workers=1)
    pool.submit(contextvars.copy_context().run, call)
    pool.shutdown(wait=False)
    answered.wait(state.get("TimeoutSeconds", 99_999_999))
    with MOMENT:
        if over(execution):
            raise Ended
        late = token not in CLOSED
        CLOSED.add(token)
        states._task_tokens.pop(token, None)
    if late:
        raise states._ExecutionError("States.Timeout", "The task was not answered in time")
    if waiting["error"]:
        raise states._ExecutionError(waiting["error"]["Error"], waiting["error"]["Cause"])
    return json.loads(waiting["result"])


def close_tokens_of(execution_arn):
    with MOMENT:
        for token, waiting in list(states._task_tokens.items()):
            if (waiting.get("execution") or {}).get("executionArn") == execution_arn:
                CLOSED.add(token)
                waiting["event"].set()


# A token whose task is over, answered, failed, timed out or stopped with its execution, is refused as TaskTimedOut.
# ministack takes it as long as the thread has not looked, and does not know it after that.
# apireference/API_SendTaskSuccess.html: "the task associated with the token has already been closed".


def once(answer, ends=True):
    def send(data):
        token = data.get("taskToken")
        with MOMENT:
            if token in CLOSED:
                message = "Task Timed Out: 'Provided task does not exist anymore'"
                return states.error_response_json("TaskTimedOut", message, 400)
            # Before the thread is woken, which looks whether it was.
            known = token in states._task_tokens
            if known and ends:
                CLOSED.add(token)
            return answer(data)

    return send


# A name has 1 to 80 characters, and none of those below. StartExecution answers the same again to the same name and
# input while the execution runs; ExecutionAlreadyExists is for another input, or for one that is over. ministack takes
# any name, and always refuses the second.
# apireference/API_StartExecution.html.

REFUSED = re.compile("[\\s<>{}\\[\\]?*\"#%\\\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\U0010ffff]")
start_execution = states._start_execution


def start_once(data):
    name = data.get("name")
    if name is not None and (not 1 <= len(name) <= 80 or REFUSED.search(name)):
        return states.error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
    machine = states._state_machines.get(states._resolve_state_machine_arn(data.get("stateMachineArn", "")))
    if name is not None and machine is not None:
        where = f"{states.get_region()}:{states.get_account_id()}"
        known = states._executions.get(f"arn:aws:states:{where}:execution:{machine['name']}:{name}")
        if known and not over(known) and known["input"] == data.get("input", "{}"):
            again = {"executionArn": known["executionArn"], "startDate": known["startDate"]}
            return states.json_response(again)
    return start_execution(data)


# States.ALL matches neither States.Runtime nor States.DataLimitExceeded: they end the execution. A pause is at most
# MaxDelaySeconds, and with full jitter any part of it. ministack matches them, pauses a minute at most, and knows no
# jitter. dg/concepts-error-handling.html.

error_matches, matching_retrier = states._error_matches, states._find_matching_retrier


def error_matches_what_it_may(names, error):
    if error in ("States.Runtime", "States.DataLimitExceeded"):
        return False
    return error_matches(names, error)


def retrier_after_its_pause(retriers, error, counts):
    retrier, index = matching_retrier(retriers, error, counts)
    if retrier is None:
        return retrier, index
    pause = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
    pause = min(pause, retrier.get("MaxDelaySeconds", pause))
    if retrier.get("JitterStrategy") == "FULL":
        pause = random.uniform(0, pause)
    rest(pause * states._SFN_WAIT_SCALE)
    return {**retrier, "IntervalSeconds": 0}, index


def rest(seconds):
    """Sleeps, and wakes up when the execution is over."""
    until, execution = time.monotonic() + seconds, CURRENT.get()
    while (left := until - time.monotonic()) > 0:
        if over(execution):
            raise Ended
        time.sleep(min(left, 0.5))


states._add_event = add_event_until_the_end
states._emit_execution_status_event = emit_once
states._fail_execution = fail_unless_over
states._stop_execution = stop_and_close
states._run_execution = run
states._execute_task = execute_task_for_seconds
states._apply_jsonata_arguments = arguments_with_a_new_token
states._invoke_with_callback = wait_for_token
states._send_task_success = once(states._send_task_success)
states._send_task_failure = once(states._send_task_failure)
states._send_task_heartbeat = once(states._send_task_heartbeat, ends=False)
states._start_execution = start_once
states._error_matches = error_matches_what_it_may
states._find_matching_retrier = retrier_after_its_pause
states._scaled_sleep = lambda seconds: rest(seconds * states._SFN_WAIT_SCALE)
