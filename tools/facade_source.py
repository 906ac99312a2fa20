"""The text of one facade class, from the syntax tree of its class in the trio API.

Invariant: what is written depends on the sources and the table alone. Annotations are copied with
the names that the facades' packages have of their own; where a name comes from is looked up in the
module that it was copied from.
"""

import ast
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from tools.facade_table import OWN, RENAMED, SURFACES, WORDS, Kind, Surface

BUILTINS = frozenset(
    {
        "bool",
        "bytes",
        "dict",
        "float",
        "int",
        "list",
        "object",
        "set",
        "slice",
        "str",
        "tuple",
        "type",
    }
)
Function = ast.FunctionDef | ast.AsyncFunctionDef
WHO = {"blocking": "Any thread may use it.", "aio": "Any asyncio loop may use it."}


@dataclass
class Module:
    """The syntax tree of a module, and where its names come from."""

    name: str
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)
    assignments: dict[str, ast.Assign] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, root: Path, name: str) -> "Module":
        """Read a module of the package."""
        path = root / "python" / Path(*name.split(".")).with_suffix(".py")
        if not path.exists():
            path = path.with_suffix("") / "__init__.py"
        module = cls(name, ast.parse(path.read_text(encoding="utf-8")))
        for node in module.tree.body:
            module._note(node)
        return module

    def members(self, class_name: str) -> dict[str, list[Function]]:
        """Return the functions of a class and of its bases in this module, overloads together.

        Raises:
            KeyError: There is no such class.
        """
        found: dict[str, list[Function]] = {}
        node = self.classes[class_name]
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.classes:
                found.update(self.members(base.id))
        own: dict[str, list[Function]] = {}
        for item in node.body:
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                own.setdefault(item.name, []).append(item)
        return {**found, **own}

    def _note(self, node: ast.stmt) -> None:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                shown = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
                self.imports[alias.asname or alias.name] = f"from {node.module} import {shown}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                self.imports[alias.asname or alias.name] = ast.unparse(node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.assignments[target.id] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            self.others.add(node.target.id)
        elif isinstance(node, ast.ClassDef):
            self.classes[node.name] = node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for item in node.body:
                self._note(item)


class _Unquoted(ast.NodeTransformer):
    """Takes the quotes off annotations, and renames what the facades call otherwise."""

    def __init__(self, renamed: dict[str, str]) -> None:
        self._renamed = renamed

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "Literal":
            return node
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            return self.visit(ast.parse(node.value, mode="eval").body)  # type: ignore[no-any-return]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        text = self._renamed.get(node.id)
        return node if text is None else ast.parse(text, mode="eval").body


