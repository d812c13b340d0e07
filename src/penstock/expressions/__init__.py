"""Runtime expressions and JSON Schema: the native linear subset, and what must go to a worker. Pure."""

from penstock.expressions.errors import ExpressionError as ExpressionError
from penstock.expressions.errors import SchemaError as SchemaError
from penstock.expressions.expression import Expression as Expression
from penstock.expressions.expression import compile_expression as compile_expression
from penstock.expressions.expression import looks_like_expression as looks_like_expression
from penstock.expressions.expression import strip_wrapper as strip_wrapper
from penstock.expressions.schemas import Schema as Schema
from penstock.expressions.schemas import compile_schema as compile_schema
from penstock.expressions.template import Template as Template
from penstock.expressions.template import compile_template as compile_template
