"""CPU twins of plain torch modules: the same numbers to rounding, several times as fast.

Only `search` chooses between a module and its twin (`search.twins`); without this folder answers stay and speed goes.
"""
