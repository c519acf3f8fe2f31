#!/usr/bin/env python3
"""Adds up the reports of all suites: test_report.py FOLDER BROKEN. Last line: "N passed, N failed"; exit status 1 on any
failure. BROKEN is 1 when some suite ended badly; it must then show in the reports, else it is counted here."""
import pathlib
import sys
import xml.etree.ElementTree as ET


def cases(path):
    """(name, ok) of every test case in a JUnit file; GoogleTest, CTest and pytest write it a little differently."""
    for case in ET.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name')}"
        not_run = case.get("status") in ("notrun", "fail", "disabled") or case.get("result") == "suppressed"
        yield name, not (not_run or any(case.find(t) is not None for t in ("failure", "error", "skipped")))


def suite(folder, name):
    """The cases of one suite. C++ programs report themselves; what CTest saw fail without such a report is added."""
    single = folder / f"{name}.xml"
    if single.exists():
        return list(cases(single))
    found = []
    programs = sorted((folder / name).glob("*.xml"))
    for program in programs:
        try:
            found += cases(program)
        except ET.ParseError:
            found.append((program.name, False))  # it died while writing
    by_ctest = list(cases(folder / f"{name}.ctest.xml"))
    reported_bad = any(not ok for _, ok in found)
    if not programs or (not reported_bad and any(not ok for _, ok in by_ctest)):
        found += by_ctest if not programs else [c for c in by_ctest if not c[1]]
    # A program that crashed leaves no report at all.
    found += [(n, False) for n, ok in by_ctest if not ok and (n, False) not in found and len(programs) < len(by_ctest)]
    return found


def main():
    folder, broken = pathlib.Path(sys.argv[1]), sys.argv[2] == "1"
    names = sorted({p.name.split(".")[0] for p in folder.glob("*.xml")})
    passed = failed = 0
    for name in names:
        results = suite(folder, name)
        bad = [n for n, ok in results if not ok]
        print(f"{name:24} {len(results) - len(bad):5} passed {len(bad):4} failed")
        for n in bad[:50]:
            print(f"    failed: {n}")
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
