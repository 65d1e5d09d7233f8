"""What CloudWatch's alarms need of ministack, in three corrections.

An alarm may watch a metric math expression. ministack's CloudFormation refuses those; here the alarm is kept as it is
defined, and DescribeAlarms shows it.

An alarm is evaluated by its definition, and not whenever a metric is put, over all dimensions, with nothing said of what
is missing. So ministack evaluates none here: `alarms/mod.rs` does, and calls SetAlarmState.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html.

Every call of a function counts in AWS/Lambda, whoever calls. ministack counts those that come by the Invoke API, and none
of Step Functions or IoT.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html.
"""

import time

from ministack.services import cloudwatch, lambda_svc
from ministack.services.cloudformation import provisioners

record_of_one_metric = provisioners._cw_metric_alarm_record
OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


def record_of_alarm(name, props):
    if not props.get("Metrics"):
        return record_of_one_metric(name, props)
    alarm = record_of_one_metric(name, {**props, "Metrics": None, "MetricName": "none", "Namespace": "none"})
    for key in OF_ONE_METRIC:
        del alarm[key]
    return {**alarm, "Metrics": props["Metrics"]}


provisioners._cw_metric_alarm_record = record_of_alarm
cloudwatch._evaluate_alarm = lambda alarm: None

count_call = lambda_svc._emit_lambda_metrics
execute = lambda_svc._execute_function_dispatch


def count_refused_call(function, duration_ms, error, throttle):
    # Where a call is refused before it is made, it has taken no time. All others are counted below, once.
    if throttle and not duration_ms:
        count_call(function, duration_ms=duration_ms, error=error, throttle=throttle)


def execute_and_count(func, config, event, request_id, started):
    result = execute(func, config, event, request_id, started)
    throttle = bool(result.get("throttle"))
    # What is throttled did not fail.
    error = bool(result.get("error")) and not throttle
    count_call(config.get("FunctionName", "unknown"), (time.time() - started) * 1000, error, throttle)
    return result


lambda_svc._emit_lambda_metrics = count_refused_call
lambda_svc._execute_function_dispatch = execute_and_count
