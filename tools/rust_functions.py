"""Finds functions in Rust source well enough to count their lines.

It blanks comments and literals first, keeping every line break, and then matches braces from each
``fn`` item. So a brace in a string or a comment never counts. It does not parse Rust: macros are
read as the text that they are, and a declaration without a body is no function here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FN = re.compile(r"\bfn\s+(?:r#)?([A-Za-z_]\w*)\s*[(<]")
_RAW_STRING = re.compile(r'(?:b|c)?r(#*)"')
_STRING = re.compile(r'(?:b|c)?"(?:[^"\\]|\\.)*"', re.DOTALL)
# A character literal, told from a lifetime by its closing quote.
_CHAR = re.compile(r"b?'(?:[^'\\\n]|\\(?:x[0-9a-fA-F]{2}|u\{[0-9a-fA-F_]{1,9}\}|.))'")
_WORD = re.compile(r"[A-Za-z0-9_]+")
_NOT_NEWLINE = re.compile(r"[^\n]")
_STARTS_LITERAL = frozenset("\"'bcr")


def _block_comment_end(text: str, start: int) -> int:
    """Return the position after the block comment at ``start``; block comments nest in Rust."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text[start:]):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return start + mark.end()
    return len(text)


def _token_end(text: str, start: int) -> int | None:
    """Return the end of the comment or literal that begins at ``start``, None if none does."""
    if text.startswith("//", start):
        end = text.find("\n", start)
        return len(text) if end < 0 else end
    if text.startswith("/*", start):
        return _block_comment_end(text, start)
    if text[start] not in _STARTS_LITERAL:
        return None
    raw = _RAW_STRING.match(text, start)
    if raw is not None:
        closing = '"' + raw.group(1)
        end = text.find(closing, raw.end())
        return len(text) if end < 0 else end + len(closing)
    literal = _STRING.match(text, start) or _CHAR.match(text, start)
    return None if literal is None else literal.end()


def blank_literals(text: str) -> str:
    """Return ``text`` with comments and literals as spaces: same length, same lines."""
    parts = []
    position = 0
    while position < len(text):
        end = _token_end(text, position)
        if end is not None:
            parts.append(_NOT_NEWLINE.sub(" ", text[position:end]))
        else:
            # A whole word at a time, so that the r of `for` cannot begin a raw string.
            word = _WORD.match(text, position)
            end = position + 1 if word is None else word.end()
            parts.append(text[position:end])
        position = end
    return "".join(parts)


def _body_span(code: str, start: int) -> tuple[int, int] | None:
    """Return (opening, closing) of the body that follows a signature, None for a declaration."""
    depth = 0
    for position in range(start, len(code)):
        match code[position]:
            case "(" | "[":
                depth += 1
            case ")" | "]":
                depth -= 1
            case ";" if depth == 0:
                return None
            case "{" if depth == 0:
                return position, _closing_brace(code, position)
            case _:
                pass
    return None


def _closing_brace(code: str, opening: int) -> int:
    """Return the position of the brace that closes the one at ``opening``, or the last position."""
    depth = 0
    for brace in re.finditer(r"[{}]", code[opening:]):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return opening + brace.start()
    return len(code) - 1


def rust_functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (name, first line, lines) of every function with a body, nested ones too."""
    code = blank_literals(text)
    for item in _FN.finditer(code):
        span = _body_span(code, item.end() - 1)
        if span is not None:
            first = code.count("\n", 0, item.start()) + 1
            last = code.count("\n", 0, span[1]) + 1
            yield item.group(1), first, last - first + 1
