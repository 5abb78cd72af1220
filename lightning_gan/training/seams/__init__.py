"""Every private name of Lightning, one use a file, each with the test that guards it."""
