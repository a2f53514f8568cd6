-- Incidents by source, day of occurrence (civil), area, category and kind.
{% import 'windows.jinja' as windows %}

{{ windows.counts('day', "concat(substring(occurred_local, 1, 10), 'T00:00:00')") }}
