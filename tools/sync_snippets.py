#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Keeps the programs and outputs shown in the documents equal to the files they come from, which are compiled and run
by the tests. A document names the file between two marks:

    <!-- snippet: examples/quickstart.cpp -->
    (a fenced block, written by this script)
    <!-- end of snippet -->

Usage: sync_snippets.py          rewrites the documents
       sync_snippets.py --check  names those that differ and ends with 1
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARKED = re.compile(r"(<!-- snippet: (\S+) -->\n).*?(<!-- end of snippet -->)", re.DOTALL)
LANGUAGES = {".cpp": "cpp", ".hpp": "cpp", ".txt": "text", ".py": "python", ".cmake": "cmake", ".json": "json"}


def block(path):
    """The fenced block for a file; its licence line says nothing to a reader of the document."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if lines and "SPDX-License-Identifier" in lines[0]:
        lines = lines[1:]
    text = "\n".join(lines).strip("\n")
    return f"```{LANGUAGES.get(path.suffix, '')}\n{text}\n```\n"


def synced(document):
    text = document.read_text(encoding="utf-8")
    return text, MARKED.sub(lambda m: m[1] + block(ROOT / m[2]) + m[3], text)


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        print(__doc__, file=sys.stderr)
        return 2
    stale = 0
    for document in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]):
        try:
            old, new = synced(document)
        except OSError as problem:
            print(f"{document.relative_to(ROOT)}: {problem.strerror}: {problem.filename}")
            stale += 1
            continue
        if old != new:
            stale += 1
            print(f"{document.relative_to(ROOT)}: {'differs from' if check else 'brought up to'} its files")
            if not check:
                document.write_text(new, encoding="utf-8")
    if check and stale:
        print("run tools/sync_snippets.py")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
