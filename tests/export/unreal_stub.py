"""Looks things up in the stub of Unreal's Python API (PyPI `unreal-stub`): one file of 26 MB, parsed class by class."""

import ast
import importlib.metadata
from functools import cache


@cache
def stub_text() -> str | None:
    """The stub's text, None where it is not installed."""
    try:
        stub = importlib.metadata.distribution("unreal-stub").locate_file("unreal/unreal.py")
    except importlib.metadata.PackageNotFoundError:
        return None
    with open(str(stub), encoding="utf-8-sig") as file:
        return file.read()


@cache
def class_definition(name: str) -> ast.ClassDef | None:
    text = stub_text() or ""
    start = text.find(f"\nclass {name}(")
    if start < 0:
        return None
    ends = [text.find(mark, start + 1) for mark in ("\nclass ", "\ndef ", "\n#####")]
    return ast.parse(text[start : min(end for end in ends if end > 0)]).body[0]


def bases(name: str) -> list[str]:
    """The class and all it inherits from, nearest first."""
    definition = class_definition(name)
    if definition is None:
        return []
    parents = [base.id for base in definition.bases if isinstance(base, ast.Name)]
    return [name, *(ancestor for parent in parents for ancestor in bases(parent))]


def member(class_name: str, name: str) -> ast.stmt | None:
    """A method, property or enumeration value, also an inherited one."""
    for ancestor in bases(class_name):
        for statement in class_definition(ancestor).body:
            if name in (getattr(statement, "name", None), getattr(getattr(statement, "target", None), "id", None)):
                return statement
    return None


def argument_names(class_name: str, method: str) -> list[str] | None:
    """Names of the arguments after `self` or `cls`; None where there is no such method."""
    found = member(class_name, method)
    return [argument.arg for argument in found.args.args[1:]] if isinstance(found, ast.FunctionDef) else None


def has_editor_property(class_name: str, name: str) -> bool:
    documented = (ast.get_docstring(class_definition(ancestor)) or "" for ancestor in bases(class_name))
    return any(f"``{name}``" in text for text in documented)


def has_function(name: str) -> bool:
    return f"\ndef {name}(" in (stub_text() or "")
