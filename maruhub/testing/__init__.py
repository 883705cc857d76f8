"""What tests of MaruHub, ours and others', are built from: contract suites, trusted models,
fault-injecting parts.

May use: every layer, pytest and hypothesis. Never happens here: anything that the product
imports.
"""