class Writer:
    """Writes one class.

    Args:
        root: Of the repository.
        flavour: ``"blocking"`` or ``"aio"``.
        name: Of the class, here and there.
        surface: Its entry in the table.
    """

    def __init__(self, root: Path, flavour: str, name: str, surface: Surface) -> None:
        self._root = root
        self._flavour = flavour
        self._name = name
        self._surface = surface
        self._module = Module.read(root, f"skerry.client.{surface.source}")
        self._typing: set[str] = set()
        self._runtime: set[str] = {"from typing import cast"}
        self._variables: dict[str, str] = {}

    def text(self) -> str:
        """Return the module.

        Raises:
            LookupError: A member of the table does not exist, or a name has no origin.
        """
        body = "\n".join(self._member(name, kind) for name, kind in self._surface.members.items())
        head = self._class_line()
        variables = "".join(f"{line}\n" for line in sorted(self._variables.values()))
        typing = "".join(f"    {line}\n" for line in sorted(self._typing - self._runtime))
        if typing:
            self._runtime.add("from typing import TYPE_CHECKING")
            typing = f"\nif TYPE_CHECKING:\n{typing}"
        runtime = "".join(f"{line}\n" for line in sorted(self._runtime))
        return (
            f'"""`{self._name}`, as {self._flavour} programs use it."""\n\n'
            f"from __future__ import annotations\n\n{runtime}{typing}\n{variables}\n\n"
            f"{head}\n{body}"
        )

    # --- The class ------------------------------------------------------------------------------

    def _class_line(self) -> str:
        flavour, surface = self._flavour, self._surface
        target = f"Trio{self._name}"
        origin = f"from skerry.client.{surface.source} import {self._name} as {target}"
        self._runtime.add(origin)
        bases = []
        if surface.base is None:
            facade = {"blocking": "BlockingFacade", "aio": "AioFacade"}[flavour]
            self._runtime.add(f"from skerry.{flavour}.base import {facade}")
            variables = self._type_variables()
            inside = f"{target}[{variables}]" if variables else target
            bases.append(f"{facade}[{inside}]")
            bases += self._generic_bases()
        else:
            module, base = surface.base
            self._runtime.add(f"from skerry.{flavour}.{module} import {base}")
            bases.append(base)
        doc = f"{surface.text}\n\n{WHO[flavour]} The members are those of `skerry.{self._name}`."
        if Kind.INIT in surface.members.values():
            own = ast.get_docstring(self._module.classes[self._name])
            doc = doc if own is None else _adapted(own, flavour)
        doc = textwrap.indent(f'"""{doc}\n"""\n', "    ")
        return f"class {self._name}({', '.join(bases)}):\n{doc}"

    def _type_variables(self) -> str:
        """Return the variables of a generic class, whatever its generic base is."""
        for base in self._module.classes[self._name].bases:
            if isinstance(base, ast.Subscript):
                variables = _names(base.slice)
                for name in variables:
                    self._need(name, self._module, is_runtime=True)
                return ", ".join(sorted(variables))
        return ""

    def _generic_bases(self) -> list[str]:
        """Return what makes the class generic, such as ``Sequence[_T]``."""
        bases = [
            base
            for base in self._module.classes[self._name].bases
            if isinstance(base, ast.Subscript)
        ]
        for base in bases:
            for name in _names(base.value):
                self._need(name, self._module, is_runtime=True)
        return [ast.unparse(base) for base in bases]

    def _member(self, name: str, kind: Kind) -> str:
        functions = self._module.members(self._name).get(name)
        if functions is None:
            raise LookupError(f"{self._name} has no {name}; take it off tools/facade_table.py")
        *overloads, function = functions
        if overloads:
            self._runtime.add("from typing import overload")
        shown = "".join(f"@overload\n{self._signature(one, kind)}: ...\n" for one in overloads)
        if _has_decorator(function, "property"):
            shown += "@property\n"
        if kind is Kind.ONCE:
            shown += "@staticmethod\n"
        shown += f"{self._signature(function, kind)}:\n"
        shown += textwrap.indent(self._doc(function) + self._body(function, kind), "    ")
        return textwrap.indent(shown, "    ")

    # --- A member -------------------------------------------------------------------------------

    def _signature(self, function: Function, kind: Kind) -> str:
        is_async = self._flavour == "aio" and kind in {Kind.AWAIT, Kind.ONCE}
        keyword = "async def" if is_async else "def"
        arguments = self._arguments(function)
        return f"{keyword} {function.name}({arguments}) -> {self._returns(function, kind)}"

    def _arguments(self, function: Function) -> str:
        arguments = ast.parse(ast.unparse(function)).body[0]
        assert isinstance(arguments, ast.FunctionDef | ast.AsyncFunctionDef)
        for argument in _all_arguments(arguments.args):
            if argument.annotation is not None:
                argument.annotation = self._annotation(argument.annotation, self._module)
        for default in [*arguments.args.defaults, *arguments.args.kw_defaults]:
            for name in set() if default is None else _names(default):
                self._need(name, self._module, is_runtime=True)
        return ast.unparse(arguments.args)

    def _returns(self, function: Function, kind: Kind) -> str:
        if function.returns is None:
            raise LookupError(f"{self._name}.{function.name} has no return annotation")
        if kind is not Kind.STREAM:
            return ast.unparse(self._annotation(function.returns, self._module))
        self._typing.add(f"from skerry.{self._flavour}.stream import Stream")
        return f"Stream[{self._element(function.returns)}]"

    def _element(self, returns: ast.expr) -> str:
        """Return what an iterator of the trio API yields, from its `__anext__`."""
        plain = _Unquoted({}).visit(ast.parse(ast.unparse(returns), mode="eval").body)
        if isinstance(plain, ast.Subscript) and ast.unparse(plain.value) == "AsyncIterator":
            return ast.unparse(self._annotation(plain.slice, self._module))
        stream = plain.value if isinstance(plain, ast.Subscript) else plain
        origin = self._origin(ast.unparse(stream))
        taking = origin.members(ast.unparse(stream)).get("__anext__")
        if taking is None or taking[0].returns is None:
            raise LookupError(f"{ast.unparse(stream)} is not an async iterator with annotations")
        return ast.unparse(self._annotation(taking[0].returns, origin))

    def _origin(self, name: str) -> Module:
        if name in self._module.classes:
            return self._module
        line = self._module.imports.get(name)
        if line is None:
            raise LookupError(f"{self._module.name} does not say where {name} is from")
        return Module.read(self._root, line.split()[1])

    def _annotation(self, node: ast.expr, module: Module) -> ast.expr:
        own = ast.parse(ast.unparse(node), mode="eval").body
        plain: ast.expr = _Unquoted(RENAMED).visit(own)
        for name in _names(plain):
            self._need(name, module, is_runtime=False)
        return plain

    def _need(self, name: str, module: Module, *, is_runtime: bool) -> None:
        """See to it that a name of another module is known in this one."""
        lines = self._runtime if is_runtime else self._typing
        if name in BUILTINS or name == self._name:
            return
        if name in SURFACES:
            lines.add(f"from skerry.{self._flavour}.{SURFACES[name].target} import {name}")
        elif name in OWN:
            lines.add(f"from skerry.{self._flavour}.{OWN[name]} import {name}")
        elif name in module.imports:
            lines.add(module.imports[name])
        elif name.startswith("_") and name in module.assignments:
            assignment = module.assignments[name]
            self._variables[name] = ast.unparse(assignment)
            for inner in _names(assignment.value) - {name}:
                self._need(inner, module, is_runtime=True)
        elif name in module.assignments or name in module.others or name in module.classes:
            lines.add(f"from {module.name} import {name}")
        else:
            raise LookupError(f"{module.name} does not say where {name} is from")

    def _doc(self, function: Function) -> str:
        text = ast.get_docstring(function)
        if text is None:
            return ""
        text = _adapted(text, self._flavour)
        return f'"""{text}\n"""\n' if "\n" in text else f'"""{text}"""\n'

    # --- Its body -------------------------------------------------------------------------------

    def _body(self, function: Function, kind: Kind) -> str:
        if kind is Kind.INIT:
            return self._init_body(function)
        call = self._call(function)
        target = f"Trio{self._name}" if kind is Kind.ONCE else "here"
        inside = f"lambda: {target}.{call}"
        value = {
            Kind.HERE: self._here_call(function, call),
            Kind.THERE: f"self._run_there({inside})",
            Kind.AWAIT: f"self._run({inside})",
            Kind.STREAM: f"self._stream({inside})",
            Kind.ONCE: f"run_once({inside})",
        }[kind]
        if kind is Kind.ONCE:
            self._runtime.add(f"from skerry.{self._flavour}.lifecycle import run_once")
        if self._flavour == "aio" and kind in {Kind.AWAIT, Kind.ONCE}:
            value = f"await {value}"
        returns = self._returns(function, kind)
        if kind is not Kind.STREAM and self._mentions_facade(function.returns):
            value = f'cast("{returns}", self._wrap({value}))'
        line = value if returns == "None" else f"return {value}"
        return f"{line}\n" if kind in {Kind.HERE, Kind.ONCE} else f"here = self._here\n{line}\n"

    def _here_call(self, function: Function, call: str) -> str:
        if function.name == "__bool__":
            return "bool(self._here)"
        operators = {"__len__": "len(self._here)", "__iter__": "iter(self._here)"}
        return operators.get(function.name, f"self._here.{call}")

    def _call(self, function: Function) -> str:
        if _has_decorator(function, "property"):
            return function.name
        return f"{function.name}({self._passed(function)})"

    def _passed(self, function: Function, instead: dict[str, str] | None = None) -> str:
        arguments, known = function.args, instead or {}

        def given(argument: ast.arg) -> str:
            is_facade = self._mentions_facade(argument.annotation)
            if is_facade:
                self._runtime.add("from skerry.portal import unwrap")
            return known.get(argument.arg, f"unwrap({argument.arg})" if is_facade else argument.arg)

        first = [one for one in [*arguments.posonlyargs, *arguments.args] if one.arg != "self"]
        parts = [given(one) for one in first]
        parts += [] if arguments.vararg is None else [f"*{given(arguments.vararg)}"]
        parts += [f"{one.arg}={given(one)}" for one in arguments.kwonlyargs]
        parts += [] if arguments.kwarg is None else [f"**{given(arguments.kwarg)}"]
        return ", ".join(parts)

    def _init_body(self, function: Function) -> str:
        self._typing.add(f"from skerry.{self._flavour}.handlers import TrioErrorHandler")
        target = f"Trio{self._name}"
        passed = self._passed(function, {"error_handler": "handler"})
        return (
            f"def make(handler: TrioErrorHandler | None) -> {target}:\n"
            f"    return {target}({passed})\n\n"
            "self._make(user, error_handler, make)\n"
        )

    def _mentions_facade(self, annotation: ast.expr | None) -> bool:
        if annotation is None:
            return False
        own = ast.parse(ast.unparse(annotation), mode="eval").body
        return bool(_names(_Unquoted({}).visit(own)) & {*SURFACES, *RENAMED})


def written_class(root: Path, flavour: str, name: str, surface: Surface) -> str:
    """Return the module of a facade, unformatted.

    Raises:
        LookupError: A member of the table does not exist, or a name has no origin.
    """
    return Writer(root, flavour, name, surface).text()


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    rest = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *rest]


def _names(node: ast.AST) -> set[str]:
    """Return the names in an expression; of a dotted one its first part."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _has_decorator(function: Function, name: str) -> bool:
    return any(ast.unparse(one).endswith(name) for one in function.decorator_list)


def _adapted(text: str, flavour: str) -> str:
    """Make a docstring of the trio API fit: how one waits is another, what happens is the same."""
    if flavour == "blocking":
        # A thread that waits can be interrupted, not cancelled: the package's docstring tells that.
        paragraphs = [one for one in text.split("\n\n") if not one.startswith("Cancellation:")]
        text = "\n\n".join(paragraphs)
    for pattern, words in WORDS[flavour].items():
        text = re.sub(pattern, words, text)
    return text
