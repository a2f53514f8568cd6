-- What arrived by source and ten minutes of observation (UTC), and how long after the event.
{% import 'windows.jinja' as windows %}

{{ windows.arrivals('ten_minutes', "cast(concat(substring(seen_minute, 1, 15), '0:00') as timestamp(3))") }}
