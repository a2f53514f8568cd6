-- Denver 311 requests of the last twelve months.
{% include 'denver_contacts.sql' %}
