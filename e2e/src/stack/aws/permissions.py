"""Whose right was used, and which: a line for each in the file `permissions-used` of ministack's own directory, once.

It changes nothing of what ministack does. Who calls with the key of the account itself is left out.
"""

import os

from ministack.core import iam_evaluator

enforce = iam_evaluator.enforce
used = set()


def enforce_and_note(access_key, action, *arguments, **more):
    denied = enforce(access_key, action, *arguments, **more)
    who = iam_evaluator.caller_arn()
    if denied is None and not who.endswith(":root") and (who, action) not in used:
        used.add((who, action))
        with open("permissions-used", "a", encoding="utf-8") as file:
            file.write(f"{who}\t{action}\n")
    return denied


if os.environ.get("AUTH") == "true":
    iam_evaluator.enforce = enforce_and_note
