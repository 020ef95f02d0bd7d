"""A lint for devices: what would fail, or stay behind on the CPU, on a GPU or on Apple's MPS.

Four rules, read off the source of vizlib:

1. A new tensor says where it is made, device=..., or is moved in the same expression, (...).to(...). Or it is
   drawn from a CPU generator, generator=..., and moved by whoever asked for it; or it is a number,
   torch.tensor(0.5) or torch.ones(()), which every device takes; or it is a weight or a buffer of a module,
   which moves as a whole. Better still it is made like another one: x.new_zeros, torch.zeros_like.
2. Double precision comes after .cpu() in the same expression: x.cpu().double(). MPS has none.
3. NumPy comes after .cpu() too: x.cpu().numpy().
4. No operator that MPS lacks, except after .cpu().

What is meant for the CPU says so: "# on the CPU" on the line, on the line above it, or in the head of the
function. Whole files that only ever work there are listed below with the reason.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "vizlib"
MARK = "# on the CPU"
FACTORIES = {
    *("zeros", "ones", "full", "empty", "eye", "tensor", "arange", "linspace", "logspace", "normal"),
    *("rand", "randn", "randint", "randperm", "fftfreq", "rfftfreq"),
}
# Operators without an MPS kernel in PyTorch 2.14 (native_functions.yaml), those that somebody might use ...
MPS_LACKS = {
    *("eig", "eigvals", "fractional_max_pool2d", "heaviside", "ldl_factor", "ldl_solve", "log_ndtr", "mode"),
    *("multi_margin_loss", "ndtri", "ormqr", "put_", "segment_reduce"),
}
# ... and those whose kernel is not whole: sides that are not multiples of the output's fail, or give other
# values (github.com/pytorch/pytorch/issues/96056, /190064).
MPS_LACKS |= {"adaptive_avg_pool2d", "adaptive_max_pool2d"}

# Rules 1 and 3 do not hold in these files; each reason in a few words.
ON_THE_CPU = {
    "course/checks/": "the checks of exercises compute on the CPU, on every machine",
    "course/training/": "data sets, batches and what is written to files; the training loop moves batches",
    "deception/cppn.py": "genomes live, mutate and are drawn on the CPU; the network moves the pictures",
    "deception/direct.py": "genomes live, mutate and are drawn on the CPU; the network moves the pictures",
    "deception/evolution.py": "archives are on the CPU; the network moves the pictures",
    "display/": "drawing happens on the CPU",
    "images/collage.py": "pictures are made on the CPU",
    "images/convert.py": "pictures are read on the CPU",
    "synthesis/descriptor_layers.py": "filters of a module, which moves as a whole",
}


class Source:
    """A file, its tree with parents, and what its comments say."""

    def __init__(self, text):
        self.lines, self.tree, self.parent = text.splitlines(), ast.parse(text), {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parent[child] = node

    def above(self, node):
        while node := self.parent.get(node):
            yield node

    def marked(self, node):
        """Is it said that this happens on the CPU?"""
        statement = next(n for n in (node, *self.above(node)) if isinstance(n, ast.stmt))
        spans = [(max(1, statement.lineno - 1), statement.end_lineno)]
        if statement.__class__ in (ast.If, ast.For, ast.With, ast.While, ast.FunctionDef, ast.Try):
            spans = [(max(1, node.lineno - 1), node.end_lineno)]
        spans += [
            (max(1, n.lineno - 1), max(n.lineno, n.body[0].lineno - 1))
            for n in self.above(node)
            if isinstance(n, ast.FunctionDef)
        ]
        return any(MARK in line for first, last in spans for line in self.lines[first - 1 : last])


def chain(node):
    """The calls that an expression begins with: for x.cpu().double() that is {"cpu", "double"}."""
    names = set()
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return names


def after_cpu(node):
    """Does the call, or what it is called on, come after .cpu(), or is it made on the CPU?"""
    keywords = getattr(node, "keywords", [])
    return "cpu" in chain(node) or any(
        k.arg == "device" and isinstance(k.value, ast.Constant) and k.value.value == "cpu" for k in keywords
    )


def inside(node, whole):
    return any(n is node for n in ast.walk(whole))


def is_torch(node):
    """torch, torch.fft, torch.linalg"""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id == "torch"


def allocations(source):
    for node in ast.walk(source.tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in FACTORIES or not is_torch(node.func.value):
            continue
        first = ast.unparse(node.args[0]) if node.args else ""
        number = first == "()" or node.func.attr == "tensor" and isinstance(node.args[0], ast.Constant)
        nothing = node.func.attr == "empty" and first == "0" and len(node.args) == 1  # a place for what comes
        placed = {k.arg for k in node.keywords} & {"device", "generator"}
        moved = any(
            isinstance(n, ast.Call)
            and (
                (isinstance(n.func, ast.Attribute) and n.func.attr == "to" and inside(node, n.func.value))
                or chain(n.func) & {"register_buffer", "Parameter"}
            )
            for n in source.above(node)
        )
        if not (number or nothing or placed or moved):
            yield node, f"torch.{node.func.attr}(...) does not say on which device"


def doubles(source):
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "double":
            if not after_cpu(node):
                yield node, ".double() before .cpu()"
        elif isinstance(node, ast.Attribute) and node.attr in ("float64", "double", "complex128"):
            if not is_torch(node.value) or isinstance(source.parent[node], ast.Compare):
                continue
            call = next((n for n in source.above(node) if isinstance(n, ast.Call)), None)
            if call is None or not after_cpu(call):
                yield node, f"torch.{node.attr} before .cpu()"


def numpys(source):
    for node in ast.walk(source.tree):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if called and node.func.attr == "numpy" and not after_cpu(node):
            yield node, ".numpy() before .cpu()"


def lacking(source):
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in MPS_LACKS
        ):
            arguments = [chain(argument) for argument in node.args[:1]]
            if not after_cpu(node) and not any("cpu" in names for names in arguments):
                yield node, f"{node.func.attr}, which MPS lacks, before .cpu()"


RULES = {"allocations": allocations, "doubles": doubles, "numpys": numpys, "lacking": lacking}
EXEMPT = {"allocations", "numpys"}


def found(rule, text):
    source = Source(text)
    return [(node.lineno, words) for node, words in RULES[rule](source) if not source.marked(node)]


def files():
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.py"))
    }


def reason(name):
    return next(
        (key for key in ON_THE_CPU if name == key or key.endswith("/") and name.startswith(key)), None
    )


@pytest.mark.parametrize("rule", RULES)
def test_the_library_keeps_the_rule(rule):
    lines = [
        f"vizlib/{name}:{line}: {words}"
        for name, text in files().items()
        if not (rule in EXEMPT and reason(name))
        for line, words in found(rule, text)
    ]
    assert not lines, f"{len(lines)} places:\n" + "\n".join(lines)


def test_every_exception_is_needed():
    used = {
        reason(name)
        for name, text in files().items()
        if reason(name) and any(found(rule, text) for rule in EXEMPT)
    }
    assert used == set(ON_THE_CPU), f"no longer needed: {sorted(set(ON_THE_CPU) - used)}"


@pytest.mark.parametrize(
    "rule, line",
    [
        ("allocations", "y = torch.zeros(3)"),
        ("allocations", "y = x * torch.arange(5) + 1"),
        ("allocations", "y = f(torch.ones(3), x.to(device))"),
        ("allocations", "y = torch.fft.fftfreq(5)[:, None]"),
        ("allocations", "y = torch.tensor([1.0, 2.0])"),
        ("doubles", "y = x.double()"),
        ("doubles", "y = x.double().cpu()"),
        ("doubles", "y = x.to(torch.float64)"),
        ("doubles", "y = torch.zeros(3, dtype=torch.float64, device=x.device)"),
        ("numpys", "y = x.detach().numpy()"),
        ("numpys", "y = x.numpy().cpu()"),
        ("lacking", "y = F.adaptive_avg_pool2d(x, 7)"),
        ("lacking", "y = torch.linalg.eig(x)"),
        ("lacking", "y = x.mode()"),
    ],
)
def test_the_lint_sees_what_breaks_a_rule(rule, line):
    assert len(found(rule, line)) == 1
    assert len(found(rule, f"def f(x):\n    if x:\n        {line}\n")) == 1
    for marked in (f"{line}  {MARK}", f"{MARK}\n{line}", f"def f(x):  {MARK}: small\n    {line}"):
        assert not found(rule, marked)
    assert len(found(rule, f"z = 1  {MARK}\n\n{line}")) == 1


@pytest.mark.parametrize(
    "rule, line",
    [
        ("allocations", "y = torch.zeros(3, device=x.device)"),
        ("allocations", "y = torch.rand(3, generator=generator)"),
        ("allocations", "y = (0.5 + torch.zeros(3)).view(3, 1).to(x.device)"),
        ("allocations", "y = x.new_zeros(3) + torch.zeros_like(x) + torch.ones(()) + torch.tensor(0.5)"),
        ("allocations", "self.register_buffer('mean', torch.zeros(3))"),
        ("allocations", "y = nn.Parameter(torch.zeros(3))"),
        ("doubles", "y = x.detach().cpu().double()"),
        ("doubles", "y = x.cpu()[0].to(torch.float64)"),
        ("doubles", "y = torch.zeros(3, dtype=torch.float64, device='cpu')"),
        ("doubles", "y = np.zeros(3, dtype=np.float64)"),
        ("doubles", "y = x if x.dtype == torch.float64 else x.float()"),
        ("numpys", "y = x.detach().cpu()[0].permute(1, 2, 0).numpy()"),
        ("lacking", "y = F.adaptive_avg_pool2d(x.cpu(), 7)"),
    ],
)
def test_the_lint_lets_pass_what_keeps_it(rule, line):
    assert not found(rule, line)


def test_the_list_of_what_mps_lacks_is_that_of_the_installed_pytorch():
    """Read from the table of kernels that comes with PyTorch: for which devices does an operator have one?"""
    torchgen = pytest.importorskip("torchgen")
    table = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native" / "native_functions.yaml"
    if not table.is_file():
        pytest.skip("this PyTorch comes without its table of kernels")
    entries = re.split(r"\n- func: ", table.read_text(encoding="utf-8"))[1:]
    lacking, there = set(), set()
    for entry in entries:
        name = entry.split("(")[0].split(".")[0]
        kernels = re.search(r"\n  dispatch:\n((?:    .*\n?)+)", entry)
        alone = kernels and "CPU" in kernels[1] and not re.search(r"\bMPS\b|Composite", kernels[1])
        (lacking if alone else there).add(name)
    for name in MPS_LACKS - {"adaptive_avg_pool2d", "adaptive_max_pool2d"}:
        spellings = {
            name,
            f"linalg_{name}",
            f"special_{name}",
            f"linalg_{name}_ex",
            f"linalg_{name}".replace("vals", ""),
        }
        assert spellings & lacking, f"PyTorch has {name} for MPS now"
