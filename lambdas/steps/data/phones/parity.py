#!/usr/bin/env python3
"""Compares how Comanda and libphonenumber read phone numbers.

20,000 valid numbers of all regions are drawn from libphonenumber's metadata, and
2,000 that are not valid are made of them. Each is written in five usual ways,
and read by PyPI's phonenumbers (libphonenumber in Python) as it is, and by
Comanda's examples/phones.rs, with the same region. E.164 and verdict (valid,
possible, impossible) have to be the same in 99.9 % of each. Every difference is
printed, by its cause. The draw is the same every time.

    lambdas/steps/data/phones/parity             compare
    lambdas/steps/data/phones/parity --sample    write sample.tsv, which cargo test
                                                 reads
"""

import argparse
import collections
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

try:
    from re import _parser as sre
except ImportError:  # Python 3.10
    import sre_parse as sre

VALID, INVALID, SAMPLE, WAYS = 20_000, 2_000, 300, 5
ENOUGH = 0.999
# Numbers that a plan once had: E.164 by libphonenumber, by Comanda, and what changed. As src/customer/phone/readings.rs.
RENUMBERED = [
    (r"\+55(..)([6-9]\d{7})", r"+55\g<1>9\2", "Brazil's mobile numbers without the 9 of 2016"),
    (r"\+57([1-8]\d{7})", r"+5760\1", "Colombia's fixed numbers without the 60 of 2021"),
]
COMANDA = ["cargo", "run", "--quiet", "--locked", "--package", "comanda-steps", "--example", "phones"]
DIGITS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९"]
BETWEEN = ["-", ".", "\u00a0", "\u2011", " - ", "  ", "\u2013", "\u3000"]
NOWHERE = [cc for cc in range(2, 1000) if str(cc)[0] not in "17" and cc not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
           and cc // 10 not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE]


def matching(pattern, dice):
    """A random text that the pattern of a national number takes."""
    def piece(op, value):
        if op is sre.LITERAL:
            return chr(value)
        if op is sre.IN:
            return dice.choice([c for kind, v in value for c in members(kind, v)])
        if op is sre.MAX_REPEAT:
            least, most, of = value
            return "".join(text(of) for _ in range(dice.randint(least, most)))
        if op is sre.SUBPATTERN:
            return text(value[-1])
        if op is sre.BRANCH:
            return text(dice.choice(value[1]))
        raise ValueError(f"{op} in {pattern}")

    def members(kind, value):
        if kind is sre.LITERAL:
            return [chr(value)]
        if kind is sre.RANGE:
            return [chr(c) for c in range(value[0], value[1] + 1)]
        return "0123456789"  # \d

    def text(parsed):
        return "".join(piece(op, value) for op, value in parsed)

    return text(sre.parse(pattern))


def plans():
    """Each region with its metadata, and each entity that is no region with that of its country code."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        yield region, PhoneMetadata.metadata_for_region(region)
    for code in sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS):
        yield None, PhoneMetadata.metadata_for_nongeo_region(code)


def patterns(plan):
    descriptions = [getattr(plan, name) for name in (
        "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
        "voicemail")]
    return [d.national_number_pattern for d in descriptions if d and d.national_number_pattern and d.possible_length
            and d.possible_length != (-1,)]


def valid_numbers(dice):
    """(region, number), as many of each plan."""
    all_plans = list(plans())
    drawn = []
    for index, (region, plan) in enumerate(all_plans):
        wanted = VALID * (index + 1) // len(all_plans) - VALID * index // len(all_plans)
        kinds = patterns(plan)
        while wanted:
            national = matching(dice.choice(kinds), dice)
            number = phonenumbers.PhoneNumber(country_code=plan.country_code, national_number=int(national))
            zeros = len(national) - len(national.lstrip("0"))
            if zeros:
                number.italian_leading_zero, number.number_of_leading_zeros = True, zeros
            if phonenumbers.is_valid_number(number):
                drawn.append((region or dice.choice(["ES", "US", "JP"]), number, region is not None))
                wanted -= 1
    return drawn


def spread(text, dice):
    """With other characters between digits, and sometimes with other digits."""
    between = dice.choice(BETWEEN)
    text = re.sub(r"[ -]+", lambda _: between, text)
    digits = dice.choice(DIGITS[1:]) if dice.random() < 0.5 else DIGITS[0]
    return text.translate(str.maketrans(DIGITS[0], digits))


def dialled_abroad(region, dice):
    """What is dialled, or written, before the country code."""
    prefix = PhoneMetadata.metadata_for_region(region).international_prefix or ""
    own = prefix if prefix.isdigit() else "00" if re.fullmatch(prefix, "00") else None
    return dice.choice([own, own, "(+", "tel:+"] if own else ["(+", "tel:+"])


def ways(region, code, international, national, dice):
    """The five ways: E.164, international, national, national with other characters, dialled from abroad."""
    _, rest = international.split(" ", 1) if " " in international else ("", international[len(str(code)) + 1:])
    before = dialled_abroad(region, dice)
    return [
        "+" + re.sub(r"\D", "", international),
        international,
        national,
        spread(national, dice),
        f"(+{code}) {rest}" if before == "(+" else f"{before}{code}-{rest}".replace(" ", "-") if before == "tel:+"
        else f"{before} {code} {rest}",
    ]


def valid_lines(drawn, dice):
    for region, number, at_home in drawn:
        international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL) if at_home else international
        for way, text in enumerate(ways(region, number.country_code, international, national, dice)):
            yield {"region": region, "text": text, "way": way}


def invalid_lines(drawn, dice):
    """Too short, too long, of a range that no plan has, or of a country code that none has."""
    wanted = INVALID
    while wanted:
        region, number, at_home = dice.choice(drawn)
        code, national = number.country_code, phonenumbers.national_significant_number(number)
        kind = dice.randrange(4)
        if kind == 0:
            national = national[: dice.randint(1, len(national) - 1)]
        elif kind == 1:
            national += "".join(dice.choice(DIGITS[0]) for _ in range(dice.randint(1, 6)))
        elif kind == 2:
            national = "".join(dice.choice(DIGITS[0]) for _ in national)
        else:
            code = dice.choice(NOWHERE)
        if valid("+" + str(code) + national, region):
            continue
        grouped = " ".join(re.findall(r"..?.?", national))
        prefix = PhoneMetadata.metadata_for_region(region).national_prefix or ""
        at_home = at_home and kind != 3
        international = f"+{code} {grouped}"
        for way, text in enumerate(ways(region, code, international, prefix + grouped if at_home else international, dice)):
            yield {"region": region, "text": text, "way": way}
        wanted -= 1


def plain(text, region):
    """libphonenumber's reading and verdict."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return {"e164": None, "verdict": "impossible"}
    verdict = ("valid" if phonenumbers.is_valid_number(number)
               else "possible" if phonenumbers.is_possible_number(number) else "impossible")
    return {"e164": phonenumbers.format_number(number, PhoneNumberFormat.E164), "verdict": verdict}


def valid(text, region):
    return plain(text, region)["verdict"] == "valid"


def cause(line, theirs, ours):
    """Why the two differ, as src/customer/phone/readings.rs has it."""
    digits = phonenumbers.normalize_digits_only(line["text"])
    if ours["verdict"] == "valid" and theirs["verdict"] != "valid":
        if line["region"] == "TH" and digits.startswith("001800"):
            return ("Thailand's toll-free numbers 001 800 …, whose 001 libphonenumber takes for an international prefix; "
                    "of the rest, Comanda's reading of 00 makes a toll-free number of country code 1")
        if line["region"] == "HK" and digits.startswith("00852"):
            return ("Hong Kong's own number with 00 and country code, of which libphonenumber takes 008 for the prefix and "
                    "a carrier; Comanda then reads 00")
        if (ours["e164"] or "").startswith("+52") and re.search(r"(^|52)(1|01|04[45])[2-9]\d{9}$", digits):
            return "Mexico's old prefixes, which Comanda takes away first"
        for old, new, what in RENUMBERED:
            if re.fullmatch(old, theirs["e164"] or "") and re.sub(old, new, theirs["e164"]) == ours["e164"]:
                return what
        if "+" in line["text"] and re.sub(r"^(.+?)0", r"\1", theirs["e164"] or "") == ours["e164"]:
            return "a trunk 0 behind the country code of a country that dials none"
        return "another reading, tried because the plain one is not valid"
    return "not explained"


def compare(title, lines):
    asked = "".join(json.dumps({"region": l["region"], "text": l["text"]}) + "\n" for l in lines)
    answers = subprocess.run(COMANDA, input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    assert len(answers) == len(lines), (len(answers), len(lines))
    same, verdicts, causes = collections.Counter(), collections.Counter(), collections.defaultdict(list)
    for line, answer in zip(lines, answers):
        ours, theirs = json.loads(answer), plain(line["text"], line["region"])
        verdicts[theirs["verdict"]] += 1
        if ours == theirs:
            same[line["way"]] += 1
        else:
            causes[cause(line, theirs, ours)].append((line, theirs, ours))
    share = sum(same.values()) / len(lines)
    print(f"\n{title}: {len(lines) // WAYS} numbers in {WAYS} ways, {len(lines)} lines; libphonenumber finds "
          + ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())))
    for way, name in enumerate(["E.164", "international", "national", "national, other characters", "dialled from abroad"]):
        print(f"  {name:28} {same[way]:6} of {len(lines) // WAYS} the same")
    print(f"  {'all':28} {sum(same.values()):6} of {len(lines)} the same: {share:.3%}")
    for why, differing in sorted(causes.items()):
        print(f"  {why}: {len(differing)}")
        for line, theirs, ours in differing:
            print(f"    {line['region']} {line['text']!r}: {theirs['e164']} {theirs['verdict']}"
                  f" by libphonenumber, {ours['e164']} {ours['verdict']} by Comanda")
    return share >= ENOUGH and "not explained" not in causes


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sample", action="store_true", help="write sample.tsv, and do not compare")
    arguments = arguments.parse_args()
    print(f"phonenumbers {phonenumbers.__version__}")
    dice = random.Random(2026)
    drawn = valid_numbers(dice)
    taken, refused = list(valid_lines(drawn, dice)), list(invalid_lines(drawn, dice))
    if arguments.sample:
        with open(Path(__file__).with_name("sample.tsv"), "w", encoding="utf-8") as sample:
            sample.write(f"# Written by parity.py with phonenumbers {phonenumbers.__version__}: region, text, E.164, verdict.\n")
            for line in dice.sample(taken, SAMPLE * 2 // 3) + dice.sample(refused, SAMPLE // 3):
                theirs = plain(line["text"], line["region"])
                sample.write("\t".join([line["region"], line["text"], theirs["e164"] or "", theirs["verdict"]]) + "\n")
        return 0
    fine = [compare("Valid", taken), compare("Not valid", refused)]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
