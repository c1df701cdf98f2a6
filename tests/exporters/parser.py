"""Reads OpenMetrics text strictly and writes it as JSON."""
import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

sys.stdin.reconfigure(encoding="utf-8", newline="\n")
families = [
    {
        "name": family.name,
        "kind": family.type,
        "unit": family.unit,
        "help": family.documentation,
        "samples": [
            {"name": sample.name, "labels": sample.labels, "value": str(float(sample.value))}
            for sample in family.samples
        ],
    }
    for family in text_string_to_metric_families(sys.stdin.read())
]
json.dump(families, sys.stdout)
