"""The words of the incident model that crosswalks may map to; docs/incident-model.md says what they mean."""

from __future__ import annotations

CATEGORIES = frozenset(
    {
        *("homicide", "sexual_assault", "robbery", "aggravated_assault", "assault", "burglary", "theft"),
        *("vehicle_theft", "arson", "fraud", "vandalism", "drugs", "weapons", "impaired_driving"),
        *("family_disturbance", "trespass", "disorder", "traffic", "missing_person", "welfare", "alarm"),
        *("administrative", "hate_crime", "service_request", "other", "unmapped"),
    }
)
STATUSES = frozenset({"open", "cleared_arrest", "cleared_exceptional", "not_cleared", "closed", "unknown"})
