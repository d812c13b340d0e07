"""The parser of the native subset: precedence climbing over jq's tokens.

What it does not know, or what could have more than one output, is `NotNative`: it never judges a text wrong.
Precedence, loosest first: `|`, `,`, `//`, `or`, `and`, comparisons, `+ -`, `* / %`, unary `-`, postfix.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from penstock.expressions import nodes
from penstock.expressions.errors import NotNative
from penstock.expressions.functions import FUNCTIONS, SPECIAL_FUNCTIONS
from penstock.expressions.nodes import Node, children
from penstock.expressions.operators import IN_MAP
from penstock.expressions.tokens import Token
from penstock.model import limits
from penstock.model.json_value import MAX_INTEGER, MIN_INTEGER

_COMPARISONS: Final = frozenset(("==", "!=", "<", "<=", ">", ">="))
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_END: Final = Token("operator", "", -1)


def parse(tokens: Sequence[Token]) -> Node:
    """The tree of a whole text. Raises `NotNative`."""
    parser = _Parser(tokens, 0)
    node = parser.pipe()
    parser.finish()
    return node


class _Parser:
    def __init__(self, tokens: Sequence[Token], depth: int) -> None:
        if depth > limits.MAX_EXPRESSION_DEPTH:
            raise NotNative
        self._tokens = tokens
        self._at = 0
        self._depth = depth
        self._in_map = False

    def finish(self) -> None:
        if self._at != len(self._tokens):
            raise NotNative

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _next(self) -> Token:
        token = self._peek()
        if token is _END:
            raise NotNative
        self._at += 1
        return token

    def _is(self, text: str) -> bool:
        token = self._peek()
        return token.text == text and token.kind in ("operator", "keyword")

    def _take(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise NotNative

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > limits.MAX_EXPRESSION_DEPTH:
            raise NotNative

    def pipe(self) -> Node:
        """The loosest level; a comma here would mean several outputs."""
        stages = [self._alternative()]
        while self._take("|"):
            stages.append(self._alternative())
        if len(stages) > limits.MAX_EXPRESSION_DEPTH:
            raise NotNative
        node = stages.pop()
        while stages:
            node = nodes.Pipe(stages.pop(), node)
        return node

    def _alternative(self) -> Node:
        self._enter()
        left = self._or()
        if self._take("//"):
            left = nodes.Alternative(left, self._alternative())
        self._depth -= 1
        return left

    def _or(self) -> Node:
        left = self._and()
        for _ in self._chain("or"):
            left = nodes.Logic(False, left, self._and())
        return left

    def _and(self) -> Node:
        left = self._comparison()
        for _ in self._chain("and"):
            left = nodes.Logic(True, left, self._comparison())
        return left

    def _comparison(self) -> Node:
        left = self._sum()
        token = self._peek()
        if token.kind == "operator" and token.text in _COMPARISONS:
            self._at += 1
            return nodes.Binary(token.text, left, self._sum())
        return left

    def _sum(self) -> Node:
        left = self._product()
        for operator in self._chain("+", "-"):
            left = nodes.Binary(operator, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._unary()
        for operator in self._chain("*", "/", "%"):
            name = IN_MAP + operator if operator == "*" and self._in_map else operator
            left = nodes.Binary(name, left, self._unary())
        return left

    def _chain(self, *operators: str) -> Iterator[str]:
        """The operators that follow one another at one level; bounded, because each one nests the tree."""
        for _ in range(limits.MAX_EXPRESSION_DEPTH):
            token = self._peek()
            if token.kind not in ("operator", "keyword") or token.text not in operators:
                return
            self._at += 1
            yield token.text
        raise NotNative

    def _unary(self) -> Node:
        if self._take("-"):
            return nodes.Negate(self._postfix())
        return self._postfix()

    def _postfix(self) -> Node:
        node, is_path = self._term(), False
        for _ in range(limits.MAX_EXPRESSION_DEPTH):
            token = self._peek()
            if self._take("?"):
                node, is_path = _without_error(node) if is_path else nodes.Optional(node), False
                continue
            if token.kind == "field":
                self._at += 1
                node = nodes.Index(node, nodes.Literal(token.text))
            elif self._take("["):
                node = self._bracket(node)
            elif self._take("."):
                node = self._after_dot(node)
            else:
                return node
            is_path = True
        raise NotNative

    def _after_dot(self, node: Node) -> Node:
        if self._peek().kind == "string":
            return nodes.Index(node, self._string(self._next()))
        self._expect("[")
        indexed = self._bracket(node)
        if isinstance(indexed, nodes.Slice):
            raise NotNative
        return indexed

    def _bracket(self, target: Node) -> Node:
        """What follows `[` in a path: an index or a slice."""
        if self._take(":"):
            end = self.pipe()
            self._expect("]")
            return nodes.Slice(target, None, end)
        start = self.pipe()
        if self._take("]"):
            return nodes.Index(target, start)
        self._expect(":")
        if self._take("]"):
            return nodes.Slice(target, start, None)
        end = self.pipe()
        self._expect("]")
        return nodes.Slice(target, start, end)

    def _term(self) -> Node:
        token = self._next()
        match token.kind:
            case "number":
                return nodes.Literal(_number(token.text))
            case "string":
                return self._string(token)
            case "field":
                return nodes.Index(nodes.Dot(), nodes.Literal(token.text))
            case "variable":
                return nodes.Variable(_plain_name(token.text))
            case "name":
                return self._name(token.text)
            case "keyword" if token.text == "if":
                return self._if()
            case "operator":
                return self._bracketed(token.text)
            case _:
                raise NotNative

    def _bracketed(self, text: str) -> Node:
        match text:
            case ".":
                return self._dot()
            case "(":
                node = self.pipe()
                self._expect(")")
                return node
            case "[":
                return self._array()
            case "{":
                return self._object()
            case _:
                raise NotNative

    def _dot(self) -> Node:
        if self._peek().kind == "string":
            return nodes.Index(nodes.Dot(), self._string(self._next()))
        return nodes.Dot()

    def _string(self, token: Token) -> Node:
        if len(token.parts) == 1 and isinstance(token.parts[0], str):
            return nodes.Literal(token.parts[0])
        parts: list[str | Node] = []
        for part in token.parts:
            if isinstance(part, str):
                parts.append(part)
            else:
                inner = _Parser(part, self._depth + 1)
                parts.append(inner.pipe())
                inner.finish()
        return nodes.Interpolation(tuple(parts))

    def _name(self, name: str) -> Node:
        if name in _CONSTANTS and not self._is("("):
            return nodes.Literal(_CONSTANTS[name])
        arguments: list[Node] = []
        if self._take("("):
            outer, self._in_map = self._in_map, self._in_map or name == "map"
            arguments.append(self.pipe())
            while self._take(";"):
                arguments.append(self.pipe())
            self._expect(")")
            self._in_map = outer
        if (name, len(arguments)) not in FUNCTIONS and (name, len(arguments)) not in SPECIAL_FUNCTIONS:
            raise NotNative
        return nodes.Call(name, tuple(arguments))

    def _if(self) -> Node:
        self._enter()
        condition = self.pipe()
        self._expect("then")
        yes = self.pipe()
        no: Node = nodes.Dot()
        if self._take("elif"):
            no = self._if()
            self._depth -= 1
            return nodes.If(condition, yes, no)
        if self._take("else"):
            no = self.pipe()
        self._expect("end")
        self._depth -= 1
        return nodes.If(condition, yes, no)

    def _array(self) -> Node:
        if self._take("]"):
            return nodes.Array(())
        items = [self._alternative()]
        while self._take(","):
            items.append(self._alternative())
        if len(items) == 1:
            while self._take("|"):
                items[0] = nodes.Pipe(items[0], self._alternative())
        self._expect("]")
        return nodes.Array(tuple(items))

    def _object(self) -> Node:
        pairs: list[tuple[Node, Node]] = []
        while not self._take("}"):
            pairs.append(self._pair())
            if not self._take(","):
                self._expect("}")
                break
        return nodes.Object(tuple(pairs))

    def _pair(self) -> tuple[Node, Node]:
        token = self._next()
        match token.kind:
            case "variable":
                name = _plain_name(token.text)
                return nodes.Literal(name), nodes.Variable(name)
            case "name" | "keyword":
                key: Node = nodes.Literal(token.text)
            case "string":
                key = self._string(token)
            case "operator" if token.text == "(":
                key = self.pipe()
                self._expect(")")
                self._expect(":")
                if not (_is_text(key) or _reads_input(key)):
                    raise NotNative
                return key, self.pipe()
            case _:
                raise NotNative
        if self._take(":"):
            return key, self.pipe()
        if isinstance(key, nodes.Literal):
            return key, nodes.Index(nodes.Dot(), key)
        raise NotNative


def _plain_name(name: str) -> str:
    if "::" in name:
        raise NotNative
    return name


def _number(text: str) -> int | float:
    """The number, when its spelling is the one that both libjq and Python print for it."""
    if text.isdecimal():
        number = int(text)
        if str(number) == text and MIN_INTEGER <= number <= MAX_INTEGER:
            return number
    elif repr(float(text)) == text:
        return float(text)
    raise NotNative


def _is_text(node: Node) -> bool:
    return isinstance(node, nodes.Literal) and isinstance(node.value, str)


def _reads_input(node: Node) -> bool:
    """False for a constant: libjq folds it, and refuses an object whose constant key is no string."""
    if isinstance(node, nodes.Pipe) and isinstance(node.left, nodes.Dot):
        return _reads_input(node.right)
    reading = isinstance(node, (nodes.Dot, nodes.Variable, nodes.Call))
    return reading or any(map(_reads_input, children(node)))


def _without_error(node: Node) -> Node:
    """`target[key]?`: the last step may fail, but errors of the target and of the key stay errors."""
    match node:
        case nodes.Index(target, nodes.Literal() as key):
            return nodes.Pipe(target, nodes.Optional(nodes.Index(nodes.Dot(), key)))
        case _:
            raise NotNative
