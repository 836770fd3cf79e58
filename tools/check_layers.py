#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the tree to its own rules: rooms depend one way, third-party headers stay in their rooms, and each source says
its licence. Prints one line per breach, `file:line: reason`, and ends with 1 if there is any; notes do not count.

Usage: check_layers.py [ROOT]
"""
import pathlib
import re
import shutil
import subprocess
import sys

# Lowest first; a room includes itself and the rooms before it.
ROOMS = ["core", "pack", "graph", "exec", "profile", "partition", "schedule", "json", "onnx", "wire", "net"]
# Rooms of narrows::narrows, all reached by the umbrella header.
UMBRELLA = ROOMS[: ROOMS.index("json")]
# Headers outside narrows::narrows though their room is inside: they need xtensor, or LZ4, Zstandard and zlib, or serve those that do.
XTENSOR = ("narrows/exec/reference/", "narrows/pack/xtensor.hpp")
LIBRARY_CODECS = ("narrows/pack/codecs.hpp", "narrows/pack/chunks.hpp")
BESIDE = XTENSOR + LIBRARY_CODECS
# Not brought in by the umbrella: chosen by dispatch, or included by hand.
INNER = ("narrows/pack/kernel/", "narrows/exec/module")

# What a third-party header may be included by.
FOREIGN = {
    r"xsimd/|xtl/": ("narrows/pack/", "narrows/exec/reference/"),
    r"xtensor/": XTENSOR,
    r"(lz4|zstd|zlib)\.h": LIBRARY_CODECS,
    r"nlohmann/": ("narrows/json/",),
    r"google/protobuf/": ("narrows/onnx/", "narrows/wire/"),
    r"narrows/onnx/.*\.pb\.h": ("narrows/onnx/",),
    r"narrows/wire/.*\.pb\.h": ("narrows/wire/", "narrows/net/"),
    r"zmq": ("narrows/net/",),
    r"(CLI|fmt|gtest|gmock|benchmark|opencv2|onnx)/|jpeglib|png\.h": (),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LONGEST = 400
LICENCE = "SPDX-License-Identifier: BSD-3-Clause"
# Spelt in pieces so that this file keeps its own rule.
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:" + "|".join(["wo" + "rk", "fa" + "rm", "ho" + "me", "ro" + "ot", "tm" + "p"]) + r")/")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
SOURCES = {".hpp", ".cpp", ".h", ".c", ".proto"}
TEXTS = SOURCES | {".py", ".sh", ".cmake", ".in", ".txt", ".md", ".json", ".yml", ".yaml", ""}


def files_of(root):
    """Files under version control and new ones that git does not ignore; all files where there is no git."""
    if (root / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(["git", "-C", root, "ls-files", "-coz", "--exclude-standard"], check=True, capture_output=True)
        names = sorted(set(listed.stdout.decode().split("\0")) - {""})
    else:
        names = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.relative_to(root).parts[0] not in ("build", ".git"))
    return [name for name in names if (root / name).is_file() and not (root / name).is_symlink()]


def room_of(header):
    """Room of `narrows/<room>/x.hpp`; None for the headers directly in narrows/."""
    parts = header.split("/")
    return parts[1] if len(parts) > 2 else None


def check_include(header, target, quoted):
    """Why `header` (as written in an include) may not include `target`; None if it may."""
    if quoted:
        return f'"{target}" is included by a relative name; write <narrows/...>'
    for pattern, allowed in FOREIGN.items():
        if re.match(pattern, target):
            return None if header.startswith(allowed) else f"<{target}> does not belong in this room"
    if not target.startswith("narrows/"):
        return None
    here, there = room_of(header), room_of(target)
    if here is not None and here not in ROOMS:
        return f"'{here}' is not a room; there are: {' '.join(ROOMS)}"
    if there is None:
        if target == "narrows/narrows.hpp":
            return "the umbrella header is for users, not for the library"
        return None
    if there not in ROOMS:
        return f"<{target}> is in no room"
    limit = UMBRELLA[-1] if here is None else here
    if ROOMS.index(there) > ROOMS.index(limit):
        return f"room '{limit}' must not include room '{there}', which comes after it"
    if target.startswith(BESIDE) and not header.startswith(BESIDE):
        return f"<{target}> needs more than narrows::narrows has"
    return None


def unreached(includes):
    """Public headers of the umbrella's rooms that <narrows/narrows.hpp> does not bring in."""
    seen, open_ = set(), ["narrows/narrows.hpp"]
    while open_:
        header = open_.pop()
        if header not in seen:
            seen.add(header)
            open_ += includes.get(header, [])
    return sorted(h for h in includes if room_of(h) in UMBRELLA and h not in seen and not h.startswith(BESIDE + INNER))


