"""One reader per construct of the DSL: plain data with a place to a typed value; mistakes are collected."""
