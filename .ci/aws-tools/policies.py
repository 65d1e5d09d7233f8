"""The template's policies of devices are those of lambdas/iot-policies, with the stack's values in their places."""

import json
import pathlib
import sys

import cfnlint.decode

PLACES = {
    "${AWS::Partition}": "aws",
    "${AWS::Region}:${AWS::AccountId}": "REGION:ACCOUNT",
    "${TopicPrefix}": "PREFIX",
    "${Installation}": "INSTALLATION",
    "${!": "${",
}


def plain(value):
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
assert not problems, problems
found = {}
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::IoT::Policy":
        name = resource["Properties"]["PolicyName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        found[name] = plain(resource["Properties"]["PolicyDocument"])
shipped = {file.stem: json.loads(file.read_text()) for file in pathlib.Path("lambdas/iot-policies").glob("*.json")}
for name in sorted(found.keys() | shipped.keys()):
    if found.get(name) != shipped.get(name):
        sys.exit(f"lambdas/template.yaml and lambdas/iot-policies differ in the policy {name}")
