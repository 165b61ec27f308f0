"""Pure functions of columns that say how a society is doing; levers and metrics share them."""
