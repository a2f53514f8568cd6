-- Incidents by source, hour of occurrence (civil), area, category and kind.
{% import 'windows.jinja' as windows %}

{{ windows.counts('hour', "concat(substring(occurred_local, 1, 13), ':00:00')") }}
