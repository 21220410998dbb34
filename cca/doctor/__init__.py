"""Whether cca can serve on this machine, check by check, and what to do where it cannot."""
