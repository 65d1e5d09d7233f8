"""ministack, with subscriptions as MQTT 3.1.1 demands them (section 3.8.4): a filter that a session has already is
replaced, not added. Without this, a client that subscribes at each connection to the session it resumes gets every
message once more with each of them, until the broker does nothing else.
"""

import runpy

from ministack.services import iot

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
runpy.run_module("ministack", run_name="__main__", alter_sys=True)