def check_text(name, lines, report):
    suffix = pathlib.PurePosixPath(name).suffix
    script = lines and lines[0].startswith("#!")
    if suffix in SOURCES and not (lines and lines[0] == f"// {LICENCE}"):
        report(name, 1, f"the first line must be '// {LICENCE}'")
    if (script or suffix == ".py") and not any(line == f"# {LICENCE}" for line in lines[:2]):
        report(name, 1, f"the second line of a script must be '# {LICENCE}'")
    # Text that others include inside their namespaces, several times; it says so.
    guarded = "#pragma once" in lines[:3] or any(line.startswith("// No include guard:") for line in lines[1:2])
    if name.startswith("include/") and suffix == ".hpp" and not guarded:
        report(name, 1, "a header needs #pragma once below its licence line")
    for number, line in enumerate(lines, 1):
        if MACHINE_PATH.search(line):
            report(name, number, "path of one machine")
        if UNFINISHED.search(line):
            report(name, number, "unfinished place")
        if "diagnostic ignored" in line and not any("bug" in near for near in lines[max(0, number - 6) : number]):
            report(name, number, "a warning pragma must name its compiler bug")
        if suffix in {".cmake", ".txt"} and re.search(r'(^|[\s";])-w($|[\s";)])', line):
            report(name, number, "-w hides every warning")


def check_version(root, report):
    header, cmake = root / "include/narrows/version.hpp", root / "CMakeLists.txt"
    if header.is_file() and cmake.is_file():
        ours = re.search(r'NARROWS_VERSION "([^"]+)"', header.read_text())
        theirs = re.search(r"project\(narrows VERSION (\S+)", cmake.read_text())
        if not ours or not theirs or ours[1] != theirs[1]:
            report("include/narrows/version.hpp", 1, "version differs from CMakeLists.txt")


def check(root):
    """All breaches and notes under `root`, each as one line of text."""
    breaches, notes, includes = [], [], {}

    def report(name, number, reason):
        breaches.append(f"{name}:{number}: {reason}")

    for name in files_of(root):
        suffix = pathlib.PurePosixPath(name).suffix
        if suffix not in TEXTS:
            continue
        try:
            lines = (root / name).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        check_text(name, lines, report)
        if suffix in SOURCES | {".py"} and len(lines) > LONGEST:
            notes.append(f"{name}: {len(lines)} lines; does it still hold one idea?")
        if name.startswith("include/narrows/") and suffix == ".hpp":
            header = name.removeprefix("include/")
            includes[header] = []
            for number, line in enumerate(lines, 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                reason = None if header == "narrows/narrows.hpp" and room_of(found[2]) in UMBRELLA else check_include(header, found[2], found[1] == '"')
                if reason:
                    report(name, number, reason)
                includes[header].append(found[2])
    if "narrows/narrows.hpp" in includes:
        for header in unreached(includes):
            report("include/narrows/narrows.hpp", 1, f"does not bring in <{header}>")
    check_version(root, report)
    return breaches, notes


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    breaches, notes = check(root)
    for note in notes:
        print(f"note: {note}")
    for breach in breaches:
        print(breach)
    print(f"layers: {len(breaches)} breaches, {len(notes)} notes")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
