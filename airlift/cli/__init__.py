"""The command line: parse, assemble, call one journey, show the result."""
