"""Keeps what a platform's projects answered: raw for days, as histograms for a year, and as counters since the start;
and their errors, in groups.

What is kept is one operation (`operation`), its buckets (`histogram`), the file (`store`), its rows (`call_rows`) and
their sums (`rollups`), what is asked of them (`calls`, `summary` with its `sums`), and Prometheus' text (`prometheus`).
Of errors it is one (`error_event`), what makes a group (`grouping`), the tables (`error_store`), and what is asked of
them (`error_groups`). `recorder` is what the platform holds. It is fed by the supervisor and read by the control plane.
"""
