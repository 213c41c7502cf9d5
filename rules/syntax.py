"""The written form of an expression: text -> tree of terms. What the names mean is checked in `rules.expression`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.spans import read_span

MAX_LENGTH = 2000
MAX_DEPTH = 32
MAX_WORDS = 300
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
_WORDS = frozenset({"and", "or", "not", "true", "false"})

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<span>\d+(?:\.\d+)?(?:ms|[smhd])\b)
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z_0-9.]))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<text>"[^"]*"|'[^']*')
    | (?P<sign><=|>=|==|!=|[<>+\-*/(),.])
    )""",
    re.VERBOSE,
)
_MISTAKES = {
    "=": "`=` is no comparison, expected `==`",
    "&": "`&` is unknown, expected `and`",
    "|": "`|` is unknown, expected `or`",
    "!": "`!` is unknown, expected `not`",
    '"': 'text is not closed, expected a second `"`',
    "'": "text is not closed, expected a second `'`",
}


class BadExpression(ValueError):
    """The text is no expression; the message says what is wrong and what was expected."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word of an expression: its form (span, number, name, text, sign, end) and 1-based column."""

    form: str
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Term:
    """A node of the tree. `op`: number, span, text, flag, name, member, call, negate, not, and, or, compare, + - * /.

    `text` is the written word (of a comparison chain: its signs joined by blanks); `args` are the operands.
    """

    op: str
    text: str
    column: int
    args: tuple["Term", ...] = ()


def read_expression(text: str) -> Term:
    """The tree of an expression. Raises BadExpression."""
    if not text.strip():
        raise BadExpression('the expression is empty, expected a condition such as "depth_cm >= 15"')
    if len(text) > MAX_LENGTH:
        raise BadExpression(f"the expression has {len(text)} characters, expected at most {MAX_LENGTH}")
    words = list(_tokens(text))
    if len(words) > MAX_WORDS:
        raise BadExpression(f"the expression has {len(words)} words, expected at most {MAX_WORDS}")
    return _Parser(words).whole()


def _tokens(text: str) -> Iterator[Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            rest = text[at:].lstrip()
            word = re.match(r"[0-9.A-Za-z_]+", rest)
            known = _MISTAKES.get(rest[0])
            column = len(text) - len(rest) + 1
            raise BadExpression(
                f"column {column}: {known or f'`{word[0] if word else rest[0]}` is not understood'}"
                + ("" if known else ", expected a field, number, duration, text or operator")
            )
        form = match.lastgroup or ""
        yield Token(form, match[form], match.start(form) + 1)
        at = match.end()
    yield Token("end", "the end", end + 1)


class _Parser:
    """Recursive descent, loosest binding first: or, and, not, comparison, sum, product, sign, atom."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Term:
        term = self._either()
        if self._next.form != "end":
            raise self._expected("an operator or the end")
        return term

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _is(self, *texts: str) -> bool:
        return self._next.form in ("sign", "name") and self._next.text in texts

    def _expected(self, what: str) -> BadExpression:
        token = self._next
        found = "the expression ends" if token.form == "end" else f"`{token.text}` is in the way"
        if token.form == "name" and token.text.lower() in _WORDS and token.text not in _WORDS:
            found = f"`{token.text}` must be written `{token.text.lower()}`"
        return BadExpression(f"column {token.column}: {found}, expected {what}")

    def _close(self) -> None:
        if not self._is(")"):
            raise self._expected("`)`")
        self._take()

    def _either(self) -> Term:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadExpression(f"column {self._next.column}: nested too deeply, expected at most {MAX_DEPTH} levels")
        terms = [self._both()]
        column = self._next.column
        while self._is("or"):
            self._take()
            terms.append(self._both())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else Term("or", "or", column, tuple(terms))

    def _both(self) -> Term:
        terms = [self._negation()]
        column = self._next.column
        while self._is("and"):
            self._take()
            terms.append(self._negation())
        return terms[0] if len(terms) == 1 else Term("and", "and", column, tuple(terms))

    def _negation(self) -> Term:
        if not self._is("not"):
            return self._comparison()
        token, count = self._take(), 1
        while self._is("not"):
            self._take()
            count += 1
        inner = self._comparison()
        if count % 2 == 0:
            inner = Term("not", "not", token.column, (inner,))
        return Term("not", "not", token.column, (inner,))

    def _comparison(self) -> Term:
        terms, signs = [self._sum()], []
        column = self._next.column
        while self._is(*COMPARISONS):
            signs.append(self._take().text)
            terms.append(self._sum())
        return terms[0] if not signs else Term("compare", " ".join(signs), column, tuple(terms))

    def _sum(self) -> Term:
        term = self._product()
        while self._is("+", "-"):
            sign = self._take()
            term = Term(sign.text, sign.text, sign.column, (term, self._product()))
        return term

    def _product(self) -> Term:
        term = self._signed()
        while self._is("*", "/"):
            sign = self._take()
            term = Term(sign.text, sign.text, sign.column, (term, self._signed()))
        return term

    def _signed(self) -> Term:
        negative, column = False, self._next.column
        while self._is("-", "+"):
            negative ^= self._take().text == "-"
        term = self._atom()
        if negative and term.op == "number":
            return Term("number", f"-{term.text}", column)
        return Term("negate", "-", column, (term,)) if negative else term

    def _atom(self) -> Term:
        token = self._next
        if token.form in ("number", "span"):
            if token.form == "span" and read_span(token.text) is None:
                raise BadExpression(f"column {token.column}: `{token.text}` is too long, expected at most 366d")
            self._take()
            return Term(token.form, token.text, token.column)
        if token.form == "text":
            self._take()
            return Term("text", token.text[1:-1], token.column)
        if self._is("("):
            self._take()
            term = self._either()
            self._close()
            return term
        if token.form == "name" and token.text not in ("and", "or", "not"):
            return self._named()
        raise self._expected("a field, number, text or `(`")

    def _named(self) -> Term:
        token = self._take()
        if token.text in ("true", "false"):
            return Term("flag", token.text, token.column)
        if self._is("."):
            self._take()
            if self._next.form != "name":
                raise self._expected(f"a name after `{token.text}.`")
            return Term("member", f"{token.text}.{self._take().text}", token.column)
        if not self._is("("):
            return Term("name", token.text, token.column)
        self._take()
        args: list[Term] = []
        while not self._is(")"):
            args.append(self._either())
            if self._is(","):
                self._take()
            elif not self._is(")"):
                raise self._expected("`,` or `)`")
        self._close()
        return Term("call", token.text, token.column, tuple(args))
