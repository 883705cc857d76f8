"""What tests of MaruHub are built from: contract suites, trusted models, faulty parts.

May use: every layer, pytest and hypothesis. Never happens here: anything that the product
imports.
"""
