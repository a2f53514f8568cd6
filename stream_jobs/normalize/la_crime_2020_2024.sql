-- Los Angeles crime reports 2020 to 2024: both legacy tables have the same columns, so they are one file.
{% include 'la_crime_reports.sql' %}
