"""JSON schemas: whether they are any, whether a value is of one, and whether the model's API can hold it to that."""
