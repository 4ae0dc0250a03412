#!/usr/bin/env python3
"""The independent reader: command line. See README.md beside it."""

import argparse
import json
import pathlib
import sys
import time

from hansard import age, agree, chain, content, names, segment, selftest, vectors, verdict, write
from hansard.text import Bad


def load(paths):
    found = []
    for path in paths:
        found += age.identities(pathlib.Path(path).read_text())
    return found


def check(args):
    failed = 0
    for path in args.files:
        data = path.read_bytes()
        try:
            if path.suffix == ".hchain":
                chain.whole_object(data)
                said = "ok"
            else:
                made = segment.check_file(data, path.suffix == ".hrec")
                for one in made:
                    segment.check_keys(one)
                said = "recovered" if any(one.recovered for one in made) else "ok"
        except Bad as error:
            said, failed = str(error), failed + 1
        print(f"{path}: {said}")
    return 1 if failed else 0


def open_files(args):
    """The raw bytes of one stream of segments given in order, or their lines as JSON."""
    opener = content.Opener(load(args.identity))
    segments = []
    for path in args.files:
        segments += segment.check_file(path.read_bytes(), path.suffix == ".hrec")
    for before, made in zip(segments, segments[1:]):
        segment.linked(before, made)
    for opened in opener.open_all(segments):
        for event in opened.reader.events:
            if args.stream == event.code:
                sys.stdout.buffer.write(event.raw)
            elif args.stream == "events":
                what = event.raw.hex() if event.code in "oei" else event.text
                print(json.dumps([event.time_ms, event.code, what]))
    return 0


def store_objects(root):
    """({session: [(name, number, bytes)]}, {chain: [(name, bytes)]}, foreign names) of a directory store."""
    sessions, chains, foreign = {}, {}, []
    for path in sorted(root.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(root).as_posix()
        part, link = names.parse_segment(name), names.parse_chain(name)
        if part:
            sessions.setdefault((part[0], part[1]), []).append((name, part[2], part[3], path.read_bytes()))
        elif link:
            chains.setdefault(link[0], []).append((link, path.read_bytes()))
        else:
            foreign.append(name)
    return sessions, chains, foreign


def judged(root, now):
    """[(session, judgement, whether it is fine)] of a directory store, and the names that are none."""
    sessions, chains, foreign = store_objects(root)
    built = {chain_id: chain.build(objects, chain_id) for chain_id, objects in chains.items()}
    wanted = {(c.id.hex()[:16], e.fields["session"]) for c in built.values() for e in c.entries if e.kind == "start"}
    made = []
    for key in sorted(wanted | set(sessions)):
        objects = sessions.get(key, [])
        of = next((c for c in built.values() if c.id.hex()[:16] == key[0]), None)
        said = verdict.judge(key[1], [(name, number, data) for name, number, _, data in objects], of, now)
        for name, _, digest16, data in objects:
            if not verdict.named_right(digest16, data):
                said.faults.append(("altered", f"{name}: digest is not the name's"))
        fine = not said.faults and said.verdict.split()[0].rstrip(",") in ("complete", "recovered", "running")
        made.append((key[1], said, fine and "not witnessed" not in said.verdict))
    return made, foreign


def now_ms(args):
    return args.now if args.now is not None else int(time.time() * 1000)


def verify(args):
    made, foreign = judged(args.store, now_ms(args))
    for session, said, _ in made:
        faults = "; ".join(f"{word} ({detail})" if detail else word for word, detail in said.faults)
        print(f"{session}: {said.verdict}" + (f": {faults}" if faults else ""))
    for name in foreign:
        print(f"{name!r}: not a name of this format")
    failed = sum(not fine for _, _, fine in made)
    print(f"{len(made)} sessions, {failed} failed")
    return 1 if failed or not made else 0


def agree_with(args):
    def judge(root):
        ((_, said, fine),), _ = judged(root, now_ms(args))
        return fine, said.verdict, bool(said.faults)

    return agree.run(args.replay, judge)


def write_store(args):
    store, identity = write.recording()
    if args.vectors:
        vectors.write(args.dir, store, identity, "written by the Python writer, which knows the format's text only")
        return 0
    for name, data in store.items():
        path = args.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (args.dir.parent / (args.dir.name + ".identity")).write_text(identity + "\n")
    return 0


def parse(argv):
    parser = argparse.ArgumentParser(description="An independent reader of Hansard recordings.")
    commands = parser.add_subparsers(required=True)
    files = {"nargs": "+", "type": pathlib.Path}
    one = commands.add_parser("check", help="check files without a key")
    one.add_argument("files", **files)
    one.set_defaults(run=check)
    one = commands.add_parser("open", help="print what is inside")
    one.add_argument("--identity", action="append", required=True)
    one.add_argument("--stream", default="o", choices=["o", "e", "i", "events"])
    one.add_argument("files", **files)
    one.set_defaults(run=open_files)
    one = commands.add_parser("verify", help="the verdict on every session of a directory store")
    one.add_argument("--now", type=int, help="milliseconds since 1970")
    one.add_argument("store", type=pathlib.Path)
    one.set_defaults(run=verify)
    one = commands.add_parser("agree", help="compare with hansard-replay on damaged stores")
    one.add_argument("--now", type=int, help="milliseconds since 1970")
    one.add_argument("replay", help="the program")
    one.set_defaults(run=agree_with)
    one = commands.add_parser("vectors", help="run the test vectors")
    one.add_argument("dir", type=pathlib.Path)
    one.set_defaults(run=lambda args: vectors.run(args.dir))
    one = commands.add_parser("write", help="write a small store with fixed secrets, and its identity beside it")
    one.add_argument("--vectors", action="store_true", help="write it as test vectors")
    one.add_argument("dir", type=pathlib.Path)
    one.set_defaults(run=write_store)
    one = commands.add_parser("selftest", help="try the reader on what its own writer wrote, and on damage to it")
    one.set_defaults(run=lambda args: selftest.run())
    return parser.parse_args(argv)


def main(argv):
    args = parse(argv)
    try:
        return args.run(args)
    except (Bad, OSError, ValueError) as error:
        print(f"hansard_reader: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
