"""The results as a page. What it says about them is computed from them, so that it is true of every run."""

from bench.plan import HEADLINES, SIZE_TITLES, SUBJECTS, TITLES
from bench.results import Results, Spread
from bench.tables import number, shown, sized

RESULT_HEAD = """# Measured

Written by `make bench` (`{command}`); run it again and this page is about your machine.
The numbers are minimum / **median** / maximum over rounds; [{name}.json]({name}.json) has every one of them.
"""
DRAWING = "![Each work, median and spread]({name}.svg)\n"


def report(results: Results, name: str = "results", *, drawn: bool = True) -> str:
    parts = [RESULT_HEAD.format(command=results.command.strip(), name=name)]
    parts += [DRAWING.format(name=name), _in_short(results)] if drawn else []
    parts += [_machine(results)]
    parts += [_work(results, work) for work in TITLES if results.subjects(work)]
    parts += [sized(results, work) for work in SIZE_TITLES if results.subjects(work)]
    parts += [_skipped(results), METHOD]
    return "\n".join(parts)


def _in_short(results: Results) -> str:
    """How many times better Penstock over SQLite is: medians of the ratios within a round."""
    others = [name for name in SUBJECTS if name != "penstock"]
    lines = ["## In short\n", f"| work | figure | penstock | against {' | against '.join(others)} |"]
    lines.append("|---" * (3 + len(others)) + "|")
    for work in TITLES:
        figure, more = HEADLINES[work]
        ratios = [results.ratio(work, name) for name in others]
        cells = [f"× {number(ratio.median)}" if ratio else "–" for ratio in ratios]
        better = "more" if more else "less"
        median = shown(results.spread(work, "penstock", figure))
        lines.append(f"| {work}: {TITLES[work]} | {figure} ({better} is better) | {median} | {' | '.join(cells)} |")
    said = "\nMedians of the ratios within a round: × 10 is ten times better, × 0.1 ten times worse."
    return "\n".join([*lines, said, ""])


def _machine(results: Results) -> str:
    loops = Spread.of([one.fixed_loop_ms for one in results.measured] or [0.0])
    syncs = Spread.of([one.synced_append_ms for one in results.measured] or [0.0])
    loads = Spread.of([one.load_before for one in results.measured] or [0.0])
    rows = [
        *results.machine,
        ("fdatasync of 300 bytes before a measurement, ms", shown(syncs)),
        ("load average before a measurement", shown(loads)),
        ("a fixed loop of Python before a measurement, ms", shown(loops)),
        *(
            (f"`{name}`", f"{SUBJECTS[name]}; {version}" if name in SUBJECTS else version)
            for name, version in results.versions.items()
        ),
    ]
    return "\n".join(["| what | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""])


def _work(results: Results, work: str) -> str:
    subjects = [name for name in SUBJECTS if name in results.subjects(work)]
    figures = list(dict.fromkeys(name for one in results.measured if one.work == work for name in one.figures))
    figure, more = HEADLINES[work]
    lines = [
        f"## {work}: {TITLES[work]}\n",
        "| subject | rounds | " + " | ".join(figures) + " |",
        "|---" * (2 + len(figures)) + "|",
    ]
    for name in subjects:
        cells = [shown(results.spread(work, name, one)) for one in figures]
        lines.append(f"| {name} | {len(results.of(work, name))} | " + " | ".join(cells) + " |")
    ratios = [(name, results.ratio(work, name)) for name in subjects if name != "penstock"]
    said = "; ".join(f"{name} {shown(ratio)}" for name, ratio in ratios if ratio)
    if said:
        better = "more" if more else "less"
        lines.append(f"\nPenstock over SQLite against the others, in *{figure}* ({better} is better; above 1 it is")
        lines.append(f"ahead, below 1 behind), round by round: {said}.")
    return "\n".join([*lines, ""])


def _skipped(results: Results) -> str:
    by_reason: dict[tuple[str, str], list[str]] = {}
    for (work, name), why in results.skipped.items():
        by_reason.setdefault((name, why), []).append(work)
    rows = [f"| {name} | {', '.join(sorted(works))} | {why} |" for (name, why), works in sorted(by_reason.items())]
    rows.append("| Temporal, Hatchet, Prefect | all | servers of their own; no adapter is written here |")
    return "\n".join(["## Not measured\n", "| subject | works | why |", "|---|---|---|", *rows, ""])


METHOD = """## How to read this

- Every subject puts every step on disk before the next one begins: SQLite with `synchronous=FULL`, PostgreSQL with
  `fsync` and `synchronous_commit` on. DBOS opens its SQLite file with a rollback journal, Penstock and the floor with
  a write-ahead log: that is their choice, and part of what is measured.
- Each measurement is a new process over empty data. Rounds go through all subjects in turn, so that a ratio compares
  neighbours in time. On a machine that others use, too, trust ratios before numbers, and no difference below a fifth.
- The engine, its workers and the load are in one process for every subject but Restate, and in W7 and W9 for none.
  `CPU ms/run` is that process, load included, with Restate's two, but without PostgreSQL's.
- `KB written/run` is what these processes made the kernel write; over PostgreSQL it is what the server put into its
  log, which it writes to its tables once more later. `KB kept/run` is by how much the database grew; Restate reserves
  its files, so that theirs says nothing. `commits`, `turns` and `statements` are what Penstock's store counts: over
  PostgreSQL each statement is one round trip, over SQLite there are none.
- W2 and W7 call the same small local service. DBOS, procrastinate and the floor call it with the bench's own client,
  which costs a quarter of a general one; Penstock uses the client that it has.
- W6: each run has two steps on disk and stands in its third when the process is killed. Measured is from the engine
  being open (which for DBOS is the return of `launch`) to the last run beginning its last step. *ended steps again*
  counts steps that ran although their end was on disk.
- W7: Penstock is `penstock up` with its whole HTTP interface, Restate has its own ingress; the others have the
  smallest HTTP front that there is. Restate uses all cores of the machine, the others about one.
- In W1, W2 and W4 a run of Restate is one request that is answered at its end, which is the cheapest way to use it.
- W8 and W9 compare Penstock with itself: × 1.5 means one and a half times the figure of the first column. W8a parks
  in one process and measures in a second one, which begins with nothing in memory; its `MB` are resident memory of
  the process, up to 64 of them SQLite's page cache and 32 the states that are kept at hand. W8b times steps in the
  middle of one run: `later/first` compares steps of one process with each other, and is the figure to trust on a busy
  machine.
- W8c ends at 250,000 bytes because a value of a run may have 256 KiB (`MAX_VALUE_BYTES`); more is refused.
- W9 spreads its starts over all nodes, then gives all of them to one. The load and PostgreSQL share the machine with
  the nodes: *cores busy* says whether there was anything left for a second one.
- The floor is no engine. It is what is left if one does nothing but write the rows.
- `runs/s` counts a closed loop of 100 until its last run has ended; *alone* is one run after the other.

What the figures mean for Penstock, and where its time goes: [../docs/performance.md](../docs/performance.md).
"""
