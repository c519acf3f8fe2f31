#!/usr/bin/env python3
"""Adds up the reports of all suites: test_report.py FOLDER BROKEN. Last line: "N passed, N failed"; exit status 1 on any
failure. BROKEN is 1 when some suite ended badly; it must then show in the reports, else it is counted here. A test that
failed and then passed on its own (NAME.again.xml) counts as passed and is named as unsteady.
test_report.py --failures FILE prints how many cases of one report failed."""
import json
import pathlib
import sys
import xml.etree.ElementTree as ET


def cases(path):
    """(name, ok) of every test case in a JUnit file; GoogleTest, CTest and pytest write it a little differently."""
    for case in ET.parse(path).getroot().iter("testcase"):
        classname, name = case.get("classname", ""), case.get("name")
        name = name if classname == name else f"{classname}.{name}"  # CTest gives both the same value
        not_run = case.get("status") in ("notrun", "fail", "disabled") or case.get("result") == "suppressed"
        yield name, not (not_run or any(case.find(t) is not None for t in ("failure", "error", "skipped")))


def suite(folder, name):
    """The cases of one suite. A C++ test program reports its own; any other program that CTest ran is one case, and so is
    a program that failed without a failed case (a crash)."""
    single = folder / f"{name}.xml"
    if single.exists():
        return list(cases(single))
    commands = {t["name"]: t.get("command", ["not built"])[0] for t in json.loads((folder / f"{name}.tests.json").read_text())["tests"]}
    found = []
    for test, ok in cases(folder / f"{name}.ctest.xml"):
        report = folder / name / (pathlib.Path(commands[test]).name + ".xml")
        try:
            own = list(cases(report)) if report.exists() else []
        except ET.ParseError:  # it died while writing
            own = []
        found += own
        if not own or (not ok and all(good for _, good in own)):
            found.append((test, ok))
    return found


def second_try(folder, name):
    """The names that passed when they were tried once more, alone."""
    report = folder / f"{name}.again.xml"
    results = list(cases(report)) if report.exists() else []
    return {n for n, _ in results} - {n for n, ok in results if not ok}  # a test can be there twice: its call, its teardown


def main():
    if sys.argv[1] == "--failures":
        print(sum(not ok for _, ok in cases(pathlib.Path(sys.argv[2]))))
        return 0
    folder, broken = pathlib.Path(sys.argv[1]), sys.argv[2] == "1"
    names = sorted({p.name.split(".")[0] for p in folder.glob("*.xml")})
    passed = failed = 0
    for name in names:
        results = suite(folder, name)
        mended = second_try(folder, name)
        unsteady = [n for n, ok in results if not ok and n in mended]
        bad = [n for n, ok in results if not ok and n not in mended]
        print(f"{name:24} {len(results) - len(bad):5} passed {len(bad):4} failed")
        for n in bad[:50]:
            print(f"    failed: {n}")
        for n in unsteady:
            print(f"    unsteady: {n} (failed, then passed when tried alone)")
        passed += len(results) - len(bad)
        failed += len(bad)
    if broken and failed == 0:
        print("    failed: a suite ended badly without naming a test (see its output)")
        failed = 1
    if passed == 0:
        failed = max(failed, 1)  # nothing ran: that is no success
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
