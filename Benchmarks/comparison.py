"""What compare-layers and compare-networks share: their arguments, the engines they run, and errors for people."""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")
# What keeps the peers, too, to an instruction set: oneDNN's name of it, and PyTorch's own kernels'.
PEER_LIMITS = {
    "baseline": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "avx512": {},
}


class UsageError(Exception):
    """An argument, or a file that one names, that can't be used: where, what was expected, what was found."""

    def __init__(self, where, expected, found):
        super().__init__(f"{where}: expected {expected}, found {found}")


class EngineError(Exception):
    """A build or an engine that failed."""


def positive(text):
    """An argument's number from 1 on."""
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, found \"{text}\"")


def add_common_arguments(parser):
    parser.add_argument("--workers", type=positive, default=2, metavar="N", help="threads of each engine (default: 2)")
    parser.add_argument(
        "--rounds", type=positive, default=2, metavar="N",
        help="how often the engines take turns; the best of each counts (default: 2)")
    parser.add_argument("--json", metavar="OUT", help="also write every result to a file, one object a line")
    parser.add_argument(
        "--engine-bench", metavar="FILE", help="measure this binary (default: build the one of this project)")


def add_instruction_set_argument(parser):
    parser.add_argument(
        "--isa", choices=INSTRUCTION_SETS, help="instruction set of both engines (default: TESSERA_ISA, or the best)")


def instruction_set(args):
    """What the argument or the environment asks for; None leaves the choice to the engines."""
    isa = args.isa or os.environ.get("TESSERA_ISA") or None
    if isa is not None and isa not in INSTRUCTION_SETS:
        raise UsageError("TESSERA_ISA", "one of " + ", ".join(INSTRUCTION_SETS), f"\"{isa}\"")
    return isa


class Report:
    """The file of --json, or none."""

    def __init__(self, path):
        try:
            self.file = open(path, "w", encoding="utf-8") if path else None
        except OSError as error:
            raise UsageError("--json", "a file that can be written", f"{path}: {error.strerror}") from None

    def add(self, record):
        if self.file:
            self.file.write(json.dumps(record) + "\n")
            self.file.flush()


class Peers:
    """The virtual environment of the engines we compare with."""

    def __init__(self, isa=None, scratch=None):
        folder = pathlib.Path(os.environ.get("TESSERA_PEERS") or pathlib.Path.home() / ".tessera-peers")
        self.python = folder / "bin" / "python"
        if not os.access(self.python, os.X_OK):
            raise EngineError(f"no peers in {folder}: Benchmarks/peers/setup.sh installs them")
        self.environment = dict(os.environ) | PEER_LIMITS.get(isa, {})
        if scratch:
            self.environment["TMPDIR"] = str(scratch)

    def version(self, package):
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        return run([self.python, "-c", code], self.environment).strip()

    def records(self, script, *arguments):
        """What one of the peers' scripts reports."""
        return parse_records(run([self.python, HERE / "peers" / script, *arguments], self.environment), script)


class EngineBench:
    """Tessera's command."""

    def __init__(self, args):
        if args.engine_bench:
            self.path = pathlib.Path(args.engine_bench).resolve()
            if not os.access(self.path, os.X_OK) or self.path.is_dir():
                raise UsageError("--engine-bench", "a program", args.engine_bench)
            return
        build = ["swift", "build", "-c", "release", "--product", "engine-bench", "--package-path", PROJECT]
        print("building engine-bench", file=sys.stderr)
        run(build)
        self.path = PROJECT / ".build" / "release" / "engine-bench"

    def records(self, *arguments):
        """What a command of engine-bench reports: without the environment, the peaks and how noisy it was."""
        records = parse_records(run([self.path, *arguments, "--format", "json"]), "engine-bench")
        return [record for record in records if record["record"] not in ("environment", "noise", "peak")]


def run(command, environment=None):
    """Runs a command to its end and returns what it printed."""
    command = [str(part) for part in command]
    try:
        result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except OSError as error:
        raise EngineError(f"{command[0]}: {error.strerror}") from None
    if result.returncode != 0:
        # Python says last what went wrong, and swift build among much else.
        lines = [line for line in (result.stderr + result.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if "rror:" in line] or lines[-1:] or ["no message"]
        raise EngineError(f"{os.path.basename(command[0])} ended with status {result.returncode}: {errors[0].strip()}")
    return result.stdout


def parse_records(text, source):
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError:
        raise EngineError(f"{source}: expected one JSON object a line, found {text[:80]!r}") from None


def milliseconds(value):
    """About four digits."""
    return f"{value:.{3 if value < 10 else 2 if value < 100 else 1 if value < 10000 else 0}f}"


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def main(parser, command):
    """Runs a command; what went wrong is one line, and status 2 if an argument was wrong."""
    try:
        command(parser.parse_args())
    except UsageError as error:
        parser.error(str(error))
    except EngineError as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "\n")
    except BrokenPipeError:
        # Whoever reads has gone; nothing is left to be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        parser.exit(141)
