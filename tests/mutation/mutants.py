"""The small changes to a module that a test should notice, one at a time, made on its syntax tree."""

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple

OTHER_COMPARISON: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""Turned round, and for an order also moved by its boundary."""
OTHER_OPERATOR: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
OTHER_NAME = {"any": "all", "all": "any", "min": "max", "max": "min"}


class Mutant(NamedTuple):
    """A change that can be made: its line, what it is in a few words, and what makes it in the tree that it was found in."""

    line: int
    what: str
    make: Callable[[], None]


def mutants(tree: ast.Module) -> list[Mutant]:
    """All changes to this module, always in the same order. Text is left alone: most of it is what people read, and compared elsewhere."""
    return list(_in_node(tree, in_function=False))


def _in_node(node: ast.AST, *, in_function: bool) -> Iterator[Mutant]:
    yield from _of_expression(node, in_function=in_function)
    in_function = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for field, value in ast.iter_fields(node):
        # What is said of types is not run; how a class is made (frozen, keywords only) is for mypy and for speed.
        if field in ("annotation", "returns", "decorator_list") or (isinstance(node, ast.ClassDef) and field == "keywords"):
            continue
        children = value if isinstance(value, list) else [value]
        for place, child in enumerate(children):
            if isinstance(child, ast.stmt):
                yield from _of_statement(children, place, child)
            if isinstance(child, ast.AST):
                yield from _in_node(child, in_function=in_function)


def _of_statement(block: list[ast.AST], place: int, statement: ast.stmt) -> Iterator[Mutant]:
    called = isinstance(statement, ast.Expr) and not isinstance(statement.value, ast.Constant)
    if called or isinstance(statement, ast.Raise | ast.AugAssign | ast.Assert):
        nothing = ast.copy_location(ast.Pass(), statement)
        yield Mutant(statement.lineno, f"without `{_short(statement)}`", lambda: block.__setitem__(place, nothing))
    if isinstance(statement, ast.Break | ast.Continue):
        other = ast.copy_location(ast.Continue() if isinstance(statement, ast.Break) else ast.Break(), statement)
        yield Mutant(statement.lineno, f"{_short(other)} for {_short(statement)}", lambda: block.__setitem__(place, other))


def _of_expression(node: ast.AST, *, in_function: bool) -> Iterator[Mutant]:
    match node:
        case ast.Compare():
            for place, comparison in enumerate(node.ops):
                for other in OTHER_COMPARISON[type(comparison)]:
                    yield _changed(node, f"{other.__name__} in `{_short(node)}`", _setter(node.ops, place, other()))
        case ast.BoolOp():
            opposite = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _changed(node, f"{type(opposite).__name__} in `{_short(node)}`", lambda: setattr(node, "op", opposite))
        case ast.UnaryOp(op=ast.Not()):
            # Twice not is a truth again, whatever stood there.
            inner = ast.copy_location(ast.UnaryOp(ast.Not(), node.operand), node)
            yield _changed(node, f"no not in `{_short(node)}`", lambda: setattr(node, "operand", inner))
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test) if isinstance(test, ast.Name | ast.Attribute | ast.Call):
            negated = ast.copy_location(ast.UnaryOp(ast.Not(), test), test)
            yield _changed(test, f"not `{_short(test)}`", lambda: setattr(node, "test", negated))
        case ast.Constant(value=bool(truth)):
            yield _changed(node, f"{not truth} for {truth}", lambda: setattr(node, "value", not truth))
        case ast.Constant(value=int(number)):
            yield _changed(node, f"{number + 1} for {number}", lambda: setattr(node, "value", number + 1))
        # Outside a function `|` joins types.
        case ast.BinOp() if in_function and type(node.op) in OTHER_OPERATOR:
            operator = OTHER_OPERATOR[type(node.op)]
            yield _changed(node, f"{operator.__name__} in `{_short(node)}`", lambda: setattr(node, "op", operator()))
        case ast.Call(func=ast.Name() as function) if function.id in OTHER_NAME:
            name = OTHER_NAME[function.id]
            yield _changed(node, f"{name} in `{_short(node)}`", lambda: setattr(function, "id", name))


def _changed(node: ast.expr, what: str, make: Callable[[], None]) -> Mutant:
    return Mutant(node.lineno, what, make)


def _setter(places: list[ast.cmpop], place: int, value: ast.cmpop) -> Callable[[], None]:
    return lambda: places.__setitem__(place, value)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else text[:87] + "..."
