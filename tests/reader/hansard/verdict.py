"""What can be said of a session from its segments and its host's chain, without a key (FORMAT.md section 8)."""

from dataclasses import dataclass, field

from . import segment as segments_of
from .text import Bad, show_time

WITNESS_AGE_MS = 180_000
OF_CHAIN = ("chain missing", "chain broken", "fork")


@dataclass
class Judgement:
    verdict: str
    faults: list = field(default_factory=list)  # (word, detail)

    def words(self):
        return sorted({word for word, _ in self.faults})


class _Session:
    """The segments of one session, linked from 0 upwards, and what its chain says of it."""

    def __init__(self, session, objects, chain):
        self.session, self.chain, self.faults = session, chain, []
        self.good = {}  # number -> Segment
        self.there = set()  # numbers of which there is any object, sound or not
        self._entries()
        self._link(objects)

    def fault(self, word, detail):
        if (word, detail) not in self.faults:
            self.faults.append((word, detail))

    def _entries(self):
        by = (lambda kind: self.chain.by(kind, self.session)) if self.chain else (lambda kind: [])
        self.starts, self.ends, self.recovered = by("start"), by("end"), by("recovered")
        self.heads = []  # (entry, segment or None, digest or None)
        for entry in self.chain.entries if self.chain else ():
            if entry.kind == "checkpoint":
                self.heads += [(entry, n, d) for session, n, d in entry.fields["open"] if session == self.session]

    def _link(self, objects):
        candidates = {}
        for name, number, data in objects:
            if number is not None:
                self.there.add(number)
            try:
                made, after = segments_of.check(data)
                if segments_of.check_keys(made) or after != len(data):
                    raise Bad("trailing-data", name)
                if made.header.session != self.session or number not in (None, made.header.segment):
                    raise Bad("altered", "the name does not agree with the header")
            except Bad as error:
                self.fault("erased" if error.outcome == "erased" else "altered", f"{name}: {error}")
                continue
            self.there.add(made.header.segment)
            candidates.setdefault(made.header.segment, {})[made.digest] = (name, made)
        for number in sorted(candidates):
            self._choose(number, candidates[number])

    def _choose(self, number, candidates):
        valid = []
        for name, made in candidates.values():
            try:
                self._fits(made)
                valid.append(made)
            except Bad as error:
                self.fault("altered", f"{name}: {error}")
        closed = [made for made in valid if not made.recovered]
        if closed and len(valid) > len(closed):
            self.fault("altered", f"segment {number} is recovered over a closed one")
            valid = closed
        if len(valid) > 1:
            self.fault("equivocation", f"segment {number}")
        if valid:
            self.good[number] = valid[0]

    def _fits(self, made):
        """The segment is the one that the segment before it, or the start entry, announced."""
        number = made.header.segment
        if number == 0:
            entry = made.header.entry
            if self.chain and entry.seq >= len(self.chain.entries):
                self.fault("chain broken", f"it ends before entry {entry.seq}, which segment 0 carries")
            elif self.chain and not any(start.raw == entry.raw for start in self.starts):
                raise Bad("altered", "its start entry is not in the chain")
        elif number - 1 in self.good:
            segments_of.linked(self.good[number - 1], made)
        else:
            self._after_lost(made)
        for entry, head, digest in self.heads + [(e, e.fields["segment"], e.fields["digest"]) for e in self.ends]:
            if head == number and digest != made.digest:
                raise Bad("altered", f"{entry.kind} {entry.seq} names another digest")
        if made.recovered:
            self._recovered(made)

    def _after_lost(self, made):
        """A number of which nothing is stored is passed by its entry (TRL-5)."""
        number = made.header.segment
        for entry in self.recovered:
            if entry.fields["segment"] != number - 1 or entry.fields["kept"] is not None:
                continue
            if entry.fields["continues"] != made.header.signer:
                raise Bad("altered", f"segment {number} is signed by a key that was not announced")
            before = max((n for n in self.good if n < number), default=None)
            digest = self.good[before].digest if before is not None else None
            if not made.recovered and before == number - 2 and made.trailer.prev != digest:
                raise Bad("altered", f"segment {number} does not follow the digest of {before}")

    def _recovered(self, made):
        """REC-1."""
        number, said = made.header.segment, made.recovered
        if self.chain is None:
            return
        if not any(entry.raw == said.raw for entry in self.recovered):
            raise Bad("altered", "its recovered entry is not in the chain")
        if any(end.seq < said.seq or end.fields["segment"] == number for end in self.ends):
            raise Bad("altered", "recovered over an end")
        if any(head is not None and head >= number for _, head, _ in self.heads):
            raise Bad("altered", "recovered over a checkpoint")
        if sum(entry.fields["segment"] == number for entry in self.recovered) > 1:
            raise Bad("altered", "recovered twice")

    def named(self):
        """The highest segment that a valid signed statement says was there, or None."""
        numbers = [end.fields["segment"] for end in self.ends]
        numbers += [head for _, head, _ in self.heads if head is not None]
        for entry in self.recovered:
            number = entry.fields["segment"]
            numbers += [number] if entry.fields["kept"] is not None else [number - 1] if number else []
        return max(numbers + list(self.good), default=None)


