"""Keeps what a platform's projects answered: raw for days, as hourly histograms for a year, and as counters since the
start.

What is kept is one operation (`operation`), its buckets (`histogram`), the file (`store`), what is asked of it
(`summary`), and Prometheus' text (`prometheus`); `recorder` is what the platform holds. It is fed by the supervisor and
read by the control plane.
"""
