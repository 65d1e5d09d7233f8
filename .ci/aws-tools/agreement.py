"""What stands in two places is the same in both: no other tool looks from the template into the files beside it.

The policies of devices are those of lambdas/iot-policies, with the stack's values in their places. The functions that the
machine calls are those that the template puts into it, and those that the machine's role may call, no more and no fewer.
Each function has a role of its own, and is named for its handler. A route of the API calls a function that the API may call
by it, and none other.
"""

import fnmatch
import json
import pathlib
import re
import sys

import cfnlint.decode

PLACES = {
    "${AWS::Partition}": "aws",
    "${AWS::Region}:${AWS::AccountId}": "REGION:ACCOUNT",
    "${TopicPrefix}": "PREFIX",
    "${Installation}": "INSTALLATION",
    "${!": "${",
}


def same(what, one, other):
    if one != other:
        sys.exit(f"{what}: {one} here, and {other} there")


def plain(value):
    """A policy as the files have it: a list of one text is that text."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        for theirs, ours in PLACES.items():
            text = text.replace(theirs, ours)
        return text
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        inner = [plain(inner) for inner in value]
        return inner[0] if len(inner) == 1 and isinstance(inner[0], str) else inner
    return value


template, problems = cfnlint.decode.decode("lambdas/template.yaml")
if problems:
    sys.exit(f"lambdas/template.yaml: {problems}")
resources = template["Resources"]


def of_type(kind):
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def arn(value):
    """The resource whose ARN it is."""
    return value["Fn::GetAtt"].split(".")[0] if isinstance(value["Fn::GetAtt"], str) else value["Fn::GetAtt"][0]


policies = {
    properties["PolicyName"]["Fn::Sub"].removeprefix("${AWS::StackName}-"): plain(properties["PolicyDocument"])
    for properties in of_type("AWS::IoT::Policy").values()
}
shipped = {file.stem: json.loads(file.read_text()) for file in pathlib.Path("lambdas/iot-policies").glob("*.json")}
same("policies of devices", sorted(policies), sorted(shipped))
for name, policy in policies.items():
    same(f"the policy {name}", policy, shipped[name])

machine = resources["Machine"]["Properties"]
put = machine["DefinitionSubstitutions"]
called = set(re.findall(r"\$\{(\w+)\}", pathlib.Path("lambdas", machine["DefinitionUri"]).read_text()))
same("functions that the machine calls, and that are put into it", sorted(called), sorted(put))
statements = resources["MachineRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
allowed = [arn(value) for statement in statements if statement["Sid"] == "Steps" for value in statement["Resource"]]
same("functions that the machine calls, and may call", sorted(arn(value) for value in put.values()), sorted(allowed))
for substitution, value in put.items():
    same("a function and its place in the machine", substitution, f"{arn(value)}Function")

for name, function in of_type("AWS::Serverless::Function").items():
    handler = re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()
    same(f"the handler of {name}", function["Handler"], handler)
    same(f"the name of {name}", function["FunctionName"]["Fn::Sub"], "${AWS::StackName}-" + handler)
    same(f"the role of {name}", arn(function["Role"]), f"{name}Role")
    same(f"the log of {name}", function["LoggingConfig"]["LogGroup"]["Ref"], f"{name}Log")

# The emulator lets an API call any function, as AWS does not: each route's function may be called by that route, and no
# permission is for a function that no route calls.
of_integrations = {
    name: arn(properties["IntegrationUri"]) for name, properties in of_type("AWS::ApiGatewayV2::Integration").items()
}
granted = [
    (permission["FunctionName"]["Ref"], permission["SourceArn"]["Fn::Sub"].split("${Api}/")[1])
    for permission in of_type("AWS::Lambda::Permission").values()
    if permission["Principal"] == "apigateway.amazonaws.com"
]
called = set()
for route in of_type("AWS::ApiGatewayV2::Route").values():
    function = of_integrations[re.fullmatch(r"integrations/\$\{(\w+)\}", route["Target"]["Fn::Sub"])[1]]
    source = "$default/" + route["RouteKey"].replace(" ", "", 1)
    by = [name for name, pattern in granted if fnmatch.fnmatchcase(source, pattern)]
    same(f"the function that the route {route['RouteKey']} calls, and those that it may call", [function], by)
    called.add(function)
same("functions that routes call, and that the API may call", sorted(called), sorted({name for name, _ in granted}))