def judge(session, objects, chain, now):
    """`objects`: [(name, number in the name or None, bytes)]; `chain`: chain.Chain or None; `now`: milliseconds."""
    facts = _Session(session, objects, chain)
    if chain is None:
        facts.fault("chain missing", "")
    decided = facts.ends or any(entry.fields["continues"] is None for entry in facts.recovered)
    apart = []
    for problem in chain.problems if chain else ():
        fault = ("fork" if problem.outcome == "fork" else "chain broken", problem.why)
        # What comes after the end of the session fails the verification, not the session (VER-3).
        if decided:
            apart.append(fault)
        else:
            facts.fault(*fault)
    named = facts.named()
    highest = max(facts.good, default=None)
    for number in range(max(facts.there, default=-1) + 1):
        if number not in facts.there:
            facts.fault("missing", f"segment {number}")
    if facts.starts and not facts.there:
        facts.fault("session missing", session)
    verdict = _verdict(facts, named, highest, now)
    return Judgement(verdict, facts.faults + apart)


def _verdict(facts, named, highest, now):
    count = len(facts.good)
    whole = count > 0 and sorted(facts.good) == list(range(count)) and not any(s.recovered for s in facts.good.values())
    if whole and facts.good[count - 1].trailer.last:
        of_chain = all(word in OF_CHAIN for word, _ in facts.faults)
        if not facts.ends and of_chain:
            return "complete, end not witnessed"
        digest = facts.good[count - 1].digest
        if not facts.faults and [(e.fields["segment"], e.fields["digest"]) for e in facts.ends] == [(count - 1, digest)]:
            return "complete"
    if named is not None and (highest is None or highest < named):
        return "cut after nothing" if highest is None else f"cut after {highest}"
    return _unfinished(facts, now)


def _unfinished(facts, now):
    entries = facts.chain.entries if facts.chain else []
    if not facts.ends and not facts.recovered:
        if _interrupted(facts, entries):
            return "interrupted"
        running = _running(facts, entries, now)
        if running:
            return running
    if facts.recovered:
        return f"recovered at {min(e.fields['segment'] for e in facts.recovered)}"
    last = facts.good[max(facts.good)] if facts.good else None
    if facts.ends or last and not last.recovered and last.trailer.last:
        return "ended, not whole"
    naming = [e.time for e in facts.starts + facts.ends] + [e.time for e, _, _ in facts.heads]
    return "silent since " + (show_time(max(naming)) if naming else "ever")


def _running(facts, entries, now):
    checkpoints = [e for e in entries if e.kind == "checkpoint" and e.about(facts.session)]
    if checkpoints:
        newest = checkpoints[-1]
        for entry, number, _ in facts.heads:
            there = number is None or number in facts.good
            if entry is newest and there and now - entry.time <= WITNESS_AGE_MS:
                return "running as of " + show_time(entry.time)
    for start in facts.starts:
        later = any(e.seq > start.seq for e in checkpoints)
        if not later and now - start.time <= WITNESS_AGE_MS:
            return "running as of " + show_time(start.time)
    return None


def _interrupted(facts, entries):
    for start in facts.starts:
        for entry in entries:
            if entry.seq <= start.seq:
                continue
            if entry.boot != start.boot:
                return True
            if entry.kind == "checkpoint" and entry.about(facts.session) and not any(h[0] is entry for h in facts.heads):
                return True
    return False


def named_right(digest16, data):
    """NAME-3 for a segment object; one that does not check is reported by `judge`."""
    try:
        return segments_of.check(data)[0].digest.hex()[:16] == digest16
    except Bad:
        return True
