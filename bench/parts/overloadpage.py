"""What an overload came to, as a table for people."""

from collections.abc import Mapping


def table(r: Mapping[str, object]) -> str:
    """For docs/reliability.md."""
    signs, alerts = r["signs"], r["alerts"]
    assert isinstance(signs, dict) and isinstance(alerts, dict)
    rows = [
        ("the server takes, judged and stored: messages a second; its own processor time for each, us",
         f"{r['can_take_per_s']:,}; {r['cpu_us']}"),
        ("the same with a webhook that takes 2 s and 20 listeners that never read",
         f"{r['with_slow_consumers_per_s']:,}; {r['with_slow_consumers_cpu_us']}"),
        ("offered", f"{r['offered_per_s']:,} a second for {r['seconds']:g} s ({r['offered']:,} messages); the broker "
         f"had taken all after {r['broker_had_all_s']} s"),
        ("memory of the server at rest, at most, MB", f"{r['rss_rest_mb']}, {r['rss_peak_mb']}"),
        ("its log: bound, largest, MB", f"{r['log_max_mb']}, {r['log_peak_mb']}"),
        ("waiting in the log, at most", f"{r['in_log_peak']:,.0f}"),
        ("waiting in the broker, at most", f"{r['in_broker_peak']:,.0f}"),
        (f"{r['looks_at_rest']} pages before, at rest: median, 95 %, longest, s", _listed(r["look_at_rest_s"])),
        (f"{r['looks']} pages meanwhile: median, 95 %, longest, s", _listed(r["look_s"])),
        *((f"`citywarden_server_sign{{rule=\"{name}\"}}` at most; alert by webhook",
           f"{value:g} s; {', '.join(alerts[name]) or 'none'}") for name, value in signs.items()),
        ("from the last message offered until all were stored, s", f"{r['drained_s']}"),
        ("lost, twice", f"{r['lost']}, {r['twice']}"),
        ("load of the machine", f"{r['load']}"),
    ]  # fmt: skip
    return "\n".join(["| what | seen |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _listed(values: object) -> str:
    assert isinstance(values, list)
    return ", ".join(map(str, values))
