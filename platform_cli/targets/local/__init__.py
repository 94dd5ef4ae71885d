"""Implements the embedded platform as a target: the one on this machine, or one elsewhere that `--platform` names.

The platform is asked through platform_client and never imported. How it serves releases is in controlplane and
supervisor.
"""
