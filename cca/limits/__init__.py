"""How much of the server a key may use, and all keys together. Time is passed in, and is of a monotonic clock."""
