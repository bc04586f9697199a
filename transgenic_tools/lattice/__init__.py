"""What a transcript may be, and the graph of all that a window allows: sites, grammar, states, edges. No torch."""
