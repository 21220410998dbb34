"""HTTP: who is asking, what is the route, how is the answer framed."""
