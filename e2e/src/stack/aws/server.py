"""ministack, with four corrections to its IoT; `states.py`, which goes before this, has those to its Step Functions.

Subscriptions are as MQTT 3.1.1 demands them (section 3.8.4): a filter that a session has already is replaced, not
added. Without this, a client that subscribes at each connection to the session it resumes gets every message once more
with each of them, until the broker does nothing else.

Device certificates are held to their policies, as AWS IoT does. ministack does that with AUTH=true only, which holds
every other service to policies as well.

`${iot:Connection.Thing.Attributes[name]}` in a policy is the attribute of the thing that the certificate is attached
to. ministack leaves it as it stands, so such a statement allows nothing.

A rule calls a function asynchronously: one that fails, or whose process dies, is called twice more. ministack calls it
once. https://docs.aws.amazon.com/iot/latest/developerguide/lambda-rule-action.html,
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html.

And what is asked of Step Functions is written down, for whoever counts calls.
"""

import json
import os
import re
import runpy

from ministack.services import iot, lambda_svc, stepfunctions

subscribe = iot.broker_subscribe


async def replace(account, region, topic_filter, deliver, *options, **more):
    session = deliver.__self__ if hasattr(deliver, "__self__") else None
    before = getattr(session, "_sub_filters", {})
    replaced = [subscription for subscription, known in before.items() if known == topic_filter]
    added = await subscribe(account, region, topic_filter, deliver, *options, **more)
    for subscription in replaced:
        await iot.broker_unsubscribe(subscription)
        session._sub_ids.remove(subscription)
        del session._sub_filters[subscription]
        session._sub_granted_qos.pop(subscription, None)
    return added


iot.broker_subscribe = replace


def evaluates_policies(session):
    return session.certificate_id is not None or session.iam_credential is not None


iot._WSSession._evaluates_policies = evaluates_policies
iot._POLICY_VARIABLE_RE = re.compile(r"\$\{(iot:[A-Za-z.]+(?:\[[^\]{}]+\])?)\}")
context_of = iot._mqtt_policy_context


def with_attributes(account, region, certificate, client):
    context = context_of(account, region, certificate, client)
    if "iot:connection.thing.thingname" in context:
        with iot.request_scope(account, region):
            thing = iot._things[client]
        for name, value in (thing.get("attributes") or {}).items():
            context[f"iot:connection.thing.attributes[{name.lower()}]"] = value
    return context


def call_asynchronously(account, region, function, event):
    found, config, _ = lambda_svc._get_func_record_for_ref_in_scope(function, account_id=account, region=region)
    if found and config:
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(found, config), event)


iot._mqtt_policy_context = with_attributes
iot._dispatch_rule_to_lambda = call_asynchronously
answer = stepfunctions.handle_request


async def note_and_answer(method, path, headers, body, *more):
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    with open(os.path.join(os.environ["TMPDIR"], "states-calls.jsonl"), "a") as calls:
        print(json.dumps({"action": action, "asked": (body or b"").decode()}), file=calls)
    return await answer(method, path, headers, body, *more)


stepfunctions.handle_request = note_and_answer
runpy.run_module("ministack", run_name="__main__", alter_sys=True)
