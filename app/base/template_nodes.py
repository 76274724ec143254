"""Does once, before a template is compiled, what would be the same each time it is shown.

Texts without values become data, texts with values become data around them, loops over a fixed
range are written out, and a template that is included becomes a part of its includer. The page is
the same; most of a page's processor time was spent on these.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import Environment, nodes
from jinja2.visitor import NodeTransformer

_VALUE = re.compile(r"%\((\w+)\)s|%%")
_OF_LOOPS = (nodes.Output, nodes.If, nodes.Expr, nodes.Keyword, nodes.Pair, nodes.Helper)
"""What a loop that is written out may hold: nothing that binds a name or looks one up by itself."""
_OF_A_TEMPLATE = (
    nodes.Extends,
    nodes.Block,
    nodes.Macro,
    nodes.Import,
    nodes.FromImport,
    nodes.CallBlock,
)
"""What makes a template more than a part of another one."""


class Simplifier(NodeTransformer):
    """Simplifies the nodes of templates of one environment, whose texts `translate` translates.

    `mark` makes a translated text what templates show unescaped.
    """

    def __init__(
        self, environment: Environment, translate: Callable[[str], str], mark: Callable[[str], str]
    ) -> None:
        self._environment = environment
        self._translate = translate
        self._mark = mark

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        """Simplify a node's children; outputs that follow one another become one."""
        super().generic_visit(node, *args, **kwargs)
        for _, value in node.iter_fields():
            if isinstance(value, list) and any(isinstance(each, nodes.Output) for each in value):
                value[:] = _merged(value)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802  # named by the library
        """Take texts apart into data and values, which are escaped as any other output."""
        made: list[nodes.Expr] = []
        for child in node.nodes:
            text = self._text(child)
            if text is None:
                made.append(self.visit(child))
                continue
            place = 0
            values = _values(child)
            for found in _VALUE.finditer(text):
                made.append(_data(text[place : found.start()] + ("%" if found[1] is None else ""), child))
                if found[1] is not None:
                    made.append(self.visit(values[found[1]]))
                place = found.end()
            made.append(_data(text[place:], child))
        node.nodes = made
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        """Translate a text that is a value itself."""
        text = self._text(node)
        self.generic_visit(node)
        if text is None:
            return node
        marked = nodes.Const(self._mark(text), lineno=node.lineno, environment=node.environment)
        pairs = [
            nodes.Pair(nodes.Const(name, lineno=node.lineno), value, lineno=node.lineno)
            for name, value in _values(node).items()
        ]
        return nodes.Mod(marked, nodes.Dict(pairs, lineno=node.lineno), lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.Node | list[nodes.Node]:  # noqa: N802
        """Write a loop over a fixed range out."""
        numbers = _fixed_range(node)
        if numbers is None or not _is_plain(node.body):
            return self.generic_visit(node)
        name = node.target.name  # type: ignore[attr-defined]  # `_fixed_range` has seen to it
        return [self.visit(_with_number(each, name, number)) for number in numbers for each in node.body]

    def visit_Include(self, node: nodes.Include) -> nodes.Node:  # noqa: N802
        """Put a named template in the place where it is included."""
        if not isinstance(node.template, nodes.Const) or node.ignore_missing or not node.with_context:
            return node
        loader = self._environment.loader
        if loader is None:
            return node
        source, _, _ = loader.get_source(self._environment, node.template.value)
        part = self._environment.parse(source, node.template.value)
        if any(part.find_all(_OF_A_TEMPLATE)):
            return node
        return self.generic_visit(nodes.Scope(part.body, lineno=node.lineno, environment=node.environment))

    def _text(self, node: nodes.Node) -> str | None:
        """What a call translates, where it is known now and has all its values; else None."""
        match node:
            case nodes.Call(
                node=nodes.Name(name="_" | "gettext"),
                args=[nodes.Const(value=str(source))],
                dyn_args=None,
                dyn_kwargs=None,
            ):
                text = self._translate(source)
                wanted = {found[1] for found in _VALUE.finditer(text) if found[1] is not None}
                return text if wanted <= _values(node).keys() else None
        return None


def _values(call: nodes.Node) -> dict[str, nodes.Expr]:
    return {each.key: each.value for each in call.kwargs}  # type: ignore[attr-defined]  # of a call


def _data(text: str, origin: nodes.Node) -> nodes.TemplateData:
    return nodes.TemplateData(text, lineno=origin.lineno, environment=origin.environment)


def _merged(siblings: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    last: nodes.Output | None = None
    for each in list(siblings):
        if not isinstance(each, nodes.Output):
            last = None
            yield each
        elif last is None:
            last = each
            yield each
        else:
            last.nodes += each.nodes


def _fixed_range(loop: nodes.For) -> range | None:
    """The numbers of a loop `for name in range(number)` that is nothing more."""
    match loop:
        case nodes.For(
            target=nodes.Name(),
            iter=nodes.Call(
                node=nodes.Name(name="range"),
                args=[nodes.Const(value=int(count))],
                kwargs=[],
                dyn_args=None,
                dyn_kwargs=None,
            ),
            else_=[],
            test=None,
            recursive=False,
        ):
            return range(count)
    return None


def _is_plain(body: Iterable[nodes.Node]) -> bool:
    return all(
        isinstance(each, _OF_LOOPS) and not (isinstance(each, nodes.Name) and each.name == "loop")
        for one in body
        for each in (one, *one.find_all(nodes.Node))
    )


def _with_number(node: Any, name: str, number: int) -> Any:
    """A copy of a node, or of a list of nodes, in which a name is a number."""
    match node:
        case nodes.Name(name=found) if found == name:
            return nodes.Const(number, lineno=node.lineno, environment=node.environment)
        case nodes.Node():
            fields = [_with_number(getattr(node, field), name, number) for field in node.fields]
            return type(node)(*fields, lineno=node.lineno, environment=node.environment)
        case list():
            return [_with_number(each, name, number) for each in node]
    return node
